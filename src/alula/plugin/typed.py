"""Configs as JSON: what a frozen dataclass looks like on the wire, and strict reading of it, from one description.

`shape_of(DaskConfig).schema()` is its JSON Schema; `.read(document)` makes the object, or says everything that is wrong
with the document. A protobuf Struct has one kind of number: whole ones are ints again where an int is declared.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from alula._kits.units import duration
from alula.errors import PluginError, Rejected
from alula.plugin.phase import Json

T = TypeVar("T")
Faults = list[str]
_NOTHING: Any = object()
_SHOWN = 80


class Shape(ABC):
    """One type as JSON."""

    @abstractmethod
    def schema(self, known: dict[str, Json]) -> dict[str, Json]:
        """Its JSON Schema. Schemas of dataclasses go into `known`, by name."""

    @abstractmethod
    def read(self, value: Any, path: str, faults: Faults) -> Any:
        """The value; what is wrong with it goes into `faults`, each with its path."""

    @abstractmethod
    def write(self, value: Any) -> Json:
        """As `read` takes it."""

    def parts(self) -> Sequence[Shape]:
        """The types within it. Raises PluginError for one that is not known."""
        return ()


def schema(cls: type) -> dict[str, Json]:
    """The JSON Schema (draft 2020-12) of a dataclass, with the docstrings of its fields.

    Raises:
        PluginError: A field has a type that JSON cannot hold.
    """
    known: dict[str, Json] = {}
    root = shape_of(cls).schema(known)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "$defs": known}


def read(document: Mapping[str, Any], cls: type[T], *, what: str = "config") -> T:
    """A document as a dataclass.

    Raises:
        Rejected: It does not fit; says everything that is wrong.
        PluginError: The class itself cannot be read.
    """
    faults: Faults = []
    kind: Any = cls
    value: T = shape_of(kind).read(document, what, faults)
    if faults:
        head = faults[0] if len(faults) == 1 else f"{len(faults)} things are wrong: " + "; ".join(faults)
        raise Rejected(head, fix=f"give what {cls.__name__} declares", code="BadTaskConfig")
    return value


def faults_of(document: Mapping[str, Any], cls: type, *, what: str = "config") -> list[str]:
    """Everything that is wrong with a document."""
    faults: Faults = []
    shape_of(cls).read(document, what, faults)
    return faults


def write(value: Any) -> dict[str, Json]:
    """A dataclass as a document that `read` takes."""
    kind: Any = type(value)
    made = shape_of(kind).write(value)
    assert isinstance(made, dict)
    return made


def check(kind: Any) -> None:
    """See that JSON can hold a type with all that is in it. Raises PluginError."""
    seen, ahead = set[int](), [shape_of(kind)]
    while ahead:
        shape = ahead.pop()
        if id(shape) not in seen:  # a class may name itself
            seen.add(id(shape))
            ahead.extend(shape.parts())


@lru_cache(maxsize=512)
def shape_of(kind: Any) -> Shape:
    """How a type is read and written. Raises PluginError for one that is not known."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is typing.Annotated:
        return shape_of(args[0])
    if origin in (Union, UnionType):
        return _Choice(tuple(shape_of(arg) for arg in args))
    if origin is Literal:
        return _OneOf({arg: arg for arg in args})
    if origin in (list, tuple, Sequence, frozenset, set):
        if origin is tuple and (len(args) != 2 or args[1] is not Ellipsis):
            return _Fixed(tuple(shape_of(arg) for arg in args))
        return _Many(shape_of(args[0]) if args else _ANY, list if origin is list else _maker(origin))
    if origin in (dict, Mapping):
        if args and args[0] is not str:
            raise PluginError(f"{kind} cannot be written as JSON: its keys are no text", fix="use dict[str, ...]")
        return _Table(shape_of(args[1]) if args else _ANY)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _OneOf({member.value: member for member in kind})
    if is_dataclass(kind) and isinstance(kind, type):
        return _Record(kind)
    raise PluginError(
        f"{kind} is no type for a config",
        fix="use int, float, bool, str, datetime, timedelta, enums, Literal, dataclasses, and lists, tuples, dicts and "
        "unions of them",
    )


def _maker(origin: Any) -> Callable[[list[Any]], Any]:
    return tuple if origin in (tuple, Sequence) else origin


