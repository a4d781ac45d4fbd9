"""What all kinds of node share: getting at their inputs, and ending before their time."""

from __future__ import annotations

from alula._kits.records import replace
from alula.engine.agenda import Act
from alula.engine.execution import Execution
from alula.engine.nodes.bind import Look, Missing, never, node_inputs
from alula.engine.plan import LEAVES, NodePlan
from alula.engine.state import Failure, FailureKind, NodePhase, NodeState, Values
from alula.engine.turn import Turn
from alula.errors import ConversionError


def first_row(turn: Turn, path: str, phase: NodePhase, plan: NodePlan) -> NodeState:
    """The row of a node whose turn has come."""
    limit = plan.policy.node_timeout
    if limit is None and plan.kind in LEAVES:
        limit = turn.x.settings.node_timeout
    if plan.graph is not None and plan.graph.timeout is not None:
        limit = min(limit or plan.graph.timeout, plan.graph.timeout)
    return NodeState(path, phase, since=turn.now, deadline=turn.now + limit if limit is not None else None)


def queue(turn: Turn, row: NodeState) -> None:
    """Wait for a slot, behind those that wait already; without a reservation, which those in the slots may want."""
    if row.reserved and not turn.x.may_start(row.path):
        row = turn.release(row)
    turn.x.orders += 1
    turn.put(replace(row, phase=NodePhase.READY, order=turn.x.orders, wake_at=None))


def inputs(turn: Turn, row: NodeState, plan: NodePlan, look: Look = never) -> Values | None:
    """A node's inputs; None if they are being fetched, or cannot be had and the node ends for that."""
    try:
        found = node_inputs(turn.x, row.path, plan, look)
    except Missing as exc:
        turn.fetch(row.path, exc.uris)
        return None
    except ConversionError as exc:
        turn.stop(row.path, NodePhase.FAILED, unbound(exc))
        return None
    if turn.x.fetched and look is never:
        turn.x.prepared[row.path] = found
    return found


def unbound(exc: ConversionError) -> Failure:
    return Failure("BindingResolutionFailure", str(exc))


def unreadable(uri: str, message: str) -> Failure:
    return Failure("InputsUnreadable", f"{uri} could not be read: {message}", FailureKind.SYSTEM)


def halt(turn: Turn, row: NodeState, phase: NodePhase, then: NodePhase, failure: Failure | None) -> None:
    """Stop all that is live in a composite; `Act.HALTED` comes when nothing is.

    Args:
        phase: FAILING or STOPPING; only the first lets a failure node run.
    """
    turn.put(replace(row, phase=phase, then=then, failure=row.failure or failure))
    scope = turn.x.scopes[row.path]
    for path in scope.live:
        turn.stop_soon(path)
    if not scope.live:
        turn.later(Act.HALTED, row.path)


def origin(x: Execution, row: NodeState) -> Failure:
    """The failure of a node that ended badly, with its path."""
    if row.failure is not None:
        return row.failure if row.failure.path else replace(row.failure, path=row.path)
    return Failure("Aborted", "it was stopped", path=row.path)
