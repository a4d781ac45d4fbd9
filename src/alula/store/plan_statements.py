"""Statements about projects, attributes, launch plans that are active, their limits, and notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql.elements import ClauseElement

from alula.store import tables as t
from alula.store.sql import WHERE

Named = Iterator[tuple[str, ClauseElement]]
Write = Callable[[Table], ClauseElement]


def plan_statements(upsert: Write, keep: Write) -> Named:
    here = text(WHERE)
    yield "project_put", upsert(t.projects)
    yield "project_keep", keep(t.projects).returning(t.projects.c.id)  # type: ignore[attr-defined]
    yield "projects", select(t.projects).order_by(t.projects.c.id)
    a = t.attributes.c
    yield "attributes_put", upsert(t.attributes)
    key = [a[name] == bindparam(name) for name in ("resource", "project", "domain", "workflow")]
    yield "attributes_drop", delete(t.attributes).where(*key)
    listed = select(t.attributes).where(here, a.resource == bindparam("resource"))
    yield "attributes", listed.order_by(a.project, a.domain, a.workflow)
    yield "attributes{project}", a.project == bindparam("project")
    nothing: ColumnElement[str] = literal_column("''")
    yield (
        "attributes_for",
        select(t.attributes).where(
            a.project == bindparam("project"),
            or_(a.domain == nothing, a.domain == bindparam("domain")),
            or_(a.workflow == nothing, a.workflow == bindparam("workflow")),
        ),
    )
    yield from _plans(upsert)
    yield from _notices()


def _plans(upsert: Write) -> Named:
    p = t.plans.c
    here = text(WHERE)
    names = ("project", "domain", "name")
    yield "plan_put", upsert(t.plans)
    yield "plan", select(t.plans).where(*(p[name] == bindparam(name) for name in names)).with_for_update()
    yield "plans", select(t.plans).where(here).order_by(*(p[name] for name in names))
    for name in names:
        yield f"plans{{{name}}}", p[name] == bindparam(name)
    yield "plans{scheduled}", and_(p.active, func.length(p.schedule) > literal_column("0"))
    mine = [p[name] == bindparam(f"of_{name}") for name in (*names, "version")]
    ticked = update(t.plans).where(*mine, p.active, p.last == bindparam("before"))
    yield "plan_ticked", ticked.values(last=bindparam("last"), note=bindparam("note")).returning(p.name)


def _notices() -> Named:
    n, x = t.notices, t.executions
    given: dict[str, Any] = {name: bindparam(name) for name in ("execution", "body", "due")}
    yield "notice_insert", insert(n).values(**given, tries=literal_column("0"), error=literal_column("''"))
    over = exists(select(x.c.id).where(x.c.id == n.c.execution, x.c.ended_at.is_not(None)))
    due = select(n.c.id, n.c.execution, n.c.body, n.c.tries, n.c.error).where(n.c.due <= bindparam("now"), over)
    yield "notices_due", due.order_by(n.c.due, n.c.id).limit(bindparam("limit")).with_for_update(skip_locked=True)
    yield "delete_notices", delete(n).where(n.c.execution == bindparam("execution"))
    yield "notice_drop", delete(n).where(n.c.id == bindparam("id"))
    later = update(n).where(n.c.id == bindparam("of_id"))
    yield "notice_taken", later.values(due=bindparam("due"))
    failed = {"due": bindparam("due"), "error": bindparam("error"), "tries": n.c.tries + literal_column("1")}
    yield "notice_put_off", later.values(**failed)


def creation_limits(*, sqlite: bool) -> Named:
    """How many executions of a launch plan run, counted so that no two who count do it at the same time."""
    s, x = t.slots, t.executions
    name = bindparam("name", type_=s.c.plan.type)
    # SQLite has one writer anyway.
    alone = select(name) if sqlite else select(func.pg_advisory_xact_lock(func.hashtextextended(name, text("0"))))
    yield "name_lock", alone
    at_once = select(func.pg_try_advisory_xact_lock(func.hashtextextended(name, text("0"))))
    yield "name_try", select(name.is_not(None)) if sqlite else at_once
    mine = s.c.plan == bindparam("plan")
    running = select(x.c.id).where(x.c.id == s.c.execution, x.c.open, x.c.ended_at.is_(None))
    yield "slots_used", select(func.count()).select_from(s).where(mine, exists(running))
    yield "slots_over", delete(s).where(mine, ~exists(running))
    given: dict[str, Any] = {name: bindparam(name) for name in ("plan", "execution")}
    yield "slot_insert", insert(s).values(**given)
