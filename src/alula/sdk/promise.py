"""What a node's output looks like while a workflow is being compiled: a value that is not there yet."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args, get_origin

from alula.errors import PromiseError
from alula.sdk.signature import caller
from alula.types.transformer import split, type_name

if TYPE_CHECKING:
    from alula.sdk.graph import Node

UNKNOWN: Any = object()
"""The type of what nobody declared: a value inside an untyped dictionary."""

PROMISE_TEXT = re.compile(r"<promise of [\w.-]+\.\w+[^>]*>|<no output of [\w.-]+ \([^>]*\)>")
"""What `str` of a promise gives, or of what a node without outputs returns."""

Operator = Literal["==", "!=", ">", ">=", "<", "<="]


class Promise:
    """One output of a node, or one input of the workflow, that has no value yet.

    It may be passed to tasks, compared inside `conditional(...)`, indexed and its attributes read; nothing else:
    the function body runs once, at compile time, to find the graph.
    """

    __slots__ = ("_node", "_path", "_type", "_var")

    def __init__(self, node: Node, var: str, type: Any, path: tuple[str | int, ...] = ()) -> None:
        self._node, self._var, self._type, self._path = node, var, type, path

    # what may be done with it

    def with_overrides(self, **overrides: Any) -> Promise:
        """The same promise, its node run with other settings. See `Node.with_overrides`."""
        self._node.with_overrides(**overrides)
        return self

    def __rshift__(self, other: Any) -> Any:
        """`a >> b`: run `b` after `a`, although no data flows."""
        self._node.runs_before(node_of(other))
        return other

    def is_true(self) -> Comparison:
        return Comparison(self, "==", True)

    def is_false(self) -> Comparison:
        return Comparison(self, "==", False)

    def is_none(self) -> Comparison:
        return Comparison(self, "==", None)

    def is_(self, value: bool | None) -> Comparison:
        return Comparison(self, "==", value)

    def __eq__(self, other: object) -> Comparison:  # type: ignore[override]
        return Comparison(self, "==", other)

    def __ne__(self, other: object) -> Comparison:  # type: ignore[override]
        return Comparison(self, "!=", other)

    def __gt__(self, other: Any) -> Comparison:
        return Comparison(self, ">", other)

    def __ge__(self, other: Any) -> Comparison:
        return Comparison(self, ">=", other)

    def __lt__(self, other: Any) -> Comparison:
        return Comparison(self, "<", other)

    def __le__(self, other: Any) -> Comparison:
        return Comparison(self, "<=", other)

    __hash__ = object.__hash__

    def __getitem__(self, key: str | int) -> Promise:
        if isinstance(key, bool) or not isinstance(key, str | int):
            _refuse(self, f"is indexed by {key!r}", "index with a plain str or int, known when compiling")
        return Promise(self._node, self._var, _item_type(self, key), (*self._path, key))

    def __getattr__(self, name: str) -> Promise:
        if name.startswith("__"):  # copy, pickle, numpy and the like ask for these
            raise AttributeError(name)
        return Promise(self._node, self._var, _attribute_type(self, name), (*self._path, name))

    def __deepcopy__(self, memo: object) -> Promise:
        return self  # a copy of its node would be none of the workflow

    def __repr__(self) -> str:
        path = "".join(f".{p}" if isinstance(p, str) else f"[{p}]" for p in self._path)
        return f"<promise of {self._node.id}.{self._var}{path}: {_shown(self._type)}>"

    # what may not

    def __bool__(self) -> NoReturn:
        _refuse(
            self,
            "is used as a bool (in `if`, `and`, `or` or `not`)",
            'decide with conditional("name").if_(x == 1).then(...).else_().then(...), or move the code into a @task '
            "or a @dynamic",
        )

    def __iter__(self) -> Iterator[Any]:
        _refuse(self, "is iterated or unpacked", "use map_task, or move the loop into a @task or a @dynamic")

    def __len__(self) -> int:
        _refuse(self, "is given to len()", "move the code into a @task or a @dynamic")

    def __contains__(self, item: object) -> bool:
        _refuse(self, "is searched with `in`", "move the code into a @task or a @dynamic")

    def __index__(self) -> int:
        _refuse(self, "is used as an int (in range() or as an index)", "use map_task or a @dynamic")

    def __int__(self) -> int:
        _refuse(self, "is given to int()", "convert inside a @task")

    def __float__(self) -> float:
        _refuse(self, "is given to float()", "convert inside a @task")

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse(self, "is called", "call methods of the value inside a @task")

    def __format__(self, spec: str) -> str:
        _refuse(self, "is formatted into a string (an f-string or str.format)", "build the text in a @task")

    def _arithmetic(self, *_: Any) -> NoReturn:
        _refuse(self, "is used in arithmetic", "compute inside a @task")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _arithmetic
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __pos__ = __abs__ = _arithmetic
    __round__ = __trunc__ = __floor__ = __ceil__ = _arithmetic
    __matmul__ = __rmatmul__ = __divmod__ = __rdivmod__ = __invert__ = __xor__ = __rxor__ = _arithmetic

    def __and__(self, other: Any) -> NoReturn:
        _refuse(self, "is combined with & or |", "compare it first: (x == 1) & (y > 2), or x.is_true()")

    __or__ = __rand__ = __ror__ = __and__


class Void:
    """What a node without outputs returns: it can be ordered with `>>`, and nothing else."""

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    def __rshift__(self, other: Any) -> Any:
        """`a >> b`: run `b` after `a`."""
        self._node.runs_before(node_of(other))
        return other

    def with_overrides(self, **overrides: Any) -> Void:
        """The same node, run with other settings. See `Node.with_overrides`."""
        self._node.with_overrides(**overrides)
        return self

    def runs_before(self, other: Any) -> None:
        self._node.runs_before(node_of(other))

    def __repr__(self) -> str:
        return f"<no output of {self._node.id} ({self._node.title})>"

    def _no_value(self, *_: Any) -> NoReturn:
        raise PromiseError(
            f"'{self._node.title}' returns nothing, and its result is used as a value",
            where=caller(),
            fix=f"give '{self._node.title}' a return annotation, or order nodes with `a >> b`",
        )

    __bool__ = __iter__ = __getitem__ = __len__ = __call__ = __add__ = __radd__ = __index__ = _no_value
    __gt__ = __ge__ = __lt__ = __le__ = __contains__ = __int__ = __float__ = _no_value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._no_value()


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """`x > 3` between promises and constants of primitive types, for conditionals."""

    left: Any
    op: Operator
    right: Any

    def __and__(self, other: Condition) -> Conjunction:
        return Conjunction(self, "and", _condition(other))

    def __or__(self, other: Condition) -> Conjunction:
        return Conjunction(self, "or", _condition(other))

    def __bool__(self) -> NoReturn:
        _no_bool(self)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Conjunction:
    """Two conditions joined by `&` or `|`."""

    left: Condition
    op: Literal["and", "or"]
    right: Condition

    def __and__(self, other: Condition) -> Conjunction:
        return Conjunction(self, "and", _condition(other))

    def __or__(self, other: Condition) -> Conjunction:
        return Conjunction(self, "or", _condition(other))

    def __bool__(self) -> NoReturn:
        _no_bool(self)


Condition = Comparison | Conjunction


def node_of(value: Any) -> Node:
    """The node behind a promise, a void, a tuple of promises, a conditional's result or a node itself."""
    if isinstance(value, Promise | Void):
        return value._node
    if isinstance(value, tuple) and value:
        return node_of(value[0])
    if hasattr(value, "runs_before") and hasattr(value, "bindings"):
        return typing.cast("Node", value)
    raise PromiseError(
        f"`>>` orders nodes, and {value!r} is none", where=caller(), fix="put the result of a task call on both sides"
    )


