"""Alembic's environment: the connection comes from `alula.store.upgrading`, and so does its transaction."""

from __future__ import annotations

from alembic import context

from alula.store.tables import metadata
from alula.store.versions import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=False,
    compare_type=True,
)
context.run_migrations()
