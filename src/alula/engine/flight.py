"""One attempt that is with a runner, as its execution's session sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from alula.engine.events import AttemptStarted, Event
from alula.engine.plan import NodePlan
from alula.plugin.runner import AttemptId, Progressed, Report, Runner

Key = tuple[str, int]
"""A node's path, and the number of its attempt."""


_SHORT = 0.02
"""Seconds. That an attempt runs is worth a commit if it still does after so long; else its end says since when."""


class Push(Protocol):
    """Puts an event into the inbox of the session."""

    def __call__(self, event: Event, *, lazy: bool = False, outcome: bool = False) -> None:
        """A lazy event may wait some milliseconds for another one, so that both go into one commit; an outcome while
        they come in crowds."""
        ...


class Flight:
    """One attempt that is with its runner, or on its way to it."""

    __slots__ = ("done", "id", "listener", "message", "over", "plan", "runner", "started_at", "waits")

    def __init__(self, listener: Callable[[Flight, Report], None], id: AttemptId, plan: NodePlan) -> None:
        self.listener, self.id, self.plan = listener, id, plan
        self.runner: Runner | None = None
        """None until it was given to one."""
        self.over = False
        """Nothing that it still says counts."""
        self.started_at: datetime | None = None
        """Since when it runs, until the machine was told."""
        self.waits = ""
        """Why it does not run yet, as its runner or a pool says."""
        self.done: float | None = None
        self.message = ""

    @property
    def key(self) -> Key:
        return self.id.path, self.id.number

    def tell(self, report: Report) -> None:
        self.listener(self, report)

    def note(self, said: Progressed) -> None:
        """Remember how far it is."""
        if said.done is not None:
            self.done = said.done
        if said.message is not None:
            self.message = said.message


class Begun:
    """Attempts that run, which the machine was not told yet. Most end before it need be."""

    __slots__ = ("_flights", "_handle", "_push")

    def __init__(self, push: Push) -> None:
        self._push = push
        self._flights: dict[Key, Flight] = {}
        self._handle: asyncio.TimerHandle | None = None

    def note(self, flight: Flight) -> None:
        self._flights[flight.key] = flight
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_later(_SHORT, self._tell)

    def drop(self, key: Key) -> None:
        self._flights.pop(key, None)

    def _tell(self) -> None:
        self._handle = None
        for key, flight in self._flights.items():
            if not flight.over:
                self._push(AttemptStarted(*key, flight.started_at))
                flight.started_at = None
        self._flights.clear()
