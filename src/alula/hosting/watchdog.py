"""Sees from outside whether a loop on another thread still turns."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable

from alula._kits.clock import Clock

_LOOK_SECONDS = 1.0
_BLOCKED_SECONDS = 5.0
"""A loop that did nothing for so long is blocked."""


class Watchdog:
    """Watches one loop, from the loop on which it was made, as long as anybody waits for it.

    Args:
        steps: Grows while the loop gets on, however busy it is.
        waits: Whether anybody waits for the loop.
        changed: Told when `where` has changed.
    """

    def __init__(
        self,
        thread: threading.Thread,
        watched: asyncio.AbstractEventLoop,
        clock: Clock,
        *,
        steps: Callable[[], int],
        waits: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        self._thread, self._watched, self._clock = thread, watched, clock
        self._steps, self._waits, self._changed = steps, waits, changed
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._asked: float | None = None
        self._seen = -1
        self._beat = 0.0
        """When the loop last answered; its own thread writes it."""
        self.where = ""
        """Where the loop is blocked, for people; empty: it is not."""

    def watch(self) -> None:
        """Somebody waits for the loop."""
        if self._timer is None:
            self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        now, steps = self._clock.monotonic(), self._steps()
        if self._asked is None or self._seen != steps or self._beat >= self._asked:
            if self.where:
                self.where = ""
                self._changed()
            if not self._waits():
                self._asked = None
                return
            self._asked, self._seen = now, steps
            self._ask()
        elif now - self._asked > _BLOCKED_SECONDS:
            where = _doing(self._thread)
            if where != self.where:
                self.where = where
                self._changed()
        self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def _ask(self) -> None:
        try:
            self._watched.call_soon_threadsafe(self._answer)
        except RuntimeError:  # it is closed
            self.close()

    def _answer(self) -> None:
        self._beat = self._clock.monotonic()


def _doing(thread: threading.Thread) -> str:
    """What a thread does now, for people."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None:
        return "whose thread has ended"
    code = frame.f_code
    return f"in {code.co_name} ({code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno})"
