"""The plugin's side of a host: one loop on which all calls of one plugin are made, the calls of an attempt in order."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from alula._kits.clock import Clock
from alula.errors import PluginError, Rejected, Throttled
from alula.hosting import verdict
from alula.hosting.adapter import Adapter
from alula.hosting.breaker import Breaker
from alula.hosting.calls import BROKEN, CallFailed, Calls, NotYet
from alula.hosting.holding import Holding
from alula.hosting.hops import Hop
from alula.hosting.patience import Patience
from alula.hosting.secrets import Censor
from alula.hosting.states import States
from alula.hosting.task import Lent, Task
from alula.hosting.voice import Tell, Voice
from alula.hosting.ward import Closing, Ward
from alula.plugin.core import CorePlugin, Plugin
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.phase import Phase, PhaseInfo, Transition
from alula.plugin.runner import (
    Asks,
    AttemptId,
    Failed,
    Job,
    Keeps,
    Report,
)

log = logging.getLogger(__name__)

_LEAST_PAUSE = 0.05
"""Seconds between two calls of an attempt that changed nothing."""
_UNSURE_PAUSE = 0.5
_ABORT_GRACE = 2.0
"""Seconds that a call may go on after somebody wants the attempt to end."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How a guest is treated."""

    timeout: timedelta = timedelta(seconds=60)
    """For one call, where the plugin does not say."""
    outage: timedelta = timedelta(minutes=10)
    """How long calls for an attempt may fail in a row before the attempt does."""


