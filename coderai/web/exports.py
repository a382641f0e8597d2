"""Sessions as files: one as JSON or Markdown, a list of them as CSV or JSON lines; written while they are read."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from coderai.errors import CoderaiError, Invalid
from coderai.spreadsheet import csv_line
from coderai.web.asked_sessions import Asked
from coderai.web.markdown import head_lines, thread_lines
from coderai.web.redaction import LEFT_OUT, redacted_session, redacted_thread
from coderai.web.routes import Page
from coderai.web.sessions import API, PATHS
from coderai.web.visiting import Visit

_THREADS: Final = "200"
_SESSIONS: Final = "1000"
_OF_THE_PAGE: Final = ("threads", "page_started_at", "page_ended_at")
COLUMNS: Final = (
    *("id", "initiator", "on_behalf_of", "client", "providers", "models"),
    *("started_at", "last_active_at", "ended_at", "threads", "interceptions"),
    *("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens"),
    "last_prompt",
)
"""Those of ``coderai export sessions --format csv``."""


async def _session(visit: Visit) -> web.StreamResponse:
    out = _left_out(visit)
    form = _choice(visit, "format", "json", "markdown")
    query = {"limit": _THREADS, **({"initiator": visit.query["initiator"]} if visit.query.get("initiator") else {})}
    path = f"{API}/{visit.part('id')}"
    first = await visit.get(path, {**query, "include_running": "true"})
    name = re.sub(r"[^A-Za-z0-9-]+", "-", first["id"])[:60].strip("-") or "session"
    threads = _threads(visit, path, query, first["threads"])
    if form == "json":
        return await _written(visit, _as_json(first, threads, out), "application/json", f"{name}.json")
    return await _written(visit, _as_markdown(first, threads, out), "text/markdown", f"{name}.md")


async def _threads(visit: Visit, path: str, query: Mapping[str, str], page: list[Any]) -> AsyncIterator[Any]:
    while page:
        for thread in page:
            yield thread
        if str(len(page)) != query["limit"]:
            return
        after = {"after_id": page[-1]["id"], "include_running": "true"}
        page = (await visit.get(path, {**query, **after}))["threads"]


async def _as_json(session: Mapping[str, Any], threads: AsyncIterator[Any], out: frozenset[str]) -> AsyncIterator[str]:
    head = {name: value for name, value in session.items() if name not in _OF_THE_PAGE}
    begun = json.dumps({**head, "left_out": sorted(out)}, ensure_ascii=False, indent=1)
    yield begun.removesuffix("\n}") + ',\n "threads": ['
    separator = "\n"
    async for thread in threads:
        yield separator + json.dumps(redacted_thread(thread, out), ensure_ascii=False)
        separator = ",\n"
    yield "\n ]\n}\n"


async def _as_markdown(
    session: Mapping[str, Any], threads: AsyncIterator[Any], out: frozenset[str]
) -> AsyncIterator[str]:
    yield "\n".join(head_lines(session, out)) + "\n"
    number = 0
    async for thread in threads:
        number += 1
        yield "\n".join(thread_lines(redacted_thread(thread, out), number)) + "\n"


async def _list(visit: Visit) -> web.StreamResponse:
    out = _left_out(visit)
    form = _choice(visit, "format", "csv", "jsonl")
    asked = Asked.of(visit.query)
    q = {"q": asked.filter} if asked.filter else {}
    query = {"limit": _SESSIONS, **q, **asked.window(datetime.now(UTC))}
    rows = _rows(visit, query, await visit.get(API, query), out)
    if form == "jsonl":
        lines = (json.dumps(row, ensure_ascii=False) + "\n" async for row in rows)
        return await _written(visit, lines, "application/x-ndjson", "sessions.jsonl")
    return await _written(visit, _as_csv(rows), "text/csv", "sessions.csv")


async def _rows(
    visit: Visit, query: Mapping[str, str], page: Mapping[str, Any], out: frozenset[str]
) -> AsyncIterator[Any]:
    while True:
        for session in page["sessions"]:
            yield redacted_session(session, out)
        if not page.get("next_cursor"):
            return
        page = await visit.get(API, {**query, "cursor": page["next_cursor"]})


async def _as_csv(rows: AsyncIterator[Any]) -> AsyncIterator[str]:
    yield csv_line(COLUMNS)
    async for row in rows:
        told = {
            **row,
            **row["token_usage_summary"],
            "initiator": row["initiator"]["username"],
            "on_behalf_of": " ".join(person["username"] for person in row.get("on_behalf_of") or ()),
            "providers": " ".join(row["providers"]),
            "models": " ".join(row["models"]),
        }
        yield csv_line([told.get(name) for name in COLUMNS])


async def _written(visit: Visit, text: AsyncIterator[str], kind: str, name: str) -> web.StreamResponse:
    """Send *text* while it comes. When it breaks off the connection does too: half a file must not look whole."""
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
    )
    await response.prepare(visit.request)
    if visit.request.method == "HEAD":
        return response
    try:
        async for part in text:
            await response.write(part.encode("utf-8", "replace"))
        await response.write_eof()
    except CoderaiError:
        if visit.request.transport is not None:
            visit.request.transport.abort()
    return response


def _left_out(visit: Visit) -> frozenset[str]:
    asked = set(visit.query.getall("leave_out", []))
    if unknown := asked - {*LEFT_OUT}:
        raise Invalid("this export does not exist", [("leave_out", f'"{min(unknown)[:40]}" cannot be left out')])
    return frozenset(asked)


def _choice(visit: Visit, name: str, *allowed: str) -> str:
    value = visit.query.get(name) or allowed[0]
    if value not in allowed:
        raise Invalid("this export does not exist", [(name, f"must be one of {', '.join(allowed)}")])
    return value


PAGES: Final = (
    *(Page("GET", f"{path}-export", _list) for path in PATHS),
    *(Page("GET", f"{path}/{{id}}/export", _session) for path in PATHS),
)
