"""Statements about documents: what others keep here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Table, and_, bindparam, delete, select, text
from sqlalchemy.sql.elements import ClauseElement

from alula.store import tables as t
from alula.store.page_statements import orders
from alula.store.sql import WHERE


def document_statements(insert: Callable[[Table], Any]) -> Iterator[tuple[str, ClauseElement]]:
    """Pages as `page_statements` has them: a key, an id, and the columns of a record."""
    d = t.documents.c
    key = ("kind", "scope", "name")
    given: dict[str, Any] = {name: bindparam(name) for name in (*key, "body", "created_at")}
    this = and_(*(d[name] == bindparam(name) for name in key))
    yield "document", select(d.body, d.created_at).where(this)
    row = insert(t.documents).values(**given)
    yield "document_keep", row.on_conflict_do_nothing(index_elements=key).returning(d.id)
    fresh = {name: row.excluded[name] for name in ("body", "created_at")}
    yield "document_put", row.on_conflict_do_update(index_elements=key, set_=fresh).returning(d.id)
    yield "document_drop", delete(t.documents).where(this)
    mine = and_(d.kind == bindparam("kind"), d.scope == bindparam("scope"))
    listed = select(d.created_at.label("key"), d.id, d.name, d.body).where(mine, text(WHERE))
    yield from orders("page_documents.created_at", listed, d.created_at, d.id)
