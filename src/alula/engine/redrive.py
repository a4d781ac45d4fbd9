"""After a restart: what the rows say that is still to be done, or to be asked for again."""

from __future__ import annotations

from alula.engine.agenda import Act
from alula.engine.events import SetTimer, TimerKind
from alula.engine.execution import Execution, Scope
from alula.engine.nodes import array
from alula.engine.plan import Kind
from alula.engine.state import CacheStatus, NodePhase, NodeState, child
from alula.engine.turn import Turn

_ASKS = frozenset({NodePhase.RESOLVING, NodePhase.LOOKUP, NodePhase.RESERVING, NodePhase.GATHERING})


def debts(turn: Turn) -> None:
    """Put on the agenda all that may be owed to anybody. Linear in the rows."""
    x = turn.x
    for row in x.nodes.values():
        if _owes(x, row):
            turn.later(Act.OWED, row.path)
    for path, number in x.attempts:
        turn.later(Act.DELIVER, path, number)
    for signal, paths in x.gates.items():
        for path in paths if signal in x.signals else ():
            turn.later(Act.RESUME, path)


def _owes(x: Execution, row: NodeState) -> bool:
    if row.phase.terminal:
        return row.cache is CacheStatus.PENDING
    return row.phase in _ASKS or row.deadline is not None or row.wake_at is not None or row.path in x.scopes


def owed(turn: Turn, row: NodeState) -> None:
    """What one node waits for an answer to, attempts apart, and what it has not come to yet."""
    if row.phase.terminal:
        if row.cache is CacheStatus.PENDING:
            turn.later(Act.RESUME, row.path)
        return
    if row.deadline is not None:
        turn.emit(SetTimer(TimerKind.NODE, row.path, 0, row.deadline))
    if row.wake_at is not None and row.then is not NodePhase.BACKOFF:
        if row.phase is NodePhase.RESERVING:  # nobody here is told when it is free: ask again
            turn.put(turn.wake(row, turn.now))
        else:
            turn.emit(SetTimer(TimerKind.WAKE, row.path, row.generation, row.wake_at))
    elif row.phase in _ASKS:
        turn.later(Act.RESUME, row.path)
    scope = turn.x.scopes.get(row.path)
    if scope is not None:
        _go_on(turn, scope, row)


def _go_on(turn: Turn, scope: Scope, row: NodeState) -> None:
    """What was still on the agenda of a composite when the engine stopped."""
    match row.phase:
        case NodePhase.RUNNING if scope.graph is not None:
            _nodes(turn, scope)
        case NodePhase.RUNNING if scope.plan.kind is Kind.ARRAY:
            array.pump(turn, scope)
        case NodePhase.RUNNING:
            _begin(turn, child(row.path, scope.plan.arms[row.arm].then.id))
        case NodePhase.HANDLING if scope.graph is not None and scope.graph.failure is not None:
            _begin(turn, child(row.path, scope.graph.failure.id))
        case NodePhase.FAILING | NodePhase.STOPPING:
            for path in scope.live:
                turn.stop_soon(path)
            if not scope.live:
                turn.later(Act.HALTED, row.path)


def _nodes(turn: Turn, scope: Scope) -> None:
    graph = scope.graph
    assert graph is not None
    for at, plan in enumerate(graph.nodes):
        path = child(scope.path, plan.id)
        row = turn.x.nodes.get(path)
        if row is None and not scope.waiting[at]:
            turn.later(Act.ACTIVATE, path)
        elif row is not None and row.phase.terminal and not row.phase.good:
            for after in graph.successors[at]:
                turn.later(Act.SKIP, child(scope.path, graph.nodes[after].id))


def _begin(turn: Turn, path: str) -> None:
    if path not in turn.x.nodes:
        turn.later(Act.ACTIVATE, path)
