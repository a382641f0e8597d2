"""Run by Alembic: migrates the connection that ``store/prepare.py`` hands over, inside its transaction."""

from alembic import context

from coderai.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
