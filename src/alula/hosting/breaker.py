"""A circuit breaker: a plugin that fails again and again is left alone, and tried now and then."""

from __future__ import annotations

from alula._kits.clock import Clock
from alula.plugin.runner import AttemptId

_FAILURES = 20
"""Calls in a row that fail, of several attempts, before a plugin is left alone."""
_ATTEMPTS = 3
_FIRST_SECONDS = 5.0
_LONGEST_SECONDS = 60.0


class Breaker:
    """Open while a plugin is left alone. Not safe between threads."""

    def __init__(self, plugin: str, clock: Clock) -> None:
        self._plugin, self._clock = plugin, clock
        self._failures = 0
        self._of: dict[AttemptId, None] = {}
        """Whose calls failed since the last that did not."""
        self._why = ""
        self._pause = _FIRST_SECONDS
        self._probe_at = 0.0

    @property
    def open(self) -> bool:
        return bool(self._why)

    @property
    def reason(self) -> str:
        """Why the plugin is left alone; empty: it is not."""
        return f"plugin {self._plugin} is disabled: {self._why}" if self._why else ""

    def holds(self, id: AttemptId) -> str:
        """Why no call may be made now; empty: go ahead. While the breaker is open, one may now and then."""
        if not self._why:
            return ""
        if self._clock.monotonic() < self._probe_at:
            return self.reason
        self._probe_at = self._clock.monotonic() + self._pause
        return ""

    def probe_in(self) -> float:
        """Seconds until somebody may try."""
        return self._probe_at - self._clock.monotonic()

    def good(self) -> None:
        """A call has come back."""
        self._failures = 0
        self._of.clear()
        self._why, self._pause = "", _FIRST_SECONDS

    def bad(self, id: AttemptId, what: str) -> None:
        """A call has failed."""
        self._failures += 1
        if len(self._of) < _ATTEMPTS:
            self._of[id] = None
        if self._failures < _FAILURES or len(self._of) < _ATTEMPTS:
            return
        now = self._clock.monotonic()
        if self._why:
            self._pause = min(self._pause * 2, _LONGEST_SECONDS)
        self._why = f"its last {self._failures} calls failed, the last one with {what}"
        self._probe_at = now + self._pause
