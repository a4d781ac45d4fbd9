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
    _executions()
    _projects()
    _plans()
    _notices()
    _documents()


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
        _number("state"),
        sqlite_with_rowid=False,
    )


def _executions() -> None:
    """What people ask executions by."""
    for name in ("entity_name", "workflow", "workflow_name", "principal", "state_by", "aborted_by", "tags"):
        op.add_column("executions", sa.Column(name, _TEXT, server_default="", nullable=False))
    for name in ("mode", "state"):
        op.add_column("executions", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("executions", sa.Column("state_at", sa.BigInteger(), nullable=True))
    op.add_column("executions", sa.Column("spec", sa.LargeBinary(), nullable=True))
    _name_those_that_are_there()
    for name, column in (
        ("executions_phased", "phase"),
        ("executions_flow", "workflow_name"),
    ):
        op.create_index(name, "executions", ["project", "domain", column, "created_at", "id"])
    for name, key in (
        ("executions_started", "coalesce(started_at, 0)"),
        ("executions_updated", "coalesce(ended_at, started_at, created_at)"),
        ("executions_took", "coalesce(ended_at - coalesce(started_at, created_at), 0)"),
    ):
        op.create_index(name, "executions", ["project", "domain", sa.text(f"({key})"), "id"])
    told = ["started_at", "ended_at", "phase", "name", "workflow_name", "entity_name", "principal", "tags"]
    told = ["project", "domain", "created_at", "id", *told, "mode", "state", "parent"]
    op.create_index("executions_told", "executions", told)


def _name_those_that_are_there() -> None:
    """What they run, as far as they say it: `workflow:project:domain:name:version`; a name may hold colons."""
    database = op.get_bind()
    named = sa.text(
        "UPDATE executions SET entity_name = :name, workflow = :flow, workflow_name = :of WHERE entity = :it"
    )
    for (entity,) in database.execute(sa.text("SELECT DISTINCT entity FROM executions")).fetchall():
        kind, *rest = entity.split(":")
        name = ":".join(rest[2:-1])
        flow = entity if kind == "workflow" else ""
        database.execute(named, {"name": name, "flow": flow, "of": name if flow else "", "it": entity})


def _projects() -> None:
    """Projects, and what counts for executions there."""
    op.create_table(
        "projects",
        _text("id", key=True),
        _text("name"),
        _text("description"),
        _text("labels"),
        _number("state"),
        _number("created_at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "attributes",
        _text("project", key=True),
        _text("domain", key=True),
        _text("workflow", key=True),
        _number("resource", key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )


def _plans() -> None:
    """Launch plans that are active, and those that limit how many of their executions run."""
    op.create_table(
        "plans",
        _text("project", key=True),
        _text("domain", key=True),
        _text("name", key=True),
        _text("version"),
        sa.Column("active", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("schedule", sa.LargeBinary(), nullable=False),
        _number("since"),
        _number("last"),
        _number("changed_at"),
        _text("note"),
        sqlite_with_rowid=False,
        postgresql_with=_HOT,
    )
    op.create_table("slots", _text("plan", key=True), _number("execution", key=True), sqlite_with_rowid=False)


def _notices() -> None:
    """Who is to be told of the end of an execution."""
    op.create_table(
        "notices",
        sa.Column("id", _ID, sa.Identity(), primary_key=True),
        _number("execution"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        _number("due"),
        _number("tries"),
        _text("error"),
        sqlite_autoincrement=True,
    )
    op.create_index("notices_due", "notices", ["due"])
    op.create_index("notices_execution", "notices", ["execution"])


def _documents() -> None:
    """What engines of others keep here."""
    op.create_table(
        "documents",
        sa.Column("id", _ID, sa.Identity(), primary_key=True),
        _text("kind"),
        _text("scope"),
        _text("name"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        _number("created_at"),
        sqlite_autoincrement=True,
    )
    op.create_index("documents_name", "documents", ["kind", "scope", "name"], unique=True)
