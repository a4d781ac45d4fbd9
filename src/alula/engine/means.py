"""What an engine lends to the sessions of its executions."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from alula.config import EngineConfig
from alula.engine.lease import Lease
from alula.engine.memo import Memo
from alula.engine.observe import Observers
from alula.engine.timers import SteadyClock, Timers
from alula.engine.values import Depot
from alula.idl import TaskTemplate
from alula.plugin.runner import Runner
from alula.store.store import EntityStore, WorkStore

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


@dataclass(slots=True)
class Means:
    store: WorkStore
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
    tag: str = ""
    """That of the store; had before the first execution is."""

    def route(self, template: TaskTemplate) -> Runner | str:
        """The first runner that takes a task; or why none does."""
        reasons = []
        for runner in self.runners:
            reason = runner.accepts(template)
            if not reason:
                return runner
            reasons.append(reason)
        return "; ".join(reasons) or "this engine has no runner"
