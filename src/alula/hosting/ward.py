"""One attempt in the care of a host, and nothing but its data."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alula.hosting.task import Task
from alula.plugin.phase import PhaseInfo


@dataclass(frozen=True, slots=True)
class Trouble:
    """Calls for an attempt that failed, one after the other."""

    since: datetime
    began: float
    """The same by the monotonic clock."""
    tries: int
    what: str

    def __str__(self) -> str:
        times = "once" if self.tries == 1 else f"{self.tries} times"
        return f"{self.what}, since {self.since:%H:%M:%S}, tried {times}"


class Ward:
    """One attempt. Tens of thousands wait at a time, so there is no task and no closure for one that waits."""

    __slots__ = (
        "aborted",
        "call",
        "closing",
        "info",
        "kept",
        "over",
        "pending",
        "problem",
        "saving",
        "shown",
        "started",
        "state",
        "stuck",
        "succeeded",
        "task",
        "timer",
        "trouble",
        "waits",
    )

    def __init__(self, task: Task) -> None:
        self.task = task
        self.state: Any = None
        self.kept = task.job.state
        """The state as bytes, as it was last kept."""
        self.info: PhaseInfo | None = None
        """What the plugin last said."""
        self.shown = b""
        """What people were last shown."""
        self.waits = ""
        """What the engine was last told that it waits for."""
        self.call: asyncio.Task[None] | None = None
        """The call that is under way."""
        self.timer: asyncio.TimerHandle | None = None
        self.trouble: Trouble | None = None
        self.closing: Closing | None = None
        self.stuck = ""
        """A call goes on that should have ended long ago."""
        self.problem = ""
        """Why its state cannot be read."""
        self.pending = self.saving = self.started = self.over = self.succeeded = self.aborted = False

    def cancel_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


@dataclass(slots=True)
class Closing:
    """The engine wants nothing to be left of an attempt."""

    abort: bool
    reason: str
    done: list[Callable[[str], None]]
    """Who is to be told how that went; called on the engine's loop."""
