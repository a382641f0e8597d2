"""The roll-up of usage by the hour. It starts empty: the server fills it from the rows."""

import sqlalchemy as sa
from alembic import op

from coderai.store.types import Key

revision = "0005"
down_revision = "0004"

_DIMENSIONS = ("initiator_id", "on_behalf_of", "provider", "provider_name", "model", "client")
_SUMS = ("errors", "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens")


def upgrade() -> None:
    _create("usage_hours", _DIMENSIONS, ("n", *_SUMS))
    _create("tool_hours", (*_DIMENSIONS, "tool"), ("n",))


def _create(name: str, keys: tuple[str, ...], counts: tuple[str, ...]) -> None:
    op.create_table(
        name,
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(key, Key, nullable=False) for key in keys),
        *(sa.Column(count, sa.BigInteger(), server_default=sa.text("0"), nullable=False) for count in counts),
        sa.PrimaryKeyConstraint("hour", *keys, name=op.f(f"pk_{name}")),
        sqlite_with_rowid=False,
    )
