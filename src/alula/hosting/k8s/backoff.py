"""Waiting for room in a namespace: growing pauses, and ceilings learnt from what its quota refused; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from alula.hosting.k8s import quantities

BASE, CAP = 2.0, 20.0
"""Seconds."""


class Room:
    """What one namespace is known to have no room for. Times are those of one monotonic clock."""

    def __init__(self, *, base: float = BASE, cap: float = CAP) -> None:
        self._base, self._cap = base, cap
        self._refusals = 0
        self._until = 0.0
        self._ceilings: dict[str, Decimal] = {}
        """The least that was refused, by resource."""

    def pause(self, asked: Mapping[str, str], now: float) -> float:
        """Seconds to wait before asking for so much; 0: it may be tried.

        While others are held off, what asks for less than was ever refused may be tried nevertheless.
        """
        if now >= self._until:
            return 0.0
        return 0.0 if self._ceilings and self._below(asked) else self._until - now

    def refused(self, asked: Mapping[str, str], now: float) -> float:
        """Note a refusal of so much (nothing: of whatever), and give the seconds to wait."""
        if now >= self._until:
            self._until = now + min(self._base ** min(self._refusals, 16), self._cap)
            self._refusals += 1
        for name, text in asked.items():
            value = quantities.amount(text)
            if value is not None:
                self._ceilings[name] = min(value, self._ceilings.get(name, value))
        if not asked:
            self._ceilings.clear()
        return self._until - now

    def taken(self) -> None:
        """Something was let in: there is room again."""
        self._refusals, self._until = 0, 0.0
        self._ceilings.clear()

    def freed(self) -> None:
        """Something of ours ended: the next may try at once, and pauses go on growing if it is refused."""
        self._until = 0.0

    def _below(self, asked: Mapping[str, str]) -> bool:
        """Whether it is less in everything that was refused; a count of one object never is."""
        for name, ceiling in self._ceilings.items():
            value = quantities.amount(asked.get(name, ""))
            if value is None or value >= ceiling:
                return False
        return True


class Queue:
    """Who waits for room in one namespace, in order."""

    def __init__(self, room: Room | None = None) -> None:
        self.room = room or Room()
        self._waiting: dict[str, Callable[[], None]] = {}

    def wait(self, name: str, wake: Callable[[], None]) -> None:
        """Wait, at the end of the queue or where it waits already."""
        self._waiting.setdefault(name, wake)

    def leave(self, name: str) -> None:
        """It waits no more; the next may try."""
        if self._waiting.pop(name, None) is not None:
            self._next()

    def freed(self) -> None:
        """There is room, perhaps: the first one may try."""
        self.room.freed()
        self._next()

    def _next(self) -> None:
        for wake in self._waiting.values():
            wake()
            return
