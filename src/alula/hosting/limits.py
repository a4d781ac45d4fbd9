"""How a plugin's calls wait for their turn: rates and how many at a time, without a task for a call that waits."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from alula._kits.clock import Clock
from alula._kits.limits import AdaptiveBucket


class Slots:
    """So many calls at a time, of all gates of a plugin together."""

    __slots__ = ("_freed", "most", "running")

    def __init__(self, most: int) -> None:
        self.most, self.running = most, 0
        self._freed: list[Callable[[], None]] = []

    def on_freed(self, call: Callable[[], None]) -> None:
        self._freed.append(call)

    def take(self) -> bool:
        if self.running >= self.most:
            return False
        self.running += 1
        return True

    def free(self) -> None:
        self.running -= 1
        for call in self._freed:
            call()


class Gate:
    """Lets calls through in the order in which they came, as fast as its rate says.

    Whoever is let through calls `leave` when the call is over.
    """

    def __init__(self, clock: Clock, rate: float, slots: Slots) -> None:
        self._loop = asyncio.get_running_loop()
        self._bucket, self._slots = AdaptiveBucket(rate, clock), slots
        self._queue: dict[str, Callable[[], None]] = {}
        self._granted: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        slots.on_freed(self._admit)

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def rate(self) -> float:
        return self._bucket.rate

    @property
    def slowed(self) -> bool:
        """The remote has asked for less."""
        return self._bucket.share < 1

    def set(self, rate: float) -> None:
        if rate != self._bucket.rate:
            self._bucket.set(rate)
            self._again()

    def enter(self, name: str, wake: Callable[[], None]) -> bool:
        """Whether to go ahead now. If not, `wake` is called when it is this one's turn: then ask again."""
        if name not in self._granted:
            if name not in self._queue:
                self._queue[name] = wake
                self._admit(quiet=name)
            if name not in self._granted:
                return False
        self._granted.discard(name)
        return True

    async def turn(self, name: str) -> None:
        """Wait for one's turn."""
        mine = asyncio.Event()
        if self.enter(name, mine.set):
            return
        try:
            while not self.enter(name, mine.set):
                await mine.wait()
        except BaseException:
            self.forget(name)
            raise

    def leave(self) -> None:
        """A call that was let through is over."""
        self._slots.free()

    def forget(self, name: str) -> None:
        """It wants no turn any more."""
        self._queue.pop(name, None)
        if name in self._granted:
            self._granted.discard(name)
            self._slots.free()

    def slower(self, retry_after: float | None) -> None:
        """The remote wants to be asked less often."""
        self._bucket.slower(retry_after)

    def close(self) -> None:
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _again(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._admit()

    def _due(self) -> None:
        self._timer = None
        self._admit()

    def _admit(self, quiet: str = "") -> None:
        """Let through who may."""
        if self._timer is not None:
            return
        while self._queue:
            if not self._slots.take():
                return
            wait = self._bucket.take()
            if wait > 0:
                self._slots.running -= 1
                self._timer = self._loop.call_later(math.ceil(wait * 1000) / 1000, self._due)
                return
            name = next(iter(self._queue))
            wake = self._queue.pop(name)
            self._granted.add(name)
            if name != quiet:
                wake()
