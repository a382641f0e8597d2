"""What a reader asks the list of sessions for: as it stands in the address, and as the API is asked. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import urlencode

from coderai.durations import parse, parse_moment
from coderai.errors import Invalid
from coderai.query import value_of, with_value

PRESETS: Final = {
    "1h": "Last hour",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "all": "All time",
}
USUAL: Final = "24h"
"""Not written into the address: who follows a link sees his own last 24 hours."""
CUSTOM: Final = "custom"
PICKERS: Final = ("initiator", "provider_name", "client", "model")
_PICKED: Final = "set-"
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)
_DAY: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d{1,2}:\d\d(?::\d\d)?))?", re.ASCII)
_HOURS: Final = 15 * 60
_RULE: Final = 'is no time; write for example "2026-05-01", "2026-05-01 14:30", "9:00", "3d" or "now"'


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of the page."""

    filter: str = ""
    """In the ``q=`` language."""
    range: str = USUAL
    """A key of ``PRESETS``, or ``CUSTOM``."""
    since: str = ""
    until: str = ""
    offset: int = 0
    """Minutes by which the reader's clock is before UTC; ``since`` and ``until`` are told by it."""
    cursor: str = ""
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Asked":
        """Read the address. What makes no sense there is passed over; wrong filters and times are told when used."""
        since, until = query.get("from", "").strip(), query.get("to", "").strip()
        chosen = query.get("range", CUSTOM if since or until else USUAL)
        if chosen == CUSTOM and not since and not until:
            chosen = "all"
        asked = cls(
            filter=query.get("filter", "").strip(),
            range=chosen if chosen in (*PRESETS, CUSTOM) else USUAL,
            since=since,
            until=until,
            offset=max(-_HOURS, min(_HOURS, _whole(query.get("offset", "")))),
            cursor=query.get("cursor", ""),
            page=max(1, _whole(query.get("page", ""))),
        )
        return asked if asked.range == CUSTOM else replace(asked, since="", until="", offset=0)

    def picked(self, query: Mapping[str, str]) -> "Asked | None":
        """Return what was meant with a picker of the page; None when none was used."""
        chosen = {name: query[_PICKED + name] for name in PICKERS if _PICKED + name in query}
        if not chosen:
            return None
        text = self.filter
        for name, value in chosen.items():
            text = with_value(text, name, value.strip())
        return replace(self, filter=text, cursor="", page=1)

    def says(self, key: str) -> str:
        """Return what the filter says of *key*."""
        return value_of(self.filter, key)

    @property
    def own_times(self) -> bool:
        """Whether the filter names a time itself; then no other is added."""
        return bool(self.says("started_after") or self.says("started_before"))

    @property
    def label(self) -> str:
        """What the time is called."""
        if self.own_times:
            return "Time as in the search"
        if self.range != CUSTOM:
            return PRESETS[self.range]
        return f"{self.since or 'The beginning'} – {self.until or 'now'}"

    def window(self, now: datetime) -> dict[str, str]:
        """Return the time for the API. Raises Invalid with the field of the page."""
        if self.own_times or self.range == "all":
            return {}
        if self.range != CUSTOM:
            return {"started_after": _form(now - parse(self.range))}
        wrong: list[tuple[str, str]] = []
        moments: dict[str, datetime] = {}
        for field, name, text in (("from", "started_after", self.since), ("to", "started_before", self.until)):
            try:
                if text:
                    moments[name] = read_time(text, now, self.offset)
            except Invalid:
                wrong.append((field, f'"{text[:60]}" {_RULE}'))
        if len(moments) == 2 and moments["started_before"] <= moments["started_after"]:
            wrong.append(("to", "must be later than the beginning"))
        if wrong:
            raise Invalid("the time cannot be understood", wrong)
        return {name: _form(moment) for name, moment in moments.items()}

    def address(self, path: str, **changes: Any) -> str:
        """Return the address of this list with *changes*; the first page, unless they name another."""
        other = replace(self, **{"cursor": "", "page": 1, **changes})
        custom = other.range == CUSTOM
        shown = {
            "filter": other.filter,
            "range": "" if other.range == USUAL or custom else other.range,
            "from": other.since if custom else "",
            "to": other.until if custom else "",
            "offset": str(other.offset) if custom and other.offset else "",
            "cursor": other.cursor,
            "page": str(other.page) if other.cursor else "",
        }
        text = urlencode({name: value for name, value in shown.items() if value})
        return f"{path}?{text}" if text else path


def read_time(text: str, now: datetime, offset: int) -> datetime:
    """Read a time as people write it, by a clock that is *offset* minutes before UTC. Raises Invalid."""
    zone = timezone(timedelta(minutes=offset))
    try:
        if _CLOCK.fullmatch(text):
            return _at(f"{now.astimezone(zone):%Y-%m-%d}", text, zone)
        if found := _DAY.fullmatch(text):
            return _at(found[1], found[2] or "0:00", zone)
    except (ValueError, OverflowError) as error:
        raise Invalid(f'"{text}" is no time') from error
    return parse_moment(text, now)


def _at(day: str, clock: str, zone: timezone) -> datetime:
    hour, _, rest = clock.partition(":")
    return datetime.fromisoformat(f"{day}T{int(hour):02}:{rest}").replace(tzinfo=zone)


def _form(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _whole(text: str) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]{1,6}", text, re.ASCII) else 0
