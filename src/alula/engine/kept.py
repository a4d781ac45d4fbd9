"""What runners have kept of attempts, and what people are shown of them, on its way into the store.

What a runner keeps goes into the next commit, and it is told when that is durable. What it shows may wait a second for
more of it: ten thousand attempts that change all the time are one small commit a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from alula.engine.crash import crash_point
from alula.engine.flight import Key
from alula.store.records import JobRecord

_EVERY = 1.0
"""Seconds that something shown waits for more."""
_MANY = 1_024
"""Rows in one commit."""


class Kept:
    """The rows of one execution's attempts.

    Args:
        awake: Set when there is something to write.
    """

    __slots__ = ("_awake", "_handle", "_records", "_saved", "_slow", "_urgent", "_writing")

    def __init__(self, awake: asyncio.Event) -> None:
        self._awake = awake
        self._records: dict[Key, JobRecord] = {}
        """As they were last told, of attempts that are not closed."""
        self._urgent: dict[Key, None] = {}
        self._slow: dict[Key, None] = {}
        self._saved: dict[Key, list[Callable[[], None]]] = {}
        """Who waits for the next write of a row."""
        self._writing: dict[Key, list[Callable[[], None]]] = {}
        """What is in the commit that is under way, and who waits for it."""
        self._handle: asyncio.TimerHandle | None = None

    def load(self, jobs: Iterable[JobRecord]) -> None:
        """The rows as the store has them. What is not known to be there is written again."""
        for job in jobs:
            self._records.setdefault((job.path, job.number), job)
        for key, saved in self._writing.items():
            self._urgent[key] = None
            self._saved[key] = [*saved, *self._saved.get(key, ())]
        self._writing.clear()
        if self._urgent:
            self._awake.set()

    def record(self, key: Key) -> JobRecord | None:
        return self._records.get(key)

    def keep(self, key: Key, state: bytes, version: int, saved: Callable[[], None]) -> None:
        """Keep a state with an attempt; `saved` is called once it is durable."""
        self._records[key] = replace(self._of(key), state=state, version=version)
        self._saved.setdefault(key, []).append(saved)
        self._urgent[key] = None
        self._awake.set()

    def show(self, key: Key, info: bytes) -> bool:
        """Show something of an attempt; False if it is what is shown already."""
        record = self._of(key)
        if record.info == info:
            return False
        self._records[key] = replace(record, info=info)
        self._slow[key] = None
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_later(_EVERY, self._time)
        return True

    def hasten(self, key: Key) -> None:
        """Let nothing of an attempt that is over wait for more."""
        if key in self._slow:
            self._urgent[key] = None

    def take(self) -> tuple[JobRecord, ...]:
        """What is to be written now. To be followed by `written`, or by `load` if nobody knows whether it was."""
        if not self._urgent:
            return ()
        keys = list(self._urgent)[:_MANY]
        rows = []
        for key in keys:
            del self._urgent[key]
            self._slow.pop(key, None)
            self._writing[key] = self._saved.pop(key, [])
            record = self._records.get(key)
            if record is not None:
                rows.append(record)
        if self._urgent:
            self._awake.set()
        return tuple(rows)

    def written(self) -> None:
        """What was taken is durable."""
        writing = self._writing
        if writing:
            self._writing = {}
            crash_point("saved.before")
            for saved in writing.values():
                for call in saved:
                    call()
            crash_point("saved.after")

    def hush(self, key: Key) -> None:
        """Nobody waits any more for what an attempt has kept."""
        self._saved.pop(key, None)
        if key in self._writing:
            self._writing[key] = []

    def drop(self, key: Key) -> None:
        """An attempt is closed, and its last row is written."""
        self._records.pop(key, None)
        self._saved.pop(key, None)
        self._slow.pop(key, None)
        self._urgent.pop(key, None)

    def forget(self) -> None:
        """The attempts are, or may soon be, another engine's. What was not written never counts."""
        for kept in (self._records, self._saved, self._slow, self._urgent, self._writing):
            kept.clear()

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def __bool__(self) -> bool:
        return bool(self._records)

    def _of(self, key: Key) -> JobRecord:
        return self._records.get(key) or JobRecord(*key)

    def _time(self) -> None:
        self._handle = None
        self._urgent.update(self._slow)
        if self._urgent:
            self._awake.set()
