"""`DocumentStore` on a database: what others keep here, which means nothing to the engine."""

from __future__ import annotations

from collections.abc import Sequence

from alula.errors import NameTaken
from alula.store.access import Access
from alula.store.connection import Connection
from alula.store.pages import Key, listing
from alula.store.records import DocumentRecord, Page
from alula.store.rows import micros, moment


class Documents(Access):
    """Bytes by kind, scope and name."""

    async def document(self, kind: str, scope: str, name: str) -> DocumentRecord | None:
        key = {"kind": kind, "scope": scope, "name": name}
        row = await self._read(lambda connection: connection.one("document", **key))
        return None if row is None else DocumentRecord(kind, scope, name, row[0], moment(row[1]))

    async def put_documents(self, documents: Sequence[DocumentRecord], *, overwrite: bool = False) -> None:
        made: list[tuple[bytes, int]] = []

        def work(connection: Connection) -> None:
            before = tuple(made)  # it is done again, since nobody knew whether it was done
            now = connection.now()
            with connection.whole():
                for one in documents:
                    at = now if one.created_at is None else micros(one.created_at)
                    key = {"kind": one.kind, "scope": one.scope, "name": one.name}
                    how = "document_put" if overwrite else "document_keep"
                    if connection.rows(how, **key, body=one.body, created_at=at):
                        made.append((one.body, at))
                    elif connection.one("document", **key) not in before:
                        raise there_already(one)

        await self._write(work)

    async def drop_document(self, kind: str, scope: str, name: str) -> None:
        key = {"kind": kind, "scope": scope, "name": name}
        await self._write(lambda connection: connection.rows("document_drop", **key))

    async def page_documents(self, kind: str, scope: str, page: Page) -> Sequence[tuple[Key, DocumentRecord]]:
        given = {"kind": kind, "scope": scope}
        rows = await self._read(lambda connection: listing(connection, "page_documents", page, page.where, given))
        return [((row[0], row[1]), DocumentRecord(kind, scope, row[2], row[3], moment(row[0]))) for row in rows]


def there_already(document: DocumentRecord) -> NameTaken:
    """The error for a document that is not to be overwritten."""
    return NameTaken(f"{document.kind} {document.name!r} is there already")
