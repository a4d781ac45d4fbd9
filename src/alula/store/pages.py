"""`PageStore` on a database: listings by any column, page after page, and what is written beside an execution."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

from alula.store.access import Access
from alula.store.connection import Connection
from alula.store.records import Condition, ExecutionKey, ExecutionRecord, NodeRecord, Page, Plain
from alula.store.rows import ARCHIVED, Row, execution_record, node_record
from alula.store.sql import ANY, PHASED

_AFTER_LAST = "\U0010ffff"
"""Comes after all paths."""
_MERGED = 12
"""So many phases at most are asked for one by one, each in the order of an index, which is that of their creation."""
_SORTED = frozenset({"started_at", "updated_at", "duration", "phase", "name"})
"""What executions are sorted by in an index that has nothing else, or in none."""
_RARE = frozenset((phase,) for phase in ("queued", "running", "failed", "aborted", "timed_out"))
"""Few executions end in another way than well, and few have not ended."""
_ACTIVE = Condition("state", "in", (0,))
"""Consoles ask for nothing else, and hardly any execution is put away."""

Key = tuple[Plain, Plain]


class Pages(Access):
    """What is listed for people and other programs."""

    async def page_executions(self, project: str, domain: str, page: Page) -> Sequence[tuple[Key, ExecutionRecord]]:
        place = {"project": project, "domain": domain}

        def work(connection: Connection) -> list[Row]:
            split = [one for one in page.where if one.column == "phase" and one.test == "in"]
            if (
                page.sort != "created_at"
                or not split
                or not isinstance(split[0].value, tuple)
                or not 1 < len(split[0].value) <= _MERGED
            ):
                return listing(connection, "page_executions", page, page.where, place)
            rest = tuple(one for one in page.where if one is not split[0])
            found = [
                listing(connection, "page_executions", page, (*rest, Condition("phase", "in", (phase,))), place)
                for phase in split[0].value
            ]
            # Rows begin with the key and the id.
            merged = heapq.merge(*found, key=itemgetter(0, 1), reverse=page.descending)
            return [row for _, row in zip(range(page.limit), merged, strict=False)]

        return [((row[0], row[1]), execution_record(row[1:])) for row in await self._read(work)]

    async def page_nodes(
        self, execution: int, inside: str, page: Page, *, elements: bool = False
    ) -> Sequence[tuple[Key, NodeRecord]]:
        low, high = bounds(inside, elements=elements)
        given = {"execution": execution, "low": low, "high": high}
        rows = await self._read(lambda connection: listing(connection, "page_nodes", page, page.where, given))
        return [((row[0], row[1]), node_record(row[1:])) for row in rows]

    async def page_named(self, execution: int, paths: Collection[str], page: Page) -> Sequence[tuple[Key, NodeRecord]]:
        given = {"execution": execution, "paths": list(paths)}
        rows = await self._read(lambda connection: listing(connection, "page_named", page, page.where, given))
        return [((row[0], row[1]), node_record(row[1:])) for row in rows]

    async def nodes_at(self, execution: int, paths: Collection[str]) -> Mapping[str, NodeRecord]:
        rows = await self._read(lambda connection: connection.rows("nodes_at", execution=execution, paths=list(paths)))
        return {row[0]: node_record(row) for row in rows}

    async def expanded(self, execution: int, paths: Collection[str]) -> Collection[str]:
        rows = await self._read(
            lambda connection: connection.rows("expanded_at", execution=execution, paths=list(paths))
        )
        return {path for (path,) in rows}

    async def expansion(self, execution: int, path: str) -> bytes | None:
        row = await self._read(lambda connection: connection.one("expansion_at", execution=execution, path=path))
        return None if row is None else row[0]

    async def roots(self, executions: Collection[int]) -> Mapping[int, NodeRecord]:
        rows = await self._read(lambda connection: connection.rows("roots_of", ids=list(executions)))
        return {row[0]: node_record(row[1:]) for row in rows}

    async def keys(self, executions: Collection[int]) -> Mapping[int, ExecutionKey]:
        rows = await self._read(lambda connection: connection.rows("keys_of", ids=list(executions)))
        return {id: ExecutionKey(*key) for id, *key in rows}

    async def archive(self, execution: int, *, away: bool, who: str) -> None:
        def work(connection: Connection) -> None:
            at = connection.now()
            state = ARCHIVED if away else 0
            connection.rows("state_set", execution=execution, state=state, state_at=at, state_by=who)

        await self._write(work)

    async def note_abort(self, execution: int, who: str) -> None:
        await self._write(lambda connection: connection.rows("aborted_by", execution=execution, who=who))


def bounds(inside: str, *, elements: bool) -> tuple[str, str]:
    """Between which paths those are that lie in a node; of an array, those of its elements."""
    if elements:
        return f"{inside}[", f"{inside}\\"  # what comes after [
    return (f"{inside}/", f"{inside}0") if inside else ("", _AFTER_LAST)  # 0 comes after /


def _through(where: Sequence[Condition]) -> str:
    """The index that SQLite takes for conditions, which knows no figures of its rows; empty: as it thinks."""
    if any(one.column == "phase" and one.test == "in" and one.value in _RARE for one in where):
        return PHASED
    return ANY if any(one != _ACTIVE for one in where) else ""


def listing(
    connection: Connection, name: str, page: Page, where: Sequence[Condition], given: Mapping[str, object]
) -> list[Row]:
    """The rows of a page of a listing: what they are sorted by, their id, and the rest."""
    values: dict[str, Any] = {**given, "limit": page.limit}
    conditions = []
    for one in where:
        test, value = one.test, one.value
        if isinstance(value, tuple):
            test, value = ("eq", value[0]) if test == "in" and len(value) == 1 else (test, value)
        conditions.append(f"{name}{{{one.column}.{test}}}")
        values[f"{one.column}_{test}"] = list(value) if isinstance(value, tuple) else value
    listing = f"{name}.{page.sort}.{'desc' if page.descending else 'asc'}"
    through = _through(where) if name == "page_executions" and page.sort in _SORTED else ""
    if page.after is not None:
        conditions.append(f"{listing}{{after}}")
        values["after_key"], values["after_id"] = page.after
    return connection.chosen(f"{listing}{through}", conditions, **values)
