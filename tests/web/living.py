"""A whole server with its pages in a thread, before a scripted provider: one for all tests of a worker."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from coderai.demo.provider import ScriptedProvider
from coderai.server import Ready, serve
from coderai.settings.loader import load
from tests.end_to_end.conftest import small_agent

PASSWORD = "long enough to be one"
PEOPLE = {"audrey": ["auditor"], "uwe": ["user-admin"], "mia": [], "max": []}
"""With their roles. ``uwe`` never calls a model: tests of empty pages are his."""


@dataclass
class Living:
    """Where it is, and who may come in. ``admin`` is the owner."""

    url: str
    provider: str
    """Base URL of the scripted provider; it is configured as ``openai`` and ``anthropic``."""
    tokens: dict[str, str] = field(default_factory=dict)
    database: str = ""
    """For records that no tool of the tests would make."""

    def session(self, who: str = "") -> aiohttp.ClientSession:
        """Return a browser without eyes, signed in as one of the people; it follows no redirect by itself."""
        cookies = {"coder_session_token": self.tokens[who]} if who else {}
        return aiohttp.ClientSession(self.url, cookies=cookies, cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def exchange(self, prompt: str = "Why is the test red?", who: str = "mia", **more: Any) -> None:
        """Call a model as Claude Code does; *more* goes into the headers, with dashes for underscores."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}", "User-Agent": "claude-cli/2.1.329 (external, cli)"}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        body = {"model": "claude-opus-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": prompt}]}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.url}/api/v2/aibridge/anthropic/v1/messages", json=body, headers=headers) as answer,
        ):
            assert answer.status == 200, await answer.text()


@contextmanager
def living(directory: Path, *flags: str, providers: bool = True) -> Iterator[Living]:
    """Serve until left."""
    started: threading.Event = threading.Event()
    found: dict[str, Any] = {}

    async def main() -> None:
        scripted = ScriptedProvider(small_agent)
        async with scripted.serving() as url:
            environ = {
                "CODER_AIBRIDGE_OPENAI_BASE_URL": f"{url}/v1",
                "CODER_AIBRIDGE_OPENAI_KEY": "sk-openai-central",
                "CODER_AIBRIDGE_ANTHROPIC_BASE_URL": url,
                "CODER_AIBRIDGE_ANTHROPIC_KEY": "sk-anthropic-central",
            }
            environ = environ if providers else {}
            usual = ["--aibridge-enabled", "--http-address=127.0.0.1:0", f"--data-dir={directory}", *flags]
            stop = asyncio.Event()
            found.update(loop=asyncio.get_running_loop(), stop=stop, provider=url)

            def ready(said: Ready) -> None:
                found["url"] = said.url
                started.set()

            await serve(load(usual, environ, lambda name: Path(name).read_text()), stop=stop, ready=ready, environ={})

    thread = threading.Thread(target=_run(main, found, started), name="living")
    thread.start()
    started.wait(30)
    try:
        if "error" in found:
            raise found["error"]
        house = Living(found["url"], found["provider"], database=f"sqlite:///{directory}/coderai.db")
        asyncio.run(_people(house, directory))
        yield house
    finally:
        if "loop" in found and thread.is_alive():
            found["loop"].call_soon_threadsafe(found["stop"].set)
        thread.join(30)


def _run(main: Callable[[], Awaitable[None]], found: dict[str, Any], started: threading.Event) -> Callable[[], None]:
    def run() -> None:
        try:
            asyncio.run(main())  # type: ignore[arg-type]
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            found["error"] = error
        finally:
            started.set()

    return run


async def _people(house: Living, directory: Path) -> None:
    socket = json.loads((directory / "server.json").read_text())["socket"]
    async with aiohttp.ClientSession("http://localhost", connector=aiohttp.UnixConnector(socket)) as http:
        for name, roles in {"admin": ["owner"], **PEOPLE}.items():
            if name != "admin":
                person = {"username": name, "email": f"{name}@example.com", "name": name.title(), "password": PASSWORD}
                async with http.post("/api/v2/users", json=person) as answer:
                    assert answer.status == 201, await answer.text()
                async with http.put(f"/api/v2/users/{name}/roles", json={"roles": roles}) as answer:
                    assert answer.status == 200, await answer.text()
            async with http.post(f"/api/v2/users/{name}/keys/tokens", json={}) as answer:
                assert answer.status == 201, await answer.text()
                house.tokens[name] = (await answer.json())["key"]
