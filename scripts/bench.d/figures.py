"""The figures that are promised, and how they are printed."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One promised number. ``least`` must be reached, ``aim`` is what we want."""

    key: str
    text: str
    unit: str
    least: float
    aim: float
    more_is_better: bool = False

    def verdict(self, value: float | None) -> str:
        if value is None:
            return "not measured"
        sign = 1 if self.more_is_better else -1
        if sign * value >= sign * self.aim:
            return "aim reached"
        return "ok" if sign * value >= sign * self.least else "MISSED"


FIGURES = (
    Figure("requests_2k", "requests per CPU second, 2 KB, to control", "x", 0.6, 1.2, more_is_better=True),
    Figure("requests_250k", "requests per CPU second, 250 KB, to control", "x", 0.6, 1.0, more_is_better=True),
    Figure("event_cpu", "CPU per paced SSE event, to control", "x", 1.1, 0.6),
    Figure("added_2k", "added p50 over direct, 2 KB", "ms", 1.0, 0.5),
    Figure("added_250k", "added p50 over direct, 250 KB", "ms", 1.5, 0.8),
    Figure("added_first_event", "added p50 over direct, time to first event", "ms", 0.8, 0.4),
    Figure("streams", "paced streams without a stall over 200 ms", "", 256, 800, more_is_better=True),
    Figure("memory_idle", "memory, idle", "MB", 90, 60),
    Figure("memory_after", "memory after 100,000 requests", "MB", 150, 90),
    Figure("memory_stream_2k", "memory per open stream, 2 KB body", "KB", 60, 30),
    Figure("memory_stream_250k", "memory per open stream, 250 KB body", "KB", 60, 30),
    Figure("start", "start to ready, no migration pending", "s", 1.2, 0.6),
    Figure("lists", "sessions list and detail at 1,000,000 rows, p95", "ms", 100, 30),
    Figure("size", "default installation without .pyc", "MB", 120, 90),
)


def table(measured: Mapping[str, float], remarks: Mapping[str, str]) -> str:
    """The figures as aligned text, one per line; *remarks* stand behind the verdict."""
    rows: list[tuple[str, ...]] = [("figure", "measured", "at least", "aim", "verdict")]
    for figure in FIGURES:
        value = measured.get(figure.key)
        verdict = " ".join(filter(None, (figure.verdict(value), remarks.get(figure.key, ""))))
        rows.append(
            (figure.text, *(_number(number, figure.unit) for number in (value, figure.least, figure.aim)), verdict)
        )
    return aligned(rows)


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Columns of equal width, the first and the last to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *middle, last in rows:
        cells = [cell.rjust(width) for cell, width in zip(middle, widths[1:-1], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells, last]).rstrip())
    return "\n".join(lines)


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return (
        f"{value:,.0f}" if unit == "" else f"{value:.2f} {unit}" if unit in ("x", "ms", "s") else f"{value:.0f} {unit}"
    )
