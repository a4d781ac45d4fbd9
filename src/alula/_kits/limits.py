"""How fast something may be done: so many in a second, and less where somebody asks for less."""

from __future__ import annotations

import math

from alula._kits.clock import Clock

WINDOW = 10.0
"""Seconds, over any of which no more than the rate times the window is let through."""


class TokenBucket:
    """Lets through at most `rate` per second on average, and half a second's worth of them at once.

    Over any `WINDOW` no more than `rate * WINDOW` get through, the ones at once included; below one per second, one
    more than that.
    """

    __slots__ = ("_at", "_clock", "_refill", "_room", "_tokens", "rate")

    def __init__(self, rate: float, clock: Clock) -> None:
        self._clock = clock
        self._at = clock.monotonic()
        self._tokens = 0.0
        self.set(rate)
        self._tokens = self._room

    def set(self, rate: float) -> None:
        """Go on at another rate, per second; 0 or infinity: as fast as anybody likes."""
        self.rate = rate if rate > 0 else math.inf
        self._room = max(1.0, self.rate / 2) if self.rate < math.inf else 1.0
        self._refill = self.rate - self._room / WINDOW if self.rate >= 1 else self.rate
        self._tokens = min(self._tokens, self._room)

    def take(self) -> float:
        """0: go ahead. Else the seconds after which to ask again; nothing is taken then."""
        if self.rate == math.inf:
            return 0.0
        now = self._clock.monotonic()
        self._tokens = min(self._room, self._tokens + (now - self._at) * self._refill)
        self._at = now
        if self._tokens >= 1 - 1e-9:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._refill


class AdaptiveBucket:
    """A bucket that halves its rate when it is asked to be slower, and comes back bit by bit while nobody complains."""

    __slots__ = ("_bucket", "_clock", "_cut_at", "_not_before", "_share", "_told_at", "rate")

    _LEAST = 1 / 64
    _STEP = 0.05
    """Of the full rate that comes back with every second."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self.rate, self._clock = rate, clock
        self._bucket = TokenBucket(rate, clock)
        self._share = 1.0
        self._not_before = self._told_at = self._cut_at = clock.monotonic()

    @property
    def share(self) -> float:
        """How much of the full rate there is now, from 0 to 1."""
        return self._share

    def set(self, rate: float) -> None:
        self.rate = rate
        self._apply()

    def slower(self, retry_after: float | None = None) -> None:
        """Somebody asks for less. Complaints within a second count once."""
        now = self._clock.monotonic()
        if retry_after is not None:
            self._not_before = max(self._not_before, now + retry_after)
        if self._share < 1 and now - self._cut_at < 1:
            return
        self._cut_at = self._told_at = now
        self._share = max(self._LEAST, self._share / 2)
        self._apply()

    def take(self) -> float:
        """0: go ahead. Else the seconds after which to ask again; nothing is taken then."""
        now = self._clock.monotonic()
        if now < self._not_before:
            return self._not_before - now
        if self._share < 1 and now - self._told_at >= 1:
            self._share = min(1.0, self._share + self._STEP * (now - self._told_at))
            self._told_at = now
            self._apply()
        return self._bucket.take()

    def _apply(self) -> None:
        full = self.rate if self.rate > 0 else math.inf
        if full == math.inf and self._share < 1:
            full = _UNLIMITED
        self._bucket.set(full * self._share)


_UNLIMITED = 100.0
"""Per second, where nobody said how many, once somebody complains."""
