"""One at a time for one key: among the threads and coroutines of this process, and among all processes of a user.

A claim is a row that its owner touches every few seconds. The row of a process that has died is taken over.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from alula._kits import lazy
from alula._kits.clock import Clock
from alula.sdk.cache_store import CacheStore, Claim

if TYPE_CHECKING:
    import asyncio
    import sqlite3
else:
    asyncio, sqlite3 = lazy.module("asyncio"), lazy.module("sqlite3")  # only a task that is cached comes here

BEAT_SECONDS = 5.0
STALE_SECONDS = 30.0
_POLL_SECONDS = 0.05

Warn = Callable[[Exception], None]


class Flights:
    """Claims on keys. With a database that does not work they hold within the process only."""

    def __init__(self, store: CacheStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._changed = threading.Condition()
        self._held: dict[str, str] = {}
        """Keys that this process holds or wants to claim next, with the owner's name in the database."""
        self._heart: threading.Thread | None = None

    @contextmanager
    def alone(self, key: str, warn: Warn) -> Iterator[None]:
        """Wait until nobody else holds `key`, then hold it for the length of the block."""
        owner = uuid.uuid4().hex
        with self._changed:
            self._changed.wait_for(lambda: key not in self._held)
            self._held[key] = owner
        try:
            while not self._claimed(key, owner, warn):
                with self._changed:
                    self._changed.wait(_POLL_SECONDS)
            yield
        finally:
            self._let_go(key, owner, warn)

    @asynccontextmanager
    async def alone_async(self, key: str, warn: Warn) -> AsyncIterator[None]:
        """`alone`, without blocking the loop."""
        owner = uuid.uuid4().hex
        while not self._took(key, owner):  # polled: the holder may be a thread, which has no loop to tell
            await asyncio.sleep(_POLL_SECONDS)
        try:
            while not await asyncio.to_thread(self._claimed, key, owner, warn):
                await asyncio.sleep(_POLL_SECONDS)
            yield
        finally:
            self._let_go(key, owner, warn)

    def _took(self, key: str, owner: str) -> bool:
        with self._changed:
            if key in self._held:
                return False
            self._held[key] = owner
            return True

    def _claimed(self, key: str, owner: str, warn: Warn) -> bool:
        """Whether the key is ours, in the database too; a broken database has no say."""
        mine = Claim(owner, os.uname().nodename, os.getpid(), 0.0)
        try:
            if self._store.claim(key, mine, STALE_SECONDS) is not None:
                return False
        except (sqlite3.Error, OSError) as exc:
            warn(exc)
            return True
        self._beat(warn)
        return True

    def _let_go(self, key: str, owner: str, warn: Warn) -> None:
        try:
            self._store.release(owner)
        except (sqlite3.Error, OSError) as exc:
            warn(exc)
        with self._changed:
            self._held.pop(key, None)
            self._changed.notify_all()

    def _beat(self, warn: Warn) -> None:
        """Have a thread that keeps the claims of this process fresh, as long as there are any."""
        with self._changed:
            if self._heart is None or not self._heart.is_alive():
                self._heart = threading.Thread(target=self._keep_fresh, args=[warn], name="alula-cache", daemon=True)
                self._heart.start()

    def _keep_fresh(self, warn: Warn) -> None:
        while True:
            with self._changed:
                idle = self._changed.wait_for(lambda: not self._held, BEAT_SECONDS)
                owners = list(self._held.values())
                if idle:
                    self._heart = None
                    return
            try:
                self._store.beat(owners)
            except (sqlite3.Error, OSError) as exc:
                warn(exc)
