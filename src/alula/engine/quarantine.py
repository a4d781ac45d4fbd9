"""Attempts whose clean-up keeps failing: known to everybody, tried again for ever, and never forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from alula.engine.cleanup import Stuck
from alula.engine.flight import Key
from alula.store.records import StuckRecord


class Quarantine:
    """Those of one execution.

    Args:
        awake: Set when there is something to write.
    """

    __slots__ = ("_awake", "_known", "_new", "_writing")

    def __init__(self, awake: asyncio.Event) -> None:
        self._awake = awake
        self._known: dict[Key, StuckRecord] = {}
        self._new: dict[Key, StuckRecord] = {}
        self._writing: dict[Key, StuckRecord] = {}

    def load(self, stuck: Iterable[StuckRecord]) -> None:
        """Those that the store has. What is not known to be there is written again."""
        for record in stuck:
            self._known.setdefault((record.path, record.number), record)
        self._new = {**self._writing, **self._new}
        self._writing = {}

    def record(self, key: Key) -> StuckRecord | None:
        return self._known.get(key)

    def put(self, stuck: Stuck) -> bool:
        """A clean-up has failed once more; gives whether the attempt is in quarantine only now."""
        key = stuck.id.path, stuck.id.number
        fresh = key not in self._known
        self._known[key] = self._new[key] = StuckRecord(*key, stuck.since, stuck.tries, stuck.error)
        self._awake.set()
        return fresh

    def take(self) -> tuple[StuckRecord, ...]:
        """What is to be written now. To be followed by `written`, or by `load` if nobody knows whether it was."""
        if not self._new:
            return ()
        self._writing, self._new = self._new, {}
        return tuple(self._writing.values())

    def written(self) -> None:
        self._writing = {}

    def drop(self, key: Key) -> None:
        """Nothing is left of an attempt."""
        self._known.pop(key, None)
        self._new.pop(key, None)

    def __contains__(self, key: Key) -> bool:
        return key in self._known

    def __bool__(self) -> bool:
        return bool(self._known)
