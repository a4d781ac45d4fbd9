"""Listings of what is registered, of names, and what people say of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, func, literal_column, select, text
from sqlalchemy.sql.elements import ClauseElement

from alula.store import tables as t
from alula.store.page_statements import Any_, orders, tests
from alula.store.sql import WHERE


def entity_statements(
    upsert: Callable[[Table], ClauseElement], *, sqlite: bool, any_of: Any_, holds: Any_
) -> Iterator[tuple[str, ClauseElement]]:
    """Pages as `page_statements` has them: a key, an id, and the columns of a record."""
    e, n = t.entities.c, t.names.c
    here = text(WHERE)
    mine = and_(*(e[name] == bindparam(name) for name in ("kind", "project", "domain")))
    nothing: ColumnElement[bytes] = literal_column("x''" if sqlite else "''::bytea")
    listed = [nothing.label(one.name) if one.name == "closure" else one for one in e if one.name != "id"]
    for name in ("created_at", "name", "version"):
        rows = select(e[name].label("key"), e.id, *listed).where(mine, here)
        yield from orders(f"page_entities.{name}", rows, e[name], e.id)
    yield from tests(
        "page_entities",
        {"created_at": e.created_at},
        {"name": e.name, "version": e.version},
        sqlite=sqlite,
        any_of=any_of,
        holds=holds,
    )
    state = func.coalesce(n.state, literal_column("0"))
    said = func.coalesce(n.description, literal_column("''"))
    same = and_(*(n[name] == e[name] for name in ("kind", "project", "domain", "name")))
    known = select(e.name.label("key"), e.name, said, state).select_from(t.entities.outerjoin(t.names, same))
    yield from orders("page_names.name", known.where(mine, here).distinct(), e.name, e.name)
    yield from tests("page_names", {"state": state}, {"name": e.name}, sqlite=sqlite, any_of=any_of, holds=holds)
    key: list[ColumnElement[Any]] = [n[name] == bindparam(name) for name in ("kind", "project", "domain", "name")]
    yield "name", select(n.description, n.state).where(*key)
    yield "name_set", upsert(t.names)
