"""What happens next: the rows of an execution and an event in, changed rows and commands out.

No I/O, no clock, no randomness: the time comes as an argument, randomness within the event. The rows in memory change
at once, so a driver that cannot commit them drops the execution and loads it again. docs/adr/0008-pure-machine.md says
why.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from alula.engine.agenda import Act, Work
from alula.engine.events import (
    AbortRequested,
    AttemptClosed,
    AttemptFailed,
    AttemptProgressed,
    AttemptStarted,
    AttemptSucceeded,
    Begin,
    CacheHit,
    CacheMiss,
    CacheStored,
    Continue,
    Event,
    Fetched,
    FetchFailed,
    Finished,
    Gathered,
    GatherFailed,
    ReservationFreed,
    ReservationHeld,
    Reserved,
    SetTimer,
    SignalSet,
    TimerFired,
    TimerKind,
)
from alula.engine.execution import Execution
from alula.engine.nodes import array, branch, cache, gate, recover, task, workflow
from alula.engine.nodes.common import halt, queue, unreadable
from alula.engine.plan import LEAVES, Kind
from alula.engine.redrive import debts, owed
from alula.engine.state import (
    AttemptPhase,
    CacheStatus,
    Failure,
    NodePhase,
    NodeState,
    parent,
)
from alula.engine.turn import Decision, Turn

__all__ = ["Decision", "decide", "redrive"]


BUDGET = 512
"""How many rows and commands a decision has, about; what is above it is left to the next one (`Decision.more`)."""


def decide(x: Execution, event: Event, now: datetime, *, budget: int = BUDGET) -> Decision:
    """Take one event in. One that is late, doubled or of an unknown node changes nothing."""
    turn = Turn(x, now)
    _take(turn, event)
    _run(turn, budget)
    return turn.decision()


def redrive(x: Execution, now: datetime, *, budget: int = BUDGET) -> Decision:
    """All commands that an execution just loaded waits for an answer to. Before it has begun, send `Begin` instead."""
    turn = Turn(x, now)
    debts(turn)
    if x.phase is not None and x.phase.terminal:
        turn.emit(Finished())
    _run(turn, budget)
    return turn.decision()


def _take(turn: Turn, event: Event) -> None:
    match event:
        case Begin():
            workflow.begin_execution(turn)
        case Continue():
            pass
        case AttemptStarted():
            task.started(turn, event)
        case AttemptProgressed():
            task.progressed(turn, event)
        case AttemptSucceeded():
            task.succeeded(turn, event)
        case AttemptFailed():
            task.failed(turn, event)
        case AttemptClosed():
            task.closed(turn, event)
        case TimerFired():
            _timer(turn, event)
        case Fetched() | FetchFailed():
            _fetched(turn, event)
        case CacheHit():
            cache.hit(turn, event)
        case CacheMiss():
            task.missed(turn, event)
        case Reserved():
            cache.reserved(turn, event)
        case ReservationHeld():
            cache.held(turn, event)
        case ReservationFreed():
            cache.freed(turn, event)
        case CacheStored():
            cache.stored(turn, event)
        case GatherFailed():
            array.not_gathered(turn, event)
        case Gathered():
            array.gathered(turn, event)
        case SignalSet():
            gate.signalled(turn, event)
        case AbortRequested(reason):
            workflow.abort_execution(turn, Failure("Aborted", reason))
        case _:
            assert_never(event)


def _run(turn: Turn, budget: int) -> None:
    """Work the agenda off and fill free slots, until neither gives more to do or the decision is large enough."""
    x, agenda, steps = turn.x, turn.x.agenda, 0
    while True:
        if agenda.urgent:
            _work(turn, agenda.urgent.popleft())
        elif turn.size() >= budget or steps >= 8 * budget:
            break
        elif agenda.stops:
            _work(turn, agenda.stops.popleft())
        elif path := x.startable():
            task.start(turn, path)
        elif agenda.bulk:
            _work(turn, agenda.bulk.popleft())
        else:
            break
        steps += 1
    if x.keepers:
        cache.make_way(turn)
    turn.more = bool(agenda) or bool(x.startable())
    if not x.fetching and not agenda.bulk:
        x.fetched.clear()


def _work(turn: Turn, work: Work) -> None:
    match work.act:
        case Act.ENDED:
            _ended(turn, work.path)
        case Act.HALTED:
            _halted(turn, work.path)
        case Act.STOP:
            _stop(turn, work)
        case Act.ACTIVATE:
            _activate(turn, work.path)
        case Act.SKIP:
            workflow.skip(turn, work.path)
        case Act.PUMP:
            array.pump_more(turn, work.path)
        case Act.RESUME:
            _resume(turn, work.path)
        case Act.OWED:
            owed(turn, turn.x.nodes[work.path])
        case Act.DELIVER:
            task.redeliver(turn, work.path, work.attempt)
        case _:
            assert_never(work.act)


def _activate(turn: Turn, path: str) -> None:
    """Begin a node, unless what it is part of has come to its end in the meantime."""
    x = turn.x
    inside = x.nodes[parent(path)].phase
    if path in x.nodes or inside not in (NodePhase.RUNNING, NodePhase.HANDLING):
        return
    plan = x.plan_of(path)
    if inside is NodePhase.HANDLING and plan is not x.scopes[parent(path)].failure:
        return
    former = recover.taken_over(x, path)
    if former is not None and inside is NodePhase.RUNNING:
        row = NodeState(path, NodePhase.RECOVERED, since=turn.now, arm=former.arm, size=former.size)
        turn.end(row, NodePhase.RECOVERED, outputs=former.outputs)
        return
    match plan.kind:
        case Kind.TASK | Kind.LAUNCH_PLAN:
            task.begin(turn, path, plan)
        case Kind.WORKFLOW:
            workflow.begin(turn, path, plan)
        case Kind.BRANCH:
            branch.begin(turn, path, plan)
        case Kind.ARRAY:
            array.begin(turn, path, plan)
        case Kind.GATE:
            gate.begin(turn, path, plan)
        case _:
            assert_never(plan.kind)


def _ended(turn: Turn, path: str) -> None:
    scope = turn.x.scopes.get(parent(path))
    if scope is None:
        return
    row = turn.x.nodes[path]
    if scope.graph is not None:
        workflow.child_ended(turn, scope, row)
    elif scope.plan.kind is Kind.BRANCH:
        branch.child_ended(turn, scope, row)
    else:
        array.child_ended(turn, scope, row)


def _stop(turn: Turn, work: Work) -> None:
    row = turn.x.nodes.get(work.path)
    if row is None or row.phase.terminal:
        return
    then, failure = work.then, work.failure
    if row.path in turn.x.scopes:
        _stop_composite(turn, row, then, failure)
    elif turn.x.plan_of(row.path).kind in LEAVES:
        task.stop(turn, row, then, failure, failure.message if failure is not None else "its workflow ends")
    else:
        turn.end(row, then, failure=failure)


def _stop_composite(turn: Turn, row: NodeState, then: NodePhase, failure: Failure | None) -> None:
    if then is NodePhase.ABORTED:
        if row.phase is not NodePhase.STOPPING:
            halt(turn, row, NodePhase.STOPPING, then, failure)
    elif row.phase in (NodePhase.RUNNING, NodePhase.GATHERING):
        halt(turn, row, NodePhase.FAILING, then, failure)
    elif row.phase is NodePhase.HANDLING:
        for path in list(turn.x.scopes[row.path].live):
            turn.stop(path, then, failure)


def _halted(turn: Turn, path: str) -> None:
    row, scope = turn.x.nodes[path], turn.x.scopes.get(path)
    if scope is None or scope.live or row.phase not in (NodePhase.FAILING, NodePhase.STOPPING):
        return
    workflow.halted(turn, row)


def _timer(turn: Turn, event: TimerFired) -> None:
    if event.kind in (TimerKind.QUEUED, TimerKind.ATTEMPT):
        _attempt_timer(turn, event)
        return
    row = turn.x.nodes.get(event.path)
    if row is None or row.phase.terminal:
        return
    at = row.deadline if event.kind is TimerKind.NODE else row.wake_at
    if at is None or (event.kind is TimerKind.WAKE and row.generation != event.generation):
        return
    if turn.now < at:  # the clock was set back
        turn.emit(SetTimer(event.kind, event.path, event.generation, at))
    elif event.kind is TimerKind.NODE:
        turn.stop(row.path, NodePhase.TIMED_OUT, Failure("Timeout", _late(turn, row), path=row.path))
    else:
        _woken(turn, row)


def _late(turn: Turn, row: NodeState) -> str:
    if not row.path:
        return "the execution did not end in time"
    asked = gate.question(turn.x.plan_of(row.path))
    return f"{asked} got no answer in time (node {row.path})" if asked else f"node {row.path} did not end in time"


def _attempt_timer(turn: Turn, event: TimerFired) -> None:
    attempt = turn.x.live_attempt(event.path, event.generation)
    wanted = AttemptPhase.QUEUED if event.kind is TimerKind.QUEUED else AttemptPhase.RUNNING
    if attempt is None or attempt.phase is not wanted or attempt.deadline is None:
        return
    if turn.now < attempt.deadline:
        task.set_deadline(turn, attempt)
    else:
        task.overdue(turn, attempt, event.jitter)


def _woken(turn: Turn, row: NodeState) -> None:
    match row.phase:
        case NodePhase.BACKOFF:
            queue(turn, row)
        case NodePhase.RESERVING:
            cache.look_again(turn, row)
        case NodePhase.RUNNING:
            gate.slept(turn, row)
        case NodePhase.STOPPING | NodePhase.CLOSING if row.then is not NodePhase.BACKOFF:
            turn.end(row, row.then or NodePhase.ABORTED)  # its attempt stays open, and goes on being closed


def _fetched(turn: Turn, event: Fetched | FetchFailed) -> None:
    waiting = turn.x.fetching.pop(event.uri, {})
    if isinstance(event, Fetched) and waiting:
        turn.x.fetched[event.uri] = event.data
    for path in waiting:
        if isinstance(event, FetchFailed):
            turn.stop_soon(path, NodePhase.FAILED, unreadable(event.uri, event.message))
        else:
            turn.later(Act.RESUME, path)


def _resume(turn: Turn, path: str) -> None:
    """Try again what bytes were missing for."""
    x = turn.x
    row, plan = x.nodes[path], x.plan_of(path)
    match row.phase, plan.kind:
        case NodePhase.SUCCEEDED, Kind.TASK if row.cache is CacheStatus.PENDING and row.outputs is not None:
            cache.keep(turn, row, plan, row.outputs)
        case NodePhase.RESOLVING, Kind.TASK | Kind.LAUNCH_PLAN:
            task.prepare(turn, row, plan)
        case NodePhase.RESOLVING, Kind.BRANCH:
            branch.prepare(turn, row, plan)
        case NodePhase.RESOLVING, Kind.ARRAY:
            array.prepare(turn, row, plan)
        case NodePhase.RESOLVING, Kind.GATE:
            gate.prepare(turn, row, plan)
        case NodePhase.LOOKUP | NodePhase.RESERVING, _:
            cache.ask(turn, row, plan)
        case NodePhase.GATHERING, Kind.ARRAY:
            array.gather(turn, row)
        case NodePhase.GATHERING, _:
            workflow.complete(turn, row)
        case NodePhase.RUNNING, Kind.GATE:
            gate.resume(turn, row, plan)
        case NodePhase.QUEUED | NodePhase.RUNNING, _ if path not in x.scopes and plan.kind in LEAVES:
            task.deliver(turn, row, plan)
