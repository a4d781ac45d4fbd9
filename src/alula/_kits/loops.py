"""An event loop that stays awake for what is about to come."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from time import perf_counter
from typing import Any, TypeVar

from alula._kits.awake import Awake

T = TypeVar("T")

_GLANCE_SECONDS = 0.0001
"""So long nobody looks for events again while there is something to do: a look costs as much as a small callback."""


Event = tuple[selectors.SelectorKey, int]


class _Selector(selectors.DefaultSelector):
    """Stays awake until a moment that it was told."""

    def __init__(self) -> None:
        super().__init__()
        self._awake = Awake()
        self._looked = 0.0
        self.until = 0.0
        """0: it was told nothing, or the wait for it is over."""

    def select(self, timeout: float | None = None) -> list[Event]:
        if timeout is not None and timeout <= 0:
            now = perf_counter()
            if now - self._looked < _GLANCE_SECONDS:
                return []
            self._looked = now
            return super().select(0)
        if self.until:
            left, self.until = self.until - perf_counter(), 0.0
            if left > 0 and (timeout is None or left < timeout):
                if found := self._awake.until(self._look, left):
                    return self._seen(found)
                timeout = None if timeout is None else timeout - left
        return self._seen(super().select(timeout))

    def _seen(self, found: list[Event]) -> list[Event]:
        self._looked = perf_counter()
        return found

    def _look(self) -> list[Event]:
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """An event loop that can be told that something is about to come, and is awake then."""

    def __init__(self) -> None:
        self._eager = _Selector()
        super().__init__(self._eager)

    def expect(self, seconds: float) -> None:
        """Something is likely to come within so many seconds: a few times what it takes to wake up, not more."""
        self._eager.until = perf_counter() + seconds


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, on such a loop."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(work)