def promises_in(value: Any) -> Iterator[Promise]:
    """Every promise in a value: itself, or inside lists, tuples and dictionaries."""
    if isinstance(value, Promise):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from promises_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from promises_in(item)


def _condition(value: Any) -> Condition:
    if isinstance(value, Comparison | Conjunction):
        return value
    raise PromiseError(
        f"{value!r} is not a condition", where=caller(), fix="compare on both sides: (x == 1) & (y > 2), or x.is_true()"
    )


def _no_bool(expression: Condition) -> NoReturn:
    raise PromiseError(
        "a comparison of promises is used as a bool (in `if`, `and`, `or`, `not` or a chained comparison)",
        where=caller(),
        fix='use conditional("name").if_(...), and join comparisons with & and |, each in parentheses',
    )


def described(promise: Promise) -> str:
    """What a promise is, in the words of the program: `input 'a' of 'wf'`, `output 'o0' of 'add'`, with its path."""
    node = promise._node
    kind = "input" if node.entity is None else "output"
    path = "".join(f".{p}" if isinstance(p, str) else f"[{p}]" for p in promise._path)
    return f"{kind} '{promise._var}' of '{node.title}'" + (f" at {path}" if path else "")


def _refuse(promise: Promise, what: str, fix: str) -> NoReturn:
    raise PromiseError(
        f"{described(promise)} {what}; it has no value while the workflow is compiled", where=caller(), fix=fix
    )


