"""What was used, by whom, with what and when: ``/api/v2/ai/usage`` and below."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from aiohttp import web

from coderai.api import upkeep_documents as documents
from coderai.api.answers import answer, moment
from coderai.api.parameters import once, whole
from coderai.api.routes import About, Ask, Parameter, Route, Signed
from coderai.errors import Invalid
from coderai.query import INTERCEPTIONS, read_filter
from coderai.store.sessions import Tokens
from coderai.store.usage import DIMENSIONS, Dimension, Interval, Used
from coderai.store.users import Person

_MOST: Final = 10_000
INTERVALS: Final = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_USUAL: Final = {"hour": 24, "day": 30}
_MOST_BUCKETS: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def _usage(ask: Ask) -> web.Response:
    query = once(ask.request.query)
    by = _dimensions(query.get("by", ""))
    asked = read_filter(INTERCEPTIONS, query.get("q", ""), query, datetime.now(UTC))
    found = await ask.services.lookup.usage(ask.caller, by, asked)
    shown = found.groups[: whole(query, "limit", 1000, _MOST)]
    return answer(
        {
            "by": by,
            "count": len(found.groups),
            "groups": [_group(by, each, found.people) for each in shown],
            "total": _sums(found.groups),
        }
    )


async def _series(ask: Ask) -> web.Response:
    query = once(ask.request.query)
    interval = query.get("interval") or "hour"
    if interval not in INTERVALS:
        raise Invalid("the time cannot be divided", [("interval", f"must be one of {', '.join(INTERVALS)}")])
    asked = read_filter(INTERCEPTIONS, query.get("q", ""), query, datetime.now(UTC))
    now = ask.services.store.clock()
    stretch = INTERVALS[interval]
    before = asked.started_before or now
    after = asked.started_after or _floor(before, stretch) - (_USUAL[interval] - 1) * stretch
    starts = _starts(after, before, stretch)
    found = await ask.services.lookup.series(
        ask.caller, cast(Interval, interval), replace(asked, started_after=after, started_before=before)
    )
    by_start: dict[str, list[Used]] = defaultdict(list)
    for each in found.groups:
        by_start[each.group[0]].append(each)
    buckets = [_bucket(start, by_start, found.sessions, whole_days=interval == "day") for start in starts]
    people = len({each.group[1] for each in found.groups})
    total = {**_sums(found.groups), "users": people, "sessions": sum(found.sessions.values())}
    return answer(
        {
            "interval": interval,
            "started_after": moment(after),
            "started_before": moment(before),
            "buckets": buckets,
            "total": total,
        }
    )


def _starts(after: datetime, before: datetime, stretch: timedelta) -> list[datetime]:
    first = _floor(after, stretch)
    count = max(0, (before - first) // stretch + 1)
    if count > _MOST_BUCKETS:
        wrong = f"lies so early that there would be {count} stretches; there may be {_MOST_BUCKETS}"
        raise Invalid("the time is too long", [("started_after", wrong)])
    return [first + number * stretch for number in range(count)]


def _floor(at: datetime, stretch: timedelta) -> datetime:
    return at - (at - _EPOCH) % stretch


def _bucket(
    start: datetime, groups: Mapping[str, Sequence[Used]], sessions: Mapping[str, int], *, whole_days: bool
) -> dict[str, Any]:
    key = start.date().isoformat() if whole_days else f"{start:%Y-%m-%dT%H:%M:%SZ}"
    mine = groups.get(key, ())
    return {"start": moment(start), **_sums(mine), "users": len(mine), "sessions": sessions.get(key, 0)}


async def _tools(ask: Ask) -> web.Response:
    query = once(ask.request.query)
    asked = read_filter(INTERCEPTIONS, query.get("q", ""), query, datetime.now(UTC))
    found = await ask.services.lookup.tools(ask.caller, asked)
    shown = found[: whole(query, "limit", 1000, _MOST)]
    return answer(
        {
            "count": len(found),
            "tools": [{"tool": name, "calls": calls} for name, calls in shown],
            "total": sum(calls for _, calls in found),
        }
    )


def _dimensions(text: str) -> Sequence[Dimension]:
    names = [name.strip() for name in text.lower().split(",") if name.strip()] or ["user"]
    wrong = [name for name in names if name not in DIMENSIONS]
    if wrong or len(set(names)) != len(names):
        known = ", ".join(DIMENSIONS)
        raise Invalid("the groups cannot be understood", [("by", f"must be some of {known}, each once, with commas")])
    return cast(Sequence[Dimension], names)


def _group(by: Sequence[Dimension], used: Used, people: Mapping[str, Person]) -> dict[str, Any]:
    values: dict[str, Any] = dict(zip(by, used.group, strict=True))
    if "user" in values:
        person = people[values["user"]]
        values["user"] = {"id": person.id, "username": person.username, "name": person.name}
    return {**values, **_sums([used])}


def _sums(groups: Iterable[Used]) -> dict[str, Any]:
    total = sum(groups, Used((), 0, 0, Tokens()))
    tokens = total.tokens
    return {
        "interceptions": total.interceptions,
        "errors": total.errors,
        "token_usage_summary": {
            "input_tokens": tokens.input,
            "output_tokens": tokens.output,
            "cache_read_input_tokens": tokens.cache_read,
            "cache_write_input_tokens": tokens.cache_write,
        },
    }


_FILTERS: Final = (
    Parameter("q", 'For example `client:"Coder Agents"`; every key is a parameter as well.'),
    *(Parameter(key) for key in INTERCEPTIONS.keys),
)
_LIMIT: Final = Parameter("limit", "How many at most: 1 to 10000; 1000 when it is missing or 0.", "integer")
_PATH: Final = "/api/v2/ai/usage"
ROUTES: Final = (
    Route(
        "GET",
        _PATH,
        Signed(_usage),
        About(
            "Sum up exchanges, errors and tokens",
            documents.UsageSummary,
            query=(
                Parameter("by", f"Some of {', '.join(DIMENSIONS)}, with commas; `user` when it is missing."),
                *_FILTERS,
                _LIMIT,
            ),
        ),
    ),
    Route(
        "GET",
        _PATH + "/series",
        Signed(_series),
        About(
            "Sum up exchanges, errors, tokens, people and new sessions hour by hour or day by day",
            documents.UsageSeries,
            query=(
                Parameter("interval", "`hour` (of the last 24 when no time is given) or `day` (of the last 30); UTC."),
                *_FILTERS,
            ),
        ),
    ),
    Route(
        "GET",
        _PATH + "/tools",
        Signed(_tools),
        About("Count the calls of tools", documents.ToolUsage, query=(*_FILTERS, _LIMIT)),
    ),
)
