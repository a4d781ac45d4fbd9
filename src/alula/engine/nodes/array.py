"""Arrays: one task, workflow or launch plan, once for every item of its lists. Elements are full nodes."""

from __future__ import annotations

import math

from alula._kits.records import replace
from alula.engine.agenda import Act
from alula.engine.events import Gather, Gathered, GatherFailed
from alula.engine.execution import Scope
from alula.engine.nodes.bind import Missing, lists, scope_inputs
from alula.engine.nodes.common import first_row, halt, origin, unbound
from alula.engine.plan import NodePlan
from alula.engine.state import Failure, FailureKind, NodePhase, NodeState, Values, element
from alula.engine.turn import Turn
from alula.errors import ConversionError
from alula.idl import Literal, literals

_AT_ONCE = 256
"""Elements that are put on the agenda within one step of a decision."""
_HERE = 1_000
"""Elements whose outputs are put together within a decision; more take too long for one."""


def begin(turn: Turn, path: str, plan: NodePlan) -> None:
    row = first_row(turn, path, NodePhase.RESOLVING, plan)
    turn.begin(row)
    prepare(turn, row, plan)


def prepare(turn: Turn, row: NodeState, plan: NodePlan) -> None:
    """Begin elements, once the lists are there."""
    try:
        size = _size(turn, row.path)
    except Missing as exc:
        turn.fetch(row.path, exc.uris)
        return
    except ConversionError as exc:
        turn.end(row, NodePhase.FAILED, failure=unbound(exc))
        return
    if isinstance(size, Failure):
        turn.end(row, NodePhase.FAILED, failure=size)
        return
    row = replace(row, phase=NodePhase.RUNNING, size=size, started_at=turn.now)
    turn.put(row)
    scope = turn.x.open_scope(row)
    if size:
        pump(turn, scope)
    else:
        gather(turn, row)


def pump(turn: Turn, scope: Scope) -> None:
    """Begin the next elements, as many as may be under way: some now, the others after these."""
    window = turn.x.window(scope.plan) or scope.size
    most = min(scope.size, window + scope.succeeded + scope.failed)
    now = min(most, scope.next + _AT_ONCE)
    for nth in range(scope.next, now):
        turn.later(Act.ACTIVATE, element(scope.path, nth))
    scope.next = max(scope.next, now)
    if now < most:
        turn.later(Act.PUMP, scope.path)


def pump_more(turn: Turn, path: str) -> None:
    """Begin elements that there was no time for, unless the array has come to its end in the meantime."""
    if turn.x.nodes[path].phase is NodePhase.RUNNING and path in turn.x.scopes:
        pump(turn, turn.x.scopes[path])


def child_ended(turn: Turn, scope: Scope, row: NodeState) -> None:
    scope.succeeded += row.phase.good
    scope.failed += not row.phase.good
    owner = turn.x.nodes[scope.path]
    if owner.phase is not NodePhase.RUNNING:
        if not scope.live:
            turn.later(Act.HALTED, scope.path)
        return
    spec = scope.plan.node.array_node
    hopeless = scope.size - scope.failed < needed(scope)
    ended = scope.succeeded + scope.failed == scope.size
    if hopeless and (ended or not spec.run_all_sub_nodes):
        halt(turn, owner, NodePhase.FAILING, NodePhase.FAILED, _failure(turn, scope))
    elif ended:
        gather(turn, owner)
    else:
        pump(turn, scope)


def needed(scope: Scope) -> int:
    """How many elements must succeed. A ratio counts before a number."""
    spec = scope.plan.node.array_node
    if spec.WhichOneof("success_criteria") == "min_successes":
        return min(spec.min_successes, scope.size)
    ratio = spec.min_success_ratio if spec.WhichOneof("success_criteria") == "min_success_ratio" else 1.0
    # The wire holds a float of 32 bits: 0.7 of 10 is 7, and not 8.
    return math.ceil(round(ratio * scope.size, 4))


def gather(turn: Turn, row: NodeState) -> None:
    """Make lists of what the elements gave: here if it is little and at hand, else by the driver."""
    names = tuple(sorted(turn.x.plan_of(row.path).interface.outputs.variables))
    given = [one.outputs if one is not None else None for one in turn.x.elements(row.path, row.size)]
    size = sum(len(one.data) for one in given if one is not None)
    little = size <= turn.x.settings.inline_limit_bytes and row.size <= _HERE
    if little and not any(one.refs for one in given if one is not None):
        turn.end(row, NodePhase.SUCCEEDED, outputs=together(names, given))
        return
    if row.phase is not NodePhase.GATHERING:
        row = replace(row, phase=NodePhase.GATHERING, generation=row.generation + 1)
        turn.put(row)
    turn.emit(Gather(row.path, row.generation, names, tuple(given)))


def gathered(turn: Turn, event: Gathered) -> None:
    row = turn.x.nodes.get(event.path)
    if row is not None and row.phase is NodePhase.GATHERING and row.generation == event.generation:
        turn.end(row, NodePhase.SUCCEEDED, outputs=event.outputs)


def not_gathered(turn: Turn, event: GatherFailed) -> None:
    row = turn.x.nodes.get(event.path)
    if row is not None and row.phase is NodePhase.GATHERING and row.generation == event.generation:
        failure = Failure("OutputsNotGathered", event.message, FailureKind.SYSTEM)
        turn.stop(row.path, NodePhase.FAILED, failure)


def together(names: tuple[str, ...], given: list[Values | None]) -> Values:
    """One list per output, None for an element that gave nothing."""
    columns: dict[str, list[Literal]] = {name: [] for name in names}
    for one in given:
        values = one.literals() if one is not None else {}
        for name, column in columns.items():
            column.append(values[name] if name in values else literals.none())
    return Values.of({name: literals.collection(column) for name, column in columns.items()})


def _size(turn: Turn, path: str) -> int | Failure:
    lengths = {name: len(lit.collection.literals) for name, lit in lists(turn.x, path).items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} has {length}" for name, length in sorted(lengths.items()))
        return Failure("InvalidArrayLength", f"lists that are mapped together have one length: {shown}")
    if lengths:
        return next(iter(lengths.values()))
    if scope_inputs(turn.x, path) == Values():
        return Failure("InvalidArrayLength", "an array needs an input to map over")
    return 1


def _failure(turn: Turn, scope: Scope) -> Failure:
    """That of the first element, in order, that failed."""
    rows = turn.x.elements(scope.path, scope.size)
    first = next(row for row in rows if row is not None and row.phase.terminal and not row.phase.good)
    cause = origin(turn.x, first)
    message = f"{scope.failed} of {scope.size} elements failed, and {needed(scope)} must succeed: {cause.message}"
    return replace(cause, message=message)
