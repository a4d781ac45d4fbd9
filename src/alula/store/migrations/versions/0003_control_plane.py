"""What the control plane keeps: names of entities, projects, launch plans that are active, and what is listed fast."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_HOT = {"fillfactor": 75}


def upgrade() -> None:
    _names()


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, _TEXT, primary_key=key, nullable=False)


def _number(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), primary_key=key, nullable=False, autoincrement=False)


def _names() -> None:
    """What people say of a name, whatever its versions are."""
    op.create_table(
        "names",
        _text("kind", key=True),
        _text("project", key=True),
        _text("domain", key=True),
        _text("name", key=True),
        _text("description"),
        sa.Column("archived", sa.Boolean(create_constraint=False), nullable=False),
        sqlite_with_rowid=False,
    )
