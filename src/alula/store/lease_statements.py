"""The statements about attempts' own rows, pools and leases, for `statements.Book`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Table,
    and_,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.sql.elements import ClauseElement

from alula.store import tables as t
from alula.store.granting import MANY

Named = Iterator[tuple[str, ClauseElement]]
_TRUE, _FALSE = literal_column("true", Boolean()), literal_column("false", Boolean())


def job_statements(upsert: Callable[[Table], ClauseElement]) -> Named:
    """What is kept of attempts, and which are in quarantine."""
    for table, name in ((t.jobs, "job"), (t.stuck, "stuck")):
        yield f"{name}_put", upsert(table)
        rows = select(*(column for column in table.c if column.name != "execution"))
        rows = rows.where(table.c.execution == bindparam("execution")).order_by(table.c.path, table.c.number)
        yield f"{name}_of", rows
        yield f"{name}_at", rows.where(table.c.path == bindparam("path"))
    yield "stuck_all", select(t.stuck).order_by(t.stuck.c.execution, t.stuck.c.path, t.stuck.c.number)
    yield "stuck_free", delete(t.stuck).where(*_attempt(t.stuck))


def lease_statements(
    insert: Any, upsert: Callable[[Table], Any], keep: Callable[[Table], Any], among: Callable[..., ColumnElement[bool]]
) -> Named:
    """Pools, who has units of them, and who waits."""
    p, q = t.pools, t.leases
    yield "pool_put", upsert(p)
    yield "pool_keep", keep(p)
    yield "pool", select(p).where(p.c.name == bindparam("pool"))
    yield "pool_lock", select(p).where(p.c.name == bindparam("pool")).with_for_update()
    yield "pools", select(p).order_by(p.c.name)
    x, a = t.executions, t.attempts
    same = and_(a.c.execution == x.c.id, a.c.path == bindparam("path"), a.c.number == bindparam("number"), a.c.open)
    given = select(
        bindparam("pool"),
        x.c.id,
        a.c.path,
        a.c.number,
        bindparam("units"),
        x.c.project,
        bindparam("priority"),
        bindparam("since"),
        _FALSE,
        literal_column("0"),
    ).where(x.c.id == bindparam("execution"), same)
    columns = [column.name for column in q.c if column.name != "id"]
    yield "lease_ask", insert(q).from_select(columns, given).on_conflict_do_nothing()
    mine, there = q.c.pool == bindparam("pool"), q.c.granted
    yield "lease_at", select(q).where(*_attempt(q), mine)
    yield "leases_of", select(q).where(q.c.execution == bindparam("execution")).order_by(q.c.id)
    yield "lease_free", delete(q).where(*_attempt(q)).returning(q.c.pool)
    sums = select(q.c.project, cast(func.sum(q.c.units), BigInteger), func.count()).where(mine, there)
    yield "lease_held", sums.group_by(q.c.project)
    after = q.c.project > bindparam("after")
    yield (
        "lease_project",
        select(q.c.project).where(mine, not_(there), after).order_by(q.c.project).limit(literal_column("1")),
    )
    line = select(q).where(mine, not_(there))
    ordered = line.order_by(q.c.priority.desc(), q.c.id).limit(bindparam("limit"))
    yield "lease_line", ordered.where(q.c.project == bindparam("project"))
    yield "lease_waiting", ordered
    yield "lease_holders", select(q).where(mine, there).order_by(q.c.id).limit(bindparam("limit"))
    yield "lease_pools", select(q.c.pool).distinct().order_by(q.c.pool)
    yield "lease_count", select(func.count()).select_from(q).where(mine, not_(there))
    first = or_(
        q.c.priority > bindparam("priority"), and_(q.c.priority == bindparam("priority"), q.c.id < bindparam("id"))
    )
    some = select(q.c.id).where(mine, not_(there), first).limit(literal_column(str(MANY))).subquery()
    yield "lease_before", select(func.count()).select_from(some)
    yield "lease_grant", update(q).where(among(q.c.id, "ids")).values(granted=_TRUE)
    yield "lease_passed", update(q).where(q.c.id == bindparam("at")).values(bypassed=bindparam("count"))
    k = t.knobs
    yield "knobs", select(k).order_by(k.c.key)
    yield "knob_put", upsert(k)
    yield "knob_delete", delete(k).where(k.c.key == bindparam("key"))
    yield "tag", select(t.stores.c.tag).where(t.stores.c.id == literal_column("1"))
    yield "tag_keep", keep(t.stores)


def _attempt(table: Table) -> tuple[ColumnElement[bool], ...]:
    c = table.c
    return c.execution == bindparam("execution"), c.path == bindparam("path"), c.number == bindparam("number")
