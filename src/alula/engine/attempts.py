"""The attempts of one execution that are with a runner: started, listened to, closed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from alula._kits.records import replace
from alula.data.layout import Execution as Files
from alula.engine.cleanup import Cleaner, Closing, Stuck
from alula.engine.crash import crash_point
from alula.engine.events import (
    AttemptClosed,
    AttemptFailed,
    AttemptProgressed,
    AttemptSucceeded,
    CloseAttempt,
    StartAttempt,
)
from alula.engine.flight import Begun, Flight, Key
from alula.engine.inbox import Inbox
from alula.engine.jobs import Absent, Jobs
from alula.engine.kept import Kept
from alula.engine.means import Means
from alula.engine.observe import Said
from alula.engine.outcomes import Outcomes
from alula.engine.plan import NodePlan
from alula.engine.quarantine import Quarantine
from alula.engine.quotas import Quotas
from alula.engine.state import AttemptState, Failure, FailureKind, Row, Values
from alula.errors import DataError
from alula.plugin.failure import AttemptFailure
from alula.plugin.runner import (
    Asks,
    AttemptId,
    Failed,
    Job,
    Keeps,
    Progressed,
    Report,
    Shows,
    Started,
    Succeeded,
    Waits,
)
from alula.store.records import Claim, ExecutionKey, Loaded, ProgressRecord, StuckRecord

log = logging.getLogger(__name__)

_MESSAGE_LIMIT = 16 * 1024
"""Characters of a failure's message that are kept."""


