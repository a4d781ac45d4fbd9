"""What an engine lends to the sessions of its executions."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from alula.config import EngineConfig
from alula.engine.memo import Memo
from alula.engine.observe import Observers
from alula.engine.timers import SteadyClock, Timers
from alula.engine.values import Depot
from alula.idl import TaskTemplate
from alula.plugin.runner import Runner
from alula.store.store import EntityStore, Store

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Lease:
    """Whether this engine may still start things: it was heard of by the store lately enough.

    It counts from before the store was spoken to, and gives up some time before the others may take over.
    """

    def __init__(self, clock: SteadyClock, seconds: float) -> None:
        self._clock = clock
        self._good_for = 0.75 * seconds
        self._until = clock.monotonic()
        self.epoch = 0
        """Goes up when the lease is had again after it was lost: whatever was loaded before must be loaded again."""
        self.had = asyncio.Event()

    @property
    def left(self) -> float:
        """Seconds until it is lost, if nothing comes in between."""
        return self._until - self._clock.monotonic()

    def held(self, epoch: int) -> bool:
        """Whether it was never lost since that epoch."""
        return epoch == self.epoch and self.had.is_set() and self.left > 0

    def extend(self, since: float) -> None:
        """The store has heard us; we spoke to it at `since`."""
        self._until = since + self._good_for
        if not self.had.is_set():
            self.epoch += 1
            self.had.set()

    def lose(self) -> None:
        self.had.clear()


@dataclass(slots=True)
class Means:
    store: Store
    entities: EntityStore
    runners: Sequence[Runner]
    depot: Depot
    memo: Memo
    clock: SteadyClock
    rng: random.Random
    config: EngineConfig
    data_prefix: str
    timers: Timers
    lease: Lease
    observers: Observers
    spawn: Spawn
    """Runs an effect that takes time; what it raises is logged."""
    adopt: Callable[[int], None]
    """Drive a child execution too, if nobody does."""
    steps: int = field(default=0)
    """Events that were decided, for those who watch."""

    def route(self, template: TaskTemplate) -> Runner | str:
        """The first runner that takes a task; or why none does."""
        reasons = []
        for runner in self.runners:
            reason = runner.accepts(template)
            if not reason:
                return runner
            reasons.append(reason)
        return "; ".join(reasons) or "this engine has no runner"
