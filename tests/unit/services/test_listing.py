"""Pages end where clients could not take more."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from alula.services.listing import page_of
from alula.store.memory_pages import chosen
from alula.store.records import Page, Plain

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("sizes", "pages"),
    [
        ([MIB] * 20, [[0, 1, 2, 3, 4, 5, 6, 7], [8, 9, 10, 11, 12, 13, 14, 15], [16, 17, 18, 19]]),
        ([30 * MIB, 1, 30 * MIB], [[0], [1], [2]]),
        ([1] * 3, [[0, 1, 2]]),
    ],
)
async def test_a_page_has_no_more_bytes_than_clients_take(sizes: list[int], pages: list[list[int]]) -> None:
    async def read(page: Page) -> Sequence[tuple[tuple[Plain, Plain], int]]:
        return chosen([(number, {"id": number}, number) for number in range(len(sizes))], page)

    found, token = [], ""
    while not found or token:
        page = Page(sort="id", descending=False, limit=100)
        rows, token = await page_of(read, page, at=token, question="?", size=lambda row: sizes[row])
        found.append(rows)
    assert found == pages
