"""Texts inside texts, without surprises from ``%`` and ``_``."""

from typing import Any

from sqlalchemy import or_
from sqlalchemy.sql.elements import ColumnElement


def containing(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Match rows whose *column* holds *text* anywhere."""
    return column.contains(text, autoescape=True, escape="\\")


def holding(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Match rows whose *column* holds *text* anywhere, in letters of any case.

    SQLite knows the case of ASCII letters only; of others the usual spellings are tried.
    """
    spellings = [text] if text.isascii() else sorted({text, text.lower(), text.upper(), text.title()})
    return or_(*(column.icontains(each, autoescape=True, escape="\\") for each in spellings))
