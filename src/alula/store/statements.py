"""Every statement of the store, in SQLAlchemy Core; made into text once, by `python -m alula.store.statements`.

The text lies beside this file (`compiled/`), so that opening a store need not import SQLAlchemy, which takes half a
second; a test compares the two. `{name}` in a name below stands for a part of a listing that is put together when it is
asked for (`sql.Statement.where`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    LargeBinary,
    Select,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    case,
    column,
    delete,
    exists,
    func,
    insert,
    literal_column,
    not_,
    or_,
    select,
    text,
    update,
    values,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import BindTyping, Dialect
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

from alula.store import tables as t
from alula.store.document_statements import document_statements
from alula.store.entity_statements import entity_statements
from alula.store.lease_statements import job_statements, lease_statements
from alula.store.page_statements import hinted, page_statements
from alula.store.plan_statements import creation_limits, plan_statements
from alula.store.sql import COMPILED, WHERE

DIALECTS: Mapping[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": postgresql.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}
DIALECTS["postgresql"].bind_typing = BindTyping.NONE  # psycopg says what is an integer; the columns say the rest

Named = Iterator[tuple[str, ClauseElement]]
_HERE = text(WHERE)
_NOBODY: ColumnElement[str] = literal_column("''", Text())
_FALSE = literal_column("false", Boolean())
_KINDS: Mapping[str, TypeEngine[Any]] = {
    "id": BigInteger(),
    "started_at": BigInteger(),
    "ended_at": BigInteger(),
    "outputs": LargeBinary(),
    "closed": Boolean(),
}
"""Of columns that are no texts."""


class Book:
    """The statements, for one kind of database."""

    def __init__(self, dialect: str) -> None:
        self.sqlite = dialect == "sqlite"
        self.insert = sqlite.insert if self.sqlite else postgresql.insert

    def statements(self) -> Named:
        yield from self._commits()
        yield from self._creation()
        yield from self._claims()
        yield from self._inboxes()
        yield from self._reading()
        yield from self._listing()
        yield from self._entities()
        yield from document_statements(self.insert)
        yield from entity_statements(self._upsert, sqlite=self.sqlite, any_of=self._any, holds=self._holds)
        yield from self._cache()
        yield from job_statements(self._upsert)
        yield from lease_statements(self.insert, self._upsert, self._keep, self._any)
        yield from plan_statements(self._upsert, self._keep)
        yield from creation_limits(sqlite=self.sqlite)
        yield from page_statements(sqlite=self.sqlite, any_of=self._any, holds=self._holds)
        yield from self._deletion()

    def _any(self, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        """Whether a column is one of a list of values, which is one parameter."""
        if self.sqlite:
            return column.in_(select(func.json_each(bindparam(name)).table_valued("value").c.value))
        return column == any_(bindparam(name))

    def _holds(self, column: ColumnElement[str], name: str) -> ColumnElement[bool]:
        """Whether a column has a text in it; its case counts."""
        find = func.instr if self.sqlite else func.strpos
        return find(column, bindparam(name)) > literal_column("0")

    def _upsert(self, table: Table) -> ClauseElement:
        row = self.insert(table)
        keys = [column.name for column in table.primary_key]
        fresh = {column.name: row.excluded[column.name] for column in table.c if column.name not in keys}
        return row.on_conflict_do_update(index_elements=keys, set_=fresh)

    def _keep(self, table: Table) -> ClauseElement:
        """Write a row, unless there is one with its key."""
        return self.insert(table).on_conflict_do_nothing()

    def _commits(self) -> Named:
        x = t.executions
        held = select(x.c.id, x.c.owner, x.c.fence).where(self._any(x.c.id, "ids"), x.c.open).order_by(x.c.id)
        yield "fences", held.with_for_update(read=True)
        one = select(x.c.id, x.c.owner, x.c.fence).where(x.c.id == bindparam("execution"), x.c.open)
        yield "fence", one.with_for_update(read=True)
        yield "node", self._upsert(t.nodes)
        yield "attempt", self._upsert(t.attempts)
        yield "progress", self._upsert(t.progress)
        yield "expansion", self._keep(t.expansions)
        yield "signal", self._keep(t.signals)
        yield "ending", _endings()
        yield "closed", update(x).where(self._any(x.c.id, "ids")).values(open=_FALSE, owner=_NOBODY)
        yield "closed_commands", delete(t.commands).where(self._any(t.commands.c.execution, "ids"))
        yield "closed_progress", delete(t.progress).where(self._any(t.progress.c.execution, "ids"))
        yield "commands_done", delete(t.commands).where(self._any(t.commands.c.id, "ids"))
        parent = x.alias("parent")
        told = select(
            x.c.parent, literal_column("'child_ended'"), x.c.parent_path, x.c.parent_attempt, bindparam("body")
        ).where(x.c.id == bindparam("execution"), parent.c.id == x.c.parent, parent.c.open)
        columns = ["execution", "kind", "path", "attempt", "body"]
        yield "tell_parent", insert(t.commands).from_select(columns, told).returning(t.commands.c.execution)

    def _creation(self) -> Named:
        x = t.executions
        yield (
            "closure_known",
            select(t.closures.c.digest)
            .where(t.closures.c.digest == bindparam("digest"))
            .with_for_update(read=True, key_share=True),
        )
        yield "closure_insert", self._keep(t.closures)
        given: dict[str, Any] = {column.name: bindparam(column.name) for column in x.c if column.name != "id"}
        made = self.insert(x).values(**given).on_conflict_do_nothing(index_elements=["project", "domain", "name"])
        yield "execution_insert", made.returning(x.c.id, x.c.project, x.c.domain, x.c.name)

    def _claims(self) -> Named:
        x, o = t.executions, t.owners
        yield "owner_beat", self._upsert(o)
        yield "owner_known", self._keep(o)
        yield "owners", select(o.c.name, o.c.until).order_by(o.c.name)
        nothing_left = not_(exists(select(x.c.id).where(x.c.owner == o.c.name, x.c.open)))
        yield "owner_forget", delete(o).where(o.c.name == bindparam("name"), nothing_left)
        owned = select(x.c.id).where(x.c.open, x.c.owner == bindparam("owner")).order_by(x.c.id)
        yield "had", owned
        owned = owned.limit(bindparam("limit")).with_for_update(skip_locked=True)
        yield "owned", owned
        yield "owned_of", owned.where(self._any(x.c.id, "ids"))
        theirs = x.c.open, x.c.owner == bindparam("holder"), self._any(x.c.id, "ids")
        yield "give_back", update(x).where(*theirs).values(owner=_NOBODY)
        yield (
            "claim",
            update(x)
            .where(self._any(x.c.id, "ids"))
            .values(owner=bindparam("owner"), fence=x.c.fence + literal_column("1"))
            .returning(*x.c),
        )
        mine = and_(x.c.id == bindparam("execution"), x.c.owner == bindparam("holder"), x.c.fence == bindparam("at"))
        yield "release", update(x).where(mine, x.c.open).values(owner=_NOBODY).returning(x.c.id)

    def _inboxes(self) -> Named:
        x, c = t.executions, t.commands
        yield (
            "asked",
            select(x.c.open).where(x.c.id == bindparam("execution")).with_for_update(read=True, key_share=True),
        )
        given: dict[str, Any] = {name: bindparam(name) for name in ("execution", "kind", "path", "attempt", "body")}
        yield "command_insert", insert(c).values(**given).returning(c.c.id)
        yield (
            "commands",
            select(c)
            .join(x, x.c.id == c.c.execution)
            .where(self._any(c.c.execution, "ids"), x.c.open)
            .order_by(c.c.id),
        )

    def _reading(self) -> Named:
        x, n, a = t.executions, t.nodes, t.attempts
        key = and_(
            x.c.project == bindparam("project"), x.c.domain == bindparam("domain"), x.c.name == bindparam("name")
        )
        yield "execution", select(x).where(x.c.id == bindparam("id"))
        yield "execution_named", select(x).where(key)
        yield "execution_exists", select(x.c.id).where(x.c.id == bindparam("id"))
        yield (
            "execution_names",
            select(x.c.name)
            .where(x.c.project == bindparam("project"), x.c.domain == bindparam("domain"))
            .order_by(x.c.id.desc())
            .limit(bindparam("limit")),
        )
        yield "closure", select(t.closures.c.closure).where(t.closures.c.digest == bindparam("digest"))
        yield (
            "node_at",
            _but_execution(n).where(n.c.execution == bindparam("execution"), n.c.path == bindparam("path")),
        )
        mine = a.c.execution == bindparam("execution")
        ordered = _but_execution(a).order_by(a.c.path, a.c.number)
        yield "attempts", ordered.where(mine)
        yield "attempts_open", ordered.where(mine, a.c.open)
        yield "attempts_at", ordered.where(mine, a.c.path == bindparam("path"))
        for table, name in ((t.expansions, "expansions"), (t.signals, "signals")):
            rows = _but_execution(table).where(table.c.execution == bindparam("execution"))
            yield name, rows.order_by(*table.primary_key)
        given = self._any(t.signals.c.execution, "ids")
        yield "signals_of", select(t.signals).where(given).order_by(*t.signals.primary_key)
        p = t.progress
        same = and_(a.c.execution == p.c.execution, a.c.path == p.c.path, a.c.number == p.c.number)
        told = _but_execution(p).join(a, same).where(p.c.execution == bindparam("execution"), a.c.open)
        yield "progress_of", told.order_by(p.c.path, p.c.number)

    def _listing(self) -> Named:
        x, n, e = t.executions, t.nodes, t.entities
        yield "executions", select(x).where(_HERE).order_by(x.c.id.desc()).limit(bindparam("limit"))
        yield "executions{before}", x.c.id < bindparam("before")
        yield "executions{project}", x.c.project == bindparam("project")
        yield "executions{domain}", x.c.domain == bindparam("domain")
        yield "executions{phases}", self._any(x.c.phase, "phases")
        yield "executions{entity}", self._holds(x.c.entity, "entity")
        yield "executions{name}", self._holds(x.c.name, "name")
        yield "executions{open}", and_(x.c.open)
        yield "executions{closed}", not_(x.c.open)
        yield "executions{top}", x.c.parent == literal_column("0")
        yield "executions{parent}", and_(x.c.parent != literal_column("0"), x.c.parent == bindparam("parent"))
        yield "executions{after}", x.c.created_at > bindparam("after")
        yield "executions{until}", x.c.created_at < bindparam("until")
        some = select(x.c.id).where(x.c.open).limit(bindparam("limit")).subquery()
        yield "open_count", select(func.count()).select_from(some)
        rows = _but_execution(n).where(n.c.execution == bindparam("execution"), _HERE)
        yield "nodes", rows.order_by(n.c.path).limit(bindparam("limit"))
        yield "nodes{after}", n.c.path > bindparam("after")
        yield "nodes{phases}", self._any(n.c.phase, "phases")
        listed = [column for column in e.c if column.name not in ("id", "spec", "closure")]
        yield (
            "entities",
            select(*listed)
            .where(e.c.kind == bindparam("kind"), _HERE)
            .order_by(e.c.id.desc())
            .limit(bindparam("limit")),
        )
        for name in ("project", "domain", "name"):
            yield f"entities{{{name}}}", e.c[name] == bindparam(name)

    def _entities(self) -> Named:
        e = t.entities
        given: dict[str, Any] = {column.name: bindparam(column.name) for column in e.c if column.name != "id"}
        key = ["kind", "project", "domain", "name", "version"]
        made = self.insert(e).values(**given).on_conflict_do_nothing(index_elements=key)
        yield "entity_insert", made.returning(e.c.id)
        whole = select(*(column for column in e.c if column.name != "id"))
        of_kind = and_(*(e.c[name] == bindparam(name) for name in key[:3]))
        named = and_(of_kind, e.c.name == bindparam("name"))
        yield "entity", whole.where(named, e.c.version == bindparam("version"))
        yield "entity_newest", whole.where(named).order_by(e.c.id.desc()).limit(literal_column("1"))
        yield "entity_digest", select(e.c.digest).where(named, e.c.version == bindparam("version"))
        yield (
            "entity_versions",
            select(e.c.version).where(named).order_by(e.c.id.desc()).limit(bindparam("limit")),
        )
        yield "entity_names", select(e.c.name).where(of_kind).distinct().order_by(e.c.name).limit(bindparam("limit"))

    def _cache(self) -> Named:
        c, r = t.cache, t.reservations
        yield "cached_at", select(c).where(c.c.key == bindparam("key"))
        yield (
            "cache_touch",
            update(c)
            .where(c.c.key == bindparam("at"), c.c.used_at < bindparam("now"))
            .values(used_at=bindparam("now")),
        )
        yield "cache_put", self._upsert(c)
        yield "cache_keep", self._keep(c)
        yield "cached", select(c).where(c.c.key > bindparam("after")).order_by(c.c.key).limit(bindparam("limit"))
        sizes = select(c.c.key, c.c.size_bytes, c.c.created_at, c.c.used_at)
        yield "cache_sizes", sizes.order_by(c.c.used_at, c.c.key)
        yield "cache_delete", delete(c).where(c.c.key == bindparam("key"))
        row = self.insert(r)
        taken = row.on_conflict_do_update(
            index_elements=["key"],
            set_={"owner": row.excluded.owner, "until": row.excluded.until},
            where=or_(r.c.owner == row.excluded.owner, r.c.until <= bindparam("now")),
        )
        yield "reserve", taken.returning(r.c.key)
        yield "reserved_until", select(r.c.until).where(r.c.key == bindparam("key"))
        mine = and_(r.c.key == bindparam("key"), r.c.owner == bindparam("owner"))
        yield "reservation_free", delete(r).where(mine).returning(r.c.key)

    def _deletion(self) -> Named:
        x = t.executions
        yield (
            "deletable",
            select(x.c.open, x.c.closure, x.c.name).where(x.c.id == bindparam("execution")).with_for_update(),
        )
        leases = delete(t.leases).where(t.leases.c.execution == bindparam("execution"))
        yield "delete_leases", leases.returning(t.leases.c.pool)
        for table in (t.nodes, t.attempts, t.expansions, t.signals, t.progress, t.commands, t.jobs, t.stuck):
            yield f"delete_{table.name}", delete(table).where(table.c.execution == bindparam("execution"))
        yield "delete_executions", delete(x).where(x.c.id == bindparam("execution"))
        yield (
            "closure_lock",
            select(t.closures.c.digest).where(t.closures.c.digest == bindparam("digest")).with_for_update(),
        )
        unused = not_(exists(select(x.c.id).where(x.c.closure == t.closures.c.digest)))
        yield "closure_delete", delete(t.closures).where(t.closures.c.digest == bindparam("digest"), unused)


def _rows(*names: str) -> CTE:
    """Rows that are given, as many as one likes (`sql.Statement.times`)."""
    row: tuple[Any, ...] = tuple(bindparam(name) for name in names)
    return values(*(column(name, _KINDS.get(name, Text())) for name in names), name="v").data([row]).cte("v")


def _endings() -> ClauseElement:
    """Phases of executions and what they came to, of any number in one statement. The time 0 stands for none."""
    x = t.executions
    v = _rows("id", "phase", "started_at", "ended_at", "outputs", "error", "closed")
    return (
        update(x)
        .where(x.c.id == v.c.id)
        .values(
            phase=v.c.phase,
            started_at=func.coalesce(func.nullif(v.c.started_at, literal_column("0")), x.c.started_at),
            ended_at=func.nullif(v.c.ended_at, literal_column("0")),
            outputs=v.c.outputs,
            error=v.c.error,
            open=case((v.c.closed, _FALSE), else_=x.c.open),
            owner=case((v.c.closed, _NOBODY), else_=x.c.owner),
        )
    )


def _but_execution(table: Table) -> Select[Any]:
    return select(*(column for column in table.c if column.name != "execution"))


def compiled(dialect: str) -> dict[str, Any]:
    """What is kept of all statements for one kind of database: their text, and the names of their parameters."""
    how = DIALECTS[dialect]
    found: dict[str, Any] = {}
    for name, statement in Book(dialect).statements():
        made = statement.compile(dialect=how)
        names = [one for one in getattr(made, "positiontup", None) or () if one != "param_1"]
        text_of = " ".join(str(made).replace(" OFFSET ?", "").split())  # the offset is always 0
        found[name] = [hinted(name, text_of) if dialect == "sqlite" else text_of, names]
    schema = [CreateTable(table).compile(dialect=how) for table in t.metadata.sorted_tables]
    indexes = [
        CreateIndex(index).compile(dialect=how)
        for table in t.metadata.sorted_tables
        for index in sorted(table.indexes, key=lambda index: str(index.name))
    ]
    return {"schema": [" ".join(str(one).split()) for one in (*schema, *indexes)], "statements": found}


def rendered(dialect: str) -> str:
    """The file that holds them."""
    return json.dumps(compiled(dialect), indent=1) + "\n"


def main() -> None:
    COMPILED.mkdir(exist_ok=True)
    for dialect in DIALECTS:
        Path(COMPILED, f"{dialect}.json").write_text(rendered(dialect))


if __name__ == "__main__":
    main()
