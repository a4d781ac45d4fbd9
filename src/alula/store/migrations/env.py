"""Alembic's environment: the connection comes from `alula.store.upgrading`, and so does its transaction."""

from __future__ import annotations

from alembic import context

from alula.store.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=False,
    compare_type=True,
)
context.run_migrations()
