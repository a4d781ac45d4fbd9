"""Bindings and conditions as messages."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from alula._kits import bridge
from alula.errors import CompileError
from alula.idl import (
    Binding,
    BindingData,
    BooleanExpression,
    ComparisonExpression,
    ConjunctionExpression,
    Literal,
    Operand,
    Primitive,
    literals,
)
from alula.sdk.bind import Bound, Constant, DictOf, ListOf, Reference
from alula.sdk.graph import START
from alula.sdk.promise import Comparison, Condition, Promise
from alula.types.transformer import Place

_OPERATORS = {
    "==": ComparisonExpression.EQ,
    "!=": ComparisonExpression.NEQ,
    ">": ComparisonExpression.GT,
    ">=": ComparisonExpression.GTE,
    "<": ComparisonExpression.LT,
    "<=": ComparisonExpression.LTE,
}


def binding(name: str, bound: Bound, place: Place) -> Binding:
    """One input of a node."""
    made = Binding(var=name)
    _fill(made.binding, bound, place)
    return made


def _fill(into: BindingData, bound: Bound, place: Place) -> None:
    match bound:
        case Reference(promise):
            _fill_promise(into, promise)
        case Constant(value, converter):
            lit = converter.to_literal(value, place)
            fill_literal(into, bridge.run(lit) if converter.awaits else lit)
        case ListOf(items):
            into.collection.SetInParent()
            for item in items:
                _fill(into.collection.bindings.add(), item, place)
        case DictOf(entries):
            into.map.SetInParent()
            for key, item in entries.items():
                _fill(into.map.bindings[key], item, place)


def _fill_promise(into: BindingData, promise: Promise) -> None:
    into.promise.var = promise._var
    if promise._node.id != START:
        into.promise.node_id = promise._node.id
    for part in promise._path:
        step = into.promise.attr_path.add()
        if isinstance(part, int):
            step.int_value = part
        else:
            step.string_value = part


def fill_literal(into: BindingData, lit: Literal) -> None:
    """A constant: lists and maps become bindings of their own, as flytekit writes them."""
    match lit.WhichOneof("value"):
        case "scalar" if lit.scalar.WhichOneof("value") == "union" and not lit.scalar.union.value.HasField("scalar"):
            fill_literal(into, lit.scalar.union.value)
        case "scalar":
            into.scalar.CopyFrom(lit.scalar)
        case "collection":
            into.collection.SetInParent()
            for item in lit.collection.literals:
                fill_literal(into.collection.bindings.add(), item)
        case "map":
            into.map.SetInParent()
            for key, item in lit.map.literals.items():
                fill_literal(into.map.bindings[key], item)
        case other:
            raise CompileError(f"a constant of kind {other!r} cannot be bound", fix="make the value inside a @task")


class Operands:
    """The operands of a branch node's conditions: each gets a name, and a binding under that name."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str, tuple[str | int, ...]], str] = {}
        self._promises: dict[str, Promise] = {}

    def name(self, promise: Promise) -> str:
        """`node.var`; with its path when another part of the same output has that name already."""
        node_id = "" if promise._node.id == START else promise._node.id
        key = (node_id, promise._var, promise._path)
        if key not in self._names:
            short = f"{node_id}.{promise._var}"
            if short in self._promises:
                short = ".".join([short, *map(str, promise._path)])
            self._names[key] = short
            self._promises[short] = promise
        return self._names[key]

    def bindings(self) -> Iterator[Binding]:
        """In order of their names, as flytekit writes them."""
        for name in sorted(self._promises):
            made = Binding(var=name)
            _fill_promise(made.binding, self._promises[name])
            yield made


def condition(expression: Condition, operands: Operands) -> BooleanExpression:
    """A comparison, or a tree of them."""
    if isinstance(expression, Comparison):
        comparison = ComparisonExpression(
            operator=_OPERATORS[expression.op],
            left_value=_operand(expression.left, operands),
            right_value=_operand(expression.right, operands),
        )
        return BooleanExpression(comparison=comparison)
    joined = ConjunctionExpression(
        operator=ConjunctionExpression.AND if expression.op == "and" else ConjunctionExpression.OR,
        left_expression=condition(expression.left, operands),
        right_expression=condition(expression.right, operands),
    )
    return BooleanExpression(conjunction=joined)


def _operand(value: Any, operands: Operands) -> Operand:
    if isinstance(value, Promise):
        return Operand(var=operands.name(value))
    if value is None:
        return Operand(scalar=literals.none().scalar)
    return Operand(primitive=_primitive(value))


def _primitive(value: Any) -> Primitive:
    if isinstance(value, enum.Enum):
        value = value.value
    match value:
        case bool():
            made = literals.boolean(value)
        case int():
            made = literals.integer(value)
        case float():
            made = literals.floating(value)
        case str():
            made = literals.string(value)
        case datetime():
            made = literals.timestamp(value)
        case timedelta():
            made = literals.duration(value)
        case _:
            raise CompileError(f"a condition compares with {value!r:.80}, which is no primitive value")
    return made.scalar.primitive
