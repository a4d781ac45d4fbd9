"""Any `SyncPlugin` as a Core plugin: one call, which may take its time without keeping anybody waiting."""

from __future__ import annotations

import math

from alula.hosting import verdict
from alula.hosting.adapter import Adapter, Means
from alula.hosting.calls import Garbage, NotYet, short
from alula.hosting.limits import Gate, Slots
from alula.plugin.context import TaskContext
from alula.plugin.core import SyncPlugin
from alula.plugin.phase import Transition

_CONCURRENT = 64
"""Calls of one plugin at a time."""


class SyncAdapter(Adapter[None]):
    """Nothing is kept of an attempt: after a crash it is done again. An abort cancels the call."""

    cleans_blind = True
    state_type = type(None)

    def __init__(self, plugin: SyncPlugin, means: Means) -> None:
        self.info, self._plugin, self._means = plugin.info, plugin, means
        self._gate = Gate(means.clock, math.inf, Slots(_CONCURRENT))

    def forget(self, task: TaskContext) -> None:
        self._gate.forget(task.name)

    async def handle(self, task: TaskContext, state: None) -> Transition[None]:
        if not self._gate.enter(task.name, task.wake):
            raise NotYet(f"waits for its turn: {self.info.name} does {_CONCURRENT} at a time")
        plugin, seconds = self._plugin, self._plugin.timeout_seconds
        try:
            answer = await self._means.calls.make("do", lambda: plugin.do(task), timeout=seconds)
        finally:
            self._gate.leave()
        info = verdict.checked(self.info.name, "do", answer)
        if not info.phase.terminal:
            raise Garbage(f"{self.info.name}.do gave {short(info)}: it must say how it ended")
        return Transition(info, None, None)

    async def abort(self, task: TaskContext, state: None, reason: str) -> None:
        self.forget(task)

    async def finalize(self, task: TaskContext, state: None) -> None:
        self.forget(task)