class Attempts:
    """All attempts of one execution that are with a runner.

    Args:
        key: The execution.
        claim: The right to change it.
        inbox: Where events go.
        plan_of: The plan of a node, by path.
        reported: Told of what attempts say of themselves, also of their clean-up.
        quarantined: Told of an attempt whose clean-up keeps failing.
    """

    def __init__(
        self,
        means: Means,
        key: ExecutionKey,
        claim: Claim,
        inbox: Inbox,
        *,
        plan_of: Callable[[str], NodePlan],
        reported: Callable[[AttemptId, Said], None],
        quarantined: Callable[[Stuck], None],
    ) -> None:
        self._means, self._push = means, inbox.push
        self._plan_of, self._reported, self._quarantined = plan_of, reported, quarantined
        files = Files.under(means.data_prefix, project=key.project, domain=key.domain, name=key.name)
        self.flights: dict[Key, Flight] = {}
        self.closings: dict[Key, Closing] = {}
        self._begun = Begun(self._push)
        self._outcomes = Outcomes(means, files, end=self._end, fail=self.fail, spawn=self._spawn)
        self.kept = Kept(inbox.awake)
        self._jobs = Jobs(means, key, files, self.kept)
        self.quotas = Quotas(means, claim, says=self._says, spawn=self._spawn)
        self.quarantine = Quarantine(inbox.awake)

    def load(self, loaded: Loaded) -> None:
        """The execution was loaded, for the first time or again: the plans are other ones now."""
        self._jobs.load(loaded)
        self.kept.load(loaded.jobs)
        self.quotas.load(loaded.leases)
        self.quarantine.load(loaded.stuck)

    # --- starting ---

    def start(self, command: StartAttempt) -> None:
        """Give an attempt to its runner, unless it has it already."""
        if (command.path, command.attempt) in self.flights:
            return
        flight = self.open(command)
        if command.inputs.refs:
            self._spawn(flight, self._fetch_and_start(flight, command))
        else:
            self._start(flight, command, command.inputs.data)

    def open(self, command: StartAttempt) -> Flight:
        id = self._jobs.id(command.path, command.attempt)
        flight = self.flights[command.path, command.attempt] = Flight(self.told, id, command.node)
        return flight

    async def _fetch_and_start(self, flight: Flight, command: StartAttempt) -> None:
        try:
            inputs = await self._means.depot.complete(command.inputs)
        except (DataError, OSError) as exc:
            failure = Failure("InputsUnreadable", str(exc), FailureKind.SYSTEM, recoverable=True)
            self.fail(flight, failure, closed=self._jobs.fresh(flight.key))
            return
        if not flight.over:
            self._start(flight, command, inputs)

    def _start(self, flight: Flight, command: StartAttempt, inputs: bytes) -> None:
        try:
            self._hand_over(flight, command, inputs)
        except Exception as exc:
            log.exception("attempt.start_raised", extra={"attempt": flight.id.name})
            closed = flight.runner is None and self._jobs.fresh(flight.key)
            self.fail(flight, _broken(exc), closed=closed)

    def _hand_over(self, flight: Flight, command: StartAttempt, inputs: bytes) -> None:
        node, task = command.node, command.node.task
        assert task is not None
        runner = self._jobs.runner(node, flight.key)
        if isinstance(runner, str):
            failure = Failure("NoRunner", f"nothing here runs task {task.id.name}: {runner}")
            self.fail(flight, failure, closed=self._jobs.fresh(flight.key))
            return
        flight.runner = runner
        job = self._jobs.make(flight.id, node, command, inputs)
        crash_point("start.before")
        runner.start(job, flight.tell)
        crash_point("start.after")

    # --- listening ---

    def told(self, flight: Flight, report: Report) -> None:
        """What a runner says about an attempt. Raises nothing: runners say the end once."""
        if flight.over:
            return
        try:
            self._take(flight, report)
        except Exception as exc:  # noqa: BLE001 - it is logged, and the attempt fails
            self._broke(flight, exc, closed=isinstance(report, Succeeded | Failed) and report.closed)

    def _take(self, flight: Flight, report: Report) -> None:
        match report:
            case Started():
                flight.waits = ""
                flight.started_at = self._means.clock.now()
                self._begun.note(flight)
            case Succeeded():
                self._outcomes.take(flight, report)
            case Failed():
                self.fail(flight, _failure(report.failure), checkpoint=report.checkpoint, closed=report.closed)
            case Progressed():
                flight.note(report)
                self._reported(flight.id, report)
            case Waits():
                self._says(flight, report.reason)
            case Shows() if self.kept.show(flight.key, report.info):
                self._reported(flight.id, report)
            case Keeps():
                self.kept.keep(flight.key, report.state, report.version, report.saved)
            case Asks():
                self.quotas.ask(flight, report)

    def _says(self, flight: Flight, waits: str) -> None:
        flight.waits = waits
        self._reported(flight.id, Waits(waits))

    def wake(self, key: Key) -> None:
        """Somebody outside says that there is something new about an attempt. A clean-up is tried again at once."""
        flight, closing = self.flights.get(key), self.closings.get(key)
        if closing is not None:
            closing.start()
        elif flight is not None and flight.runner is not None and not flight.over:
            flight.runner.wake(flight.id)

    def granted(self, key: Key, pool: str) -> None:
        """The store says that an attempt has the units that it waited for."""
        flight = self.flights.get(key)
        if flight is not None and not flight.over:
            self.quotas.granted(flight, pool)

    def _end(self, flight: Flight, report: Succeeded, outputs: Values, futures: bytes) -> None:
        if flight.over:
            return
        id = flight.id
        self._over(flight, report.closed)
        since = flight.started_at
        self._push(AttemptSucceeded(id.path, id.number, outputs, futures, report.closed, since), outcome=True)

    def fail(self, flight: Flight, failure: Failure, *, checkpoint: str = "", closed: bool = True) -> None:
        """End an attempt badly, for a reason of its own or of ours."""
        if flight.over:
            return
        id = flight.id
        self._over(flight, closed)
        jitter = self._means.rng.random()
        since = flight.started_at
        self._push(AttemptFailed(id.path, id.number, _cut(failure), jitter, checkpoint, closed, since))

    def _spawn(self, flight: Flight, work: Coroutine[Any, Any, None]) -> None:
        self._means.spawn(self._guarded(flight, work))

    async def _guarded(self, flight: Flight, work: Coroutine[Any, Any, None]) -> None:
        """What nobody thought of must not leave an attempt that never ends."""
        try:
            await work
        except Exception as exc:  # noqa: BLE001 - it is logged, and the attempt fails
            self._broke(flight, exc)

    def _broke(self, flight: Flight, exc: Exception, *, closed: bool = False) -> None:
        log.exception("attempt.effect_failed", extra={"attempt": flight.id.name, "path": flight.id.path})
        self.fail(flight, _fault(exc), closed=closed)

    def _over(self, flight: Flight, closed: bool) -> None:
        key = flight.key
        flight.over = True
        self._begun.drop(key)
        if self.kept:
            self.kept.hasten(key)
        if closed:
            self.flights.pop(key, None)

    # --- closing ---

    def close(self, command: CloseAttempt) -> None:
        """Have an attempt cleaned up after; `AttemptClosed` comes when nothing of it is left."""
        key = command.path, command.attempt
        if key in self.closings:
            return
        flight = self.flights.pop(key, None)
        if flight is not None:
            flight.over = True
            self.kept.hush(key)
        node, id = self._plan_of(command.path), self._jobs.id(*key)
        runner = self._jobs.cleaner(node, key)
        if isinstance(runner, Absent) and self._jobs.fresh(key):  # it never was with one
            self._push(AttemptClosed(*key))
            return
        job = None if flight is not None and flight.runner is not None else self._jobs.make(id, node)
        closing = self.closings[key] = self._closing(
            runner, id, abort=command.abort, reason=command.reason, job=job, known=self.quarantine.record(key)
        )
        closing.closed = lambda: self._is_closed(key)
        closing.failed = lambda: self._not_closed(closing)
        closing.start()

    def _is_closed(self, key: Key) -> None:
        self.closings.pop(key, None)
        self._push(AttemptClosed(*key))

    def _not_closed(self, closing: Closing) -> None:
        self._reported(closing.id, Waits(closing.trouble))
        stuck = closing.stuck
        if stuck is not None and self.quarantine.put(stuck):
            self._quarantined(stuck)

    def parting(self, rows: Iterable[Row]) -> list[Key]:
        """Which of the attempts that are closed with these rows have more in the store than their row."""
        if not (self.kept or self.quotas.leased or self.quarantine):
            return []
        closed = [(row.path, row.number) for row in rows if isinstance(row, AttemptState) and not row.open]
        leased, kept, stuck = self.quotas.leased, self.kept, self.quarantine
        return [key for key in closed if key in leased or key in stuck or kept.record(key) is not None]

    def frees(self, key: Key) -> bool:
        """Whether an attempt has units of pools, or is in quarantine, as far as is known here."""
        return key in self.quotas.leased or key in self.quarantine

    def written(self, parting: Iterable[Key]) -> None:
        """What was taken of `kept` and `quarantine` is durable, and that these attempts are closed."""
        self.kept.written()
        self.quarantine.written()
        for key in parting:
            self.kept.drop(key)
            self.quotas.drop(key)
            self.quarantine.drop(key)

    def forget(self) -> list[Closing]:
        """Let go of all attempts, without a word to the machine: they are, or may soon be, another engine's.

        Those that would end with this engine end now. Gives their clean-ups, for whoever must know when that is done.
        """
        ending = []
        for closing in self.closings.values():
            closing.closed = closing.failed = None
            if closing.local:
                ending.append(closing)
            else:
                closing.forget()
        for flight in self.flights.values():
            flight.over = True
            if flight.runner is None:
                continue
            if not flight.runner.local:
                flight.runner.forget(flight.id)
            else:
                closing = self._closing(flight.runner, flight.id, abort=True, reason="its engine has lost it")
                closing.start()
                ending.append(closing)
        self.flights.clear()
        self.closings.clear()
        self.kept.forget()
        self.quotas.forget()
        return ending

    def leave(self) -> None:
        """Hear no more of any attempt: nobody is left to be told."""
        for flight in self.flights.values():
            flight.over = True
        self.kept.close()

    def _closing(
        self,
        runner: Cleaner,
        id: AttemptId,
        *,
        abort: bool,
        reason: str,
        job: Job | None = None,
        known: StuckRecord | None = None,
    ) -> Closing:
        means = self._means
        return Closing(
            runner,
            id,
            abort=abort,
            reason=reason,
            rng=means.rng,
            longest=means.config.cleanup_backoff,
            now=means.clock.now,
            job=job,
            known=known,
        )

    def stuck(self) -> Iterable[Stuck]:
        return [stuck for closing in self.closings.values() if (stuck := closing.stuck) is not None]

    def progress(self, key: Key) -> ProgressRecord | None:
        """How far an attempt is, or what it waits for, as it is now; None if it is over."""
        flight, closing = self.flights.get(key), self.closings.get(key)
        if closing is not None and closing.tries:
            return ProgressRecord(*key, None, closing.trouble)
        if flight is None or flight.over:
            return None
        return ProgressRecord(*key, flight.done, flight.waits or flight.message)

    def progressed(self, id: AttemptId, report: Progressed) -> None:
        """Tell the machine that an attempt got further."""
        self._push(AttemptProgressed(id.path, id.number, report.checkpoint or ""), lazy=True)


def _failure(given: AttemptFailure) -> Failure:
    return Failure(given.code, given.message, given.kind, given.recoverable)


def _cut(failure: Failure) -> Failure:
    text = failure.message
    if len(text) <= _MESSAGE_LIMIT:
        return failure
    half = _MESSAGE_LIMIT // 2
    return replace(failure, message=f"{text[:half]}\n... {len(text) - 2 * half} characters ...\n{text[-half:]}")


def _fault(exc: Exception) -> Failure:
    what = f"the engine failed: {type(exc).__name__}: {exc}"
    return Failure("EngineFault", what, FailureKind.SYSTEM, recoverable=True)


def _broken(exc: Exception) -> Failure:
    what = f"the runner raised {type(exc).__name__}: {exc}"
    return Failure("RunnerBroken", what, FailureKind.SYSTEM, recoverable=True)
