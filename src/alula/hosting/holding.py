"""When attempts may be handled: not while the remote wants quiet, the engine is unsure, or the breaker is open."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable

from alula._kits.clock import Clock
from alula.hosting.breaker import Breaker
from alula.plugin.runner import AttemptId

_UNSURE_SECONDS = 0.5
_LEAST_SECONDS = 0.05
_SPREAD_SECONDS = 2.0
"""Over which attempts come back that paused for a remote that answers again."""
_RESUME_SECONDS = 30.0
"""The least between two times that they do: one that fails where others succeed has a fault of its own."""


class Holding:
    """Holds attempts back, and lets them go on.

    Args:
        wake: Has an attempt handled.
    """

    def __init__(self, breaker: Breaker, clock: Clock, rng: random.Random, wake: Callable[[AttemptId], None]) -> None:
        self._breaker, self._clock, self._rng, self._wake = breaker, clock, rng, wake
        self._loop = asyncio.get_running_loop()
        self._held: dict[AttemptId, None] = {}
        """Attempts that the breaker holds back, in order."""
        self._paused: dict[AttemptId, None] = {}
        """Attempts that wait before they try again."""
        self._resumed_at = -math.inf
        self._quiet_until = 0.0
        self._until = math.inf
        """The engine's word counts until then; it must speak again before anything new is done."""
        self._probing: asyncio.TimerHandle | None = None

    def keep(self, until: float) -> None:
        """The attempts are this engine's until then, by the monotonic clock."""
        self._until = until

    def quiet(self, seconds: float) -> None:
        """The remote wants nobody to ask for a while."""
        self._quiet_until = max(self._quiet_until, self._clock.monotonic() + seconds)

    def pause(self) -> float:
        """Seconds for which no attempt may be handled."""
        now = self._clock.monotonic()
        return max(self._quiet_until - now, _UNSURE_SECONDS if now > self._until else 0.0)

    def holds(self, id: AttemptId) -> str:
        """Why an attempt is held back, from now on; empty: it may go on."""
        why = self._breaker.holds(id)
        if why:
            self._held[id] = None
            self.release()
        return why

    def drop(self, id: AttemptId) -> None:
        """Nobody wants it handled any more."""
        self._held.pop(id, None)
        self._paused.pop(id, None)

    def good(self) -> None:
        """A call has come back."""
        self._breaker.good()
        self.release()
        self._resume()

    def bad(self, id: AttemptId, what: str) -> None:
        """A call has failed."""
        self._paused[id] = None
        self._breaker.bad(id, what)
        self.release()

    def release(self) -> None:
        """Let attempts go on that were held back, if they may; have one try later, if they may not."""
        while self._held and not self._breaker.open:
            self._let_go()
        if self._held and self._probing is None:
            self._probing = self._loop.call_later(max(self._breaker.probe_in(), _LEAST_SECONDS), self._probe)

    def close(self) -> None:
        self._held.clear()
        if self._probing is not None:
            self._probing.cancel()

    def _resume(self) -> None:
        """The remote answers: nobody needs to sleep a long pause out."""
        now = self._clock.monotonic()
        if not self._paused or now - self._resumed_at < _RESUME_SECONDS:
            return
        self._resumed_at = now
        for id in self._paused:
            self._loop.call_later(self._rng.uniform(0, _SPREAD_SECONDS), self._wake, id)
        self._paused.clear()

    def _probe(self) -> None:
        """Let one attempt try whether the plugin works again."""
        self._probing = None
        if self._held and self._breaker.probe_in() <= 0:
            self._let_go()
        self.release()

    def _let_go(self) -> None:
        id = next(iter(self._held))
        del self._held[id]
        self._wake(id)
