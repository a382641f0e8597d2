"""The whole server on the loop of the test, before a scripted provider."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from coderai.demo.provider import ScriptedProvider
from coderai.server import Ready, serve
from coderai.settings import load


@dataclass
class Running:
    """What a test needs of it."""

    ready: Ready
    provider: ScriptedProvider
    token: str
    """The owner's."""
    again: asyncio.Event
    """Set by SIGHUP."""

    @property
    def url(self) -> str:
        return self.ready.url

    @property
    def https(self) -> str:
        """Where the TLS listener is."""
        return next(line.split()[-1] for line in self.ready.introduction.splitlines() if "TLS/HTTPS" in line)

    @property
    def known(self) -> dict[str, object]:
        """What the command line finds."""
        document: dict[str, object] = json.loads((self.ready.data_dir / "server.json").read_text())
        return document


@asynccontextmanager
async def running(directory: Path, *replies: object, flags: tuple[str, ...] = ()) -> AsyncIterator[Running]:
    """Serve until left."""
    provider = ScriptedProvider(replies)
    stop, again = asyncio.Event(), asyncio.Event()
    started: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
    async with provider.serving() as url, asyncio.TaskGroup() as tasks:
        environ = {
            "CODER_AIBRIDGE_OPENAI_BASE_URL": f"{url}/v1",
            "CODER_AIBRIDGE_OPENAI_KEY": "sk-openai-central",
            "CODER_AIBRIDGE_ANTHROPIC_BASE_URL": url,
            "CODER_AIBRIDGE_ANTHROPIC_KEY": "sk-anthropic-central",
        }
        usual = ["--aibridge-enabled", "--http-address=127.0.0.1:0", f"--data-dir={directory}", *flags]
        loaded = load(usual, environ, lambda name: Path(name).read_text())
        tasks.create_task(serve(loaded, stop=stop, ready=started.set_result, again=again, environ={}), name="server")
        ready = await started
        try:
            yield Running(ready, provider, await _token(ready.socket), again)
        finally:
            stop.set()


async def _token(socket: Path) -> str:
    async with (
        aiohttp.ClientSession("http://localhost", connector=aiohttp.UnixConnector(str(socket))) as http,
        http.post("/api/v2/users/me/keys/tokens", json={}) as answer,
    ):
        assert answer.status == 201, await answer.text()
        key: str = (await answer.json())["key"]
        return key
