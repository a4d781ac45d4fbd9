"""Who writes in a store: all that waits is written in one transaction (group commit).

There is a thread for it. But to hand something to a thread and back takes two wake-ups, 0.12 ms together, which is half
of what a small commit takes on a good disk. So what comes in during one turn of an event loop, if it is little, is
written at the end of that turn on the loop itself, as long as the database says that this is quick.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from alula.errors import AlulaError, StoreDamaged, StoreError, StoreUnavailable, Unstorable
from alula.store.commits import write
from alula.store.connection import Connection, Database, Later, News
from alula.store.creations import Created, Creation, create
from alula.store.leasing import settle
from alula.store.records import Changes, Claim, NewExecution

T = TypeVar("T")

Work = Callable[[Connection], T]
"""What is done inside of a transaction. It raises before it has written anything, or not at all: others share it."""

_GROUP = 1_000
"""So many at most share a transaction, or the first would wait for ever longer."""
_ALONE = 3
"""After so many turns with one commit each, the next is written without waiting for the end of its turn."""
_LITTLE_ROWS, _LITTLE_BYTES = 64, 64 * 1024
"""What may be written on the loop."""


@dataclass(slots=True, eq=False)
class _Item(Generic[T]):
    """Something to write, and who waits for it."""

    work: Work[T] | None = None
    """None: it is one of the next two."""
    commit: tuple[Claim, Changes] | None = None
    creation: Creation | None = None
    loop: asyncio.AbstractEventLoop | None = None
    """None: nobody waits."""
    future: asyncio.Future[T] | None = None
    result: Any = None
    error: AlulaError | None = None


@dataclass(slots=True)
class _Turn:
    """What comes in during one turn of a loop."""

    items: list[_Item[Any]] = field(default_factory=list)
    wrote: int = 0
    """Written before its end."""


@dataclass(slots=True)
class _Group:
    """Things to write together."""

    items: Sequence[_Item[Any]]
    news: Sequence[int] | None = field(default=None)
    """Which executions have news; None: none."""
    again: bool = False
    """It was done before, and nobody knows whether that stays."""

    def perform(self, connection: Connection) -> None:
        """Do all of it inside of one transaction; called again if that must be repeated."""
        connection.news = News()
        commits: list[_Item[Any]] = []
        creations: list[_Item[Any]] = []
        later: list[_Item[Any]] = []
        for item in self.items:
            item.error = None
            if item.work is None:
                (commits if item.commit is not None else creations).append(item)
                continue
            self._commit(connection, commits)
            self._create(connection, creations)
            try:
                item.result = item.work(connection)
            except (StoreUnavailable, StoreDamaged):
                raise
            except AlulaError as exc:
                item.error = exc
            else:
                if type(item.result) is Later:
                    later.append(item)
        self._commit(connection, commits)
        self._create(connection, creations)
        if connection.news.pools:
            settle(connection)
        for item in later:
            item.result = item.result.read(connection)
        self.again = True
        self.news = connection.news.ids() if connection.news else None

    def _commit(self, connection: Connection, commits: list[_Item[Any]]) -> None:
        if commits:
            wanted = [item.commit for item in commits if item.commit is not None]
            lost = write(connection, wanted, again=self.again)
            for item, error in zip(commits, lost, strict=True):
                item.error = error
            commits.clear()

    def _create(self, connection: Connection, creations: list[_Item[Any]]) -> None:
        if creations:
            wanted = [item.creation for item in creations if item.creation is not None]
            for item, made in zip(creations, create(connection, wanted), strict=True):
                item.result, item.error = (None, made) if isinstance(made, AlulaError) else (made, None)
            creations.clear()


class Writer:
    """Writes, in the order in which it is asked.

    Args:
        tell: Called on the writer's thread with the executions that have news; empty: any of them.
    """

    def __init__(self, database: Database, tell: Callable[[Sequence[int]], None]) -> None:
        self._database, self._tell = database, tell
        self._queue: SimpleQueue[_Item[Any] | None] = SimpleQueue()
        self._turns: dict[asyncio.AbstractEventLoop, _Turn] = {}
        self._single = 0
        """So many turns in a row brought one commit each: then there is nothing to wait for."""
        self._owed = 0
        """What the thread has not written yet."""
        self._owing, self._writing = threading.Lock(), threading.Lock()
        """Held by who changes `_owed`, and by who writes."""
        self._idle: deque[_Item[Any]] = deque(maxlen=10_000)  # what is lost beyond it may be lost
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="alula-store", daemon=True)
        self._thread.start()

    async def run(self, work: Work[T]) -> T:
        """What `work` returns, once it is durable."""
        return await self._put(_Item(work))

    async def commit(self, claim: Claim, changes: Changes) -> None:
        item: _Item[None] = _Item(commit=(claim, changes))
        await self._put(item)

    async def create(self, new: NewExecution) -> Created:
        """An execution, and whether it is new. Raises NameTaken and AtLimit."""
        item: _Item[Created] = _Item(creation=Creation(new))
        return await self._put(item)

    def later(self, work: Work[object]) -> None:
        """Do something with the next transaction that there is; nobody waits for it, and it may be lost."""
        self._idle.append(_Item(work))

    def close(self) -> None:
        """Write what was asked for, and end. Blocks."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        while not self._queue.empty():  # of another loop, which was too late
            item = self._queue.get()
            if item is not None:
                item.error = _closed()
                _deliver([item])

    async def _put(self, item: _Item[T]) -> T:
        if self._closed:
            raise _closed()
        item.loop = asyncio.get_running_loop()
        turn = self._turns.get(item.loop)
        if turn is None:
            turn = self._turns[item.loop] = _Turn()
            item.loop.call_soon(self._end_turn, item.loop)
            if self._single >= _ALONE and _little((item,)) and self._write_here((item,)):
                turn.wrote = 1
                if item.error is not None:
                    raise item.error
                result: T = item.result
                return result
        item.future = item.loop.create_future()
        turn.items.append(item)
        return await item.future

    def _end_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write what came in, here or on the thread."""
        turn = self._turns.pop(loop)
        items = turn.items
        self._single = self._single + 1 if len(items) + turn.wrote == 1 else 0
        if not items:
            return
        if self._closed:
            for item in items:
                item.error = _closed()
            _settle(items)
        elif not (_little(items) and self._write_here(items)):
            with self._owing:
                self._owed += len(items)
            for item in items:
                self._queue.put(item)

    def _write_here(self, items: Sequence[_Item[Any]]) -> bool:
        """Write on this thread, which is a loop's; False, and nothing has happened, if that might take time."""
        if self._owed or self._idle or not self._writing.acquire(blocking=False):
            return False
        try:
            group = _Group(items)
            if not self._attempt(group):
                return False
        finally:
            self._writing.release()
        _settle(items)
        if group.news is not None:
            self._tell(group.news)
        return True

    def _attempt(self, group: _Group) -> bool:
        try:
            return self._database.attempt(group.perform)
        except Exception:  # noqa: BLE001 - the thread meets it again, and tells those who wait
            return False

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
            # Before the others: whoever asked for them may have asked for these first.
            items[:0] = [self._idle.popleft() for _ in range(len(self._idle))]
            if items:
                with self._writing:
                    self._write(items)
                with self._owing:
                    self._owed -= sum(item.loop is not None for item in items)

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


def _little(items: Sequence[_Item[Any]]) -> bool:
    rows = size = 0
    for item in items:
        if item.commit is None:
            return False
        changes = item.commit[1]
        if changes.expansions or changes.signals or changes.progress or changes.commands_done or changes.jobs:
            return False  # rare, and of any size
        if changes.freed:
            return False  # units are granted with it
        rows += len(changes.nodes) + len(changes.attempts)
        for node in changes.nodes:
            size += len(node.body)
    return rows <= _LITTLE_ROWS and size <= _LITTLE_BYTES


def _closed() -> StoreUnavailable:
    return StoreUnavailable("the store was closed", fix="open it again")


def half_character(exc: UnicodeEncodeError) -> Unstorable:
    """What is wrong with a text that is none, as the shell hands on bytes that are not UTF-8."""
    return Unstorable(f"a name or a text is no UTF-8: {str(exc.object)[:100]!r}", fix="write it in UTF-8")


def _refused(exc: Exception) -> StoreError:
    if isinstance(exc, UnicodeEncodeError):
        return half_character(exc)
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
