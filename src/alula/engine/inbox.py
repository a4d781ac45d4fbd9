"""What waits to be decided in one execution, and what wakes its session."""

from __future__ import annotations

import asyncio
from collections import deque

from alula.engine.events import Event

_LINGER = 0.02
"""Seconds that an event may wait for company if it is in no hurry."""

_GATHER = 0.004
"""Seconds that one of many outcomes waits for the next ones."""
_ENOUGH = 64
"""Events that are worth a commit at once."""

Item = tuple[Event, int]
"""An event, and the id of the command in the store that it comes from; 0: from none."""


class Inbox:
    """Events, first come, first served.

    Nothing bounds it but what the execution waits for: an answer per question, a report or two per attempt.
    """

    __slots__ = ("_due", "_linger", "awake", "crowded", "items")

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.awake = asyncio.Event()
        """Set when there is something to do, be it no event."""
        self.crowded = False
        """Outcomes come faster than they are committed, and many more are to come: nobody waits for the next one."""
        self._linger: asyncio.TimerHandle | None = None
        self._due = 0.0

    def push(self, event: Event, *, lazy: bool = False, outcome: bool = False) -> None:
        """Put an event in.

        Args:
            lazy: It may wait some milliseconds for another one, so that both go into one commit.
            outcome: It may wait a moment while they come in crowds.
        """
        self.items.append((event, 0))
        if lazy:
            self._wait(_LINGER)
        elif outcome and self.crowded and len(self.items) < _ENOUGH:
            self._wait(_GATHER)
        else:
            self.awake.set()

    def put(self, event: Event, command: int) -> None:
        """Put in what was asked through the store."""
        self.items.append((event, command))
        self.awake.set()

    def close(self) -> None:
        if self._linger is not None:
            self._linger.cancel()

    def _wait(self, seconds: float) -> None:
        """Wake after so many seconds, unless something does before."""
        if self.awake.is_set():
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if self._linger is not None:
            if self._due <= due:
                return
            self._linger.cancel()
        self._linger, self._due = loop.call_at(due, self._lingered), due

    def _lingered(self) -> None:
        self._linger = None
        self.awake.set()
