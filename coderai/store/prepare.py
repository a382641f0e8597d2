"""Make a database ours, or bring it up to date, or refuse it. Runs under a lock, inside one transaction."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select, text

from coderai.errors import StoreUnusable
from coderai.ids import new_id
from coderai.store.migrations import HEAD, REVISIONS
from coderai.store.schema import meta, metadata

_LOCK = 0x0C0DE7A1  # any number, as long as it stays the same


def prepare(connection: Connection, *, create: bool) -> str:
    """Return the deployment id of the database behind *connection*, which is inside a transaction.

    Raises StoreUnusable for a database that is not ours, is newer than this program, or is empty without *create*.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    present = set(inspect(connection).get_table_names())
    if meta.name in present:
        _migrate(connection)
    elif present:
        raise StoreUnusable(
            f"the database holds tables that are not coderai's ({', '.join(sorted(present)[:3])}); "
            "give coderai a database of its own"
        )
    elif not create:
        raise StoreUnusable("the database is empty; start `coderai server` once to create it")
    else:
        _create(connection)
    return str(connection.execute(select(meta.c.value).where(meta.c.key == "deployment_id")).scalar_one())


def revision(connection: Connection) -> str | None:
    """Return the schema of the database behind *connection*; None for one that has none of ours."""
    if "alembic_version" not in inspect(connection).get_table_names():
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    connection.execute(
        insert(meta),
        [
            {"key": "deployment_id", "value": new_id()},
            {"key": "created_at", "value": datetime.now(UTC).isoformat()},
        ],
    )


def _migrate(connection: Connection) -> None:
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if revision == HEAD:
        return
    if revision is not None and revision not in REVISIONS:
        raise StoreUnusable(f"the database was made by a newer coderai (schema {revision}, this one knows {HEAD})")
    upgrade(connection)


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run what Alembic finds missing, up to revision *to*.

    Imported here only: it costs a third of the start-up time.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
