"""Durations such as ``1d12h`` and moments such as ``2026-03-01`` or ``24h ago``, as people write them."""

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final

from coderai.errors import Invalid

_MICROSECONDS: Final = {
    "ns": Fraction(1, 1000),
    "us": Fraction(1),
    "µs": Fraction(1),
    "ms": Fraction(1000),
    "s": Fraction(1_000_000),
    "m": Fraction(60_000_000),
    "h": Fraction(3_600_000_000),
    "d": Fraction(24 * 3_600_000_000),
    "w": Fraction(7 * 24 * 3_600_000_000),
    "y": Fraction(365 * 24 * 3_600_000_000),
}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d|w|y)", re.ASCII)
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LONGEST: Final = 64
_MOST: Final = timedelta(days=365_000)
"""A thousand years before and after now are still dates."""


def parse(text: str) -> timedelta:
    """Return the sum of the ``<number><unit>`` parts of *text*; ``0`` needs no unit. Raises Invalid."""
    if text == "0":
        return timedelta()
    if len(text) > _LONGEST or not _WHOLE.fullmatch(text):
        raise Invalid(f'"{text[:_LONGEST]}" is no duration; write for example "90d", "1d12h" or "30s"{_hint(text)}')
    total = sum((Fraction(number) * _MICROSECONDS[unit] for number, unit in _PART.findall(text)), Fraction())
    if total.denominator != 1:
        raise Invalid(f'"{text}": durations finer than a microsecond are not supported')
    if total > _MOST // timedelta(microseconds=1):
        raise Invalid(f'"{text}" is longer than 1000 years; where 0 stands for ever, write 0')
    return timedelta(microseconds=int(total))


def _hint(text: str) -> str:
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text, re.ASCII):
        return " (the unit is missing)"
    if text.startswith("-"):
        return " (it cannot be negative)"
    if _WHOLE.fullmatch(text.lower()):
        return " (units are lower-case)"
    return ""


def go_form(duration: timedelta) -> str:
    """Return *duration* as Go prints it: ``168h0m0s``, ``1m30s``, ``1.5s``, ``100ms``, ``0s``."""
    microseconds = duration // timedelta(microseconds=1)
    if microseconds == 0:
        return "0s"
    if microseconds < 1000:
        return f"{microseconds}µs"
    if microseconds < 1_000_000:
        return f"{_decimal(microseconds, 1000)}ms"
    minutes, rest = divmod(microseconds, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_decimal(rest, 1_000_000)}s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _decimal(number: int, unit: int) -> str:
    whole, rest = divmod(number, unit)
    fraction = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0")
    return f"{whole}.{fraction}" if fraction else str(whole)


def shortest(duration: timedelta) -> str:
    """Return the shortest exact form in whole numbers, which ``parse`` reads back: ``60d``, ``1d12h``, ``0``."""
    rest = duration // timedelta(microseconds=1)
    parts = []
    for unit in ("d", "h", "m", "s", "ms", "us"):
        count, rest = divmod(rest, int(_MICROSECONDS[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0"


def parse_moment(text: str, now: datetime) -> datetime:
    """Return the moment that *text* names, in UTC: RFC 3339, a date (its first instant, UTC), or how long ago.

    ``24h``, ``24h ago`` and ``now`` count from *now*. Raises Invalid.
    """
    stripped = text.strip()
    if stripped == "now":
        return now.astimezone(UTC)
    try:
        if _DATE.fullmatch(stripped):
            return datetime.fromisoformat(stripped).replace(tzinfo=UTC)
        if _RFC_3339.fullmatch(stripped):
            return datetime.fromisoformat(stripped.upper()).astimezone(UTC)
        return now.astimezone(UTC) - parse(stripped.removesuffix("ago").rstrip())
    except (Invalid, ValueError, OverflowError) as error:
        examples = '"2026-03-01", "2026-03-01T12:00:00Z" or "24h ago"'
        raise Invalid(f'"{text[:_LONGEST]}" is no moment; write for example {examples}') from error