@dataclass(frozen=True, slots=True)
class _Plain(Shape):
    """One JSON value."""

    says: Mapping[str, Json]
    name: str
    take: Callable[[Any], Any]
    """Gives `_NOTHING` for what does not fit."""
    give: Callable[[Any], Json] = lambda value: value

    def schema(self, known: dict[str, Json]) -> dict[str, Json]:
        return dict(self.says)

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        taken = self.take(value)
        if taken is _NOTHING:
            faults.append(f"{path} is {_text(value)}, and must be {self.name}")
        return taken

    def write(self, value: Any) -> Json:
        return self.give(value)


def _whole(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _NOTHING
    return int(value) if value == value and abs(value) != float("inf") and value == int(value) else _NOTHING


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else _NOTHING


def _span(value: Any) -> Any:
    if isinstance(value, bool):
        return _NOTHING
    try:
        return timedelta(seconds=value) if isinstance(value, int | float) else duration(value)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return _NOTHING


def _moment(value: Any) -> Any:
    try:
        made = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return _NOTHING
    return made if made.tzinfo is not None else made.replace(tzinfo=UTC)


def _of(kind: type) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, kind) else _NOTHING


_ANY = _Plain({}, "anything", lambda value: value)
_PLAIN: Mapping[Any, Shape] = {
    Any: _ANY,
    object: _ANY,
    NoneType: _Plain({"type": "null"}, "null", lambda value: value if value is None else _NOTHING),
    None: _Plain({"type": "null"}, "null", lambda value: value if value is None else _NOTHING),
    bool: _Plain({"type": "boolean"}, "true or false", _of(bool)),
    int: _Plain({"type": "integer"}, "a whole number", _whole),
    float: _Plain({"type": "number"}, "a number", _number),
    str: _Plain({"type": "string"}, "text", _of(str)),
    timedelta: _Plain(
        {"type": ["number", "string"], "description": "Seconds, or a duration such as `90s` or `2h`."},
        "a duration: seconds, or such as '90s'",
        _span,
        lambda value: value.total_seconds(),
    ),
    datetime: _Plain(
        {"type": "string", "format": "date-time"}, "a time such as 2026-01-31T12:00:00Z", _moment, datetime.isoformat
    ),
}


@dataclass(frozen=True, slots=True)
class _OneOf(Shape):
    values: Mapping[Any, Any]

    def schema(self, known: dict[str, Json]) -> dict[str, Json]:
        return {"enum": list(self.values)}

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        for wire, meant in self.values.items():
            if wire == value and isinstance(wire, bool) == isinstance(value, bool):
                return meant
        faults.append(f"{path} is {_text(value)}, and must be one of {', '.join(map(repr, self.values))}")
        return _NOTHING

    def write(self, value: Any) -> Json:
        wire: Json = value.value if isinstance(value, Enum) else value
        return wire


@dataclass(frozen=True, slots=True)
class _Many(Shape):
    item: Shape
    make: Callable[[list[Any]], Any]

    def parts(self) -> Sequence[Shape]:
        return (self.item,)

    def schema(self, known: dict[str, Json]) -> dict[str, Json]:
        return {"type": "array", "items": self.item.schema(known)}

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if isinstance(value, str) or not isinstance(value, Sequence):
            faults.append(f"{path} is {_text(value)}, and must be a list")
            return _NOTHING
        return self.make([self.item.read(one, f"{path}[{at}]", faults) for at, one in enumerate(value)])

    def write(self, value: Any) -> Json:
        return [self.item.write(one) for one in value]


@dataclass(frozen=True, slots=True)
class _Fixed(Shape):
    items: tuple[Shape, ...]

    def parts(self) -> Sequence[Shape]:
        return self.items

    def schema(self, known: dict[str, Json]) -> dict[str, Json]:
        count = len(self.items)
        each: list[Json] = [item.schema(known) for item in self.items]
        return {"type": "array", "prefixItems": each, "minItems": count, "maxItems": count}

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != len(self.items):
            faults.append(f"{path} is {_text(value)}, and must be a list of {len(self.items)}")
            return _NOTHING
        pairs = enumerate(zip(self.items, value, strict=True))
        return tuple(item.read(one, f"{path}[{at}]", faults) for at, (item, one) in pairs)

    def write(self, value: Any) -> Json:
        return [item.write(one) for item, one in zip(self.items, value, strict=True)]


@dataclass(frozen=True, slots=True)
class _Table(Shape):
    value: Shape

    def parts(self) -> Sequence[Shape]:
        return (self.value,)

    def schema(self, known: dict[str, Json]) -> dict[str, Json]:
        return {"type": "object", "additionalProperties": self.value.schema(known)}

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, Mapping):
            faults.append(f"{path} is {_text(value)}, and must be an object")
            return _NOTHING
        return {key: self.value.read(one, f"{path}.{key}", faults) for key, one in value.items()}

    def write(self, value: Any) -> Json:
        return {key: self.value.write(one) for key, one in value.items()}


