"""How things look: text that cannot harm a terminal, short numbers, times, tables."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_HARMFUL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, old and new, but tab and newline
    "\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # invisible ones, and those that turn the direction of text
    "\ud800-\udfff\U000e0000-\U000e007f]"  # halves of pairs, invisible tags
)


_ID: Final = 8
"""Characters of an id that is cut."""


@dataclass(frozen=True, slots=True)
class Look:
    """Where text goes to."""

    terminal: bool
    """A person reads it: relative times, short numbers, cells cut to the width."""
    width: int
    now: datetime
    color: bool = False


def harmless(text: str) -> str:
    """Make visible what could give a terminal orders or turn text around; newlines and tabs stay."""
    return _HARMFUL.sub(lambda found: _escaped(found.group()), text)


def one_line(text: str) -> str:
    """Return harmless text on one line, with white space as single spaces."""
    return harmless(" ".join(text.split()))


def harmless_json(text: str) -> str:
    """Return the same JSON document with what could harm a terminal as escapes."""
    return _HARMFUL.sub(lambda found: json.dumps(found.group())[1:-1], text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def short(number: int) -> str:
    """Return ``140``, ``18.2k``, ``3M``."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if number >= size * 0.99995:
            return f"{number / size:.1f}".removesuffix(".0") + unit
    return str(number)


def count(number: int, look: Look) -> str:
    """Return a number: short for a person, exact for a pipe."""
    return short(number) if look.terminal else str(number)


def moment(text: str | None) -> datetime | None:
    """Read a time of the API; the two spellings of "never" are None."""
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    return read if read.year > 1970 else None


def when(text: str | None, look: Look) -> str:
    """Return ``2 min ago`` for a person, the time as the API gave it for a pipe, ``never`` where there is none."""
    at = moment(text)
    if at is None or text is None:
        return "never"
    return ago(look.now - at) if look.terminal else text


def until(text: str | None, look: Look) -> str:
    """Return a time to come: to the second for a person, as the API gave it for a pipe."""
    at = moment(text)
    if at is None or text is None:
        return "never"
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if look.terminal else text


def ago(passed: timedelta) -> str:
    """Return how long something is ago, in one unit."""
    seconds = int(passed.total_seconds())
    if seconds < 5:
        return "just now"
    for size, unit in ((86400, "day"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'s' if unit == 'day' and number > 1 else ''} ago"
    return "just now"


def lasting(passed: timedelta) -> str:
    """Return a length of time in at most two units: ``41 s``, ``3 min 2 s``, ``2 h 5 min``."""
    seconds = passed.total_seconds()
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def distinct(ids: Sequence[str], look: Look) -> list[str]:
    """Return ids cut to what tells them apart, for a person: ``0b6e3c1a…``; those made together differ at the end,
    ``…9c0e41d7``. A pipe gets them whole."""
    if not look.terminal:
        return list(ids)
    different = len(set(ids))
    if len({each[:_ID] for each in ids}) == different:
        return [each if len(each) <= _ID else each[:_ID] + "…" for each in ids]
    if len({each[-_ID:] for each in ids}) == different:
        return [each if len(each) <= _ID else "…" + each[-_ID:] for each in ids]
    return list(ids)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    head: str
    limit: int | None = None
    """Cells are cut to this many characters, on a terminal only, and to fewer where it is narrow."""
    least: int = 0
    """Cut to less it says nothing: others leave before that."""
    leaves: int = 0
    """On a narrow terminal columns leave in this order; 0 stays."""


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], look: Look) -> list[str]:
    """Return the lines of a table: upper-case heads, two spaces between columns, no borders."""
    clean = [[one_line(cell) for cell in row] for row in rows]
    if look.terminal:
        return _for_a_person(columns, clean, look)
    lines = [[column.head for column in columns], *clean]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    return [_padded(line, widths) for line in lines]


def _padded(line: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _for_a_person(columns: Sequence[Column], rows: Sequence[Sequence[str]], look: Look) -> list[str]:
    from rich.cells import cell_len, set_cell_size
    from rich.console import Console
    from rich.text import Text

    def cut(cell: str, width: int) -> str:
        return cell if cell_len(cell) <= width else set_cell_size(cell, max(width - 1, 0)) + "…"

    lines = [[column.head for column in columns], *rows]
    natural = [max(cell_len(line[at]) for line in lines) for at in range(len(columns))]
    kept = _staying(columns, natural, look.width)
    lines = [[line[at] for at in kept] for line in lines]
    widths = _fitting([columns[at] for at in kept], [natural[at] for at in kept], look.width)
    cells = [[cut(cell, width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    padded = ["  ".join(map(set_cell_size, line, widths)).rstrip() for line in cells]
    head, *rest = [cut(line, look.width) for line in padded]
    if not look.color:
        return [head, *rest]
    console = Console(force_terminal=True, width=look.width + 1, color_system="standard", legacy_windows=False)
    with console.capture() as captured:
        console.print(Text(head, style="bold"), end="", soft_wrap=True)
    return [captured.get(), *rest]


def _staying(columns: Sequence[Column], natural: Sequence[int], available: int) -> list[int]:
    """Return the places of the columns for which there is room, when every cell is cut as far as it makes sense."""
    least = [
        min(width, max(column.least, len(column.head))) if column.limit else width
        for column, width in zip(columns, natural, strict=True)
    ]
    kept = list(range(len(columns)))
    for at in sorted((at for at in kept if columns[at].leaves), key=lambda at: columns[at].leaves):
        if sum(least[each] for each in kept) + 2 * (len(kept) - 1) <= available:
            break
        kept.remove(at)
    return kept


def _fitting(columns: Sequence[Column], natural: Sequence[int], available: int) -> list[int]:
    """Return the widths: as natural as the limits allow, and the widest cells give way until the line fits."""
    widths = [min(width, column.limit or width) for column, width in zip(columns, natural, strict=True)]
    least = [
        min(width, max(column.least, len(column.head))) if column.limit else width
        for column, width in zip(columns, widths, strict=True)
    ]
    while sum(widths) + 2 * (len(widths) - 1) > available:
        room = [width if width > smallest else 0 for width, smallest in zip(widths, least, strict=True)]
        widest = max(room)
        if widest == 0:
            break
        widths[room.index(widest)] -= 1
    return widths
