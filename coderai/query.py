"""The ``q=`` search language: ``client:"Coder Agents" started_after:"2026-05-01T00:00:00Z"``.

Pieces are split at spaces outside double quotes; there is no escape character. A piece with a colon is ``key:value``;
all others together are one bare term, which an endpoint may take for one of its keys. Every key may also be given as
a plain parameter.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from coderai.durations import parse_moment
from coderai.errors import Invalid


@dataclass(frozen=True, slots=True)
class Language:
    """What one endpoint understands."""

    keys: tuple[str, ...]
    bare: str | None = None
    """The key that a bare term stands for."""
    any_case: bool = False
    """The whole text is lower-cased first."""


_RECORDS: Final = (
    "initiator",
    "on_behalf_of",
    "provider",
    "provider_name",
    "model",
    "client",
    "session_id",
    "started_after",
    "started_before",
)
INTERCEPTIONS: Final = Language(_RECORDS, bare="initiator")
SESSIONS: Final = Language(_RECORDS)
MODELS: Final = Language(("model",), bare="model")
CLIENTS: Final = Language(("client",), bare="client")
USERS: Final = Language(
    (
        *("status", "role", "login_type", "service_account", "name"),
        *("created_after", "created_before", "last_seen_after", "last_seen_before"),
    ),
    bare="search",
    any_case=True,
)
CHANGES: Final = Language(
    (
        "action",
        "resource_type",
        "resource_id",
        "resource_target",
        "username",
        "request_id",
        "date_from",
        "date_to",
    ),
    bare="resource_target",
)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of records is narrowed to; empty members do not narrow."""

    initiator: str = ""
    """``me``, an id, or a username."""
    on_behalf_of: str = ""
    """The same, or whatever a client called the person."""
    provider: str = ""
    """The wire protocol's family."""
    provider_name: str = ""
    model: str = ""
    client: str = ""
    session_id: str = ""
    started_after: datetime | None = None
    """Inclusive, as is ``started_before``."""
    started_before: datetime | None = None


def read_filter(language: Language, q: str, plain: Mapping[str, str], now: datetime | None = None) -> Filter:
    """Return what is asked for in *q* and in the plain parameters. Raises Invalid with one pair per wrong key.

    With *now* a time may also be a day, or how long ago it is: ``2026-05-01``, ``7d``.
    """
    values, wrong = _merged(language, q, plain)
    moments: dict[str, datetime] = {}
    for key in ("started_after", "started_before"):
        if text := values.pop(key, ""):
            try:
                moments[key] = _time(text, now)
            except (ValueError, Invalid):
                also = ' and no duration such as "7d"' if now else ""
                rule = f'is no RFC 3339 time such as "2026-05-01T00:00:00Z" (quoted inside q){also}'
                wrong.append((key, f'"{text}" {rule}'))
    if len(moments) == 2 and moments["started_before"] <= moments["started_after"]:
        wrong.append(("started_before", "must be later than started_after"))
    _raise(wrong)
    texts: Any = values  # its keys are the language's, which are members of Filter
    return Filter(**texts, started_after=moments.get("started_after"), started_before=moments.get("started_before"))


def read_values(language: Language, q: str, plain: Mapping[str, str]) -> Mapping[str, str]:
    """Return the values by key; a bare term under the key it stands for. Raises Invalid."""
    values, wrong = _merged(language, q, plain)
    _raise(wrong)
    return values


def _time(text: str, now: datetime | None) -> datetime:
    try:
        return read_moment(text)
    except ValueError:
        if now is None:
            raise
        return parse_moment(text, now)


def with_value(q: str, key: str, value: str) -> str:
    """Return *q* with *value* for *key*, in place of what it says of it now; '' takes the key out.

    A double quote in a value cannot be written in this language: it is left out.
    """
    kept = [piece for piece in _split(q, " ") if not piece.lower().startswith(f"{key}:")]
    return " ".join([*kept, *([f"{key}:{_quoted(value)}"] if value else [])])


def value_of(q: str, key: str) -> str:
    """Return what *q* says of *key*; '' for nothing."""
    for piece in _split(q, " "):
        name, _, value = piece.partition(":")
        if name.lower() == key:
            return value.strip('"')
    return ""


def _quoted(value: str) -> str:
    plain = value.replace('"', "")
    return plain if re.fullmatch(r"[\w.@/-]+", plain) else f'"{plain}"'


def _raise(wrong: Sequence[tuple[str, str]]) -> None:
    if wrong:
        raise Invalid("the search cannot be understood", wrong)


def _merged(language: Language, q: str, plain: Mapping[str, str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    allowed = (*language.keys, *([language.bare] if language.bare else []))
    values: dict[str, str] = {}
    wrong: list[tuple[str, str]] = []
    for key, value in _terms(q.lower() if language.any_case else q, language):
        if key not in language.keys and key != language.bare:
            wrong.append((key, f"is no search key here; there are {', '.join(language.keys)}"))
        elif key in values:
            wrong.append((key, "is given twice"))
        else:
            values[key] = value
    for key in allowed:
        value = plain.get(key, "")
        if value and values.get(key) and values[key] != value:
            wrong.append((key, "is given as a parameter and in q, with different values"))
        elif value:
            values[key] = value
    wrong.extend((key, "holds a character that no record can hold") for key, value in values.items() if _odd(value))
    return {key: value for key, value in values.items() if value}, wrong


def _terms(q: str, language: Language) -> Iterator[tuple[str, str]]:
    pieces = _split(q, " ")
    bare = " ".join(piece for piece in pieces if ":" not in piece)
    for term in [*(piece for piece in pieces if ":" in piece), *([bare] if bare else [])]:
        if term.startswith(":") or term.endswith(":"):
            raise _bad_syntax(f'"{term}" must not begin or end with ":"')
        parts = [part.strip('"') for part in _split(term, ":", keep_empty=True)]
        if len(parts) > 2:
            raise _bad_syntax(f'"{term}" may hold only one ":"; quote a value that holds one')
        if len(parts) == 2:
            yield parts[0].lower(), parts[1]
        elif language.bare is None:
            raise _bad_syntax(f'"{term}" has no search key; there are {", ".join(language.keys)}')
        else:
            yield language.bare, term


def _bad_syntax(text: str) -> Invalid:
    return Invalid("the search cannot be understood", [("q", text)])


def _split(text: str, separator: str, *, keep_empty: bool = False) -> list[str]:
    """Split at *separator* outside quotes; an unclosed quote runs to the end."""
    pieces, start, quoted = [], 0, False
    for place, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            pieces.append(text[start:place])
            start = place + 1
    pieces.append(text[start:])
    return pieces if keep_empty else [piece for piece in pieces if piece]


def _odd(text: str) -> bool:
    return any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)


_MOMENT: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:Z|([+-])(\d{2}):(\d{2}))", re.IGNORECASE | re.ASCII
)


def read_moment(text: str) -> datetime:
    """Read an RFC 3339 time, in letters of any case; parts below a microsecond are dropped. Raises ValueError."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day, time, fraction, sign, hours, minutes = found.groups()
    moment = datetime.fromisoformat(f"{day}T{time}").replace(
        microsecond=int((fraction or "").ljust(6, "0")[:6]), tzinfo=UTC
    )
    if sign is None:
        return moment
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError(text)
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        return moment - offset if sign == "+" else moment + offset
    except OverflowError as error:
        raise ValueError(text) from error
