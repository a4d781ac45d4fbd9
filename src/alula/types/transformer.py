"""The contract of one Python type family <-> flyteidl literal.

Write one class:

    class UuidTransformer(TypeTransformer[UUID]):
        python_type = UUID

        def literal_type(self, t, types):
            return LiteralType(simple=SimpleType.STRING)

        def to_literal(self, value, t, at):
            return literals.string(str(value))

        def to_python(self, lit, t, at):
            return UUID(lit.scalar.primitive.string_value)

and register it with `alula.types.register(UuidTransformer())` or an entry point in the group `alula.types`.
"""

from __future__ import annotations

import html
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, NewType, Protocol, TypeVar, get_args, get_origin
from typing import Literal as Choice

from alula.data.objects import ObjectStore
from alula.errors import ConversionError
from alula.idl import Literal, LiteralType, SimpleType
from alula.idl import packing as plain

T = TypeVar("T")


class Types(Protocol):
    """What a transformer may ask of the registry, for its element types."""

    def converter(self, t: Any) -> Converter:
        """The compiled converter of a declared type. Raises UnsupportedType."""
        ...

    def literal_type(self, t: Any) -> LiteralType: ...

    def packing(self, t: Any) -> Packing:
        """How values of a declared type live inside packed data. Raises UnsupportedType."""
        ...

    def guess(self, lt: LiteralType) -> Any:
        """A Python type for a literal type that no one declared. Raises UnsupportedType."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a conversion happens: the blob store and the prefix (no trailing slash) that new blobs go under."""

    objects: ObjectStore
    prefix: str
    types: Types
    new_name: Callable[[], str]
    """A fresh name for a blob under `prefix`; unique within the attempt."""

    def new_uri(self, suffix: str = "") -> str:
        """A URI under `prefix` that nobody else gets."""
        return f"{self.prefix}/{self.new_name()}{suffix}"


@dataclass(frozen=True, slots=True)
class Converter:
    """How values of one declared type cross the border. Resolved once per type, then called per value.

    `to_literal` and `to_python` return the result, or an awaitable of it when `awaits` is True.
    Both raise `ConversionError` with no path; whoever knows the parameter's name adds it (`types.maps`).
    """

    declared: Any
    """The declared type as written, `Annotated` and all."""
    literal_type: LiteralType
    to_literal: Callable[[Any, Place], Any]
    to_python: Callable[[Literal, Place], Any]
    awaits: bool = False
    copy: Callable[[Any], Any] | None = None
    """`to_python(to_literal(value))` without the literal, for values that need no I/O; checks the value as
    strictly as `to_literal` does. None: go through the literal. It returns `value` itself only if immutable."""
    name: str = ""
    """The transformer's name: the tag that marks the variant in a union, as flytekit writes it."""
    matches: Callable[[Any], bool] | None = None
    """Whether a value is certainly of this type, for choosing a union's variant. None: try `to_literal`."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How values of one type live inside packed data: a field of a dataclass, an item of a tuple, a value of a dict.

    Plain data is what msgpack holds: None, bool, int, float, str, bytes, and lists and dicts of these.
    """

    pack: Callable[[Any, Place], Any]
    """Value to plain data; an awaitable of it when `awaits`. Raises ConversionError."""
    unpack: Callable[[Any, Place], Any]
    """Plain data, which it may keep, to value; an awaitable of it when `awaits`. Raises ConversionError."""
    awaits: bool = False
    copy: Callable[[Any], Any] | None = None
    """`unpack(pack(value))`, as strict as both and without their cost; None: not possible without I/O."""
    exact: type | None = None
    """A class whose own instances are immutable, and are their plain form as they stand (`str`)."""
    kinds: frozenset[type] = frozenset()
    """The classes of the plain data that `pack` makes, to tell the variants of a union apart; empty: any."""
    of: type | None = None
    """The class of the values, to choose the variant of a union; None: only a trial can tell."""


@dataclass(frozen=True, slots=True)
class HashMethod(Generic[T]):
    """In `Annotated[T, HashMethod(fn)]`: the cache key holds `fn(value)` instead of the content."""

    calculate: Callable[[T], str]


