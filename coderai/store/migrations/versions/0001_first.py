"""The first schema."""

import sqlalchemy as sa
from alembic import op

from coderai.store.types import Json, Key, Moment

revision = "0001"
down_revision = None


def upgrade() -> None:  # one statement per table and index of the first release
    op.create_table(
        "ai_providers",
        sa.Column("id", Key, nullable=False),
        sa.Column("type", sa.Text(), server_default="", nullable=False),
        sa.Column("name", Key, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("deleted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("base_url", sa.Text(), server_default="", nullable=False),
        sa.Column("settings", sa.Text(), nullable=True),
        sa.Column("settings_key_id", sa.Text(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("source", sa.Text(), server_default="api", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ai_providers")),
    )
    op.create_index(
        "uq_ai_providers_name",
        "ai_providers",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted IS 0"),
        postgresql_where=sa.text("deleted IS false"),
    )
    op.create_table(
        "aibridge_interceptions",
        sa.Column("id", Key, nullable=False),
        sa.Column("initiator_id", Key, nullable=False),
        sa.Column("api_key_id", sa.Text(), nullable=True),
        sa.Column("provider", Key, server_default="", nullable=False),
        sa.Column("provider_name", Key, server_default="", nullable=False),
        sa.Column("model", Key, server_default="", nullable=False),
        sa.Column("client", Key, server_default="Unknown", nullable=False),
        sa.Column("client_session_id", Key, nullable=True),
        sa.Column("thread_parent_id", Key, nullable=True),
        sa.Column("thread_root_id", Key, nullable=True),
        sa.Column("session_id", Key, nullable=False),
        sa.Column("metadata", Json(), nullable=True),
        sa.Column("credential_kind", sa.Text(), server_default="centralized", nullable=False),
        sa.Column("credential_hint", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("api", sa.Text(), server_default="", nullable=False),
        sa.Column("user_agent", sa.Text(), server_default="", nullable=False),
        sa.Column("stream", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("ending", sa.Text(), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("first_byte_at", Moment(), nullable=True),
        sa.Column("process_id", Key, nullable=True),
        sa.Column("on_behalf_of", Key, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aibridge_interceptions")),
    )
    op.create_index(
        "ix_interceptions_initiator", "aibridge_interceptions", ["initiator_id", "started_at", "id"], unique=False
    )
    op.create_index(
        "ix_interceptions_root",
        "aibridge_interceptions",
        ["thread_root_id"],
        unique=False,
        sqlite_where=sa.text("thread_root_id IS NOT NULL"),
        postgresql_where=sa.text("thread_root_id IS NOT NULL"),
    )
    op.create_index(
        "ix_interceptions_running",
        "aibridge_interceptions",
        ["process_id", "id"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_interceptions_session", "aibridge_interceptions", ["session_id", "initiator_id"], unique=False)
    op.create_index("ix_interceptions_started", "aibridge_interceptions", ["started_at", "id"], unique=False)
    op.create_table(
        "aibridge_model_thoughts",
        sa.Column("interception_id", Key, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("metadata", Json(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("interception_id", "id", name=op.f("pk_aibridge_model_thoughts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "aibridge_token_usages",
        sa.Column("interception_id", Key, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("provider_response_id", sa.Text(), server_default="", nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cache_read_input_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cache_write_input_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("metadata", Json(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("interception_id", "id", name=op.f("pk_aibridge_token_usages")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "aibridge_tool_usages",
        sa.Column("interception_id", Key, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("provider_response_id", sa.Text(), server_default="", nullable=False),
        sa.Column("provider_tool_call_id", Key, nullable=True),
        sa.Column("provider_item_id", sa.Text(), server_default="", nullable=False),
        sa.Column("tool", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="tool_use", nullable=False),
        sa.Column("server_url", sa.Text(), nullable=True),
        sa.Column("input", sa.Text(), server_default="", nullable=False),
        sa.Column("injected", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("invocation_error", sa.Text(), nullable=True),
        sa.Column("metadata", Json(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("initiator_id", Key, nullable=False),
        sa.PrimaryKeyConstraint("interception_id", "id", name=op.f("pk_aibridge_tool_usages")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_tool_usages_call",
        "aibridge_tool_usages",
        ["provider_tool_call_id", "initiator_id", "interception_id"],
        unique=False,
        sqlite_where=sa.text("provider_tool_call_id IS NOT NULL"),
        postgresql_where=sa.text("provider_tool_call_id IS NOT NULL"),
    )
    op.create_table(
        "aibridge_user_prompts",
        sa.Column("interception_id", Key, nullable=False),
        sa.Column("id", Key, nullable=False),
        sa.Column("provider_response_id", sa.Text(), server_default="", nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("metadata", Json(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("interception_id", "id", name=op.f("pk_aibridge_user_prompts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_logs",
        sa.Column("id", Key, nullable=False),
        sa.Column("time", Moment(), nullable=False),
        sa.Column("user_id", Key, nullable=True),
        sa.Column("organization_id", Key, nullable=True),
        sa.Column("ip", sa.Text(), server_default="", nullable=False),
        sa.Column("user_agent", sa.Text(), server_default="", nullable=False),
        sa.Column("resource_type", Key, server_default="", nullable=False),
        sa.Column("resource_id", Key, server_default="", nullable=False),
        sa.Column("resource_target", sa.Text(), server_default="", nullable=False),
        sa.Column("action", Key, server_default="", nullable=False),
        sa.Column("diff", Json(), nullable=True),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("additional_fields", Json(), nullable=True),
        sa.Column("request_id", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_logs")),
    )
    op.create_index(op.f("ix_audit_logs_time"), "audit_logs", ["time"], unique=False)
    op.create_table(
        "changes",
        sa.Column("topic", Key, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", name=op.f("pk_changes")),
    )
    op.create_table(
        "coderai_meta",
        sa.Column("key", Key, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_coderai_meta")),
    )
    op.create_table(
        "processes",
        sa.Column("id", Key, nullable=False),
        sa.Column("heartbeat_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
    )
    op.create_table(
        "session_facets",
        sa.Column("session_id", Key, nullable=False),
        sa.Column("initiator_id", Key, nullable=False),
        sa.Column("provider", Key, nullable=False),
        sa.Column("provider_name", Key, nullable=False),
        sa.Column("model", Key, nullable=False),
        sa.Column("client", Key, nullable=False),
        sa.Column("on_behalf_of", Key, nullable=False),
        sa.Column("first_at", Moment(), nullable=False),
        sa.Column("last_at", Moment(), nullable=False),
        sa.Column("n", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint(
            "session_id",
            "initiator_id",
            "provider",
            "provider_name",
            "model",
            "client",
            "on_behalf_of",
            name=op.f("pk_session_facets"),
        ),
    )
    op.create_index("ix_facets_client", "session_facets", ["client", "session_id", "initiator_id"], unique=False)
    op.create_index("ix_facets_first", "session_facets", ["first_at"], unique=False)
    op.create_index("ix_facets_last", "session_facets", ["last_at", "first_at"], unique=False)
    op.create_index("ix_facets_model", "session_facets", ["model", "session_id", "initiator_id"], unique=False)
    op.create_index(
        "ix_facets_on_behalf_of",
        "session_facets",
        ["on_behalf_of"],
        unique=False,
        sqlite_where=sa.text("on_behalf_of != ''"),
        postgresql_where=sa.text("on_behalf_of != ''"),
    )
    op.create_index("ix_facets_provider", "session_facets", ["provider", "session_id", "initiator_id"], unique=False)
    op.create_index(
        "ix_facets_provider_name", "session_facets", ["provider_name", "session_id", "initiator_id"], unique=False
    )
    op.create_table(
        "sessions",
        sa.Column("id", Key, nullable=False),
        sa.Column("initiator_id", Key, nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("first_id", Key, nullable=False),
        sa.Column("client", Key, server_default="Unknown", nullable=False),
        sa.Column("metadata", Json(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=False),
        sa.Column("last_active_at", Moment(), nullable=False),
        sa.Column("last_prompt_at", Moment(), nullable=True),
        sa.Column("last_prompt_interception_id", Key, nullable=True),
        sa.Column("interceptions", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("threads", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cache_read_input_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cache_write_input_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", "initiator_id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_active", "sessions", ["last_active_at", "id", "initiator_id"], unique=False)
    op.create_index("ix_sessions_initiator", "sessions", ["initiator_id", "last_active_at", "id"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", Key, nullable=False),
        sa.Column("email", Key, server_default="", nullable=False),
        sa.Column("username", Key, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("hashed_password", sa.Text(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("status", sa.Text(), server_default="dormant", nullable=False),
        sa.Column("rbac_roles", Json(), server_default="[]", nullable=False),
        sa.Column("login_type", sa.Text(), server_default="password", nullable=False),
        sa.Column("avatar_url", sa.Text(), server_default="", nullable=False),
        sa.Column("deleted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("last_seen_at", Moment(), nullable=True),
        sa.Column("is_system", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("is_service_account", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_table(
        "ai_provider_keys",
        sa.Column("id", Key, nullable=False),
        sa.Column("provider_id", Key, nullable=False),
        sa.Column("api_key", sa.Text(), nullable=False),
        sa.Column("api_key_key_id", sa.Text(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["provider_id"], ["ai_providers.id"], name=op.f("fk_ai_provider_keys_provider_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ai_provider_keys")),
    )
    op.create_index(op.f("ix_ai_provider_keys_provider_id"), "ai_provider_keys", ["provider_id"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", Key, nullable=False),
        sa.Column("hashed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", Key, nullable=False),
        sa.Column("last_used", Moment(), nullable=True),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("login_type", sa.Text(), server_default="token", nullable=False),
        sa.Column("lifetime_seconds", sa.BigInteger(), server_default=sa.text("86400"), nullable=False),
        sa.Column("ip_address", sa.Text(), server_default="", nullable=False),
        sa.Column("token_name", Key, server_default="", nullable=False),
        sa.Column("scopes", Json(), server_default='["coder:all"]', nullable=False),
        sa.Column("allow_list", Json(), server_default='["*:*"]', nullable=False),
        sa.Column("delegate", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_index(op.f("ix_api_keys_expires_at"), "api_keys", ["expires_at"], unique=False)
    op.create_index(op.f("ix_api_keys_user_id"), "api_keys", ["user_id"], unique=False)
    op.create_index(
        "uq_api_keys_name",
        "api_keys",
        ["user_id", "token_name"],
        unique=True,
        sqlite_where=sa.text("login_type = 'token'"),
        postgresql_where=sa.text("login_type = 'token'"),
    )
    op.create_index(
        "uq_users_username",
        "users",
        [sa.text("lower(username)")],
        unique=True,
        sqlite_where=sa.text("deleted IS 0"),
        postgresql_where=sa.text("deleted IS false"),
    )
    op.create_index(
        "uq_users_email",
        "users",
        [sa.text("lower(email)")],
        unique=True,
        sqlite_where=sa.text("email != '' AND deleted IS 0"),
        postgresql_where=sa.text("email != '' AND deleted IS false"),
    )
