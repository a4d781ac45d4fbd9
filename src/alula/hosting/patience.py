"""What a failed call means for its attempt: another try, later and later, or the end; and who pays for that."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

from alula._kits.clock import Clock
from alula.errors import Rejected, Throttled
from alula.hosting import verdict
from alula.hosting.ward import Trouble, Ward
from alula.plugin.failure import AttemptFailure

_LEAST_SECONDS = 0.5
"""Of a pause, also where the remote says that none is needed."""
_FIRST_SECONDS = 1.0
_LONGEST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Again:
    """The call is made again."""

    seconds: float
    reason: str


class Patience:
    """Judges the failed calls of one plugin.

    Args:
        outage: How long calls for an attempt may fail in a row.
    """

    def __init__(self, clock: Clock, rng: random.Random, outage: timedelta) -> None:
        self._clock, self._rng, self._outage = clock, rng, outage.total_seconds()

    def judge(self, ward: Ward, exc: BaseException, what: str) -> Again | AttemptFailure:
        """What becomes of an attempt one of whose calls has failed; remembers it with the attempt.

        Args:
            what: The failure in a line, with what was struck out of it.
        """
        if isinstance(exc, Rejected):
            return verdict.rejected(exc)
        if isinstance(exc, Throttled):
            seconds = max(exc.retry_after, _LEAST_SECONDS) if exc.retry_after is not None else self._pause(1)
            return Again(seconds, f"the remote wants to be asked less often: {what}")
        now, former = self._clock.monotonic(), ward.trouble
        since, began, tries = (former.since, former.began, former.tries) if former else (self._clock.now(), now, 0)
        trouble = ward.trouble = Trouble(since, began, tries + 1, what)
        if now - began >= self._outage:
            return verdict.unavailable(trouble, exc, now - began)
        return Again(self._pause(trouble.tries), str(trouble))

    def _pause(self, tries: int) -> float:
        return float(min(_FIRST_SECONDS * 2 ** min(tries - 1, 16), _LONGEST_SECONDS) * (0.5 + self._rng.random()))
