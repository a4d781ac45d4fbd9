"""Branches: the first arm whose condition holds; the others are skipped."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from alula._kits.records import replace
from alula.engine.agenda import Act
from alula.engine.execution import Scope
from alula.engine.nodes.bind import always
from alula.engine.nodes.common import first_row, inputs, origin, unbound
from alula.engine.plan import NodePlan
from alula.engine.state import Failure, NodePhase, NodeState, child
from alula.engine.turn import Turn
from alula.errors import ConversionError
from alula.idl import BooleanExpression, ComparisonExpression, ConjunctionExpression, Literal, Operand, literals

Plain = int | float | str | bool | datetime | timedelta | None

_COMPARE: Mapping[int, Callable[[Any, Any], Any]] = {
    ComparisonExpression.EQ: operator.eq,
    ComparisonExpression.NEQ: operator.ne,
    ComparisonExpression.GT: operator.gt,
    ComparisonExpression.GTE: operator.ge,
    ComparisonExpression.LT: operator.lt,
    ComparisonExpression.LTE: operator.le,
}


def begin(turn: Turn, path: str, plan: NodePlan) -> None:
    row = first_row(turn, path, NodePhase.RESOLVING, plan)
    turn.begin(row)
    prepare(turn, row, plan)


def prepare(turn: Turn, row: NodeState, plan: NodePlan) -> None:
    """Choose an arm, once what the conditions compare is there."""
    values = inputs(turn, row, plan, always)
    if values is None:
        return
    try:
        taken = choose(plan, values.literals())
    except ConversionError as exc:
        turn.end(row, NodePhase.FAILED, failure=unbound(exc))
        return
    if taken is None:
        turn.end(row, NodePhase.FAILED, failure=_no_match(plan))
        return
    row = replace(row, phase=NodePhase.RUNNING, arm=taken, started_at=turn.now)
    turn.put(row)
    turn.x.open_scope(row)
    for nth, arm in enumerate(plan.arms):
        path = child(row.path, arm.then.id)
        if nth == taken:
            turn.later(Act.ACTIVATE, path)
        else:
            turn.put(NodeState(path, NodePhase.SKIPPED, since=turn.now, ended_at=turn.now))


def child_ended(turn: Turn, scope: Scope, row: NodeState) -> None:
    owner = turn.x.nodes[scope.path]
    if owner.phase is not NodePhase.RUNNING:
        turn.later(Act.HALTED, scope.path)
    elif row.phase.good:
        turn.end(owner, NodePhase.SUCCEEDED, outputs=row.outputs)
    else:
        turn.end(owner, NodePhase.FAILED, failure=origin(turn.x, row))


def choose(plan: NodePlan, values: Mapping[str, Literal]) -> int | None:
    """The number of the arm to take; None if no condition holds and there is no else. Raises ConversionError."""
    for nth, arm in enumerate(plan.arms):
        if arm.condition is None or holds(arm.condition, values):
            return nth
    return None


def holds(expression: BooleanExpression, values: Mapping[str, Literal]) -> bool:
    """Whether a condition is true of a branch's inputs. Raises ConversionError for what cannot be compared."""
    if expression.WhichOneof("expr") == "conjunction":
        both = expression.conjunction
        first = holds(both.left_expression, values)
        if first is (both.operator == ConjunctionExpression.OR):
            return first
        return holds(both.right_expression, values)
    comparison = expression.comparison
    left, right = _operand(comparison.left_value, values), _operand(comparison.right_value, values)
    try:
        return bool(_COMPARE[comparison.operator](left, right))
    except TypeError as exc:
        name = ComparisonExpression.Operator.Name(comparison.operator)
        raise ConversionError(f"{left!r} and {right!r} cannot be compared by {name}") from exc


def _operand(operand: Operand, values: Mapping[str, Literal]) -> Plain:
    match operand.WhichOneof("val"):
        case "var":
            if operand.var not in values:
                raise ConversionError(f"the condition compares {operand.var!r}, which the branch has no value of")
            return _plain(values[operand.var])
        case "scalar":
            return _plain(Literal(scalar=operand.scalar))
        case _:
            lit = Literal()
            lit.scalar.primitive.CopyFrom(operand.primitive)
            return _plain(lit)


def _plain(lit: Literal) -> Plain:
    lit = literals.unpacked(lit)
    match literals.kind(lit):
        case "none_type":
            return None
        case "integer":
            return lit.scalar.primitive.integer
        case "float_value":
            return lit.scalar.primitive.float_value
        case "string_value":
            return lit.scalar.primitive.string_value
        case "boolean":
            return lit.scalar.primitive.boolean
        case "datetime":
            return literals.to_datetime(lit)
        case "duration":
            return literals.to_timedelta(lit)
        case other:
            raise ConversionError(f"a condition compares a literal of kind {other or 'nothing'}")


def _no_match(plan: NodePlan) -> Failure:
    blocks = plan.node.branch_node.if_else
    return Failure("BranchFailed", blocks.error.message or f"no condition of {plan.title} holds, and there is no else")
