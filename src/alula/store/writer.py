"""The one thread of a store that writes: all that waits is written in one transaction (group commit)."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from alula.errors import AlulaError, StoreDamaged, StoreError, StoreUnavailable
from alula.store.commits import write
from alula.store.connection import Connection, Database, News
from alula.store.records import Changes, Claim

T = TypeVar("T")

Work = Callable[[Connection], T]
"""What is done inside of a transaction. It raises before it has written anything, or not at all: others share it."""

_GROUP = 1_000
"""So many at most share a transaction, or the first would wait for ever longer."""


@dataclass(slots=True, eq=False)
class _Item(Generic[T]):
    """Something to write, and who waits for it."""

    work: Work[T] | None
    """None: it is a commit."""
    commit: tuple[Claim, Changes] | None = None
    loop: asyncio.AbstractEventLoop | None = None
    """None: nobody waits."""
    future: asyncio.Future[T] | None = None
    result: Any = None
    error: AlulaError | None = None


@dataclass(slots=True)
class _Group:
    """Things to write together."""

    items: Sequence[_Item[Any]]
    news: Sequence[int] | None = field(default=None)
    """Which executions have news; None: none."""

    def perform(self, connection: Connection) -> None:
        """Do all of it inside of one transaction; called again if that must be repeated."""
        connection.news = News()
        commits: list[_Item[Any]] = []
        for item in self.items:
            item.error = None
            if item.work is None:
                commits.append(item)
                continue
            self._commit(connection, commits)
            try:
                item.result = item.work(connection)
            except (StoreUnavailable, StoreDamaged):
                raise
            except AlulaError as exc:
                item.error = exc
        self._commit(connection, commits)
        self.news = connection.news.ids() if connection.news else None

    def _commit(self, connection: Connection, commits: list[_Item[Any]]) -> None:
        if commits:
            lost = write(connection, [item.commit for item in commits if item.commit is not None])
            for item, error in zip(commits, lost, strict=True):
                item.error = error
            commits.clear()


class Writer:
    """Writes, in the order in which it is asked.

    Args:
        tell: Called on the writer's thread with the executions that have news; empty: any of them.
    """

    def __init__(self, database: Database, tell: Callable[[Sequence[int]], None]) -> None:
        self._database, self._tell = database, tell
        self._queue: SimpleQueue[_Item[Any] | None] = SimpleQueue()
        self._idle: deque[_Item[Any]] = deque(maxlen=10_000)  # what is lost beyond it may be lost
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="alula-store", daemon=True)
        self._thread.start()

    async def run(self, work: Work[T]) -> T:
        """What `work` returns, once it is durable."""
        return await self._put(_Item(work))

    async def commit(self, claim: Claim, changes: Changes) -> None:
        await self._put(_Item[None](None, (claim, changes)))

    def later(self, work: Work[object]) -> None:
        """Do something with the next transaction that there is; nobody waits for it, and it may be lost."""
        self._idle.append(_Item(work))

    def close(self) -> None:
        """Write what was asked for, and end. Blocks."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    async def _put(self, item: _Item[T]) -> T:
        if self._closed:
            raise StoreUnavailable("the store was closed", fix="open it again")
        item.loop = asyncio.get_running_loop()
        item.future = item.loop.create_future()
        self._queue.put(item)
        return await item.future

    def _serve(self) -> None:
        queue = self._queue
        ended = False
        while not ended:
            items: list[_Item[Any]] = []
            one = queue.get()
            while one is not None:
                items.append(one)
                if queue.empty() or len(items) == _GROUP:
                    break
                one = queue.get()
            ended = one is None
            while self._idle:
                items.append(self._idle.popleft())
            if items:
                self._write(items)

    def _write(self, items: Sequence[_Item[Any]]) -> None:
        group = _Group(items)
        try:
            self._database.transact(group.perform)
        except (StoreUnavailable, StoreDamaged) as exc:
            for item in items:
                item.error = type(exc)(exc.what, where=exc.where, fix=exc.fix)
                item.error.__cause__ = exc.__cause__
        except Exception as exc:  # noqa: BLE001 - one of them holds what no database takes; the others are fine
            if len(items) > 1:
                for item in items:
                    self._write([item])
                return
            items[0].error = exc if isinstance(exc, AlulaError) else _refused(exc)
        _deliver(items)
        if group.news is not None:
            self._tell(group.news)


def _refused(exc: Exception) -> StoreError:
    error = StoreError(
        f"the store cannot keep this: {type(exc).__name__}: {exc}", fix="report it, with what was being stored"
    )
    error.__cause__ = exc
    return error


def _deliver(items: Sequence[_Item[Any]]) -> None:
    """Tell all who wait, with one call into each of their loops."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Item[Any]]] = {}
    for item in items:
        if item.loop is not None:
            by_loop.setdefault(item.loop, []).append(item)
    for loop, waiting in by_loop.items():
        if not loop.is_closed():
            try:
                loop.call_soon_threadsafe(_settle, waiting)
            except RuntimeError:  # closed in between: nobody waits any more
                continue


def _settle(items: Sequence[_Item[Any]]) -> None:
    for item in items:
        future = item.future
        if future is None or future.done():  # whoever waited was cancelled
            continue
        if item.error is not None:
            future.set_exception(item.error)
        else:
            future.set_result(item.result)
