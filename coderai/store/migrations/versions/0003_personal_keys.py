"""Provider keys that people keep for themselves; and what the processes that are alive know."""

import sqlalchemy as sa
from alembic import op

from coderai.store.types import Json, Key, Moment

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "user_ai_provider_keys",
        sa.Column("id", Key, nullable=False),
        sa.Column("user_id", Key, nullable=False),
        sa.Column("ai_provider_id", Key, nullable=False),
        sa.Column("api_key", sa.Text(), nullable=False),
        sa.Column("api_key_key_id", sa.Text(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_ai_provider_keys")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_ai_provider_keys_user_id")),
        sa.ForeignKeyConstraint(
            ["ai_provider_id"], ["ai_providers.id"], name=op.f("fk_user_ai_provider_keys_ai_provider_id")
        ),
    )
    op.create_index(op.f("ix_user_ai_provider_keys_ai_provider_id"), "user_ai_provider_keys", ["ai_provider_id"])
    op.create_index("uq_user_ai_provider_keys", "user_ai_provider_keys", ["user_id", "ai_provider_id"], unique=True)
    op.add_column("processes", sa.Column("key_ids", Json(), server_default="[]", nullable=False))
    op.add_column("processes", sa.Column("providers", Json(), server_default="[]", nullable=False))
