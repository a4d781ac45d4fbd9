"""The attempts of one execution that are with a runner: started, listened to, closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from alula.data import uris
from alula.data.layout import Execution as Files
from alula.data.layout import Outputs
from alula.engine.cleanup import Closing, Stuck
from alula.engine.crash import crash_point
from alula.engine.events import (
    AttemptClosed,
    AttemptFailed,
    AttemptProgressed,
    AttemptStarted,
    AttemptSucceeded,
    CloseAttempt,
    Event,
    StartAttempt,
)
from alula.engine.means import Means
from alula.engine.plan import NodePlan
from alula.engine.state import Failure, FailureKind, Values
from alula.engine.values import large, left_behind, misfit, misfit_of_large
from alula.errors import DataError
from alula.plugin.failure import AttemptFailure
from alula.plugin.runner import AttemptId, Failed, Job, Progressed, Report, Runner, Started, Succeeded, Waits
from alula.store.records import ExecutionKey, ProgressRecord

log = logging.getLogger(__name__)

_SHORT = 0.02
"""Seconds. That an attempt runs is worth a commit if it still does after so long; else its end says since when."""
_MESSAGE_LIMIT = 16 * 1024
"""Characters of a failure's message that are kept."""
Key = tuple[str, int]


class Push(Protocol):
    """Puts an event into the inbox of the session."""

    def __call__(self, event: Event, *, lazy: bool = False, outcome: bool = False) -> None:
        """A lazy event may wait some milliseconds for another one, so that both go into one commit; an outcome while
        they come in crowds."""
        ...


class Flight:
    """One attempt that is with its runner, or on its way to it."""

    __slots__ = ("attempts", "done", "id", "message", "over", "plan", "runner", "started_at", "waits")

    def __init__(self, attempts: Attempts, id: AttemptId, plan: NodePlan) -> None:
        self.attempts, self.id, self.plan = attempts, id, plan
        self.runner: Runner | None = None
        """None until it was given to one."""
        self.over = False
        """Nothing that it still says counts."""
        self.started_at: datetime | None = None
        """Since when it runs, until the machine was told."""
        self.waits = ""
        """Why it does not run yet, as its runner says."""
        self.done: float | None = None
        self.message = ""

    def tell(self, report: Report) -> None:
        self.attempts.told(self, report)


