"""Records put straight into the database of the living server: what no scripted provider would say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from coderai.ids import new_id
from coderai.records import Answer, End, Ended, Ending, ErrorType, Fact, Interception, Stamped, ToolCall, Usage
from coderai.store.engine import Store, open_store
from coderai.store.users import Users
from tests.store.building import begun, interception
from tests.web.living import PEOPLE, Living

HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(2)</script>\"'>{{7*7}}</textarea></title>"
    " \u202etxet\u202c \u200bzero\ufeff \u05e9\u05dc\u05d5\u05dd " + "W" * 500
)
"""Markup, a very long word, text that turns around, characters that are not seen."""


@dataclass
class Recorder:
    """Makes exchanges of people by their names."""

    store: Store
    ids: dict[str, str]

    async def exchange(
        self,
        *facts: Fact,
        who: str = "mia",
        ago: timedelta = timedelta(hours=1),
        took: timedelta = timedelta(seconds=4),
        ending: Ending | None = Ending.COMPLETE,
        **fields: Any,
    ) -> Interception:
        """Record one, that began some time *ago*; with no *ending* it goes on."""
        it = interception(initiator_id=self.ids[who], **{"provider_name": "anthropic", **fields})
        it = replace(it, started_at=datetime.now(UTC).replace(microsecond=0) - ago)
        await self.store.records.commit([begun(it)])
        if ending is not None:
            await self.store.records.commit([_end(it, facts, it.started_at + took, ending)])
        return it


@asynccontextmanager
async def recording(house: Living) -> AsyncIterator[Recorder]:
    """Open the server's database beside it."""
    async with open_store(house.database, jobs=False) as store:
        async with store.reading() as db:
            ids = {name: (await Users(db).named(name)).id for name in ("admin", *PEOPLE)}
        yield Recorder(store, ids)


def used(n: int = 1) -> Usage:
    """Tokens that look like nothing else on a page."""
    return Usage("msg_1", input=12_345 * n, output=678 * n, cache_read=91_011 * n, cache_write=1_213 * n)


def call(tool: str, arguments: str, call_id: str = "") -> ToolCall:
    """A tool call."""
    return ToolCall(tool, call_id or f"toolu_{new_id()}", arguments, "msg_1")


def _end(it: Interception, facts: tuple[Fact, ...], at: datetime, ending: Ending) -> Ended:
    failed = ending is Ending.UPSTREAM_ERROR
    end = End(
        Answer("msg_1", facts, ending),
        ending,
        529 if failed else 200,
        ErrorType.OVERLOADED if failed else None,
        "try <b>later</b>" if failed else "",
        first_byte_at=it.started_at + timedelta(seconds=1),
    )
    return Ended(it, end, at, tuple(Stamped(new_id(), at, fact) for fact in facts))
