"""How values look: numbers, times, durations, and text that nobody can trust. Pure."""

import json
import re
import unicodedata
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup, escape

FILTERS: Final = (
    "compact",
    "exact",
    "moment",
    "ago",
    "stamp",
    "lasting",
    "shown",
    "pretty",
    "initials",
    "plural",
    "plain",
    "marked",
)

# What is not seen, or turns the text around it: shown by its name instead. Line ends and tabs stay.
_UNSEEN: Final = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_KEPT: Final = {"\u200d", "\ufe0f"}
"""Parts of written emoji."""


def compact(number: int | None) -> str:
    """12345 is 12.3k."""
    value = float(number or 0)
    for unit in ("", "k", "M", "G"):
        if abs(value) < 999.95 or unit == "G":
            return f"{value:.0f}" if not unit else f"{value:.1f}".removesuffix(".0") + unit
        value /= 1000
    raise AssertionError


def exact(number: int | None) -> str:
    """12345 is 12,345."""
    return f"{number or 0:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """Return the number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(text: str) -> datetime:
    """Read the API's form of a time."""
    return datetime.fromisoformat(text).astimezone(UTC)


def ago(text: str, now: datetime) -> str:
    """Return how long ago a moment of the API is, roughly; or in how long it comes."""
    seconds = (now - moment(text)).total_seconds()
    if -10 < seconds < 10:
        return "now"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if abs(seconds) >= size:
            count = f"{abs(seconds) // size:.0f} {unit}"
            return f"{count} ago" if seconds > 0 else f"in {count}"
    raise AssertionError


def stamp(text: str) -> str:
    """Return a moment of the API in full, in UTC; the page's script adds the reader's own time."""
    return f"{moment(text):%Y-%m-%d %H:%M:%S} UTC"


def lasting(start: str, end: str | None) -> str:
    """Return the time between two moments; '' while there is no end."""
    if not end:
        return ""
    seconds = max(0.0, (moment(end) - moment(start)).total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def shown(text: str | None) -> Markup:
    """Return text of somebody else, harmless: escaped, and with what is invisible or turns text around made visible."""
    parts, last = [], 0
    text = text or ""
    for match in _UNSEEN.finditer(text):
        character = match.group()
        if character in _KEPT and match.start() and ord(text[match.start() - 1]) > 0x2000:
            continue
        parts += [escape(text[last : match.start()]), _named(character)]
        last = match.end()
    return Markup("").join([*parts, escape(text[last:])])


def marked(text: str | None, search: str) -> Markup:
    """Return text of somebody else like ``shown``, with what was searched for highlighted."""
    if not search:
        return shown(text)
    parts, last, text = [], 0, text or ""
    for match in re.finditer(re.escape(search), text, re.IGNORECASE):
        parts += [shown(text[last : match.start()]), Markup("<mark>{}</mark>").format(shown(match.group()))]
        last = match.end()
    return Markup("").join([*parts, shown(text[last:])])


def plain(text: str | None) -> str:
    """Return text of somebody else for a place that holds text only, such as a choice: what is not seen by its code."""
    return _UNSEEN.sub(lambda match: f"[U+{ord(match.group()):04X}]", text or "")


def _named(character: str) -> Markup:
    code = f"U+{ord(character):04X}"
    title = unicodedata.name(character, "control character").lower()
    return Markup('<span class="unseen" title="{}">{}</span>').format(f"{title} ({code})", code)


def pretty(text: str) -> str:
    """Return JSON indented; anything else as it is."""
    try:
        document: Any = json.loads(text)
        return json.dumps(document, indent=2, ensure_ascii=False) if isinstance(document, dict | list) else text
    except (ValueError, RecursionError):
        return text


def initials(name: str) -> str:
    """Return one or two letters for a round badge."""
    words = re.findall(r"\w+", name)
    return "".join(word[0] for word in words[:2]).upper() or "?"
