"""Pages of what is registered, as requests ask for them: filters, order, limit and token in Flyte's words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from alula.admin.desk import refuse
from alula.admin.filters import Field, conditions, order, prefixed, texts, times, words
from alula.admin.names import place_faults
from alula.admin.paging import Place, limit_of, place_of, token
from alula.idl.service import Sort
from alula.store.records import Condition, Page

R = TypeVar("R")

_PAGE_BYTES = 8 * 1024 * 1024
"""Of rows. Clients take messages of 20 MiB."""

_ENTITY: Mapping[str, Field] = {
    "name": texts("name"),
    "version": texts("version"),
    "created_at": times("created_at"),
    "updated_at": times("created_at"),
}
ENTITIES: Mapping[str, Mapping[str, Field]] = {
    kind: prefixed(_ENTITY, kind) for kind in ("task", "workflow", "launch_plan")
}
"""What versions can be filtered by, by kind: `version`, and as Flyte's console writes it `task.version`."""
NAMES: Mapping[str, Field] = {
    "name": texts("name"),
    "state": words(
        "state",
        {
            "NAMED_ENTITY_ACTIVE": (0,),
            "NAMED_ENTITY_ARCHIVED": (1,),
            "SYSTEM_GENERATED": (2,),
            **{str(one): (one,) for one in range(3)},
        },
    ),
}
SORTS = {"created_at": "created_at", "updated_at": "created_at", "name": "name", "version": "version"}


async def page_of(
    read: Callable[[Page], Awaitable[Sequence[tuple[Place, R]]]],
    page: Page,
    *,
    at: str,
    question: str,
    kinds: tuple[type, type] = (int, int),
    size: Callable[[R], int] = lambda row: 0,
) -> tuple[list[R], str]:
    """The rows of a page, and the token of the next one; empty after the last one.

    Args:
        at: The token of this page, as the client sends it.
        question: What tells this listing from others.
        size: Of a row in bytes; a page ends before it has more than a message may, and after one row at the least.

    Raises:
        RequestError: The token is none of this listing.
    """
    whole = f"{question}|{page.where}|{page.sort}|{page.descending}"
    after = place_of(at, whole, kinds=kinds)
    one_more = Page(page.where, page.sort, page.descending, page.limit + 1, after)
    found = await read(one_more)
    rows = _fitting(found[: page.limit], size)
    return [row for _, row in rows], token(rows[-1][0], whole) if len(found) > len(rows) else ""


def _fitting(found: Sequence[tuple[Place, R]], size: Callable[[R], int]) -> Sequence[tuple[Place, R]]:
    whole = 0
    for at, (_, row) in enumerate(found):
        whole += size(row)
        if at and whole > _PAGE_BYTES:
            return found[:at]
    return found


def asked(
    limit: int,
    *,
    sort_by: Sort,
    text: str = "",
    fields: Mapping[str, Field],
    sorts: Mapping[str, str],
    usual: str = "created_at",
    also: tuple[Condition, ...] = (),
) -> Page:
    """The page that a request asks for. Raises RequestError, with what is wrong with its filters or its order."""
    key, up = sort_by.key, sort_by.direction == Sort.ASCENDING
    column, descending = order(key, descending=not up, columns=sorts, usual=usual)
    where = conditions(text, fields)
    twice = {(one.column, one.test) for one in where} & {(one.column, one.test) for one in also}
    if twice:
        names = ", ".join(sorted(column for column, _ in twice))
        raise refuse("these filters cannot be", [f"{names}: is given by the path of the request"], where="filters")
    return Page((*where, *also), column, descending, limit_of(limit))


def checked_place(project: str, domain: str) -> None:
    """Raises RequestError, where one of them is missing or cannot be."""
    faults = place_faults(project, domain)
    if faults:
        raise refuse("nothing can be listed so", faults)
