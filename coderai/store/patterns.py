"""Texts inside texts, without surprises from ``%`` and ``_``."""

from typing import Any

from sqlalchemy.sql.elements import ColumnElement


def containing(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Match rows whose *column* holds *text* anywhere."""
    return column.contains(text, autoescape=True, escape="\\")
