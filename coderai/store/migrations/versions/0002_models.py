"""The registry of models, and which of them is meant."""

import sqlalchemy as sa
from alembic import op

from coderai.store.types import Json, Key, Moment

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "chat_model_configs",
        sa.Column("id", Key, nullable=False),
        sa.Column("ai_provider_id", Key, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), server_default="", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("deleted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("deleted_at", Moment(), nullable=True),
        sa.Column(
            "context_limit",
            sa.BigInteger(),
            sa.CheckConstraint("context_limit > 0", "ck_models_context"),
            nullable=False,
        ),
        sa.Column(
            "compression_threshold",
            sa.Integer(),
            sa.CheckConstraint("compression_threshold BETWEEN 0 AND 100", "ck_models_compression"),
            server_default=sa.text("70"),
            nullable=False,
        ),
        sa.Column("options", Json(), server_default="{}", nullable=False),
        sa.Column("created_by", Key, nullable=True),
        sa.Column("updated_by", Key, nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_model_configs")),
        sa.ForeignKeyConstraint(
            ["ai_provider_id"], ["ai_providers.id"], name=op.f("fk_chat_model_configs_ai_provider_id")
        ),
    )
    op.create_index(op.f("ix_chat_model_configs_ai_provider_id"), "chat_model_configs", ["ai_provider_id"])
    op.create_index(
        "uq_models_default",
        "chat_model_configs",
        ["is_default"],
        unique=True,
        sqlite_where=sa.text("is_default IS 1 AND deleted IS 0"),
        postgresql_where=sa.text("is_default IS true AND deleted IS false"),
    )
    op.create_table(
        "chat_model_overrides",
        sa.Column("context", Key, nullable=False),
        sa.Column("model_config_id", Key, nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("context", name=op.f("pk_chat_model_overrides")),
        sa.ForeignKeyConstraint(
            ["model_config_id"], ["chat_model_configs.id"], name=op.f("fk_chat_model_overrides_model_config_id")
        ),
    )
    op.create_table(
        "user_chat_model_overrides",
        sa.Column("user_id", Key, nullable=False),
        sa.Column("context", Key, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("model_config_id", Key, nullable=True),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "context", name=op.f("pk_user_chat_model_overrides")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_chat_model_overrides_user_id")),
        sa.ForeignKeyConstraint(
            ["model_config_id"], ["chat_model_configs.id"], name=op.f("fk_user_chat_model_overrides_model_config_id")
        ),
    )
    op.create_table(
        "user_compaction_thresholds",
        sa.Column("user_id", Key, nullable=False),
        sa.Column("model_config_id", Key, nullable=False),
        sa.Column(
            "threshold_percent",
            sa.Integer(),
            sa.CheckConstraint("threshold_percent BETWEEN 0 AND 100", "ck_user_compaction_threshold"),
            nullable=False,
        ),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "model_config_id", name=op.f("pk_user_compaction_thresholds")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_compaction_thresholds_user_id")),
        sa.ForeignKeyConstraint(
            ["model_config_id"], ["chat_model_configs.id"], name=op.f("fk_user_compaction_thresholds_model_config_id")
        ),
    )
    op.create_table(
        "site_configs",
        sa.Column("key", Key, nullable=False),
        sa.Column("value", Json(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_site_configs")),
    )
