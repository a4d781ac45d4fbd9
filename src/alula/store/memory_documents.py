"""`DocumentStore` in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from alula._kits.clock import Clock
from alula.store.documents import there_already
from alula.store.memory_pages import chosen
from alula.store.memory_rows import Rows
from alula.store.pages import Key
from alula.store.records import DocumentRecord, Page
from alula.store.rows import micros

_Name = tuple[str, str, str]


class DocumentsInMemory(Rows):
    """Bytes by kind, scope and name."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._documents: dict[_Name, tuple[int, DocumentRecord]] = {}
        self._document_ids = count(1)

    async def document(self, kind: str, scope: str, name: str) -> DocumentRecord | None:
        found = self._documents.get((kind, scope, name))
        return None if found is None else found[1]

    async def put_documents(self, documents: Sequence[DocumentRecord], *, overwrite: bool = False) -> None:
        fresh: dict[_Name, tuple[int, DocumentRecord]] = {}
        for one in documents:
            name = one.kind, one.scope, one.name
            known = fresh.get(name) or self._documents.get(name)
            if known is not None and not overwrite:
                raise there_already(one)
            id = next(self._document_ids) if known is None else known[0]
            fresh[name] = id, replace(one, created_at=one.created_at or self.clock.now())
        self._documents.update(fresh)

    async def drop_document(self, kind: str, scope: str, name: str) -> None:
        self._documents.pop((kind, scope, name), None)

    async def page_documents(self, kind: str, scope: str, page: Page) -> Sequence[tuple[Key, DocumentRecord]]:
        rows = [
            (id, {"created_at": micros(one.created_at) if one.created_at is not None else 0}, one)
            for id, one in self._documents.values()
            if (one.kind, one.scope) == (kind, scope)
        ]
        return chosen(rows, page)
