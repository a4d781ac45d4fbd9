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
from datetime import timedelta

from alula.engine.crash import crash_point
from alula.plugin.runner import AttemptId, Runner

log = logging.getLogger(__name__)

STUCK_AFTER = 3
"""Tries after which an attempt is listed as stuck."""
_FIRST_PAUSE = 1.0
_PATIENCE = 60.0
"""Seconds after which a runner that does not answer is asked again."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """An attempt whose clean-up keeps failing."""

    id: AttemptId
    tries: int
    error: str


class Closing:
    """The clean-up of one attempt."""

    __slots__ = (
        "_abort",
        "_asked",
        "_handle",
        "_longest",
        "_reason",
        "_rng",
        "_runner",
        "closed",
        "error",
        "failed",
        "id",
        "over",
        "tries",
    )

    def __init__(
        self,
        runner: Runner,
        id: AttemptId,
        *,
        abort: bool,
        reason: str,
        rng: random.Random,
        longest: timedelta,
    ) -> None:
        self.id, self.tries, self.error = id, 0, ""
        self._runner, self._abort, self._reason = runner, abort, reason
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
        return Stuck(self.id, self.tries, self.error) if self.tries >= STUCK_AFTER else None

    def start(self) -> None:
        """Ask the runner; again, if it was asked before."""
        self.cancel()
        asked, self._handle = self._asked, None

        def done(message: str) -> None:
            if asked == self._asked:
                self._done(message)

        crash_point("close.before")
        try:
            self._runner.close(self.id, abort=self._abort, reason=self._reason, done=done)
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

    def _done(self, message: str) -> None:
        self.cancel()
        if not message:
            self.over.set()
            if self.closed is not None:
                self.closed()
            return
        self.error = message
        pause = min(_FIRST_PAUSE * 2 ** min(self.tries, 20), self._longest) * (0.5 + self._rng.random())
        self.tries += 1
        if self.failed is not None:
            self.failed()
        if self.tries == STUCK_AFTER:
            log.warning("attempt.stuck", extra={"attempt": self.id.name, "path": self.id.path, "error": message})
        self._handle = asyncio.get_running_loop().call_later(pause, self.start)
