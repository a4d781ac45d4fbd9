"""Promises as flytekit shows them, each around one of Alula's."""

from __future__ import annotations

import enum
from collections import namedtuple
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any, NoReturn, TypeVar

from alula.compat.adopt import adopt
from alula.compat.flytekit.models.types import OutputReference
from alula.compat.names import mirror
from alula.errors import AlulaError
from alula.sdk import promise as ours
from alula.sdk.graph import START, Entity, Outputs, current_trace
from alula.sdk.graph import Node as OurNode

P = TypeVar("P", bound="Promise")


class ComparisonOps(enum.Enum):
    EQ, NE, GT, GE, LT, LE = "==", "!=", ">", ">=", "<", "<="


class ConjunctionOps(enum.Enum):
    AND, OR = "and", "or"


class ComparisonExpression:
    """`x > 3`, for a conditional."""

    def __init__(self, lhs: Any, op: ComparisonOps, rhs: Any) -> None:
        self.lhs, self.op, self.rhs = lhs, op, rhs

    @property
    def _ours(self) -> ours.Comparison:
        return ours.Comparison(unwrapped(self.lhs), self.op.value, unwrapped(self.rhs))

    def __and__(self, other: Any) -> ConjunctionExpression:
        return ConjunctionExpression(self, ConjunctionOps.AND, other)

    def __or__(self, other: Any) -> ConjunctionExpression:
        return ConjunctionExpression(self, ConjunctionOps.OR, other)

    def __bool__(self) -> bool:
        return bool(self._ours)

    def __repr__(self) -> str:
        return f"Comp({self.lhs} {self.op.value} {self.rhs})"


class ConjunctionExpression:
    """Two conditions joined by `&` or `|`."""

    def __init__(self, lhs: Any, op: ConjunctionOps, rhs: Any) -> None:
        self.lhs, self.op, self.rhs = lhs, op, rhs

    @property
    def _ours(self) -> Any:
        left, right = unwrapped(self.lhs), unwrapped(self.rhs)
        return left & right if self.op is ConjunctionOps.AND else left | right

    __and__, __or__, __bool__ = (
        ComparisonExpression.__and__,
        ComparisonExpression.__or__,
        ComparisonExpression.__bool__,
    )

    def __repr__(self) -> str:
        return f"({self.lhs} {'&' if self.op is ConjunctionOps.AND else '|'} {self.rhs})"


class NodeOutput(OutputReference):
    """Where a promise comes from."""

    def __init__(self, node: Any, var: str, attr_path: Any = None) -> None:
        super().__init__(node.id, var, list(attr_path or []))
        self.node = node


class Promise:
    """What a task gives while a workflow is read."""

    __slots__ = ("_ours",)

    def __init__(self, ours: ours.Promise) -> None:
        self._ours = ours

    @property
    def is_ready(self) -> bool:
        return False

    @property
    def var(self) -> str:
        return self._ours._var

    @property
    def attr_path(self) -> list[str | int]:
        return list(self._ours._path)

    @property
    def ref(self) -> NodeOutput:
        return NodeOutput(node_of(self._ours._node), self.var, self.attr_path)

    @property
    def val(self) -> NoReturn:
        raise ValueError(f"{self!r} has no value while the workflow is read; use it inside a @task")

    def with_overrides(self: P, *args: Any, **kwargs: Any) -> P:
        _guard(lambda: self._ours.with_overrides(**_overrides(args, kwargs)))
        return self

    def is_(self, v: Any) -> ComparisonExpression:
        return ComparisonExpression(self, ComparisonOps.EQ, v)

    def is_true(self) -> ComparisonExpression:
        return self.is_(True)

    def is_false(self) -> ComparisonExpression:
        return self.is_(False)

    def is_none(self) -> ComparisonExpression:
        return self.is_(None)

    def __eq__(self, other: object) -> Any:
        return ComparisonExpression(self, ComparisonOps.EQ, other)

    def __ne__(self, other: object) -> Any:
        return ComparisonExpression(self, ComparisonOps.NE, other)

    def __gt__(self, other: Any) -> ComparisonExpression:
        return ComparisonExpression(self, ComparisonOps.GT, other)

    def __ge__(self, other: Any) -> ComparisonExpression:
        return ComparisonExpression(self, ComparisonOps.GE, other)

    def __lt__(self, other: Any) -> ComparisonExpression:
        return ComparisonExpression(self, ComparisonOps.LT, other)

    def __le__(self, other: Any) -> ComparisonExpression:
        return ComparisonExpression(self, ComparisonOps.LE, other)

    __hash__ = object.__hash__

    def __rshift__(self, other: Any) -> Any:
        self._ours >> unwrapped(other)
        return other

    def runs_before(self, other: Any) -> None:
        self >> other

    def __getitem__(self, key: str | int) -> Promise:
        return Promise(self._ours[key])

    def __getattr__(self, name: str) -> Promise:
        if name.startswith("_"):
            raise AttributeError(name)
        return Promise(getattr(self._ours, name))

    def __bool__(self) -> bool:
        return bool(self._ours)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._ours)

    def __len__(self) -> int:
        return len(self._ours)

    def __int__(self) -> int:
        return int(self._ours)

    def __index__(self) -> int:
        return self._ours.__index__()

    def __float__(self) -> float:
        return float(self._ours)

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._ours()

    def __and__(self, other: Any) -> Any:
        return self._ours & other

    def __or__(self, other: Any) -> Any:
        return self._ours | other

    def _arithmetic(self, *_: Any) -> Any:
        return self._ours + 0

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _arithmetic
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __abs__ = _arithmetic

    def __repr__(self) -> str:
        node = "" if self._ours._node.id == START else self._ours._node.id
        return f"Promise(node:{node}.{self.var}.{self.attr_path})"

    __str__ = __repr__


