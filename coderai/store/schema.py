"""The tables. Names are those of the original, so that exports and dashboards can be reused.

The audit tables know no foreign keys (speed); whoever deletes an interception deletes its children too. Children are
clustered on their interception. ``sessions`` and ``session_facets`` are a roll-up of *ended* interceptions, kept in the
transaction that ends them (``writer*.py``); ``rollup.recount`` computes the same from the rows.

A change here needs a revision in ``migrations/versions``, and its name in ``migrations/__init__.py``.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
    func,
    text,
    true,
)
from sqlalchemy.sql.elements import ColumnElement

from coderai.store.types import Json, Key, Moment

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _only(name: str, condition: ColumnElement[bool], *columns: Any, unique: bool = False) -> Index:
    """A partial index."""
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _key(name: str, default: str = "") -> Column[str]:
    """A text that is compared, sorted or searched."""
    return Column(name, Key, nullable=False, server_default=default)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _flag(name: str, default: bool = False) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=true() if default else false())


def _stamps() -> tuple[Column[Any], Column[Any]]:
    return Column("created_at", Moment, nullable=False), Column("updated_at", Moment, nullable=False)


# --- what happened -------------------------------------------------------------------------------------------------

interceptions = Table(
    "aibridge_interceptions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("initiator_id", Key, nullable=False),
    Column("api_key_id", Text),
    _key("provider"),
    _key("provider_name"),
    _key("model"),
    _key("client", "Unknown"),
    Column("client_session_id", Key),
    Column("thread_parent_id", Key),
    Column("thread_root_id", Key),  # NULL: this is a root
    # First non-null of client_session_id, thread_root_id, id; written by the writer, so that it outlives the root.
    Column("session_id", Key, nullable=False),
    Column("metadata", Json),
    _text("credential_kind", "centralized"),
    _text("credential_hint"),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),  # NULL: in flight
    # Beyond the original:
    _text("api"),
    _text("user_agent"),
    _flag("stream"),
    Column("ending", Text),
    Column("http_status", Integer),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("first_byte_at", Moment),
    Column("process_id", Key),
    Column("on_behalf_of", Key),
)
Index("ix_interceptions_started", interceptions.c.started_at, interceptions.c.id)
Index("ix_interceptions_initiator", interceptions.c.initiator_id, interceptions.c.started_at, interceptions.c.id)
Index("ix_interceptions_session", interceptions.c.session_id, interceptions.c.initiator_id)
_only("ix_interceptions_root", interceptions.c.thread_root_id.is_not(None), interceptions.c.thread_root_id)
_only("ix_interceptions_running", interceptions.c.ended_at.is_(None), interceptions.c.process_id, interceptions.c.id)

token_usages = Table(
    "aibridge_token_usages",
    metadata,
    Column("interception_id", Key, primary_key=True),
    Column("id", Key, primary_key=True),
    _text("provider_response_id"),
    _count("input_tokens"),
    _count("output_tokens"),
    _count("cache_read_input_tokens"),
    _count("cache_write_input_tokens"),
    Column("metadata", Json),  # further counts of the provider by name
    Column("created_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

user_prompts = Table(
    "aibridge_user_prompts",
    metadata,
    Column("interception_id", Key, primary_key=True),
    Column("id", Key, primary_key=True),
    _text("provider_response_id"),
    Column("prompt", Text, nullable=False),
    Column("metadata", Json),
    Column("created_at", Moment, nullable=False),  # the start of the interception
    sqlite_with_rowid=False,
)

tool_usages = Table(
    "aibridge_tool_usages",
    metadata,
    Column("interception_id", Key, primary_key=True),
    Column("id", Key, primary_key=True),
    _text("provider_response_id"),
    Column("provider_tool_call_id", Key),
    _text("provider_item_id"),
    _text("tool"),
    _text("kind", "tool_use"),
    Column("server_url", Text),
    _text("input"),
    _flag("injected"),
    Column("invocation_error", Text),
    Column("metadata", Json),
    Column("created_at", Moment, nullable=False),
    # Repeated from the interception: ids like "call_0" are used by everybody, and linking must stay a short look-up.
    Column("initiator_id", Key, nullable=False),
    sqlite_with_rowid=False,
)
_only(
    "ix_tool_usages_call",
    tool_usages.c.provider_tool_call_id.is_not(None),
    tool_usages.c.provider_tool_call_id,
    tool_usages.c.initiator_id,
    tool_usages.c.interception_id,
)

model_thoughts = Table(
    "aibridge_model_thoughts",
    metadata,
    Column("interception_id", Key, primary_key=True),
    Column("id", Key, primary_key=True),
    Column("content", Text, nullable=False),
    Column("metadata", Json),  # {"source": "thinking" | "reasoning_summary" | "commentary"}
    Column("created_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

# --- the roll-up of ended interceptions ------------------------------------------------------------------------------
# Not clustered on their keys: the rows of sessions that are active now lie together, so that a commit writes few pages.

sessions = Table(
    "sessions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("initiator_id", Key, primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("first_id", Key, nullable=False),  # the earliest interception: (started_at, id)
    _key("client", "Unknown"),  # of the earliest interception, as is metadata
    Column("metadata", Json),
    Column("ended_at", Moment, nullable=False),
    Column("last_active_at", Moment, nullable=False),  # of the newest prompt, else started_at
    # The newest prompt: a key into aibridge_user_prompts; a page joins the few it shows.
    Column("last_prompt_at", Moment),
    Column("last_prompt_interception_id", Key),
    _count("interceptions"),
    _count("threads"),  # distinct coalesce(thread_root_id, id)
    _count("input_tokens"),
    _count("output_tokens"),
    _count("cache_read_input_tokens"),
    _count("cache_write_input_tokens"),
)
# With the start, so that whole stretches in which nothing can match are passed over without a look at their facets.
Index("ix_sessions_active", sessions.c.last_active_at, sessions.c.id, sessions.c.initiator_id, sessions.c.started_at)
Index("ix_sessions_initiator", sessions.c.initiator_id, sessions.c.last_active_at, sessions.c.id)

session_facets = Table(
    "session_facets",
    metadata,
    Column("session_id", Key, primary_key=True),
    Column("initiator_id", Key, primary_key=True),
    Column("provider", Key, primary_key=True),
    Column("provider_name", Key, primary_key=True),
    Column("model", Key, primary_key=True),
    Column("client", Key, primary_key=True),
    Column("on_behalf_of", Key, primary_key=True),  # empty for nobody
    Column("first_at", Moment, nullable=False),  # earliest and latest started_at
    Column("last_at", Moment, nullable=False),
    _count("n"),
)
_facet = session_facets.c
_OF_FACETS = ("session_id", "initiator_id")
# Whichever text drives, its index has the others too: rows are not looked at. What never changes comes along freely.
Index("ix_facets_provider", *(_facet[name] for name in ("provider", "provider_name", "model", "client", *_OF_FACETS)))
Index(
    "ix_facets_provider_name", *(_facet[name] for name in ("provider_name", "model", "client", "provider", *_OF_FACETS))
)
Index("ix_facets_model", *(_facet[name] for name in ("model", "client", "provider", "provider_name", *_OF_FACETS)))
Index("ix_facets_client", *(_facet[name] for name in ("client", "provider", "provider_name", "model", *_OF_FACETS)))
Index("ix_facets_first", _facet.first_at)
# A window is judged without looking at the rows, and so is when something was used last.
Index(
    "ix_facets_last",
    *(_facet[name] for name in ("last_at", "first_at", "client", "model", "provider_name", "provider", *_OF_FACETS)),
)
_only("ix_facets_on_behalf_of", _facet.on_behalf_of != "", _facet.on_behalf_of)

# By the hour since 1970; what started before the mark that ``hours.py`` keeps in ``coderai_meta``.
_HOURLY = ("initiator_id", "on_behalf_of", "provider", "provider_name", "model", "client")
usage_hours = Table(
    "usage_hours",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, Key, primary_key=True) for name in _HOURLY),
    _count("n"),
    _count("errors"),
    _count("input_tokens"),
    _count("output_tokens"),
    _count("cache_read_input_tokens"),
    _count("cache_write_input_tokens"),
    sqlite_with_rowid=False,
)
tool_hours = Table(
    "tool_hours",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, Key, primary_key=True) for name in _HOURLY),
    Column("tool", Key, primary_key=True),
    _count("n"),
    sqlite_with_rowid=False,
)

# --- who and what may ----------------------------------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    Column("id", Key, primary_key=True),
    _key("email"),
    Column("username", Key, nullable=False),
    _text("name"),
    Column("hashed_password", Text),  # NULL: cannot sign in with one
    *_stamps(),
    _text("status", "dormant"),
    Column("rbac_roles", Json, nullable=False, server_default="[]"),
    _text("login_type", "password"),
    _text("avatar_url"),
    _flag("deleted"),
    Column("last_seen_at", Moment),
    _flag("is_system"),
    _flag("is_service_account"),
)
_living = users.c.deleted.is_(False)
_only("uq_users_username", _living, func.lower(users.c.username), unique=True)
_only("uq_users_email", (users.c.email != "") & _living, func.lower(users.c.email), unique=True)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Key, primary_key=True),
    Column("hashed_secret", LargeBinary, nullable=False),
    Column("user_id", Key, ForeignKey(users.c.id), nullable=False, index=True),
    Column("last_used", Moment),
    Column("expires_at", Moment, nullable=False, index=True),
    *_stamps(),
    _text("login_type", "token"),
    Column("lifetime_seconds", BigInteger, nullable=False, server_default=text("86400")),
    _text("ip_address"),
    _key("token_name"),
    Column("scopes", Json, nullable=False, server_default='["coder:all"]'),
    Column("allow_list", Json, nullable=False, server_default='["*:*"]'),
    _flag("delegate"),  # may name the person it acts for
)
_only("uq_api_keys_name", api_keys.c.login_type == "token", api_keys.c.user_id, api_keys.c.token_name, unique=True)

ai_providers = Table(
    "ai_providers",
    metadata,
    Column("id", Key, primary_key=True),
    _text("type"),
    Column("name", Key, nullable=False),
    Column("display_name", Text),
    _flag("enabled", default=True),
    _flag("deleted"),
    _text("base_url"),
    Column("settings", Text),
    Column("settings_key_id", Text),
    *_stamps(),
    _text("source", "api"),  # "config" rows are re-applied at each start and read-only elsewhere
)
_only("uq_ai_providers_name", ai_providers.c.deleted.is_(False), ai_providers.c.name, unique=True)

ai_provider_keys = Table(
    "ai_provider_keys",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider_id", Key, ForeignKey(ai_providers.c.id), nullable=False, index=True),
    Column("api_key", Text, nullable=False),  # encrypted
    Column("api_key_key_id", Text),
    *_stamps(),
)

user_ai_provider_keys = Table(
    "user_ai_provider_keys",
    metadata,
    Column("id", Key, primary_key=True),
    Column("user_id", Key, ForeignKey(users.c.id), nullable=False),
    Column("ai_provider_id", Key, ForeignKey(ai_providers.c.id), nullable=False, index=True),
    Column("api_key", Text, nullable=False),  # encrypted
    Column("api_key_key_id", Text),
    *_stamps(),
)
_personal = user_ai_provider_keys.c
Index("uq_user_ai_provider_keys", _personal.user_id, _personal.ai_provider_id, unique=True)

audit_logs = Table(
    "audit_logs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("time", Moment, nullable=False, index=True),
    Column("user_id", Key),
    Column("organization_id", Key),
    _text("ip"),
    _text("user_agent"),
    _key("resource_type"),
    _key("resource_id"),
    _text("resource_target"),
    _key("action"),
    Column("diff", Json),
    Column("status_code", Integer),
    Column("additional_fields", Json),
    _text("request_id"),
)

# --- models: how they are asked, and which is meant ------------------------------------------------------------------

chat_model_configs = Table(
    "chat_model_configs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("ai_provider_id", Key, ForeignKey(ai_providers.c.id), nullable=False, index=True),
    Column("model", Text, nullable=False),  # what the provider calls it
    _text("display_name"),
    _flag("enabled", default=True),
    _flag("is_default"),
    _flag("deleted"),
    Column("deleted_at", Moment),
    Column("context_limit", BigInteger, CheckConstraint("context_limit > 0", "ck_models_context"), nullable=False),
    Column(
        "compression_threshold",
        Integer,
        CheckConstraint("compression_threshold BETWEEN 0 AND 100", "ck_models_compression"),
        nullable=False,
        server_default=text("70"),
    ),
    Column("options", Json, nullable=False, server_default="{}"),
    Column("created_by", Key),
    Column("updated_by", Key),
    *_stamps(),
)
_model = chat_model_configs.c
_only("uq_models_default", _model.is_default.is_(True) & _model.deleted.is_(False), _model.is_default, unique=True)

chat_model_overrides = Table(
    "chat_model_overrides",
    metadata,
    Column("context", Key, primary_key=True),
    Column("model_config_id", Key, ForeignKey(chat_model_configs.c.id), nullable=False),
    Column("updated_at", Moment, nullable=False),
)

user_chat_model_overrides = Table(
    "user_chat_model_overrides",
    metadata,
    Column("user_id", Key, ForeignKey(users.c.id), primary_key=True),
    Column("context", Key, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("model_config_id", Key, ForeignKey(chat_model_configs.c.id)),
    Column("updated_at", Moment, nullable=False),
)

user_compaction_thresholds = Table(
    "user_compaction_thresholds",
    metadata,
    Column("user_id", Key, ForeignKey(users.c.id), primary_key=True),
    Column("model_config_id", Key, ForeignKey(chat_model_configs.c.id), primary_key=True),
    Column(
        "threshold_percent",
        Integer,
        CheckConstraint("threshold_percent BETWEEN 0 AND 100", "ck_user_compaction_threshold"),
        nullable=False,
    ),
    Column("updated_at", Moment, nullable=False),
)

site_configs = Table(  # single switches of the whole deployment
    "site_configs",
    metadata,
    Column("key", Key, primary_key=True),
    Column("value", Json, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

# --- housekeeping ----------------------------------------------------------------------------------------------------

processes = Table(
    "processes",
    metadata,
    Column("id", Key, primary_key=True),
    Column("heartbeat_at", Moment, nullable=False),
    Column("key_ids", Json, nullable=False, server_default="[]"),  # encryption keys that it can open secrets with
    Column("providers", Json, nullable=False, server_default="[]"),  # names that its configuration has
)

changes = Table(
    "changes",
    metadata,
    Column("topic", Key, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

meta = Table(
    "coderai_meta",
    metadata,
    Column("key", Key, primary_key=True),
    Column("value", Text, nullable=False),
)
