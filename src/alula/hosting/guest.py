"""The plugin's side of a host: what the engine wants of attempts, on the one loop where their plugin is called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from alula.hosting import verdict
from alula.hosting.adapter import Adapter
from alula.hosting.steps import ABORT_GRACE, Steps
from alula.hosting.task import Task
from alula.hosting.ward import Closing, Ward
from alula.plugin.context import TaskContext
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.runner import Asks, AttemptId, Failed, Job


class Guest(Steps):
    """Runs attempts with a plugin. Everything is called on the plugin's loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._leaving: dict[AttemptId, asyncio.Task[None]] = {}
        """Calls under way for attempts that were forgotten."""

    def __len__(self) -> int:
        return len(self._wards)

    def start(self, job: Job) -> None:
        if self._is_leaving(job.id, lambda: self.start(job)):
            return
        ward = self._wards.get(job.id)
        if ward is not None and ward.closing is None and not ward.over:
            self._again(ward)
            return
        if ward is not None and ward.closing is not None:  # begun anew when nothing of it is left
            ward.closing.done.append(lambda problem: None if problem else self._to_guest.put(self.start, job))
            return
        ward = self._wards[job.id] = Ward(Task(self._lent, job))
        self._states.read(ward)
        if ward.problem:
            failure = AttemptFailure("PluginStateUnreadable", ward.problem, FailureKind.SYSTEM, recoverable=True)
            self._end(ward, Failed(failure, closed=False))
            return
        self._kick(ward)

    def _again(self, ward: Ward) -> None:
        """Somebody asks for an attempt that is here already."""
        self._voice.again(ward)
        if ward.saving:  # whoever was asked before may never answer
            self._keep_state(ward, timedelta(0))
        else:
            self._kick(ward)

    def woken(self, id: AttemptId) -> None:
        """There is something new about an attempt. Safe from any thread."""
        self._to_guest.put(self.look, id)

    def again(self, task: TaskContext) -> None:
        """Handle an attempt again, with what its adapter has learned."""
        self._to_guest.put(self.wake, task.id)

    def look(self, id: AttemptId) -> None:
        """Somebody outside says that there is something new about an attempt."""
        ward = self._wards.get(id)
        if ward is not None and isinstance(self._core, Adapter):
            self._core.look(ward.task)
        self.wake(id)

    def forget(self, id: AttemptId) -> None:
        """The attempt is another engine's: do nothing more for it, and leave what is outside."""
        ward = self._wards.pop(id, None)
        if ward is None:
            return
        self._holding.drop(id)
        ward.cancel_timer()
        ward.over, ward.closing = True, None
        if isinstance(self._core, Adapter):
            self._core.forget(ward.task)
        if ward.call is not None:
            ward.call.cancel()
            self._leaving[id] = ward.call
            ward.call.add_done_callback(lambda _: self._leaving.pop(id, None))

    def close(self, id: AttemptId, abort: bool, reason: str, done: Callable[[str], None], job: Job | None) -> None:
        if self._is_leaving(id, lambda: self.close(id, abort, reason, done, job)):
            return
        ward = self._wards.get(id)
        if ward is None:
            if job is None or job.fresh:  # nobody has handled it yet
                self._to_engine.put(done, "")
                return
            ward = self._wards[id] = Ward(Task(self._lent, job, inputs=False))
            self._states.read(ward)
        if ward.closing is not None:
            ward.closing.done.append(done)
            return
        if ward.stuck:
            self._to_engine.put(done, ward.stuck)
            return
        ward.closing = Closing(abort, reason, [done])
        ward.over = True
        ward.saving = False
        ward.cancel_timer()
        self._holding.drop(id)
        if ward.call is not None:
            ward.timer = self._loop.call_later(ABORT_GRACE, ward.call.cancel)
        else:
            self._kick(ward)

    def _is_leaving(self, id: AttemptId, then: Callable[[], None]) -> bool:
        """Whether a call for an attempt that was forgotten has not come back yet; then what is wanted follows."""
        leaving = self._leaving.get(id)
        if leaving is not None:
            leaving.add_done_callback(lambda _: then())
        return leaving is not None

    def asks(self, id: AttemptId, pool: str, units: int) -> None:
        """An attempt wants units of a pool."""
        self._report(id, Asks(pool, units, lambda: self._to_guest.put(self._granted, id, pool)))

    def _granted(self, id: AttemptId, pool: str) -> None:
        ward = self._wards.get(id)
        if ward is not None and pool not in ward.task.granted:
            ward.task.granted += (pool,)
            self.wake(id)

    def keep(self, until: float) -> None:
        """The attempts are this engine's until then, by the monotonic clock."""
        self._holding.keep(until)

    def say(self, reason: str) -> None:
        """Tell all attempts that wait why they do; empty: as it was."""
        for ward in self._wards.values():
            self._voice.waits(ward, reason or (verdict.waits(ward.info) if ward.info is not None else ""))

    def release(self) -> None:
        """Let go on who was held back, if the plugin works again."""
        self._holding.release()

    async def leave(self) -> None:
        """Make no more calls, and end those that are under way."""
        self._gone = True
        self._holding.close()
        calls = []
        for ward in self._wards.values():
            ward.cancel_timer()
            if ward.call is not None:
                ward.call.cancel()
                calls.append(ward.call)
        if calls:
            await asyncio.wait(calls, timeout=ABORT_GRACE)
