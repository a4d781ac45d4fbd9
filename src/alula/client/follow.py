"""What changes in an execution, read from the store, whoever drives it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from alula.admin.executions import ended
from alula.engine.codec import read_attempt, read_node
from alula.engine.state import ROOT, Expansion, NodePhase, Row, parent
from alula.store.records import ExecutionRecord, NodeRecord, ProgressRecord
from alula.store.store import Store

_UNDER_WAY = tuple(str(phase) for phase in NodePhase if not phase.terminal)
_SOONEST = 0.1
"""Seconds between two looks at least."""
_LATEST = 1.0
_SHARE = 20
"""A look at all rows takes this much longer to come again than it took."""
_MOST = 200
"""So many nodes that ended are looked up one by one; with more, all rows are read."""


@dataclass(frozen=True, slots=True)
class News:
    """What is new since the last look."""

    record: ExecutionRecord
    rows: Sequence[Row] = ()
    progress: Sequence[ProgressRecord] = ()


class Follower:
    """Looks at one execution as often as something happens, and no more than ten times a second."""

    def __init__(self, store: Store, id: int) -> None:
        self._store, self._id = store, id
        self._live: dict[str, NodeRecord] = {}
        self._known: dict[str, NodeRecord] = {}
        self._opened: set[str] = {ROOT}
        """Composites whose nodes were seen, so that what they are made of is known."""
        self._next_full = 0.0

    async def news(self) -> AsyncGenerator[News, None]:
        """What is there, then what is new, until the execution has ended. Raises StoreError, Unknown."""
        woken = asyncio.Event()

        def wake(ids: object) -> None:
            if not ids or self._id in ids:  # type: ignore[operator]
                woken.set()

        loop = asyncio.get_running_loop()
        with self._store.watch(wake):
            while True:
                woken.clear()
                began = loop.time()
                record = await self._store.execution_by_id(self._id)
                over = ended(record)
                rows = await self._changed(full=over or began >= self._next_full)
                progress = () if over else await self._store.progress(self._id)
                yield News(record, rows, progress)
                if over:
                    return
                await asyncio.sleep(max(_SOONEST - (loop.time() - began), 0))
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LATEST):
                        await woken.wait()

    async def _changed(self, *, full: bool) -> list[Row]:
        loop = asyncio.get_running_loop()
        if full:
            began = loop.time()
            found = list(await self._store.nodes(self._id))
            self._next_full = loop.time() + max(_SHARE * (loop.time() - began), 2.0)
            live = {one.path: one for one in found if one.phase in _UNDER_WAY}
        else:
            found = list(await self._store.nodes(self._id, phases=_UNDER_WAY))
            live = {one.path: one for one in found}
            gone = [path for path in self._live if path not in live]
            if len(gone) > _MOST:
                return await self._changed(full=True)
            found += [row for path in gone if (row := await self._store.node(self._id, path)) is not None]
        self._live = live
        new = [one for one in found if self._known.get(one.path) != one]
        retried = [one.path for one in new if one.path in self._known and one.phase in _UNDER_WAY][:_MOST]
        self._known.update((one.path, one) for one in new)
        rows: list[Row] = [*await self._expansions(new)]
        for path in retried:
            rows += [read_attempt(one) for one in await self._store.attempts(self._id, path)]
        return rows + sorted((read_node(one) for one in new), key=lambda row: (row.path.count("/"), len(row.path)))

    async def _expansions(self, new: Sequence[NodeRecord]) -> list[Row]:
        """What dynamic tasks made, if one of the new nodes is in a composite that was not seen before."""
        inside = {parent(one.path) for one in new if one.path != ROOT} - self._opened
        if not inside:
            return []
        self._opened |= inside
        found = sorted(await self._store.expansions(self._id), key=lambda one: len(one.path))
        return [Expansion(one.path, one.closure) for one in found]