class Attempts:
    """All attempts of one execution that are with a runner.

    Args:
        key: The execution.
        plan_of: The plan of a node, by path.
        push: Where events go.
        reported: Told of progress and of waiting, also for the clean-up.
    """

    def __init__(
        self,
        means: Means,
        key: ExecutionKey,
        push: Push,
        *,
        plan_of: Callable[[str], NodePlan],
        reported: Callable[[AttemptId, Progressed | Waits], None],
    ) -> None:
        self._means, self._key, self._push = means, key, push
        self._plan_of, self._reported = plan_of, reported
        self._files = Files.under(means.data_prefix, project=key.project, domain=key.domain, name=key.name)
        self.flights: dict[Key, Flight] = {}
        self.closings: dict[Key, Closing] = {}
        self._begun: dict[Key, Flight] = {}
        """Attempts that run, which the machine was not told."""
        self._telling: asyncio.TimerHandle | None = None
        self._routes: dict[int, Runner | str] = {}
        """By the identity of the task's template, which the plan keeps alive."""

    def renew(self) -> None:
        """The plans are other ones now."""
        self._routes.clear()

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
        id = self.id_of(command.path, command.attempt)
        flight = self.flights[command.path, command.attempt] = Flight(self, id, command.node)
        return flight

    async def _fetch_and_start(self, flight: Flight, command: StartAttempt) -> None:
        try:
            inputs = await self._means.depot.complete(command.inputs)
        except (DataError, OSError) as exc:
            self.fail(flight, Failure("InputsUnreadable", str(exc), FailureKind.SYSTEM, recoverable=True))
            return
        if not flight.over:
            self._start(flight, command, inputs)

    def _start(self, flight: Flight, command: StartAttempt, inputs: bytes) -> None:
        node, task = command.node, command.node.task
        assert task is not None
        runner = self._route(node)
        if isinstance(runner, str):
            self.fail(flight, Failure("NoRunner", f"nothing here runs task {task.id.name}: {runner}"))
            return
        flight.runner = runner
        target = node.node.task_node
        job = Job(
            flight.id,
            task,
            inputs,
            self._files.attempt(command.path, command.attempt).prefix,
            overrides=target.overrides if target.HasField("overrides") else None,
            interruptible=command.interruptible,
            checkpoint=command.checkpoint,
            index=command.index,
            attempts=node.policy.retries + 1,
        )
        crash_point("start.before")
        try:
            runner.start(job, flight.tell)
        except Exception as exc:
            log.exception("attempt.start_raised", extra={"attempt": flight.id.name})
            self.fail(flight, _broken(exc))
        crash_point("start.after")

    def _route(self, node: NodePlan) -> Runner | str:
        assert node.task is not None
        known = self._routes.get(id(node.task))
        if known is None:
            known = self._routes[id(node.task)] = self._means.route(node.task)
        return known

    def id_of(self, path: str, attempt: int) -> AttemptId:
        key = self._key
        return AttemptId(key.project, key.domain, key.name, path, attempt)

    # --- listening ---

    def told(self, flight: Flight, report: Report) -> None:
        """What a runner says about an attempt."""
        if flight.over:
            return
        id = flight.id
        match report:
            case Started():
                flight.waits = ""
                flight.started_at = self._means.clock.now()
                self._begun[id.path, id.number] = flight
                if self._telling is None:
                    self._telling = asyncio.get_running_loop().call_later(_SHORT, self._tell_begun)
            case Succeeded():
                self._succeeded(flight, report)
            case Failed():
                self._failed(flight, report)
            case Progressed():
                if report.done is not None:
                    flight.done = report.done
                if report.message is not None:
                    flight.message = report.message
                self._reported(id, report)
            case Waits():
                flight.waits = report.reason
                self._reported(id, report)

    def _tell_begun(self) -> None:
        """Tell the machine what has begun to run and still does."""
        self._telling = None
        for key, flight in self._begun.items():
            if not flight.over:
                self._push(AttemptStarted(*key, flight.started_at))
                flight.started_at = None
        self._begun.clear()

    def _succeeded(self, flight: Flight, report: Succeeded) -> None:
        interface = flight.plan.interface
        if report.written:
            self._spawn(flight, self._read_outputs(flight, report))
        elif report.futures:
            self._end(flight, report, Values(), report.futures)
        elif len(report.outputs) > self._means.depot.inline_bytes or large(report.outputs):
            self._spawn(flight, self._take_large(flight, report))
        elif (failure := misfit(report.outputs, interface)) is not None:
            self.fail(flight, failure, closed=report.closed)
        else:
            self._end(flight, report, Values(report.outputs))

    async def _read_outputs(self, flight: Flight, report: Succeeded) -> None:
        files = self._files.attempt(flight.id.path, flight.id.number)
        try:
            found = await left_behind(self._means.depot, files, flight.plan.interface)
        except (DataError, OSError) as exc:
            found = Failure("OutputsUnreadable", str(exc), FailureKind.SYSTEM, recoverable=True)
        if isinstance(found, Failure):
            self.fail(flight, found, closed=report.closed)
        elif found[1]:
            self._end(flight, report, Values(), found[1])
        else:
            await self._take_large(flight, replace(report, outputs=found[0]))

    async def _take_large(self, flight: Flight, report: Succeeded) -> None:
        failure, values = await misfit_of_large(report.outputs, flight.plan.interface), Values()
        if failure is None:
            files: Outputs = self._files.attempt(flight.id.path, flight.id.number)
            try:
                # A name that nobody else writes to: an engine that was paused may come here long after another one.
                own = uris.join(files.prefix, f"outputs-{self._means.rng.getrandbits(64):016x}.pb")
                uri = files.outputs if report.written else own
                values = await self._means.depot.keep(report.outputs, uri, written=report.written)
            except (DataError, OSError) as exc:
                failure = Failure("OutputsNotKept", str(exc), FailureKind.SYSTEM, recoverable=True)
        if failure is not None:
            self.fail(flight, failure, closed=report.closed)
        else:
            self._end(flight, report, values)

    def _end(self, flight: Flight, report: Succeeded, outputs: Values, futures: bytes = b"") -> None:
        if flight.over:
            return
        id = flight.id
        self._over(flight, report.closed)
        since = flight.started_at
        self._push(AttemptSucceeded(id.path, id.number, outputs, futures, report.closed, since), outcome=True)

    def _failed(self, flight: Flight, report: Failed) -> None:
        self.fail(flight, _failure(report.failure), checkpoint=report.checkpoint, closed=report.closed)

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
        except Exception as exc:
            log.exception("attempt.effect_failed", extra={"attempt": flight.id.name, "path": flight.id.path})
            what = f"the engine failed: {type(exc).__name__}: {exc}"
            self.fail(flight, Failure("EngineFault", what, FailureKind.SYSTEM, recoverable=True), closed=False)

    def _over(self, flight: Flight, closed: bool) -> None:
        flight.over = True
        self._begun.pop((flight.id.path, flight.id.number), None)
        if closed:
            self.flights.pop((flight.id.path, flight.id.number), None)

    # --- closing ---

    def close(self, command: CloseAttempt) -> None:
        """Have an attempt cleaned up after; `AttemptClosed` comes when nothing of it is left."""
        key = command.path, command.attempt
        if key in self.closings:
            return
        flight = self.flights.pop(key, None)
        if flight is not None:
            flight.over = True
        runner = self._route(self._plan_of(command.path))
        if isinstance(runner, str):  # it never was with one
            self._push(AttemptClosed(*key))
            return

        def closed() -> None:
            self.closings.pop(key, None)
            self._push(AttemptClosed(*key))

        closing = self.closings[key] = self._closing(
            runner, self.id_of(*key), abort=command.abort, reason=command.reason
        )
        closing.closed = closed
        closing.failed = lambda: self._reported(closing.id, Waits(closing.trouble))
        closing.start()

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
                closing.cancel()
        for flight in self.flights.values():
            flight.over = True
            if flight.runner is not None and flight.runner.local:
                closing = self._closing(flight.runner, flight.id, abort=True, reason="its engine has lost it")
                closing.start()
                ending.append(closing)
        self.flights.clear()
        self.closings.clear()
        return ending

    def leave(self) -> None:
        """Hear no more of any attempt: nobody is left to be told."""
        for flight in self.flights.values():
            flight.over = True

    def _closing(self, runner: Runner, id: AttemptId, *, abort: bool, reason: str) -> Closing:
        means = self._means
        return Closing(runner, id, abort=abort, reason=reason, rng=means.rng, longest=means.config.cleanup_backoff)

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


def _broken(exc: Exception) -> Failure:
    what = f"the runner raised {type(exc).__name__}: {exc}"
    return Failure("RunnerBroken", what, FailureKind.SYSTEM, recoverable=True)
