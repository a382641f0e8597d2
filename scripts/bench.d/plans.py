"""The statements behind an answer of the API, and how the database goes about them."""

from typing import Any

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from sqlalchemy import event

from coderai.api.app import Services, add_routes
from coderai.control.tokens import Lifetimes
from coderai.settings import Settings
from coderai.store.engine import Store, open_store


async def plans(url: str, paths: list[str]) -> list[str]:
    """Return the plans of what each of *paths* makes the database do, as lines."""
    lines = []
    async with open_store(url, create=False, jobs=False) as store:
        seen: list[tuple[str, Any]] = []
        event.listen(
            store.engine.sync_engine,
            "before_cursor_execute",
            lambda _connection, _cursor, statement, parameters, *_: seen.append((statement, parameters)),
        )
        app = web.Application()
        add_routes(app, Services.over(store, settings=Settings(), lifetimes=Lifetimes()), private=True)
        async with TestServer(app) as server, ClientSession() as http:
            for path in paths:
                seen.clear()
                async with http.get(server.make_url(path)) as answer:
                    await answer.read()
                    lines.append(f"GET {path}: {answer.status}")
                for statement, parameters in list(seen):
                    if statement.lstrip().upper().startswith(("SELECT", "WITH")):
                        lines += await _explained(store, statement, parameters)
    return lines


async def _explained(store: Store, statement: str, parameters: Any) -> list[str]:
    how = "EXPLAIN QUERY PLAN" if store.dialect == "sqlite" else "EXPLAIN (ANALYZE, BUFFERS)"
    async with store.reading() as connection:
        rows = (await connection.exec_driver_sql(f"{how} {statement}", parameters)).all()
    plan = [str(row[-1]) for row in rows]
    return [f"  {' '.join(statement.split())[:600]}", *(f"      {line}" for line in plan)]
