"""What attempts say about themselves: how far they are, why they wait. Written once in a while, as it is then."""

from __future__ import annotations

import asyncio

from alula.engine.attempts import Attempts
from alula.engine.flight import Key
from alula.store.records import ProgressRecord

_EVERY = 1.0
"""Seconds between two writes."""


class Sayings:
    """Attempts that have said something that is not in the store yet.

    Args:
        awake: Set when it is time to write.
    """

    __slots__ = ("_awake", "_due", "_handle", "_said")

    def __init__(self, awake: asyncio.Event) -> None:
        self._awake = awake
        self._said: dict[Key, None] = {}
        self._handle: asyncio.TimerHandle | None = None
        self._due = False

    def note(self, key: Key) -> bool:
        """An attempt has said something; gives whether it is the first time since the last write."""
        fresh = key not in self._said
        self._said[key] = None
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_later(_EVERY, self._time)
        return fresh

    def take(self, attempts: Attempts) -> list[ProgressRecord]:
        """What is to be written now. Of attempts that are over there is nothing to say."""
        if not self._due:
            return []
        self._due = False
        said = [one for key in self._said if (one := attempts.progress(key)) is not None]
        self._said.clear()
        return said

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _time(self) -> None:
        self._handle, self._due = None, True
        self._awake.set()
