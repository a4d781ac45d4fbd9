"""Conditions of branches: every operand a primitive that is there, both of a comparison of kinds that compare."""

from __future__ import annotations

from alula.compiler.bindings import Scope, Types, type_of
from alula.idl import BooleanExpression, ComparisonExpression, Literal, LiteralType, Operand, Scalar, SimpleType
from alula.idl.types import type_text

_KINDS: dict[int, str] = {
    SimpleType.NONE: "None",
    SimpleType.INTEGER: "a number",
    SimpleType.FLOAT: "a number",
    SimpleType.STRING: "text",
    SimpleType.BOOLEAN: "a bool",
    SimpleType.DATETIME: "a datetime",
    SimpleType.DURATION: "a timedelta",
}
_EQUALITY = (ComparisonExpression.EQ, ComparisonExpression.NEQ)


def check_condition(expression: BooleanExpression, path: str, inputs: Types, scope: Scope) -> None:
    """Add the faults of a condition over the inputs of its branch node."""
    todo = [(expression, path)]
    while todo:
        expr, at = todo.pop()
        match expr.WhichOneof("expr"):
            case "conjunction":
                todo.append((expr.conjunction.right_expression, f"{at}.right"))
                todo.append((expr.conjunction.left_expression, f"{at}.left"))
            case "comparison":
                _check_comparison(expr.comparison, at, inputs, scope)
            case _:
                scope.fault(at, "is empty")


def _check_comparison(comparison: ComparisonExpression, path: str, inputs: Types, scope: Scope) -> None:
    left = _kinds(comparison.left_value, f"{path}.left", inputs, scope)
    right = _kinds(comparison.right_value, f"{path}.right", inputs, scope)
    if left is None or right is None:
        return
    name = ComparisonExpression.Operator.Name(comparison.operator)
    why = why_not_comparable(left, right, name, equality=comparison.operator in _EQUALITY)
    if why:
        scope.fault(path, why)


def why_not_comparable(left: set[str], right: set[str], name: str, *, equality: bool) -> str:
    """Why an operator called `name` cannot compare values of these kinds, in words; empty when it can."""
    common = left & right
    if not common and not (equality and "None" in left | right):
        return f"{_words(left)} does not compare with {_words(right)}"
    if not equality and common <= {"a bool", "None"}:
        return f"{_words(common)} has no order, so {name} cannot compare it"
    return ""


def _kinds(operand: Operand, path: str, inputs: Types, scope: Scope) -> set[str] | None:
    """What an operand may be, in words; None if that is unknown or at fault."""
    match operand.WhichOneof("val"):
        case "var":
            if operand.var not in inputs:
                has = ", ".join(sorted(inputs)) or "none"
                scope.fault(path, f"the branch has no input {operand.var}; it has {has}")
                return None
            found = inputs[operand.var]
        case "primitive":
            found = type_of(Literal(scalar=Scalar(primitive=operand.primitive)))
        case "scalar":
            scalar = operand.scalar
            while scalar.HasField("union"):
                scalar = scalar.union.value.scalar
            if scalar.WhichOneof("value") not in ("primitive", "none_type"):
                scope.fault(path, f"expected a primitive, got {scalar.WhichOneof('value') or 'nothing'}")
                return None
            found = type_of(Literal(scalar=scalar))
        case _:
            scope.fault(path, "is empty")
            return None
    if found is None:
        return None
    kinds = kinds_of(found)
    if kinds is None:
        scope.fault(path, f"expected a primitive, got {type_text(found)} (from {operand.var})")
    return kinds


def kinds_of(t: LiteralType) -> set[str] | None:
    """What values of a type count as in a condition, in words; None where some of them cannot be compared."""
    match t.WhichOneof("type"):
        case "simple" if t.simple in _KINDS:
            return {_KINDS[t.simple]}
        case "enum_type":
            return {"text"}
        case "union_type":
            kinds: set[str] = set()
            for variant in t.union_type.variants:
                of_variant = kinds_of(variant)
                if of_variant is None:
                    return None
                kinds |= of_variant
            return kinds
        case _:
            return None


def _words(kinds: set[str]) -> str:
    return " or ".join(sorted(kinds, key=lambda kind: kind == "None"))
