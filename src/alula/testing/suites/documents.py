"""What every `DocumentStore` must do; `suites.stores` says how to use it."""

from __future__ import annotations

import pytest

from alula._kits.records import replace
from alula.errors import NameTaken
from alula.store.records import DocumentRecord, Page
from alula.store.store import Store
from alula.testing.suites.stores import LONG, NOW, OpenedStore


class DocumentStoreSuite(OpenedStore):
    """Conformance of a `DocumentStore`."""

    def document(self, name: str, body: bytes = b"body", *, scope: str = "s", kind: str = "k") -> DocumentRecord:
        return DocumentRecord(kind, scope, name, body, NOW)

    async def test_a_document_is_found_until_it_is_dropped(self, store: Store) -> None:
        assert await store.document("k", "s", "a") is None
        await store.put_documents([self.document("a"), replace(self.document("b"), created_at=None)])
        assert await store.document("k", "s", "a") == self.document("a")
        found = await store.document("k", "s", "b")
        assert found is not None
        assert found.created_at is not None
        assert await store.document("k", "other", "a") is None
        for _ in range(2):
            await store.drop_document("k", "s", "a")
        assert await store.document("k", "s", "a") is None

    async def test_documents_are_kept_all_or_none_unless_they_are_to_be_overwritten(self, store: Store) -> None:
        await store.put_documents([self.document("a")])
        both = [self.document("b"), replace(self.document("a", b"later"), created_at=NOW + LONG)]
        with pytest.raises(NameTaken, match="'a'"):
            await store.put_documents(both)
        assert await store.document("k", "s", "b") is None
        assert await store.document("k", "s", "a") == self.document("a")
        await store.put_documents(both, overwrite=True)
        assert await store.document("k", "s", "a") == both[1]

    async def test_documents_of_a_scope_come_page_after_page(self, store: Store) -> None:
        made = [replace(self.document(f"d{nth}"), created_at=NOW + nth // 2 * LONG) for nth in range(5)]
        await store.put_documents([*made, self.document("x", scope="other"), self.document("x", kind="other")])
        for descending in (False, True):
            seen: list[DocumentRecord] = []
            page = Page(descending=descending, limit=2)
            while found := await store.page_documents("k", "s", page):
                seen += [one for _, one in found]
                page = replace(page, after=found[-1][0])
            assert seen == (made[::-1] if descending else made)
