"""JSON answers: compact, one line, for this caller only."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from aiohttp import web

from coderai import __version__

SAFE: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""An answer is for who asked: no browser keeps it, shows it in a page of others, or takes it for something else."""
_HEADERS: Final = {
    **SAFE,
    "X-Coder-Build-Version": __version__,
    "X-CoderAI-Build-Version": __version__,
}
_NOTHING: Final[Mapping[str, str]] = {}


def answer(body: Any, status: int = 200, headers: Mapping[str, str] = _NOTHING) -> web.Response:
    """Return *body* as JSON."""
    return web.Response(
        body=msgspec.json.encode(body) + b"\n",
        status=status,
        headers={**_HEADERS, **headers},
        content_type="application/json",
        charset="utf-8",
    )


def no_content() -> web.Response:
    """Return a 204."""
    return web.Response(status=204, headers=_HEADERS)


def plain(text: str, status: int = 200) -> web.Response:
    """Return a word for a probe."""
    return web.Response(text=text, status=status, headers=_HEADERS)


def moment(value: datetime) -> str:
    """Return an RFC 3339 time in UTC, trailing zeros of the fraction dropped."""
    text = value.isoformat().removesuffix("+00:00")
    return (text.rstrip("0") if "." in text else text) + "Z"