class TypeTransformer(ABC, Generic[T]):
    """One Python type (and its subclasses) as flyteidl literals. No state; one instance serves all threads."""

    python_type: ClassVar[Any]
    """The type this is looked up by: a class, or a generic origin such as `list`."""
    more_types: ClassVar[tuple[Any, ...]] = ()
    """Further types that this serves."""
    name: ClassVar[str] = ""
    """Tag of union variants; the class name of `python_type` when empty."""

    @abstractmethod
    def literal_type(self, t: Any, types: Types) -> LiteralType:
        """The wire type of the declared type `t`. Called once per declared type. Raises UnsupportedType."""

    @abstractmethod
    def to_literal(self, value: T, t: Any, at: Place) -> Literal | Awaitable[Literal]:
        """The wire form of `value`. `def` if it needs no I/O, `async def` for blobs. Raises ConversionError."""

    @abstractmethod
    def to_python(self, lit: Literal, t: Any, at: Place) -> T | Awaitable[T]:
        """The value again, of type `t`. `def` or `async def`. Raises ConversionError."""

    def guess(self, lt: LiteralType, types: Types) -> Any:
        """The Python type for a literal type that no one declared; None: not mine."""
        return None

    def preview(self, value: T) -> str:
        """Short HTML for decks and the console; never raises."""
        return f"<pre>{html.escape(repr(value))}</pre>"

    def check(self, value: Any, t: Any) -> None:
        """Raise ConversionError when `value` is not a `t`. Called before `to_literal`."""
        base = split(t)[0]
        wanted = base if isinstance(base, type) and get_origin(base) is None else self.python_type
        if isinstance(wanted, type) and not isinstance(value, wanted):
            raise wrong_type(value, t)

    def converter(self, t: Any, types: Types) -> Converter:
        """Both directions for one declared type. Override for speed, or to precompute per type."""
        check, to_literal, to_python = self.check, self.to_literal, self.to_python
        awaits = inspect.iscoroutinefunction(to_literal) or inspect.iscoroutinefunction(to_python)

        def put(value: Any, at: Place) -> Any:
            check(value, t)
            return to_literal(value, t, at)

        lt = self.literal_type(t, types)
        whole = lt.WhichOneof("type") == "simple" and lt.simple in (SimpleType.STRUCT, SimpleType.BINARY)

        def take(lit: Literal, at: Place) -> Any:
            if not whole and plain.is_packed(lit):  # a field of a dataclass, cut out by an attribute path
                with suppress(ConversionError):  # a form of its own, which the transformer knows
                    lit = plain.literal_of(plain.unpacked(lit), lt)
            return to_python(lit, t, at)

        return Converter(
            declared=t,
            literal_type=lt,
            to_literal=_awaited(put) if awaits else put,
            to_python=_awaited(take) if awaits else take,
            awaits=awaits,
            name=self.name or type_name(self.python_type),
        )

    def packing(self, t: Any, types: Types) -> Packing:
        """How values live inside packed data. Override for speed, or to match the format of others.

        There is seldom a need: a literal has a plain form already (a primitive is itself, a file `{"path": uri}`,
        a dataset `{"uri": ..., "file_format": ...}`). So what is uploaded is uploaded when it is packed, and reading
        hands the same literal to `to_python`.
        """
        return through_literal(types.converter(t))


def through_literal(converter: Converter) -> Packing:
    """The packing that follows from a type's literals."""
    lt, to_literal, to_python = converter.literal_type, converter.to_literal, converter.to_python

    def pack(value: Any, at: Place) -> Any:
        return plain.plain_of(to_literal(value, at))

    def unpack(data: Any, at: Place) -> Any:
        return to_python(plain.literal_of(data, lt), at)

    async def pack_later(value: Any, at: Place) -> Any:
        return plain.plain_of(await to_literal(value, at))

    async def unpack_later(data: Any, at: Place) -> Any:
        return await to_python(plain.literal_of(data, lt), at)

    return Packing(
        pack=pack_later if converter.awaits else pack,
        unpack=unpack_later if converter.awaits else unpack,
        awaits=converter.awaits,
        copy=converter.copy,
        kinds=plain.kinds_of(lt),
        of=class_of(converter.declared),
    )


def split(t: Any) -> tuple[Any, tuple[Any, ...]]:
    """A declared type without its `Annotated` wrapper and other names for it, and the metadata of that wrapper."""
    if get_origin(t) is Annotated:
        base, *metadata = get_args(t)
        base, inner = split(base)
        return base, (*inner, *metadata)
    if isinstance(t, NewType):
        return split(t.__supertype__)
    if type(t).__name__ == "TypeAliasType":  # `type Name = ...`, from Python 3.12 on
        return split(t.__value__)
    return t, ()


def class_of(t: Any) -> type | None:
    """The class of a declared type's values; None if it has no such thing."""
    base, _ = split(t)
    if base is None:
        return type(None)
    origin = get_origin(base)
    if origin is Choice:
        return type(get_args(base)[0])
    found = base if origin is None else origin
    return found if isinstance(found, type) else None


def type_name(t: Any) -> str:
    """A declared type as the user would write it: `int`, `list[str]`, `pandas.DataFrame`."""
    if get_origin(t) is None and isinstance(t, type):
        module = t.__module__.partition(".")[0]
        return t.__qualname__ if module in ("builtins", "__main__") else f"{module}.{t.__qualname__}"
    return str(t).replace("typing.", "")


def wrong_type(value: Any, t: Any, fix: str = "") -> ConversionError:
    """The error for a value that is not of the declared type: both types, and the value, on one line."""
    shown = repr(value)
    if len(shown) > 80:
        shown = shown[:77] + "..."
    return ConversionError(f"expected {type_name(split(t)[0])}, got {type_name(type(value))}: {shown}", fix=fix)


def _awaited(call: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def awaited(value: Any, at: Place) -> Any:
        result = call(value, at)
        return await result if inspect.isawaitable(result) else result

    return awaited
