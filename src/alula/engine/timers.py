"""Times to come, and a clock that never goes back."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from datetime import datetime, timedelta

from alula._kits.clock import Clock
from alula.engine.events import TimerKind

_LOOK_AGAIN = 30.0
"""Seconds after which the clock is read again, whatever the next timer says: it may have been set."""

TimerKey = tuple[int, TimerKind, str]
"""Execution, kind, path of the node."""


class SteadyClock:
    """The wall clock, made to go on at the pace of the monotonic one while it is set back.

    Deadlines are kept as times of the wall, so a clock set forward makes them due; one set back must not stop them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall, self._since = clock.now(), clock.monotonic()

    def now(self) -> datetime:
        wall, since = self._clock.now(), self._clock.monotonic()
        expected = self._wall + timedelta(seconds=since - self._since)
        self._wall, self._since = max(wall, expected), since
        return self._wall

    def monotonic(self) -> float:
        return self._clock.monotonic()


class Timers:
    """One heap for all timers of all executions. A timer takes the place of the one before it with the same key.

    Args:
        fire: Called on the loop with the key and the generation of a timer that is due.
    """

    def __init__(self, clock: Clock, fire: Callable[[TimerKey, int], None]) -> None:
        self._clock, self._fire = clock, fire
        self._heap: list[tuple[datetime, int, TimerKey, int]] = []
        self._set: dict[TimerKey, int] = {}
        """The number of the entry that counts."""
        self._count = 0
        self._handle: asyncio.TimerHandle | None = None
        self._planned = 0.0
        self._firing = False

    def __len__(self) -> int:
        return len(self._set)

    def set(self, key: TimerKey, generation: int, at: datetime) -> None:
        self._count += 1
        self._set[key] = self._count
        heapq.heappush(self._heap, (at, self._count, key, generation))
        if self._heap[0][1] == self._count:
            self._plan()

    def cancel(self, key: TimerKey) -> None:
        if self._set.pop(key, None) is not None and len(self._heap) > 64 + 2 * len(self._set):
            self._heap = [entry for entry in self._heap if self._set.get(entry[2]) == entry[1]]
            heapq.heapify(self._heap)

    def drop(self, execution: int) -> None:
        """Forget all timers of one execution. Linear in the timers, and rare."""
        for key in [key for key in self._set if key[0] == execution]:
            self.cancel(key)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None
        self._set.clear()
        self._heap.clear()

    def _plan(self) -> None:
        if self._firing or not self._heap:
            return
        loop = asyncio.get_running_loop()
        wait = (self._heap[0][0] - self._clock.now()).total_seconds()
        when = loop.time() + min(max(wait, 0.0), _LOOK_AGAIN)
        if self._handle is not None:
            if self._planned <= when:
                return
            self._handle.cancel()
        self._planned = when
        self._handle = loop.call_at(when, self._due)

    def _due(self) -> None:
        self._handle = None
        self._firing = True
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            _, count, key, generation = heapq.heappop(self._heap)
            if self._set.get(key) == count:
                del self._set[key]
                self._fire(key, generation)
        self._firing = False
        self._plan()