class VoidPromise:
    """What a task without outputs gives while a workflow is read."""

    __slots__ = ("_ours",)

    def __init__(self, ours: ours.Void) -> None:
        self._ours = ours

    @property
    def task_name(self) -> str:
        entity = self._ours._node.entity
        return entity.name if entity is not None else ""

    @property
    def ref(self) -> NodeOutput:
        return NodeOutput(node_of(self._ours._node), "")

    def with_overrides(self, *args: Any, **kwargs: Any) -> VoidPromise:
        _guard(lambda: self._ours.with_overrides(**_overrides(args, kwargs)))
        return self

    def runs_before(self, other: Any) -> None:
        self >> other

    def __rshift__(self, other: Any) -> Any:
        self._ours >> unwrapped(other)
        return other

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._ours, name)

    def __bool__(self) -> bool:
        return bool(self._ours)  # raises, as all that follows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._ours)

    def __getitem__(self, key: Any) -> Any:
        return self._ours[key]

    def __repr__(self) -> str:
        return f"VoidPromise(task_name={self.task_name})"


class _Several:
    """What `namedtuple` lacks: several promises of one node can be ordered and overridden together."""

    _ours: Outputs

    @property
    def ref(self) -> Any:
        return next(iter(self)).ref  # type: ignore[call-overload]

    def with_overrides(self, *args: Any, **kwargs: Any) -> Any:
        _guard(lambda: self._ours.with_overrides(**_overrides(args, kwargs)))
        return self

    def runs_before(self, other: Any) -> None:
        self >> other

    def __rshift__(self, other: Any) -> Any:
        self._ours >> unwrapped(other)
        return other


@cache
def _tuple_class(name: str, fields: tuple[str, ...], promises: bool) -> Any:
    made = namedtuple(name, fields)  # type: ignore[misc]
    return type("Output", (_Several, made), {}) if promises else made


def wrapped(value: Any) -> Any:
    """A result of Alula's, while a workflow is read, as flytekit shows it."""
    if isinstance(value, ours.Promise):
        return Promise(value)
    if isinstance(value, ours.Void):
        return VoidPromise(value)
    if isinstance(value, OurNode):
        return node_of(value)
    if isinstance(value, tuple) and value and isinstance(value[0], ours.Promise):
        node = value[0]._node
        named = node.entity.interface.tuple_type if node.entity is not None else None
        name = named.__name__ if named is not None else "DefaultNamedTupleOutput"
        made = _tuple_class(name, tuple(node.outputs), True)(*(Promise(each) for each in value))
        made._ours = value if isinstance(value, Outputs) else Outputs.of(node)
        return made
    return value


def unwrapped(value: Any) -> Any:
    """What a program passes on, as Alula takes it; inside lists, tuples and dictionaries too."""
    if hasattr(value, "_ours"):
        return value._ours
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    if type(value) is dict:
        return {key: unwrapped(item) for key, item in value.items()}
    if isinstance(value, tuple) and any(isinstance(item, Promise | VoidPromise) for item in value):
        return tuple(unwrapped(item) for item in value)
    return value


def call(entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a call of an entity gives: values, or inside a workflow promises. Errors are flytekit's."""
    try:
        if current_trace() is None:
            return present(entity(*args, **kwargs), entity)
        given = {name: unwrapped(value) for name, value in kwargs.items()}
        return wrapped(entity(*(unwrapped(value) for value in args), **given))
    except AlulaError as exc:
        adopt(exc)
        raise


def present(result: Any, entity: Entity) -> Any:
    """Values as flytekit gives them: unnamed outputs come as a named tuple."""
    if hasattr(result, "__await__"):
        return _presented(result, entity)
    if type(result) is tuple:
        return _tuple_class("DefaultNamedTupleOutput", tuple(entity.interface.outputs), False)(*result)
    return result


async def _presented(result: Any, entity: Entity) -> Any:
    try:
        return present(await result, entity)
    except AlulaError as exc:
        adopt(exc)
        raise


def _overrides(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    given = {**({"node_name": args[0]} if args else {}), **kwargs}
    if "timeout" in given:
        timeout = given["timeout"] or timedelta(0)
        if not isinstance(timeout, timedelta | int):
            raise ValueError(
                f"timeout should be duration represented as either a datetime.timedelta or int seconds, got {timeout!r}"
            )
        given["timeout"] = timeout
    return given


def _guard(act: Any) -> None:
    try:
        act()
    except AlulaError as exc:
        adopt(exc)
        raise


def node_of(node: OurNode) -> Any:
    """A node of Alula's as flytekit's."""
    return _node_class(node)


_node_class: Any = None


def show_nodes_as(cls: Any) -> None:
    """Called by the module that defines `Node`, which needs this one."""
    global _node_class
    _node_class = cls


__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.compat.flytekit.core.node": "Node",
        "alula.compat.flytekit.core.context_manager": "FlyteContext FlyteContextManager",
    },
)
