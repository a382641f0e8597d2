"""Style sheet, scripts: files of ours, under names that change with their contents, so that browsers may keep them."""

import mimetypes
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from aiohttp import web

PREFIX: Final = "/static/"
_FOLDER: Final = Path(__file__).parent / "static"
_HEADERS: Final = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


@cache
def _contents() -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir()) if path.is_file()}


@cache
def address(name: str) -> str:
    """Return where a browser finds a file. Raises KeyError for one that is not there."""
    return f"{PREFIX}{sha256(_contents()[name]).hexdigest()[:12]}/{name}"


async def serve(request: web.Request) -> web.Response:
    """Answer for one file; under an old name as well, for pages that were loaded before an upgrade."""
    name = request.match_info["name"]
    content = _contents().get(name)
    if content is None:
        raise web.HTTPNotFound
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return web.Response(
        body=content, content_type=kind, charset="utf-8" if kind.startswith("text/") else None, headers=_HEADERS
    )
