"""Indices of the roll-up that answer for every filter without a look at the rows."""

from alembic import op

revision = "0004"
down_revision = "0003"

_KEY = ["session_id", "initiator_id"]
_FACETS = {
    "ix_facets_provider": ["provider", "provider_name", "model", "client", *_KEY],
    "ix_facets_provider_name": ["provider_name", "model", "client", "provider", *_KEY],
    "ix_facets_model": ["model", "client", "provider", "provider_name", *_KEY],
    "ix_facets_client": ["client", "provider", "provider_name", "model", *_KEY],
    "ix_facets_last": ["last_at", "first_at", "client", "model", "provider_name", "provider", *_KEY],
}


def upgrade() -> None:
    for name, columns in _FACETS.items():
        op.drop_index(name, "session_facets")
        op.create_index(name, "session_facets", columns)
    op.drop_index("ix_sessions_active", "sessions")
    op.create_index("ix_sessions_active", "sessions", ["last_active_at", "id", "initiator_id", "started_at"])
