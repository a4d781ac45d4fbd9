"""Waiting without falling asleep: to be woken takes a processor 0.05 ms, as long as a small task, and who wakes it pays
for a part of that.

Whoever waits like this offers the processor to others all the time, and leaves it to them for a while as soon as one
has taken it: the longer, the sooner that happens again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")

_SNATCHED_SECONDS = 0.0005
"""Whoever offers the processor and gets it back so much later was not alone. Interrupts take less."""
_REST_SECONDS = 0.05
_LONGEST_REST_SECONDS = 2.0
_PEACE = 10
"""After so many times the last rest without others, the next rest is a short one."""


class Awake:
    """Waits for things that are about to happen.

    Args:
        clock: Seconds since some moment.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._rest_until = 0.0
        self._rest = _REST_SECONDS

    def until(self, ready: Callable[[], T], seconds: float) -> T:
        """What `ready` gives, as soon as that is something; what it gives last, after so many seconds at most."""
        clock = self._clock
        now = clock()
        end = now + seconds if now >= self._rest_until else now
        while not (found := ready()) and now < end:
            os.sched_yield()
            before, now = now, clock()
            if now - before > _SNATCHED_SECONDS:
                self._leave(now)
                end = now
        return found

    def _leave(self, now: float) -> None:
        again = now - self._rest_until < _PEACE * self._rest
        self._rest = min(2 * self._rest, _LONGEST_REST_SECONDS) if again else _REST_SECONDS
        self._rest_until = now + self._rest


def processors() -> int:
    """How many this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
