"""Listings of executions and nodes by any column, page after page; conditions have names of their own.

A page is found by where the last one ended (`{after}`), never by counting rows, so the last page costs what the first
one does. Which executions are on a page is found in indexes alone, be it that one is read from end to end
(`tables.TOLD`): that takes milliseconds for a hundred thousand, where their rows would take ten times that. Those of
the page are read then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    not_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.sql.elements import ClauseElement

from alula.store import tables as t
from alula.store.sql import ANY, PHASED, WHERE

Named = Iterator[tuple[str, ClauseElement]]
Columns = Mapping[str, ColumnElement[Any]]
Any_ = Callable[[ColumnElement[Any], str], ColumnElement[bool]]

_ZERO: ColumnElement[int] = literal_column("0")
_x, _n = t.executions.c, t.nodes.c
_NUMBERS: Columns = {
    "created_at": _x.created_at,
    "started_at": func.coalesce(_x.started_at, _ZERO),
    "updated_at": func.coalesce(_x.ended_at, _x.started_at, _x.created_at),
    "duration": func.coalesce(_x.ended_at - func.coalesce(_x.started_at, _x.created_at), _ZERO),
    "mode": _x.mode,
    "state": _x.state,
    "parent": _x.parent,
}
_TEXTS: Columns = {
    name: _x[name]
    for name in ("name", "phase", "entity", "entity_name", "workflow", "workflow_name", "principal", "tags")
}
_NODE_NUMBERS: Columns = {"created_at": _n.since, "updated_at": func.coalesce(_n.ended_at, _n.since)}
_NODE_TEXTS: Columns = {"path": _n.path, "phase": _n.phase}
_INDEXES = {ANY: "executions_told", PHASED: "executions_phased"}
_LEFT_OUT = frozenset({"inputs", "outputs", "settings"})
"""Of executions in lists: nobody looks at them there, and they may be large."""


def page_statements(*, sqlite: bool, any_of: Any_, holds: Any_) -> Named:
    """Listings, their conditions, and what admins write of executions."""
    x, n = t.executions, t.nodes
    here = text(WHERE)
    nothing: ColumnElement[bytes] = literal_column("x''" if sqlite else "''::bytea")
    listed = [nothing.label(one.name) if one.name in _LEFT_OUT else one for one in x.c]
    mine = and_(_x.project == bindparam("project"), _x.domain == bindparam("domain"))
    for name in ("created_at", "started_at", "updated_at", "duration", "name", "phase"):
        key = {**_NUMBERS, **_TEXTS}[name]
        rows = select(key.label("key"), *listed)
        yield from _executions(f"page_executions.{name}", select(_x.id).where(mine, here), rows, key)
    yield from tests("page_executions", _NUMBERS, _TEXTS, sqlite=sqlite, any_of=any_of, holds=holds)
    rest = func.substr(_n.path, func.length(bindparam("low", type_=_n.path.type)) + literal_column("1"))
    find = func.instr if sqlite else func.strpos
    inside = and_(
        _n.execution == bindparam("execution"),
        _n.path > bindparam("low"),
        _n.path < bindparam("high"),
        find(rest, literal_column("'/'")) == _ZERO,
        find(rest, literal_column("'['")) == _ZERO,
    )
    named = and_(_n.execution == bindparam("execution"), any_of(_n.path, "paths"))
    whole = [column for column in n.c if column.name != "execution"]
    for listing, chosen in (("page_nodes", inside), ("page_named", named)):
        for name in ("created_at", "updated_at", "path", "phase"):
            key = {**_NODE_NUMBERS, **_NODE_TEXTS}[name]
            yield from orders(f"{listing}.{name}", select(key.label("key"), *whole).where(chosen, here), key, _n.path)
        yield from tests(listing, _NODE_NUMBERS, _NODE_TEXTS, sqlite=sqlite, any_of=any_of, holds=holds)
    yield "nodes_at", select(*whole).where(_n.execution == bindparam("execution"), any_of(_n.path, "paths"))
    e = t.expansions.c
    yield "expanded_at", select(e.path).where(e.execution == bindparam("execution"), any_of(e.path, "paths"))
    yield "expansion_at", select(e.closure).where(e.execution == bindparam("execution"), e.path == bindparam("path"))
    yield "roots_of", select(*n.c).where(any_of(_n.execution, "ids"), _n.path == literal_column("''"))
    yield "keys_of", select(_x.id, _x.project, _x.domain, _x.name).where(any_of(_x.id, "ids"))
    at = _x.id == bindparam("execution")
    given: dict[str, Any] = {name: bindparam(name) for name in ("state", "state_at", "state_by")}
    yield "state_set", update(x).where(at).values(**given)
    yield "aborted_by", update(x).where(at, _x.aborted_by == literal_column("''")).values(aborted_by=bindparam("who"))


def hinted(name: str, text: str) -> str:
    """A statement for SQLite, which knows no figures of its rows: it would take any index for one more condition."""
    where = "(SELECT executions.id FROM executions"
    for how, index in _INDEXES.items():
        if name.endswith(how):
            return text.replace(where, f"{where} INDEXED BY {index}")
    return text


def _executions(name: str, inner: Select[Any], rows: Select[Any], key: ColumnElement[Any]) -> Named:
    """As `orders`, but which rows there are is looked up first."""
    for part, statement in orders(name, inner, key, _x.id):
        if isinstance(statement, Select):
            ordered = rows.where(_x.id.in_(statement.correlate(None)))
            down = part.endswith(".desc")
            statement = ordered.order_by(*((key.desc(), _x.id.desc()) if down else (key, _x.id)))
            for how in _INDEXES:
                yield f"{part}{how}", statement
        yield part, statement


def orders(name: str, rows: Select[Any], key: ColumnElement[Any], id: ColumnElement[Any]) -> Named:
    """A listing in both directions, and where a page of each goes on."""
    limit: ColumnElement[int] = bindparam("limit")
    yield f"{name}.asc", rows.order_by(key, id).limit(limit)
    yield f"{name}.desc", rows.order_by(key.desc(), id.desc()).limit(limit)
    last = tuple_(bindparam("after_key"), bindparam("after_id"))
    # The first part of each says in a word what the second one says; planners know better what to do with it.
    yield f"{name}.asc{{after}}", and_(key >= bindparam("after_key"), tuple_(key, id) > last)
    yield f"{name}.desc{{after}}", and_(key <= bindparam("after_key"), tuple_(key, id) < last)


def tests(name: str, numbers: Columns, texts: Columns, *, sqlite: bool, any_of: Any_, holds: Any_) -> Named:
    """`page_executions{phase.in}` and the like; the parameter of each is named `phase.in` with an underscore."""
    for column, of in {**numbers, **texts}.items():
        yield f"{name}{{{column}.eq}}", of == bindparam(f"{column}_eq")
        yield f"{name}{{{column}.in}}", any_of(of, f"{column}_in")
        yield f"{name}{{{column}.not_in}}", not_(any_of(of, f"{column}_not_in"))
    for column, of in numbers.items():
        yield f"{name}{{{column}.gt}}", of > bindparam(f"{column}_gt")
        yield f"{name}{{{column}.gte}}", of >= bindparam(f"{column}_gte")
        yield f"{name}{{{column}.lt}}", of < bindparam(f"{column}_lt")
        yield f"{name}{{{column}.lte}}", of <= bindparam(f"{column}_lte")
    for column, of in texts.items():
        yield f"{name}{{{column}.holds}}", holds(of, f"{column}_holds")
        start: ColumnElement[str] = bindparam(f"{column}_starts")
        end: ColumnElement[str] = bindparam(f"{column}_ends")
        yield f"{name}{{{column}.starts}}", func.substr(of, literal_column("1"), func.length(start)) == start
        tail = func.substr(of, -func.length(end)) if sqlite else func.right(of, func.length(end))
        yield f"{name}{{{column}.ends}}", tail == end
