"""Gates: nodes that wait for a yes, for a value, or for time."""

from __future__ import annotations

from datetime import timedelta

from alula._kits.records import replace
from alula.engine.agenda import Act
from alula.engine.events import RefuseSignal, SignalSet
from alula.engine.nodes.common import first_row, inputs
from alula.engine.plan import NodePlan, span_of
from alula.engine.state import Failure, NodePhase, NodeState, SignalState, Values
from alula.engine.turn import Turn
from alula.idl import Literal, LiteralType, SimpleType, literals
from alula.idl.casting import why_unfit


def begin(turn: Turn, path: str, plan: NodePlan) -> None:
    row = first_row(turn, path, NodePhase.RESOLVING, plan)
    limit = plan.policy.timeout
    if limit is not None and row.deadline is None and not plan.node.gate_node.HasField("sleep"):
        row = replace(row, deadline=turn.now + limit)
    turn.begin(row)
    prepare(turn, row, plan)


def prepare(turn: Turn, row: NodeState, plan: NodePlan) -> None:
    """Wait, unless the answer has come before the question."""
    if inputs(turn, row, plan) is None:
        return
    row = replace(row, phase=NodePhase.RUNNING, started_at=turn.now)
    gate = plan.node.gate_node
    if gate.HasField("sleep"):
        row = turn.wake(row, turn.now + (span_of(gate.sleep.duration) or timedelta(0)))
    turn.put(row)
    answer = turn.x.signals.get(turn.x.signal_id(plan))
    if answer is not None:
        opened(turn, row, plan, answer)


def signalled(turn: Turn, event: SignalSet) -> None:
    """Keep an answer, and open the gates that wait for it. The first answer counts."""
    if event.signal_id in turn.x.signals:
        return
    lit = Literal.FromString(event.value)
    if reason := _unfit(turn, event.signal_id, lit):
        turn.emit(RefuseSignal(event.signal_id, reason))
        return
    turn.put(SignalState(event.signal_id, event.value))
    for path in turn.x.gates.get(event.signal_id, ()):
        turn.later(Act.RESUME, path)


def opened(turn: Turn, row: NodeState, plan: NodePlan, answer: bytes) -> None:
    lit = Literal.FromString(answer)
    gate = plan.node.gate_node
    if reason := why_unfit(lit, expected(plan)):
        turn.end(row, NodePhase.FAILED, failure=Failure("SignalUnfit", f"the signal does not fit the gate: {reason}"))
    elif gate.HasField("signal"):
        turn.end(row, NodePhase.SUCCEEDED, outputs=Values.of({gate.signal.output_variable_name: lit}))
    elif literals.unpacked(lit).scalar.primitive.boolean:
        approve(turn, row, plan)
    else:
        failure = Failure("ReceivedRejectSignal", f"gate {gate.approve.signal_id!r} was not approved")
        turn.end(row, NodePhase.FAILED, failure=failure)


def approve(turn: Turn, row: NodeState, plan: NodePlan) -> None:
    """What was approved goes through as it is."""
    values = inputs(turn, row, plan)
    if values is not None:
        turn.end(row, NodePhase.SUCCEEDED, outputs=values)


def slept(turn: Turn, row: NodeState) -> None:
    turn.end(row, NodePhase.SUCCEEDED, outputs=Values())


def resume(turn: Turn, row: NodeState, plan: NodePlan) -> None:
    """The answer has come, or the bytes of what was approved."""
    answer = turn.x.signals.get(turn.x.signal_id(plan))
    if answer is not None:
        opened(turn, row, plan, answer)


def question(plan: NodePlan) -> str:
    """What a gate is called when it waits for an answer; empty: it is none that does."""
    node = plan.node.gate_node
    id = node.approve.signal_id or node.signal.signal_id
    return f"gate {id!r}" if id else ""


def _unfit(turn: Turn, signal_id: str, lit: Literal) -> str:
    """Why no gate would take the answer; empty if one does, or nobody knows the gate yet."""
    graphs = [turn.x.root.graph, *turn.x.expansions.values()]
    for graph in graphs:
        if graph is not None and signal_id in graph.signals:
            return why_unfit(lit, graph.signals[signal_id]) or ""
    return ""


def expected(plan: NodePlan) -> LiteralType:
    gate = plan.node.gate_node
    return gate.signal.type if gate.HasField("signal") else LiteralType(simple=SimpleType.BOOLEAN)
