"""Tasks and child executions: nodes that run in attempts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from alula._kits.records import replace
from alula._kits.units import shown_duration
from alula.engine.events import (
    AttemptClosed,
    AttemptFailed,
    AttemptProgressed,
    AttemptStarted,
    AttemptSucceeded,
    CacheMiss,
    CancelTimer,
    CloseAttempt,
    Reserve,
    SetTimer,
    StartAttempt,
    TimerKind,
)
from alula.engine.nodes import cache, dynamic, recover
from alula.engine.nodes.bind import Missing, node_inputs
from alula.engine.nodes.common import first_row, inputs, queue
from alula.engine.plan import Kind, NodePlan
from alula.engine.retry import Verdict, judge, on_spot
from alula.engine.state import AttemptPhase, AttemptState, Failure, NodePhase, NodeState, Values, index_of
from alula.engine.turn import Turn
from alula.errors import ConversionError

_SMALL = 1024
"""Bytes of inputs that are kept in memory while a task waits for a slot; larger ones are worked out again."""
_WAITING = frozenset({NodePhase.RESOLVING, NodePhase.LOOKUP, NodePhase.RESERVING, NodePhase.READY, NodePhase.BACKOFF})


def begin(turn: Turn, path: str, plan: NodePlan) -> None:
    row = first_row(turn, path, NodePhase.RESOLVING, plan)
    if (former := recover.former(turn.x, path)) is not None:
        row = replace(row, checkpoint=former.checkpoint)
    elif (values := _short_cut(turn, path, plan)) is not None:
        turn.x.orders += 1
        row = replace(row, phase=NodePhase.READY, order=turn.x.orders)
        if turn.x.free_for(path):
            _open(turn, row, plan, values, turn.begin)
        else:
            turn.begin(row)
            if len(values.data) <= _SMALL:
                turn.x.at_hand[path] = values
        return
    turn.begin(row)
    if not dynamic.recover(turn, row):
        prepare(turn, row, plan)


def _short_cut(turn: Turn, path: str, plan: NodePlan) -> Values | None:
    """The inputs of a task that needs nothing but a slot, as most do: the steps before that are left out."""
    if plan.policy.cacheable and turn.x.settings.cache:
        return None
    try:
        return node_inputs(turn.x, path, plan)
    except (Missing, ConversionError):
        return None


def prepare(turn: Turn, row: NodeState, plan: NodePlan) -> None:
    """Go on as far as it can without a slot: the inputs can be had, the cache has no answer."""
    if inputs(turn, row, plan) is None:
        return
    if plan.policy.cacheable and turn.x.settings.cache:
        cache.begin(turn, row, plan)
    else:
        queue(turn, row)


def start(turn: Turn, path: str) -> None:
    """There is a slot: open the next attempt, or ask for the reservation that it needs."""
    row, plan = turn.x.nodes[path], turn.x.plan_of(path)
    if cache.must_reserve(turn, row, plan):
        cache.reserve(turn, row, plan)
    else:
        _open(turn, row, plan, turn.x.at_hand.pop(path, None), turn.put)


def missed(turn: Turn, event: CacheMiss) -> None:
    """The cache has no outputs: go on as far as that goes."""
    row = cache.miss(turn, event)
    if row is not None:
        _open(turn, row, turn.x.plan_of(row.path), None, turn.put)


def _open(turn: Turn, row: NodeState, plan: NodePlan, values: Values | None, put: Callable[[NodeState], None]) -> None:
    settings, limit = turn.x.settings, _limit(turn, plan, queued=True)
    attempt = AttemptState(
        row.path,
        row.attempt,
        AttemptPhase.QUEUED,
        since=turn.now,
        interruptible=on_spot(row, plan.policy, settings),
        deadline=turn.now + limit if limit is not None else None,
    )
    row = replace(row, phase=NodePhase.QUEUED)
    put(row)
    turn.put(attempt)
    set_deadline(turn, attempt)
    deliver(turn, row, plan, values)


def deliver(turn: Turn, row: NodeState, plan: NodePlan, values: Values | None = None) -> None:
    """Hand the present attempt to its backend: for the first time, or again after a crash."""
    values = values or inputs(turn, row, plan)
    attempt = turn.x.live_attempt(row.path, row.attempt)
    if values is None or attempt is None:
        return
    if row.reserved:  # go on keeping it alive after a restart; the answer changes nothing
        turn.emit(Reserve(row.path, row.generation, plan, values))
    child, recovers = "", ""
    if plan.kind is Kind.LAUNCH_PLAN:
        child = child_name(turn.x.name, row.path, row.attempt)
        former = recover.former(turn.x, row.path)
        recovers = child_name(turn.x.reference.name, row.path, former.attempt) if former is not None else ""
    turn.emit(
        StartAttempt(
            row.path,
            row.attempt,
            plan,
            values,
            interruptible=attempt.interruptible,
            checkpoint=row.checkpoint,
            index=index_of(row.path),
            child=child,
            recovers=recovers,
        )
    )


def child_name(execution: str, path: str, attempt: int) -> str:
    """The name of a child execution: the same for the same attempt, in every process. 160 bits of a digest."""
    return "f" + hashlib.sha256(f"{execution}\0{path}\0{attempt}".encode()).hexdigest()[:39]


def set_deadline(turn: Turn, attempt: AttemptState) -> None:
    if attempt.deadline is not None:
        kind = TimerKind.QUEUED if attempt.phase is AttemptPhase.QUEUED else TimerKind.ATTEMPT
        turn.emit(SetTimer(kind, attempt.path, attempt.number, attempt.deadline))


def started(turn: Turn, event: AttemptStarted) -> None:
    attempt = turn.x.live_attempt(event.path, event.attempt)
    if attempt is None or attempt.phase is not AttemptPhase.QUEUED:
        return
    _cancel_deadline(turn, attempt)
    limit = _limit(turn, turn.x.plan_of(event.path), queued=False)
    deadline = turn.now + limit if limit is not None else None
    attempt = replace(attempt, phase=AttemptPhase.RUNNING, deadline=deadline, started_at=event.at or turn.now)
    turn.put(attempt)
    row = turn.x.nodes[event.path]
    turn.put(replace(row, phase=NodePhase.RUNNING, started_at=row.started_at or event.at or turn.now))
    set_deadline(turn, attempt)


def progressed(turn: Turn, event: AttemptProgressed) -> None:
    row = turn.x.nodes.get(event.path)
    if row is None or turn.x.live_attempt(event.path, event.attempt) is None:
        return
    better = replace(row, system_failures=0, checkpoint=event.checkpoint or row.checkpoint)
    if better != row:
        turn.put(better)


def succeeded(turn: Turn, event: AttemptSucceeded) -> None:
    attempt = turn.x.live_attempt(event.path, event.attempt)
    if attempt is None:
        _late(turn, event)
        return
    row, plan = turn.x.nodes[event.path], turn.x.plan_of(event.path)
    _settle(turn, attempt, AttemptPhase.SUCCEEDED, closed=event.closed, started_at=event.started_at)
    if event.expansion:
        dynamic.expand(turn, _ran(row, event.started_at), plan, event.expansion)
    elif plan.policy.cacheable and turn.x.settings.cache:
        cache.store(turn, _ran(row, event.started_at), plan, event.outputs)
    else:
        turn.end(row, NodePhase.SUCCEEDED, outputs=event.outputs, started_at=event.started_at)


def failed(turn: Turn, event: AttemptFailed) -> None:
    attempt = turn.x.live_attempt(event.path, event.attempt)
    if attempt is None:
        _late(turn, event)
        return
    row = _ran(turn.x.nodes[event.path], event.started_at)
    if event.checkpoint:
        row = replace(row, checkpoint=event.checkpoint)
    verdict = _judge(turn, row, attempt, event.failure, event.jitter)
    started_at = event.started_at
    _settle(turn, attempt, AttemptPhase.FAILED, closed=event.closed, failure=event.failure, started_at=started_at)
    if not verdict.retry:
        turn.end(verdict.row, NodePhase.FAILED, failure=verdict.failure)
        return
    row = _will_retry(turn, verdict, NodePhase.CLOSING)
    turn.put(row)
    if event.closed:
        _after_close(turn, row)


def overdue(turn: Turn, attempt: AttemptState, jitter: float) -> None:
    """An attempt missed its deadline: stop it, and try again if the node may."""
    row = turn.x.nodes[attempt.path]
    queued = attempt.phase is AttemptPhase.QUEUED
    code = "QueuedTimeout" if queued else "TimeoutExpired"
    limit = _limit(turn, turn.x.plan_of(row.path), queued=queued)
    given = f": it had {shown_duration(limit)}" if limit is not None else ""
    late = f"attempt {attempt.number + 1} did not {'start' if queued else 'end'} in time{given}"
    failure = Failure(code, late, recoverable=True, path=row.path)
    verdict = _judge(turn, row, attempt, failure, jitter)
    _abandon(turn, attempt, failure.message, failure)
    if verdict.retry:
        turn.put(_will_retry(turn, verdict, NodePhase.STOPPING))
        return
    row = replace(verdict.row, phase=NodePhase.STOPPING, then=NodePhase.FAILED, failure=verdict.failure)
    turn.put(turn.wake(row, turn.now + turn.x.settings.grace))


def _limit(turn: Turn, plan: NodePlan, *, queued: bool) -> timedelta | None:
    """How long an attempt may wait for its start, or run."""
    policy, settings = plan.policy, turn.x.settings
    if queued:
        return policy.queued_timeout or settings.queued_timeout
    return policy.timeout or settings.attempt_timeout


def stop(turn: Turn, row: NodeState, then: NodePhase, failure: Failure | None, reason: str) -> None:
    """End a node before its time: at once if nothing of it runs, else when its attempt is closed or patience ends."""
    if row.phase in _WAITING:
        turn.end(row, then, failure=failure)
        return
    attempt = turn.x.attempts.get((row.path, row.attempt))
    if row.phase in (NodePhase.CLOSING, NodePhase.STOPPING):
        if row.then is not NodePhase.BACKOFF:
            return
        row = replace(row, then=then, failure=row.failure or failure)
    else:
        if attempt is not None and attempt.phase.live:
            _abandon(turn, attempt, reason, failure)
        row = replace(row, phase=NodePhase.STOPPING, then=then, failure=row.failure or failure)
    turn.put(turn.wake(row, turn.now + turn.x.settings.grace))


def closed(turn: Turn, event: AttemptClosed) -> None:
    _closed(turn, event.path, event.attempt)


def redeliver(turn: Turn, path: str, number: int) -> None:
    """Give all commands about an open attempt again."""
    x, attempt = turn.x, turn.x.attempts.get((path, number))
    if attempt is None:
        return
    if x.live_attempt(path, number) is not None:
        set_deadline(turn, attempt)
        deliver(turn, x.nodes[path], x.plan_of(path))
    else:
        _close(turn, attempt, "it was being closed when the engine stopped")


def _late(turn: Turn, event: AttemptSucceeded | AttemptFailed) -> None:
    """An outcome that does not count any more; but it may tell that the attempt is gone."""
    if event.closed:
        _closed(turn, event.path, event.attempt)


def _closed(turn: Turn, path: str, number: int) -> None:
    attempt = turn.x.attempts.get((path, number))
    if attempt is None or attempt.phase.live:
        return
    stopped = attempt.phase is AttemptPhase.STOPPING
    turn.put(replace(attempt, open=False, phase=AttemptPhase.ABORTED if stopped else attempt.phase))
    row = turn.x.nodes[path]
    if row.attempt == number and row.phase in (NodePhase.CLOSING, NodePhase.STOPPING) and path not in turn.x.scopes:
        _after_close(turn, row)


def _after_close(turn: Turn, row: NodeState) -> None:
    if row.then is not NodePhase.BACKOFF:
        turn.end(row, row.then or NodePhase.ABORTED)
        return
    row = replace(row, attempt=row.attempt + 1, then=None)
    if row.wake_at is None or row.wake_at <= turn.now:
        queue(turn, row)
    else:
        turn.put(turn.wake(replace(row, phase=NodePhase.BACKOFF), row.wake_at))


def _judge(turn: Turn, row: NodeState, attempt: AttemptState, failure: Failure, jitter: float) -> Verdict:
    policy = turn.x.plan_of(row.path).policy
    return judge(row, failure, policy, turn.x.settings, interruptible=attempt.interruptible, jitter=jitter)


def _will_retry(turn: Turn, verdict: Verdict, phase: NodePhase) -> NodeState:
    """The row while its attempt is being closed. `wake_at` says when the next may start; its timer comes after that."""
    row = verdict.row
    at = turn.now + max(verdict.delay, timedelta(0))
    return replace(row, phase=phase, then=NodePhase.BACKOFF, wake_at=at, generation=row.generation + 1)


def _ran(row: NodeState, at: datetime | None) -> NodeState:
    """A node whose attempt ended before anybody said that it runs."""
    return row if at is None or row.started_at is not None else replace(row, started_at=at)


def _settle(
    turn: Turn,
    attempt: AttemptState,
    phase: AttemptPhase,
    *,
    closed: bool,
    failure: Failure | None = None,
    started_at: datetime | None = None,
) -> None:
    """Note how an attempt ended by itself, and have it closed."""
    _cancel_deadline(turn, attempt)
    attempt = replace(
        attempt,
        phase=phase,
        deadline=None,
        open=not closed,
        failure=failure,
        started_at=attempt.started_at or started_at,
        ended_at=turn.now,
    )
    turn.put(attempt)
    if not closed:
        _close(turn, attempt, "it failed")


def _abandon(turn: Turn, attempt: AttemptState, reason: str, failure: Failure | None) -> None:
    """Give an attempt up: what it says from now on does not count."""
    _cancel_deadline(turn, attempt)
    attempt = replace(attempt, phase=AttemptPhase.STOPPING, deadline=None, failure=failure, ended_at=turn.now)
    turn.put(attempt)
    _close(turn, attempt, reason)


def _close(turn: Turn, attempt: AttemptState, reason: str) -> None:
    # What failed may still have something running behind it, so it is told to stop as well.
    good = attempt.phase is AttemptPhase.SUCCEEDED
    turn.emit(CloseAttempt(attempt.path, attempt.number, abort=not good, reason="" if good else reason))


def _cancel_deadline(turn: Turn, attempt: AttemptState) -> None:
    if attempt.deadline is not None:
        kind = TimerKind.QUEUED if attempt.phase is AttemptPhase.QUEUED else TimerKind.ATTEMPT
        turn.emit(CancelTimer(kind, attempt.path))
