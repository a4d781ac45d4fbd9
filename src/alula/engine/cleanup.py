"""Clean-up after attempts: repeated until the runner says that nothing is left, however often that fails.

Whether an attempt still needs it is a property of its row, so a clean-up that goes on is never forgotten: whoever has
the execution next begins it again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from alula.engine.crash import crash_point
from alula.plugin.runner import AttemptId, Job
from alula.store.records import StuckRecord

log = logging.getLogger(__name__)

STUCK_AFTER = 3
"""Tries after which an attempt is listed as stuck."""
_FIRST_PAUSE = 1.0
_PATIENCE = 60.0
"""Seconds after which a runner that does not answer is asked again."""


class Cleaner(Protocol):
    """A runner, as far as clean-up goes."""

    @property
    def local(self) -> bool: ...

    def forget(self, id: AttemptId) -> None: ...

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Stuck:
    """An attempt whose clean-up keeps failing."""

    id: AttemptId
    tries: int
    error: str
    since: datetime
    """When it failed for the first time."""


class Closing:
    """The clean-up of one attempt.

    Args:
        now: The time.
        job: What an earlier process has started; None: the runner knows it.
        known: It failed before, in an earlier process.
    """

    __slots__ = (
        "_abort",
        "_asked",
        "_handle",
        "_job",
        "_longest",
        "_now",
        "_reason",
        "_rng",
        "_runner",
        "closed",
        "error",
        "failed",
        "id",
        "over",
        "since",
        "tries",
    )

    def __init__(
        self,
        runner: Cleaner,
        id: AttemptId,
        *,
        abort: bool,
        reason: str,
        rng: random.Random,
        longest: timedelta,
        now: Callable[[], datetime],
        job: Job | None = None,
        known: StuckRecord | None = None,
    ) -> None:
        self.id = id
        self.tries, self.error = (known.tries, known.error) if known is not None else (0, "")
        self.since = known.since if known is not None else None
        self._runner, self._abort, self._reason, self._job, self._now = runner, abort, reason, job, now
        self.closed: Callable[[], None] | None = None
        """Called once, on the loop, when nothing of the attempt is left."""
        self.failed: Callable[[], None] | None = None
        """Called after each try that failed."""
        self._rng, self._longest = rng, longest.total_seconds()
        self._handle: asyncio.TimerHandle | None = None
        self._asked = 0
        self.over = asyncio.Event()
        """Set once nothing of the attempt is left."""

    @property
    def local(self) -> bool:
        """Whether what is left of the attempt is here, and nobody else can clean it up."""
        return self._runner.local

    @property
    def trouble(self) -> str:
        """What goes wrong, in a sentence; empty if nothing does."""
        times = "once" if self.tries == 1 else f"{self.tries} times"
        return f"its clean-up failed {times}, and is tried again: {self.error}" if self.tries else ""

    @property
    def stuck(self) -> Stuck | None:
        if self.tries < STUCK_AFTER or self.since is None:
            return None
        return Stuck(self.id, self.tries, self.error, self.since)

    def start(self) -> None:
        """Ask the runner; again, if it was asked before."""
        self.cancel()
        asked, self._handle = self._asked, None

        def done(message: str) -> None:
            if asked == self._asked:
                self._done(message)

        crash_point("close.before")
        try:
            self._runner.close(self.id, abort=self._abort, reason=self._reason, done=done, job=self._job)
        except Exception as exc:
            log.exception("attempt.close_raised", extra={"attempt": self.id.name})
            done(f"{type(exc).__name__}: {exc}")
        crash_point("close.after")
        if asked == self._asked and self._handle is None:
            loop = asyncio.get_running_loop()
            self._handle = loop.call_later(_PATIENCE, lambda: done("the runner does not answer"))

    def cancel(self) -> None:
        """Ask no more, and hear no answer."""
        self._asked += 1
        if self._handle is not None:
            self._handle.cancel()

    def forget(self) -> None:
        """The same, and have the runner do nothing more about it: it is another engine's now."""
        self.cancel()
        self._runner.forget(self.id)

    def _done(self, message: str) -> None:
        self.cancel()
        if not message:
            self.over.set()
            if self.closed is not None:
                self.closed()
            return
        self.error = message
        self.since = self.since or self._now()
        pause = min(_FIRST_PAUSE * 2 ** min(self.tries, 20), self._longest) * (0.5 + self._rng.random())
        self.tries += 1
        if self.failed is not None:
            self.failed()
        self._handle = asyncio.get_running_loop().call_later(pause, self.start)
