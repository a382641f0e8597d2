"""Alembic revisions, forward only, never edited after a release.

``REVISIONS`` repeats their names in order, so that a start with nothing to migrate needs no Alembic.
"""

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
HEAD = REVISIONS[-1]
