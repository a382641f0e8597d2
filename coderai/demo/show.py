"""The demonstration: a real gateway on a throw-away data directory, scripted models behind it, real tools' traffic."""

import asyncio
import signal
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import aiohttp
import uvloop

from coderai.demo.provider import Pause, ScriptedProvider
from coderai.demo.talks import Turn, claude_code, coder_agents, codex
from coderai.demo.usual import small_talk
from coderai.errors import CoderaiError
from coderai.ids import new_id
from coderai.server import Ready, serve
from coderai.settings import load

_PREFIX: Final = "/api/v2/aibridge"
_THINKING_SECONDS: Final = 0.06
"""A model that answers at once would make all times zero."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A gateway that has seen the demonstration's traffic."""

    url: str
    data_dir: Path
    token: str = field(repr=False)
    """The owner's."""
    chat: str
    """Id of the session of Coder Agents."""


def run_demo(*, once: bool, port: int, show: Callable[[Stage], None]) -> None:
    """Play the conversations, then call *show* in a thread; stay until SIGINT or SIGTERM, or leave at once.

    Raises what keeps the server from starting, in an exception group as its tasks do.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_demo(once, port, show))


async def _demo(once: bool, port: int, show: Callable[[Stage], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    provider = ScriptedProvider(otherwise=small_talk)
    with tempfile.TemporaryDirectory(prefix="coderai-demo-") as directory:
        async with provider.serving() as provider_url:
            listening: asyncio.Future[Ready] = loop.create_future()
            loaded = load(_arguments(directory, port), _environment(provider_url), lambda path: Path(path).read_text())
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(serve(loaded, stop=stop, ready=listening.set_result, environ={}), name="server")
                ready = await listening
                try:
                    await _perform(ready, provider, stop, show)
                    if not once:
                        await stop.wait()
                finally:
                    stop.set()


async def _perform(
    ready: Ready, provider: ScriptedProvider, stop: asyncio.Event, show: Callable[[Stage], None]
) -> None:
    try:
        stage = await _play(ready, provider)
    except aiohttp.ClientError as error:
        if stop.is_set():  # Ctrl-C came early
            return
        raise CoderaiError(f"the demonstration broke off: {error}") from error
    await asyncio.to_thread(show, stage)


async def _play(ready: Ready, provider: ScriptedProvider) -> Stage:
    """Make users and tokens as the local owner, then send the conversations through the gateway."""
    chat = new_id()
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(ready.socket))) as owner,
        aiohttp.ClientSession(ready.url, skip_auto_headers=("User-Agent",)) as tools,
    ):
        for name in ("alice", "bob"):
            await _post(owner, "/users", {"username": name, "email": f"{name}@example.com", "login_type": "none"})
        await _post(owner, "/users", {"username": "coder-bot", "service_account": True, "login_type": "none"})
        talks: tuple[tuple[str, Iterable[Turn]], ...] = (
            ("alice", claude_code(new_id())),
            ("bob", codex(new_id())),
            ("coder-bot", coder_agents(chat, new_id())),
        )
        for username, talk in talks:
            token = await _token(owner, username)
            for turn in talk:
                provider.add(replace(turn.reply, chunks=(Pause(_THINKING_SECONDS), *turn.reply.chunks)))
                await _send(tools, turn, token)
        return Stage(ready.url, ready.data_dir, await _token(owner, "me"), chat)


async def _token(owner: aiohttp.ClientSession, username: str) -> str:
    answer = await _post(owner, f"/users/{username}/keys/tokens", {"token_name": "demo"})
    return str(answer["key"])


async def _post(owner: aiohttp.ClientSession, path: str, body: Mapping[str, Any]) -> Any:
    async with owner.post("http://localhost/api/v2" + path, json=body) as answer:
        document = await answer.json()
        if answer.status >= 400:
            raise CoderaiError(f"the demonstration cannot be prepared: {document}")
        return document


async def _send(tools: aiohttp.ClientSession, turn: Turn, token: str) -> None:
    headers = {**turn.headers, "Authorization": f"Bearer {token}"}
    async with tools.post(_PREFIX + turn.path, json=turn.body, headers=headers) as answer:
        content = await answer.read()
        if answer.status != 200:
            text = content.decode(errors="replace")
            raise CoderaiError(f"the gateway answered {answer.status} to {turn.path}: {text[:500]}")


def _arguments(directory: str, port: int) -> list[str]:
    return ["--aibridge-enabled", f"--http-address=127.0.0.1:{port}", f"--data-dir={directory}", "--shutdown-grace=2s"]


def _environment(provider_url: str) -> dict[str, str]:
    prefix = "CODER_AIBRIDGE_PROVIDER_"
    return {
        f"{prefix}0_TYPE": "anthropic",
        f"{prefix}0_NAME": "anthropic",
        f"{prefix}0_BASE_URL": provider_url,
        f"{prefix}0_KEY": "sk-ant-demo-0123456789",
        f"{prefix}1_TYPE": "openai",
        f"{prefix}1_NAME": "openai",
        f"{prefix}1_BASE_URL": f"{provider_url}/v1",
        f"{prefix}1_KEY": "sk-demo-9876543210",
    }
