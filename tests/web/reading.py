"""What stands on a page, for tests that look without a browser."""

import re
from dataclasses import dataclass

import aiohttp

_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


@dataclass(frozen=True)
class Shown:
    """An answer."""

    status: int
    text: str
    location: str
    headers: "aiohttp.typedefs.LooseHeaders"


async def look(session: aiohttp.ClientSession, path: str, **headers: str) -> Shown:
    """Open a page."""
    async with session.get(path, allow_redirects=False, headers=headers) as answer:
        return await _shown(answer)


async def send(session: aiohttp.ClientSession, path: str, page: str = "", **fields: str) -> Shown:
    """Send a form that stands on *page* (default: the same path), with what protects it."""
    token = _CSRF.search((await look(session, page or path)).text)
    given = {"csrf": token.group(1), **fields} if token else fields
    async with session.post(path, data=given, allow_redirects=False) as answer:
        return await _shown(answer)


async def _shown(answer: aiohttp.ClientResponse) -> Shown:
    return Shown(answer.status, await answer.text(), answer.headers.get("Location", ""), answer.headers)