def _shown(t: Any) -> str:
    return "unknown" if t is UNKNOWN else type_name(split(t)[0])


def _item_type(promise: Promise, key: str | int) -> Any:
    """The declared type of `promise[key]`. Raises PromiseError where it is known to fail."""
    t = split(promise._type)[0]
    origin, args = get_origin(t) or t, get_args(t)
    if t is UNKNOWN:
        return UNKNOWN
    if origin is list and isinstance(key, int):
        return args[0] if args else UNKNOWN
    if origin is tuple and isinstance(key, int) and args:
        return args[0] if len(args) == 2 and args[1] is Ellipsis else args[key] if key < len(args) else UNKNOWN
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(key, str):
        return args[1] if len(args) == 2 else UNKNOWN
    if _fields(t) is not None and isinstance(key, str):
        return _attribute_type(promise, key)
    if origin is typing.Union or origin in (typing.Any,):
        return UNKNOWN
    _refuse(
        promise,
        f"is indexed by {key!r}, and {_shown(t)} has no such item",
        "index a list by int and a dict by str; anything else inside a @task",
    )


def _attribute_type(promise: Promise, name: str) -> Any:
    """The declared type of `promise.name`. Raises PromiseError for a name that the type does not have."""
    t = split(promise._type)[0]
    if t is UNKNOWN:
        return UNKNOWN
    fields = _fields(t)
    if fields is None:
        origin = get_origin(t) or t
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return get_args(t)[1] if len(get_args(t)) == 2 else UNKNOWN
        if origin is typing.Union or type(t).__name__ == "UnionType":
            return UNKNOWN
        _refuse(
            promise,
            f"has no attribute '{name}' that a workflow can read: it is {_shown(t)}",
            "read attributes of dataclasses, pydantic models and dicts; use the value itself inside a @task",
        )
    if name not in fields:
        _refuse(
            promise,
            f"has no field '{name}': it is {_shown(t)}, which has {', '.join(fields)}",
            f"correct the name{_closest(name, fields)}",
        )
    return fields[name]


def _closest(name: str, fields: Mapping[str, Any]) -> str:
    near = [f for f in fields if f.lower() == name.lower() or f.startswith(name[:3])]
    return f": perhaps '{near[0]}'" if near else ""


def _fields(t: Any) -> dict[str, Any] | None:
    """Field name to declared type, of a dataclass, a pydantic model or a NamedTuple; None for other types."""
    origin = get_origin(t) or t
    if not isinstance(origin, type):
        return None
    if dataclasses.is_dataclass(origin):
        names = [f.name for f in dataclasses.fields(origin)]
    elif hasattr(origin, "model_fields"):
        names = list(origin.model_fields)
    elif issubclass(origin, tuple) and hasattr(origin, "_fields"):
        names = list(origin._fields)
    else:
        return None
    hints = typing.get_type_hints(origin, include_extras=True)
    params = dict(zip(getattr(origin, "__parameters__", ()), get_args(t), strict=False))
    return {name: params.get(hints[name], hints[name]) if name in hints else UNKNOWN for name in names}
