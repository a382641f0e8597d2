"""CSV that a spreadsheet shows as it is: no cell is taken for a formula."""

import csv
import io
from collections.abc import Iterable
from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_line(cells: Iterable[str | int | None]) -> str:
    """Return one line with its end (CRLF, as RFC 4180 says); an empty cell for None.

    A text that a spreadsheet would compute gets a ``'`` in front; a number of ours is none.
    """
    line = io.StringIO()
    csv.writer(line).writerow([_safe(cell) for cell in cells])
    return line.getvalue()


def _safe(cell: str | int | None) -> str | int:
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