class Guest:
    """Runs attempts with a plugin. Everything is called on the plugin's loop.

    Args:
        core: The plugin, or its adapter.
        plugin: The plugin itself.
        tell: Takes reports to the engine. May be called on any loop.
        to_engine, to_guest: The ways between the loops.
        lent: What attempts are lent, given who lends.
    """

    def __init__(
        self,
        name: str,
        plugin: Plugin,
        core: CorePlugin[Any],
        *,
        calls: Calls,
        rules: Rules,
        clock: Clock,
        rng: random.Random,
        censor: Censor,
        lent: Callable[[Guest], Lent],
        tell: Tell,
        to_engine: Hop,
        to_guest: Hop,
        breaker: Breaker,
    ) -> None:
        self.name, self._plugin, self._core = name, plugin, core
        self._calls, self._rules, self._clock, self._rng, self._censor = calls, rules, clock, rng, censor
        self._lent = lent(self)
        self._report, self._to_engine, self._to_guest = tell, to_engine, to_guest
        self._states, self._voice = States(plugin, core, censor), Voice(tell)
        self._patience = Patience(clock, rng, rules.outage)
        self._holding = Holding(breaker, clock, self.wake)
        self._loop = asyncio.get_running_loop()
        self._wards: dict[AttemptId, Ward] = {}
        self._adapts = isinstance(core, Adapter)
        self._gone = False
        calls.overdue = self._overdue
        self._leaving: dict[AttemptId, asyncio.Task[None]] = {}
        """Calls under way for attempts that were forgotten."""

    def __len__(self) -> int:
        return len(self._wards)

    # --- what the engine wants ---

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
        self._to_guest.put(self.wake, id)

    def look(self, id: AttemptId) -> None:
        """Somebody outside says that there is something new about an attempt."""
        ward = self._wards.get(id)
        if ward is not None and isinstance(self._core, Adapter):
            self._core.look(ward.task)
        self.wake(id)

    def wake(self, id: AttemptId) -> None:
        ward = self._wards.get(id)
        if ward is not None and not ward.over:
            self._kick(ward)

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
            ward.timer = self._loop.call_later(_ABORT_GRACE, ward.call.cancel)
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
            await asyncio.wait(calls, timeout=_ABORT_GRACE)

    # --- calls ---

    def _kick(self, ward: Ward) -> None:
        """Make the next call for an attempt; once the one that is under way has come back, if there is one."""
        if ward.call is not None or ward.saving:
            ward.pending = True
            return
        if self._gone:
            return
        ward.cancel_timer()
        if ward.closing is not None:
            ward.call = self._loop.create_task(self._close(ward, ward.closing))
        elif not ward.over:
            pause = self._holding.pause()
            if pause > 0:
                ward.timer = self._loop.call_later(pause, self._kick, ward)
            elif held := self._holding.holds(ward.task.id):
                self._voice.waits(ward, held)
            else:
                ward.call = self._loop.create_task(self._handle(ward))

    async def _handle(self, ward: Ward) -> None:
        ward.pending = False
        try:
            answer = await self._made("handle", lambda: self._core.handle(ward.task, ward.state))
            moved = verdict.transition(self.name, answer)
            state = self._states.pack(moved.state)
        except asyncio.CancelledError:
            self._called(ward)
            if ward.closing is None and not (self._gone or ward.over):
                self._failed(ward, CallFailed(f"{self.name}.handle", asyncio.CancelledError(), "it was cancelled"))
            return
        except NotYet as exc:
            self._called(ward)
            if ward.closing is None and not ward.over:
                self._voice.waits(ward, exc.reason)
                self._later(ward, exc.after)
            return
        except BROKEN as exc:
            self._called(ward)
            if ward.closing is None and not ward.over:
                self._failed(ward, exc)
            return
        ward.state = moved.state  # before a close that waits: it shall know what was just made
        self._called(ward)
        self._holding.good()
        if ward.closing is None and not ward.over:
            self._moved(ward, moved, state)

    async def _made(self, call: str, make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """What a call gives. Adapters make theirs themselves."""
        return await (make() if self._adapts else self._calls.make(call, make))

    def _overdue(self, task: asyncio.Task[Any] | None, what: str) -> None:
        """A call does not end: nothing can be done for its attempt but to say so."""
        for ward in self._wards.values():
            if ward.call is task:
                ward.stuck = what
                log.warning("plugin.deaf", extra={"plugin": self.name, "attempt": ward.task.name, "what": what})
                self._voice.waits(ward, what)
                if ward.closing is not None:
                    closing, ward.closing = ward.closing, None
                    for done in closing.done:
                        self._to_engine.put(done, what)

    def _called(self, ward: Ward) -> None:
        """A call has come back."""
        ward.call, ward.stuck = None, ""
        ward.cancel_timer()
        if ward.closing is not None:
            self._loop.call_soon(self._kick, ward)

    def _moved(self, ward: Ward, moved: Transition[Any], state: bytes) -> None:
        """An attempt has made a step."""
        ward.trouble = None
        info = self._censor.info(moved.info)
        changed = state != ward.kept
        if changed:
            ward.kept = state
            ward.saving = not info.phase.terminal  # the end of an attempt is committed with its last state
            self._keep_state(ward, moved.check_after)
        self._voice.show(ward, info)
        end = verdict.outcome(info)
        if end is not None:
            ward.succeeded = info.phase is Phase.SUCCEEDED
            self._end(ward, end)
        elif not ward.saving:
            least = timedelta(seconds=_LEAST_PAUSE)
            self._next(ward, max(moved.check_after, least) if moved.check_after is not None else None)

    def _keep_state(self, ward: Ward, check_after: timedelta | None) -> None:
        """Have the engine keep what the plugin wants to remember; the next call comes when it is durable."""

        def saved() -> None:
            self._to_guest.put(self._saved, ward, check_after)

        self._report(ward.task.id, Keeps(ward.kept, self._states.version, saved))

    def _saved(self, ward: Ward, check_after: timedelta | None) -> None:
        if ward.saving and self._wards.get(ward.task.id) is ward:
            ward.saving = False
            self._next(ward, check_after)

    def _next(self, ward: Ward, check_after: timedelta | None) -> None:
        if check_after is not None or ward.pending:
            self._later(ward, max(0.0, check_after.total_seconds()) if check_after is not None else 0)

    def _later(self, ward: Ward, seconds: float | None) -> None:
        """Call again after so many seconds; None: when woken."""
        if ward.pending:
            seconds = 0
        if seconds is not None and not self._gone:
            ward.cancel_timer()
            ward.timer = self._loop.call_later(seconds, self._kick, ward)

    # --- what goes wrong ---

    def _failed(self, ward: Ward, exc: BaseException) -> None:
        """A call for an attempt that goes on has failed."""
        text = self._censor.text(verdict.message(self.name, "handle", exc))
        if isinstance(exc, Rejected | Throttled):  # it is the task, or there is too much of it: the plugin works
            self._holding.good()
        else:
            self._holding.bad(ward.task.id, text)
        ward.pending = False
        answer = self._patience.judge(ward, exc, text)
        if isinstance(answer, AttemptFailure):
            self._end(ward, Failed(self._censor.failure(answer), closed=False))
            return
        if isinstance(exc, Throttled) and not self._adapts:
            self._holding.quiet(answer.seconds)
        if ward.trouble is not None:
            last = ward.info or PhaseInfo(Phase.QUEUED)
            self._voice.show(ward, replace(last, reason=answer.reason), keep=True)
        self._voice.waits(ward, answer.reason)
        self._later(ward, answer.seconds)

    # --- the end ---

    def _end(self, ward: Ward, report: Report) -> None:
        """An attempt is over; its clean-up follows when the engine wants it."""
        ward.over = True
        ward.cancel_timer()
        self._report(ward.task.id, report)

    async def _close(self, ward: Ward, closing: Closing) -> None:
        problem = await self._cleaned(ward, closing)
        ward.call, ward.closing = None, None
        if not problem and self._wards.get(ward.task.id) is ward:
            del self._wards[ward.task.id]
        for done in closing.done:
            self._to_engine.put(done, problem)

    async def _cleaned(self, ward: Ward, closing: Closing) -> str:
        """Abort and finalize an attempt, as far as that was not done; what went wrong."""
        task = ward.task
        call = "abort" if closing.abort and not ward.aborted else "finalize"
        try:
            if ward.problem and not getattr(self._core, "cleans_blind", False):
                raise PluginError(ward.problem)
            if call == "abort":
                await self._made("abort", lambda: self._core.abort(task, ward.state, closing.reason))
                ward.aborted, call = True, "finalize"
            await self._made("finalize", lambda: self._core.finalize(task, ward.state))
        except asyncio.CancelledError:
            return f"{self.name}.{call}: it was cancelled"
        except NotYet as exc:
            return f"{self.name}.{call} waits: {exc.reason}"
        except BROKEN as exc:
            return self._censor.text(verdict.message(self.name, call, exc))
        return ""
