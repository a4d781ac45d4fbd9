"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_HOT = {"fillfactor": 75}


def upgrade() -> None:
    _attempts()
    _cache()
    _closures()
    _commands()
    _entities()
    _executions()
    _expansions()
    _nodes()
    _owners()
    _progress()
    _reservations()
    _signals()


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("execution", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("path", _TEXT, primary_key=True, nullable=False),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("phase", _TEXT, nullable=False),
        sa.Column("open", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
        postgresql_with=_HOT,
    )


def _cache() -> None:
    op.create_table(
        "cache",
        sa.Column("key", _TEXT, primary_key=True, nullable=False),
        sa.Column("task", _TEXT, nullable=False),
        sa.Column("outputs", sa.LargeBinary(), nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        postgresql_with=_HOT,
    )


def _closures() -> None:
    op.create_table(
        "closures",
        sa.Column("digest", _TEXT, primary_key=True, nullable=False),
        sa.Column("closure", sa.LargeBinary(), nullable=False),
    )


def _commands() -> None:
    op.create_table(
        "commands",
        sa.Column("id", _ID, sa.Identity(), primary_key=True),
        sa.Column("execution", sa.BigInteger(), nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("path", _TEXT, nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("commands_execution", "commands", ["execution", "id"])


def _entities() -> None:
    op.create_table(
        "entities",
        sa.Column("id", _ID, sa.Identity(), primary_key=True),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("project", _TEXT, nullable=False),
        sa.Column("domain", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("spec", sa.LargeBinary(), nullable=False),
        sa.Column("closure", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("entities_name", "entities", ["kind", "project", "domain", "name", "version"], unique=True)


def _executions() -> None:
    op.create_table(
        "executions",
        sa.Column("id", _ID, sa.Identity(), primary_key=True),
        sa.Column("project", _TEXT, nullable=False),
        sa.Column("domain", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("entity", _TEXT, nullable=False),
        sa.Column("fingerprint", _TEXT, nullable=False),
        sa.Column("phase", _TEXT, nullable=False),
        sa.Column("open", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("inputs", sa.LargeBinary(), nullable=False),
        sa.Column("outputs", sa.LargeBinary(), nullable=False),
        sa.Column("error", _TEXT, nullable=False),
        sa.Column("settings", sa.LargeBinary(), nullable=False),
        sa.Column("closure", _TEXT, nullable=False),
        sa.Column("reference", sa.BigInteger(), nullable=False),
        sa.Column("parent", sa.BigInteger(), nullable=False),
        sa.Column("parent_path", _TEXT, nullable=False),
        sa.Column("parent_attempt", sa.BigInteger(), nullable=False),
        sa.Column("labels", _TEXT, nullable=False),
        sa.Column("facts", _TEXT, nullable=False),
        sqlite_autoincrement=True,
        postgresql_with=_HOT,
    )
    op.create_index("executions_closure", "executions", ["closure"])
    op.create_index("executions_name", "executions", ["project", "domain", "name"], unique=True)
    op.create_index(
        "executions_open",
        "executions",
        ["owner", "id"],
        sqlite_where=sa.text("open = 1"),
        postgresql_where=sa.text("open"),
    )
    op.create_index(
        "executions_parent",
        "executions",
        ["parent", "id"],
        sqlite_where=sa.text("parent != 0"),
        postgresql_where=sa.text("parent != 0"),
    )
    op.create_index("executions_phase", "executions", ["phase", "id"])


def _expansions() -> None:
    op.create_table(
        "expansions",
        sa.Column("execution", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("path", _TEXT, primary_key=True, nullable=False),
        sa.Column("closure", sa.LargeBinary(), nullable=False),
    )


def _nodes() -> None:
    op.create_table(
        "nodes",
        sa.Column("execution", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("path", _TEXT, primary_key=True, nullable=False),
        sa.Column("phase", _TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
        postgresql_with=_HOT,
    )


def _owners() -> None:
    op.create_table(
        "owners",
        sa.Column("name", _TEXT, primary_key=True, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )


def _progress() -> None:
    op.create_table(
        "progress",
        sa.Column("execution", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("path", _TEXT, primary_key=True, nullable=False),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("done", sa.Float(53), nullable=True),
        sa.Column("message", _TEXT, nullable=False),
        sqlite_with_rowid=False,
        postgresql_with=_HOT,
    )


def _reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("key", _TEXT, primary_key=True, nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )


def _signals() -> None:
    op.create_table(
        "signals",
        sa.Column("execution", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("signal_id", _TEXT, primary_key=True, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )
