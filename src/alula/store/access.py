"""What the parts of a store on a database share: a writer, readers, and those who watch."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar, cast

from alula.errors import StoreUnavailable
from alula.store.connection import Connection, Database, Later
from alula.store.writer import Work, Writer, half_character

T = TypeVar("T")

_READERS = 4


class Access:
    """The way to a database. Used from any number of event loops."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watchers = _Watchers()
        self._writer = Writer(database, self._watchers.tell)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="alula-store-read")
        self._listening = self._closed = False

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await asyncio.sleep(0)  # what came in during this turn of the loop is on its way after it
            await asyncio.to_thread(self._close)

    @contextmanager
    def watch(self, wake: Callable[[Collection[int]], None]) -> Iterator[None]:
        if not self._listening:
            self._listening = True
            self._database.listen(self._watchers.tell)
        with self._watchers.added(asyncio.get_running_loop(), wake):
            yield

    async def _write(self, work: Work[T]) -> T:
        return await self._writer.run(work)

    async def _write_and_read(self, work: Work[Later[T]]) -> T:
        """What is read at the end of the transaction in which `work` writes."""
        return cast(T, await self._writer.run(work))

    async def _read(self, work: Callable[[Connection], T]) -> T:
        if self._closed:
            raise StoreUnavailable("the store was closed", fix="open it again")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._database.read, work)
        except UnicodeEncodeError as exc:
            raise half_character(exc) from exc

    def _close(self) -> None:
        self._writer.close()
        self._readers.shutdown()
        self._database.close()


class _Watchers:
    """Who is told of news, each on its own loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakes: list[tuple[asyncio.AbstractEventLoop, Callable[[Collection[int]], None]]] = []

    @contextmanager
    def added(self, loop: asyncio.AbstractEventLoop, wake: Callable[[Collection[int]], None]) -> Iterator[None]:
        watcher = loop, wake
        with self._lock:
            self._wakes.append(watcher)
        try:
            yield
        finally:
            with self._lock:
                self._wakes.remove(watcher)

    def tell(self, executions: Sequence[int]) -> None:
        with self._lock:
            wakes = list(self._wakes)
        for loop, wake in wakes:
            try:
                loop.call_soon_threadsafe(wake, executions)
            except RuntimeError:  # its loop is closed
                continue