@dataclass(frozen=True, slots=True)
class _Choice(Shape):
    """A union: the first variant that takes the value."""

    variants: tuple[Shape, ...]

    def parts(self) -> Sequence[Shape]:
        return self.variants

    def schema(self, known: dict[str, Json]) -> dict[str, Json]:
        return {"anyOf": [one.schema(known) for one in self.variants]}

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        said: list[Faults] = []
        for variant in self.variants:
            wrong: Faults = []
            taken = variant.read(value, path, wrong)
            if not wrong:
                return taken
            said.append(wrong)
        records = [wrong for variant, wrong in zip(self.variants, said, strict=True) if isinstance(variant, _Record)]
        if isinstance(value, Mapping) and len(records) == 1:
            faults.extend(records[0])
        else:
            faults.append(", or: ".join(wrong[0] for wrong in said))
        return _NOTHING

    def write(self, value: Any) -> Json:
        for variant in self.variants:
            try:
                document = variant.write(value)
            except (TypeError, ValueError, AttributeError, KeyError):
                continue
            if variant.read(document, "", []) == value:
                return document
        raise PluginError(f"{value!r} fits no variant of its union")


class _Record(Shape):
    """A dataclass."""

    def __init__(self, kind: type[Any]) -> None:
        self._kind = kind
        self._fields: tuple[Field[Any], ...] = tuple(one for one in fields(kind) if one.init)
        self._shapes: Mapping[str, Shape] | None = None

    def _shape(self, name: str) -> Shape:
        if self._shapes is None:  # late: a class may name itself
            hints = typing.get_type_hints(self._kind)
            self._shapes = {one.name: shape_of(hints[one.name]) for one in self._fields}
        return self._shapes[name]

    def parts(self) -> Sequence[Shape]:
        return [self._shape(one.name) for one in self._fields]

    def schema(self, known: dict[str, Json]) -> dict[str, Json]:
        name = self._kind.__name__
        if name not in known:
            known[name] = {}
            known[name] = self._object(known)
        return {"$ref": f"#/$defs/{name}"}

    def _object(self, known: dict[str, Json]) -> dict[str, Json]:
        told, properties = descriptions(self._kind), {}
        for one in self._fields:
            shape = self._shape(one.name)
            said = shape.schema(known)
            default = one.default_factory() if one.default_factory is not MISSING else one.default
            if default is not MISSING:
                said = {**said, "default": shape.write(default)}
            if one.name in told:
                said = {**said, "description": told[one.name]}
            properties[one.name] = said
        made: dict[str, Json] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
        required: list[Json] = [one.name for one in self._fields if _required(one)]
        if required:
            made["required"] = required
        about = inspect.cleandoc(self._kind.__doc__ or "")
        if about and not about.startswith(f"{self._kind.__name__}("):  # what dataclass writes by itself
            made["description"] = about
        return made

    def read(self, value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, Mapping):
            faults.append(f"{path} is {_text(value)}, and must be an object")
            return _NOTHING
        names = [one.name for one in self._fields]
        before = len(faults)
        for key in value:
            if key not in names:
                close = get_close_matches(str(key), names, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names) or 'none'}"
                faults.append(f"{path} has no key {key!r}; {hint}")
        given = {}
        for one in self._fields:
            if one.name in value:
                given[one.name] = self._shape(one.name).read(value[one.name], f"{path}.{one.name}", faults)
            elif _required(one):
                faults.append(f"{path}.{one.name} is missing")
        if len(faults) > before:
            return _NOTHING
        try:
            return self._kind(**given)
        except (ValueError, TypeError) as exc:  # what its __post_init__ says
            faults.append(f"{path}: {exc}")
            return _NOTHING

    def write(self, value: Any) -> Json:
        if not isinstance(value, self._kind):
            raise TypeError(f"{value!r} is no {self._kind.__name__}")
        return {one.name: self._shape(one.name).write(getattr(value, one.name)) for one in self._fields}


def _required(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def descriptions(kind: type) -> Mapping[str, str]:
    """The docstrings below the fields of a class, by field; none if its source is not at hand."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):
        return {}
    told, body = {}, getattr(tree.body[0], "body", [])
    for at, line in enumerate(body[1:], 1):
        before = body[at - 1]
        if isinstance(line, ast.Expr) and isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name):
            text = getattr(line.value, "value", None)
            if isinstance(text, str):
                told[before.target.id] = inspect.cleandoc(text)
    return told


def _text(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
