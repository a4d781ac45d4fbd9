"""What waits to be decided in one execution, and what wakes its session."""

from __future__ import annotations

import asyncio
from collections import deque

from alula.engine.events import Event

_LINGER = 0.02
"""Seconds that an event may wait for company if it is in no hurry."""

Item = tuple[Event, int]
"""An event, and the id of the command in the store that it comes from; 0: from none."""


class Inbox:
    """Events, first come, first served.

    Nothing bounds it but what the execution waits for: an answer per question, a report or two per attempt.
    """

    __slots__ = ("_linger", "awake", "items")

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.awake = asyncio.Event()
        """Set when there is something to do, be it no event."""
        self._linger: asyncio.TimerHandle | None = None

    def push(self, event: Event, *, lazy: bool = False) -> None:
        """Put an event in. A lazy one may wait some milliseconds for another one, so that both go into one commit."""
        self.items.append((event, 0))
        if not lazy:
            self.awake.set()
        elif self._linger is None and not self.awake.is_set():
            self._linger = asyncio.get_running_loop().call_later(_LINGER, self._lingered)

    def put(self, event: Event, command: int) -> None:
        """Put in what was asked through the store."""
        self.items.append((event, command))
        self.awake.set()

    def close(self) -> None:
        if self._linger is not None:
            self._linger.cancel()

    def _lingered(self) -> None:
        self._linger = None
        self.awake.set()
