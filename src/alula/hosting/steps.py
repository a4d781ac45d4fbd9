"""The calls of one plugin, those of one attempt in order: what is called when, and what follows from the answers."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from alula._kits.clock import Clock
from alula._kits.texts import storable
from alula.errors import PluginError, Rejected, Throttled
from alula.hosting import verdict
from alula.hosting.adapter import Adapter
from alula.hosting.breaker import Breaker
from alula.hosting.calls import BROKEN, CallFailed, Calls, NotYet, ours
from alula.hosting.holding import Holding
from alula.hosting.hops import Hop
from alula.hosting.patience import Patience
from alula.hosting.secrets import Censor
from alula.hosting.states import States
from alula.hosting.task import Lent
from alula.hosting.threads import making
from alula.hosting.voice import Tell, Voice
from alula.hosting.ward import Closing, Ward
from alula.plugin.core import CorePlugin, Plugin
from alula.plugin.failure import AttemptFailure
from alula.plugin.phase import Phase, PhaseInfo, Transition
from alula.plugin.runner import (
    AttemptId,
    Failed,
    Keeps,
    Report,
)

log = logging.getLogger(__name__)

_LEAST_PAUSE = 0.05
"""Seconds between two calls of an attempt that changed nothing."""
_THREAD_PAUSE = 0.1
_GOES_ON = "a call of {} goes on in a thread, though it was given up"
ABORT_GRACE = 2.0
"""Seconds that a call may go on after somebody wants the attempt to end."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How a guest is treated."""

    timeout: timedelta = timedelta(seconds=60)
    """For one call, where the plugin does not say."""
    outage: timedelta = timedelta(minutes=10)
    """How long calls for an attempt may fail in a row before the attempt does."""


class Steps:
    """Takes attempts forward, step by step. Everything is called on the plugin's loop.

    Args:
        core: The plugin, or its adapter.
        plugin: The plugin itself.
        tell: Takes reports to the engine. May be called on any loop.
        to_engine, to_guest: The ways between the loops.
        busy: Whether a call of an attempt goes on in a thread, though it was given up.
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
        lent: Callable[[Any], Lent],
        tell: Tell,
        to_engine: Hop,
        to_guest: Hop,
        breaker: Breaker,
        busy: Callable[[AttemptId], bool] = lambda id: False,
    ) -> None:
        self._busy = busy
        self.name, self._plugin, self._core = name, plugin, core
        self._calls, self._rules, self._clock, self._rng, self._censor = calls, rules, clock, rng, censor
        self._lent = lent(self)
        self._report, self._to_engine, self._to_guest = tell, to_engine, to_guest
        self._states, self._voice = States(plugin, core, censor), Voice(tell)
        self._patience = Patience(clock, rng, rules.outage)
        self._holding = Holding(breaker, clock, rng, self.wake)
        self._loop = asyncio.get_running_loop()
        self._wards: dict[AttemptId, Ward] = {}
        self._adapts = isinstance(core, Adapter)
        self._gone = False
        calls.overdue = self._overdue

    def wake(self, id: AttemptId) -> None:
        """Handle an attempt now, or as soon as the call that is under way has come back."""
        ward = self._wards.get(id)
        if ward is not None and not ward.over:
            self._kick(ward)

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
            elif self._busy(ward.task.id):
                self._voice.waits(ward, _GOES_ON.format(self.name))
                ward.timer = self._loop.call_later(_THREAD_PAUSE, self._kick, ward)
            elif held := self._holding.holds(ward.task.id):
                self._voice.waits(ward, held)
            else:
                ward.call = self._loop.create_task(self._handle(ward))

    async def _handle(self, ward: Ward) -> None:
        """Make a step. What nobody thought of must not leave an attempt that never ends."""
        making(ward.task.id)
        try:
            await self._step(ward)
        except BROKEN as exc:
            if ours(exc):
                raise
            log.exception("plugin.step_failed", extra={"plugin": self.name, "attempt": ward.task.name})
            if ward.closing is None and not ward.over:
                self._end(ward, Failed(self._censor.failure(verdict.broken(self.name, exc)), closed=False))

    async def _step(self, ward: Ward) -> None:
        ward.pending = False
        try:
            answer = await self._made("handle", lambda: self._core.handle(ward.task, ward.state))
            moved = verdict.transition(self.name, answer)
            state = self._states.pack(moved.state)
        except asyncio.CancelledError as exc:
            self._called(ward)
            if ward.closing is None and not (self._gone or ward.over):
                self._failed(ward, CallFailed(f"{self.name}.handle", exc))
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
        if ward.trouble is not None and (ward.info is not None or ward.task.fresh):  # else its phase is not known
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
        problem = storable(await self._cleaned(ward, closing))
        ward.call, ward.closing = None, None
        if not problem and self._wards.get(ward.task.id) is ward:
            del self._wards[ward.task.id]
        for done in closing.done:
            self._to_engine.put(done, problem)

    async def _cleaned(self, ward: Ward, closing: Closing) -> str:
        """Abort and finalize an attempt, as far as that was not done; what went wrong."""
        task, tries = ward.task, ABORT_GRACE / _THREAD_PAUSE
        while self._busy(task.id):  # it may make a job yet
            if tries <= 0:
                return _GOES_ON.format(self.name)
            tries -= 1
            await asyncio.sleep(_THREAD_PAUSE)
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
