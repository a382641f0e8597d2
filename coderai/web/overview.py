"""What goes on as a whole: use over time, the most of each, and how the providers do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from coderai.access.roles import Right
from coderai.web.charts import Chart, chart
from coderai.web.looks import exact, moment
from coderai.web.routes import Page
from coderai.web.visiting import Visit

_TOP: Final = 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_USAGE: Final = "/api/v2/ai/usage"
_SESSIONS: Final = "/aibridge/sessions"


@dataclass(frozen=True, slots=True)
class Range:
    """One of the times to choose from."""

    label: str
    interval: str
    stretch: timedelta
    count: int

    def since(self, now: datetime) -> str:
        """Return when the first stretch begins; the last one is under way. Whole hours and days are quick to sum up."""
        first = now - (now - _EPOCH) % self.stretch - (self.count - 1) * self.stretch
        return f"{first:%Y-%m-%dT%H:%M:%SZ}"


RANGES: Final[Mapping[str, Range]] = {
    "24h": Range("24 hours", "hour", timedelta(hours=1), 24),
    "7d": Range("7 days", "hour", timedelta(hours=1), 7 * 24),
    "30d": Range("30 days", "day", timedelta(days=1), 30),
}
_USUAL: Final = "24h"


async def _overview(visit: Visit) -> web.StreamResponse:
    key = visit.query.get("range", _USUAL)
    key = key if key in RANGES else _USUAL
    chosen = RANGES[key]
    window = {"started_after": chosen.since(datetime.now(UTC))}
    top = {**window, "limit": str(_TOP)}
    asked = [(f"{_USAGE}/series", {**window, "interval": chosen.interval}), (f"{_USAGE}/tools", top)]
    asked += [(_USAGE, {**top, "by": name}) for name in ("user", "model", "client")]
    all_seen = visit.reader.may(Right.READ_ALL_RECORDS)
    sees_providers = visit.reader.may(Right.READ_DEPLOYMENT)
    if sees_providers:
        asked.append(("/api/v2/ai/provider-health", {}))
    series, tools, users, models, clients, *health = await visit.all(*asked)
    return await visit.large_page(
        "overview.html",
        ranges=RANGES,
        key=key,
        chosen=chosen,
        series=series,
        total=series["total"],
        tokens=_all_tokens(series["total"]),
        charts=_charts(series, people=all_seen),
        label=_label,
        all_tokens=_all_tokens,
        tops=[
            ("Users", "user", users, "initiator"),
            ("Models", "model", models, "model"),
            ("Clients", "client", clients, "client"),
        ],
        tools=tools,
        filtered=lambda name, value: _filtered(name, value, key),
        health=health[0] if health else None,
        all_seen=all_seen,
    )


def _charts(series: Any, *, people: bool) -> Sequence[Chart]:
    interval, buckets = series["interval"], series["buckets"]

    def over_time(title: str, measure: str) -> Chart:
        stretches = []
        for each in buckets:
            errors = each["errors"] if measure == "interceptions" else 0
            value = _all_tokens(each) if measure == "tokens" else each[measure]
            text = f"{_label(each['start'], interval)}: {exact(value)}" + (
                f", {exact(errors)} errors" if errors else ""
            )
            stretches.append((text, value, errors))
        return chart(title, stretches)

    return [
        over_time("Requests", "interceptions"),
        over_time("Tokens", "tokens"),
        *([over_time("Active users", "users")] if people else []),
        over_time("New sessions", "sessions"),
    ]


def _all_tokens(group: Any) -> int:
    return sum(group["token_usage_summary"].values())


def _label(start: str, interval: str) -> str:
    at = moment(start)
    return f"{at:%d %b}" if interval == "day" else f"{at:%d %b %H:%M}"


def _filtered(name: str, value: str, key: str) -> str:
    """Return the sessions behind a row; '' where the query language has no way to say it."""
    if '"' in value:
        return ""
    words = {"filter": f'{name}:"{value}"'} | ({"range": key} if key != _USUAL else {})
    return f"{_SESSIONS}?{urlencode(words)}"


PAGES: Final = (Page("GET", "/overview", _overview),)
