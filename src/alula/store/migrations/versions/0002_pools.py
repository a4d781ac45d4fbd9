"""What runners keep of attempts, pools of units, quarantine, knobs, and the store's tag."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_HOT = {"fillfactor": 75}


def upgrade() -> None:
    _jobs()
    _stuck()
    _pools()
    _leases()
    op.create_table(
        "knobs",
        sa.Column("key", _TEXT, primary_key=True, nullable=False),
        sa.Column("value", _TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stores",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("tag", _TEXT, nullable=False),
        sqlite_with_rowid=False,
    )


def _attempt() -> tuple[sa.Column[int], sa.Column[str], sa.Column[int]]:
    return (
        sa.Column("execution", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("path", _TEXT, primary_key=True, nullable=False),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        *_attempt(),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("info", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
        postgresql_with=_HOT,
    )


def _stuck() -> None:
    op.create_table(
        "stuck",
        *_attempt(),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("error", _TEXT, nullable=False),
        sqlite_with_rowid=False,
    )


def _pools() -> None:
    op.create_table(
        "pools",
        sa.Column("name", _TEXT, primary_key=True, nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("per_project", sa.BigInteger(), nullable=False),
        sa.Column("weights", _TEXT, nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("id", _ID, sa.Identity(), primary_key=True),
        sa.Column("pool", _TEXT, nullable=False),
        sa.Column("execution", sa.BigInteger(), nullable=False),
        sa.Column("path", _TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("project", _TEXT, nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("granted", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("bypassed", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
        postgresql_with=_HOT,
    )
    op.create_index("leases_attempt", "leases", ["execution", "path", "number", "pool"], unique=True)
    op.create_index("leases_line", "leases", ["pool", "granted", "project", sa.text("priority DESC"), "id"])
