"""The two forms of a log line, and which debug lines are let through."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

_SHORT: Final = {
    logging.DEBUG: "debu",
    logging.INFO: "info",
    logging.WARNING: "warn",
    logging.ERROR: "erro",
    logging.CRITICAL: "crit",
}
_PLAIN: Final = re.compile(r"[^\s\"'=\\\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_UNSAFE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class DebugFilter(logging.Filter):
    """Lets every line through but debug lines, of which logger or message must match one of the expressions."""

    def __init__(self, expressions: Sequence[str]) -> None:
        super().__init__()
        self._expressions = tuple(re.compile(expression) for expression in expressions)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno > logging.DEBUG:
            return True
        texts = (record.name, record.getMessage())
        return any(expression.search(text) for expression in self._expressions for text in texts)


class HumanLine(logging.Formatter):
    """``2026-03-01 15:04:05.000 [info]  coderai.gateway: event  key=value key="quoted if needed"``.

    One value of several lines follows below the line, indented; other control characters are escaped, so that text from
    outside can neither forge a line nor steer a terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        fields = _fields(record)
        below = next((key for key, value in fields.items() if isinstance(value, str) and "\n" in value.strip()), None)
        words = [f"{key}={_word(value)}" for key, value in fields.items() if key != below]
        if below is not None:
            words.append(f"{below}=…")
        head = f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} [{_SHORT.get(record.levelno, 'note')}]"
        message = _safe(record.getMessage().replace("\n", "\\n"))
        line = f"{head}  {record.name}: {message}" + ("  " + " ".join(words) if words else "")
        if below is not None:
            line += "".join(f"\n    {_safe(text)}" for text in str(fields[below]).splitlines())
        return line


class JsonLine(logging.Formatter):
    """One JSON object per line; the fields of the event are inside ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        # The record's own clock is a float; its last three digits of nanoseconds would be noise.
        moment = datetime.fromtimestamp(record.created, UTC)
        return json.dumps(
            {
                "ts": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}000Z",
                "level": "WARN" if record.levelno == logging.WARNING else record.levelname,
                "msg": record.getMessage(),
                "caller": f"{record.filename}:{record.lineno}",
                "func": record.funcName,
                "logger_names": record.name.split("."),
                "fields": _fields(record),
            },
            ensure_ascii=False,
            separators=(",", ":"),
            default=_plain,
            allow_nan=False,
        )


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    fields: Mapping[str, object] = getattr(record, "fields", {})
    if record.exc_info and record.exc_info[0] is not None:
        return {**fields, "exception": logging.Formatter().formatException(record.exc_info)}
    return fields


def _plain(value: object) -> object:
    """Return what JSON can say of *value*."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return str(value)


def _word(value: object) -> str:
    if isinstance(value, bool) or value is None or isinstance(value, Mapping | list | tuple):
        value = json.dumps(value, ensure_ascii=False, default=_plain)
        return _safe(value)
    text = str(_plain(value) if isinstance(value, datetime) else value)
    return text if _PLAIN.fullmatch(text) else _safe(json.dumps(text, ensure_ascii=False))


def _safe(text: str) -> str:
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
