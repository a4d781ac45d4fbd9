"""The schema, once, for both databases.

Only `statements` and the migrations import this, hence SQLAlchemy: a running engine executes what they made of it
(`sql`). Times are microseconds since 1970, so that they compare, and cost nothing to bind.

No foreign keys: the engine is the only writer of what hangs on an execution, `delete` takes all of it, and a check of
each row of each commit would be paid on the path that must be fast.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects import postgresql

from alula.store.versions import VERSION_TABLE

metadata = MetaData()

_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in an INTEGER
_Text = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")  # sorted by bytes, as SQLite does
_Time = BigInteger()
_Bytes = LargeBinary()

_HOT = {"fillfactor": 75}
"""Rows that are written again soon find room in their page."""


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, _Text, primary_key=key, nullable=False)


def _number(name: str, *, key: bool = False) -> Column[int]:
    return Column(name, _Time, primary_key=key, nullable=False, autoincrement=False)


def _time(name: str, *, optional: bool = False) -> Column[int]:
    return Column(name, _Time, nullable=optional)


def _bytes(name: str) -> Column[bytes]:
    return Column(name, _Bytes, nullable=False)


def _serial() -> Column[int]:
    """Counts up and never gives an id twice, also after a row is deleted."""
    return Column("id", _Id, Identity(), primary_key=True)


owners = Table(
    "owners",
    metadata,
    _text("name", key=True),
    _time("until"),
    sqlite_with_rowid=False,
)
"""Engines, and how long each has its executions without being heard of."""

ADDED_TEXTS = ("entity_name", "workflow", "workflow_name", "principal", "state_by", "aborted_by", "tags")
ADDED_NUMBERS = ("mode", "state")
"""Columns that came later: they have defaults, since rows were there before them."""
LISTED = {"executions_phased": "phase", "executions_flow": "workflow_name"}
"""Executions of a project and domain are listed fast by one value of a column, newest first."""
SORTED = {
    "started": "coalesce(started_at, 0)",
    "updated": "coalesce(ended_at, started_at, created_at)",
    "took": "coalesce(ended_at - coalesce(started_at, created_at), 0)",
}
"""What else executions are sorted by, in an index each."""
TOLD = tuple("started_at ended_at phase name workflow_name entity_name principal tags mode state parent".split())
"""What people filter and sort executions by, in an index beside when they were created: whatever they ask for, no rows
are read but those of the page. None of them may be long: Postgres takes 2,700 bytes together."""

executions = Table(
    "executions",
    metadata,
    _serial(),
    _text("project"),
    _text("domain"),
    _text("name"),
    _text("entity"),
    _text("fingerprint"),
    _text("phase"),
    Column("open", Boolean(create_constraint=False), nullable=False),
    _text("owner"),
    _number("fence"),
    _time("created_at"),
    _time("started_at", optional=True),
    _time("ended_at", optional=True),
    _bytes("inputs"),
    _bytes("outputs"),
    _text("error"),
    _bytes("settings"),
    _text("closure"),
    _number("reference"),
    _number("parent"),
    _text("parent_path"),
    _number("parent_attempt"),
    _text("labels"),
    _text("facts"),
    *(Column(name, _Text, nullable=False, server_default="") for name in ADDED_TEXTS),
    *(Column(name, _Time, nullable=False, server_default="0") for name in ADDED_NUMBERS),
    Column("state_at", _Time, nullable=True),
    Column("spec", _Bytes, nullable=True),
    sqlite_autoincrement=True,
    postgresql_with=_HOT,
)
_open = executions.c.open
_open_1 = text("open = 1")  # as the queries have it, or SQLite does not see that the index answers them
_has_parent = executions.c.parent != 0
Index("executions_name", executions.c.project, executions.c.domain, executions.c.name, unique=True)
Index("executions_open", executions.c.owner, executions.c.id, sqlite_where=_open_1, postgresql_where=_open)
Index("executions_phase", executions.c.phase, executions.c.id)
Index("executions_closure", executions.c.closure)
Index("executions_told", *(executions.c[one] for one in ("project", "domain", "created_at", "id", *TOLD)))
for _name, _column in LISTED.items():
    Index(_name, *(executions.c[one] for one in ("project", "domain", _column, "created_at", "id")))
for _name, _key in SORTED.items():
    Index(f"executions_{_name}", executions.c.project, executions.c.domain, text(f"({_key})"), executions.c.id)
Index(
    "executions_parent",
    executions.c.parent,
    executions.c.id,
    sqlite_where=_has_parent,
    postgresql_where=_has_parent,
)

closures = Table("closures", metadata, _text("digest", key=True), _bytes("closure"))
"""What executions run, by its SHA-256."""

nodes = Table(
    "nodes",
    metadata,
    _number("execution", key=True),
    _text("path", key=True),
    _text("phase"),
    _time("since"),
    _time("ended_at", optional=True),
    _bytes("body"),
    sqlite_with_rowid=False,
    postgresql_with=_HOT,
)

attempts = Table(
    "attempts",
    metadata,
    _number("execution", key=True),
    _text("path", key=True),
    _number("number", key=True),
    _text("phase"),
    Column("open", Boolean(create_constraint=False), nullable=False),
    _time("since"),
    _time("started_at", optional=True),
    _time("ended_at", optional=True),
    _bytes("body"),
    sqlite_with_rowid=False,
    postgresql_with=_HOT,
)
"""No index of the open ones: only `load` asks for them, which reads the whole execution anyway."""

expansions = Table(
    "expansions",
    metadata,
    _number("execution", key=True),
    _text("path", key=True),
    _bytes("closure"),
)

signals = Table(
    "signals",
    metadata,
    _number("execution", key=True),
    _text("signal_id", key=True),
    _bytes("value"),
    sqlite_with_rowid=False,
)

progress = Table(
    "progress",
    metadata,
    _number("execution", key=True),
    _text("path", key=True),
    _number("number", key=True),
    Column("done", Float(53), nullable=True),
    _text("message"),
    sqlite_with_rowid=False,
    postgresql_with=_HOT,
)

commands = Table(
    "commands",
    metadata,
    _serial(),
    _number("execution"),
    _text("kind"),
    _text("path"),
    _number("attempt"),
    _bytes("body"),
    sqlite_autoincrement=True,
)
Index("commands_execution", commands.c.execution, commands.c.id)

entities = Table(
    "entities",
    metadata,
    _serial(),
    _text("kind"),
    _text("project"),
    _text("domain"),
    _text("name"),
    _text("version"),
    _text("digest"),
    _bytes("spec"),
    _bytes("closure"),
    _time("created_at"),
    sqlite_autoincrement=True,
)
Index(
    "entities_name",
    entities.c.kind,
    entities.c.project,
    entities.c.domain,
    entities.c.name,
    entities.c.version,
    unique=True,
)

names = Table(
    "names",
    metadata,
    _text("kind", key=True),
    _text("project", key=True),
    _text("domain", key=True),
    _text("name", key=True),
    _text("description"),
    _number("state"),
    sqlite_with_rowid=False,
)
"""What people say of a name of entities, whatever its versions are. Most names have no row."""

cache = Table(
    "cache",
    metadata,
    _text("key", key=True),
    _text("task"),
    _bytes("outputs"),
    _text("source"),
    _number("size_bytes"),
    _time("created_at"),
    _time("used_at"),
    postgresql_with=_HOT,
)

reservations = Table(
    "reservations",
    metadata,
    _text("key", key=True),
    _text("owner"),
    _time("until"),
    sqlite_with_rowid=False,
)

jobs = Table(
    "jobs",
    metadata,
    _number("execution", key=True),
    _text("path", key=True),
    _number("number", key=True),
    _bytes("state"),
    _number("version"),
    _bytes("info"),
    sqlite_with_rowid=False,
    postgresql_with=_HOT,
)
"""What runners have kept of attempts, and what people see of them. Most attempts have no row."""

stuck = Table(
    "stuck",
    metadata,
    _number("execution", key=True),
    _text("path", key=True),
    _number("number", key=True),
    _time("since"),
    _number("tries"),
    _text("error"),
    sqlite_with_rowid=False,
)
"""Attempts in quarantine: a table of its own, since they are few, and are asked for without their executions."""

pools = Table(
    "pools",
    metadata,
    _text("name", key=True),
    _number("units"),
    _number("per_project"),
    _text("weights"),
    _number("priority"),
    sqlite_with_rowid=False,
)
"""Its row is locked by who grants units of a pool."""

leases = Table(
    "leases",
    metadata,
    _serial(),
    _text("pool"),
    _number("execution"),
    _text("path"),
    _number("number"),
    _number("units"),
    _text("project"),
    _number("priority"),
    _time("since"),
    Column("granted", Boolean(create_constraint=False), nullable=False),
    _number("bypassed"),
    sqlite_autoincrement=True,
    postgresql_with=_HOT,
)
Index("leases_attempt", leases.c.execution, leases.c.path, leases.c.number, leases.c.pool, unique=True)
Index("leases_line", leases.c.pool, leases.c.granted, leases.c.project, leases.c.priority.desc(), leases.c.id)

projects = Table(
    "projects",
    metadata,
    _text("id", key=True),
    _text("name"),
    _text("description"),
    _text("labels"),
    _number("state"),
    _time("created_at"),
    sqlite_with_rowid=False,
)

attributes = Table(
    "attributes",
    metadata,
    _text("project", key=True),
    _text("domain", key=True),
    _text("workflow", key=True),
    _number("resource", key=True),
    _bytes("body"),
    sqlite_with_rowid=False,
)
"""What counts for executions of a place: of a project, of one domain of it, of one workflow there."""

plans = Table(
    "plans",
    metadata,
    _text("project", key=True),
    _text("domain", key=True),
    _text("name", key=True),
    _text("version"),
    Column("active", Boolean(create_constraint=False), nullable=False),
    _bytes("schedule"),
    _time("since"),
    _time("last"),
    _time("changed_at"),
    _text("note"),
    sqlite_with_rowid=False,
    postgresql_with=_HOT,
)
"""The version of a launch plan that is, or was last, active: a name has one row, so no two can be."""

slots = Table(
    "slots",
    metadata,
    _text("plan", key=True),
    _number("execution", key=True),
    sqlite_with_rowid=False,
)
"""Executions of launch plans that limit how many of theirs run at a time. Most have no row."""

notices = Table(
    "notices",
    metadata,
    _serial(),
    _number("execution"),
    _bytes("body"),
    _time("due"),
    _number("tries"),
    _text("error"),
    sqlite_autoincrement=True,
)
"""Who is to be told of the end of an execution, and has not been told yet. Most executions have no row."""
Index("notices_due", notices.c.due)
Index("notices_execution", notices.c.execution)

documents = Table(
    "documents",
    metadata,
    _serial(),
    _text("kind"),
    _text("scope"),
    _text("name"),
    _bytes("body"),
    _time("created_at"),
    sqlite_autoincrement=True,
)
"""What engines of others keep here, by the services of catalogs."""
Index("documents_name", documents.c.kind, documents.c.scope, documents.c.name, unique=True)

knobs = Table("knobs", metadata, _text("key", key=True), _text("value"), sqlite_with_rowid=False)
"""Limits that operators change at run time."""

stores = Table("stores", metadata, _number("id", key=True), _text("tag"), sqlite_with_rowid=False)
"""One row: what tells this store from all others."""

version = Table(
    VERSION_TABLE,
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)
"""Alembic's, under a name of our own: another program may have its tables in the same schema."""
