"""What families share that hold other values: plain data, parts with their paths, lists of parts, msgpack literals.

Beside `transformer`, the one file that the families may import.
"""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from pathlib import PurePath
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from alula._kits import lazy
from alula.errors import ConversionError, RestrictedType, UnsupportedType
from alula.idl import BlobType, Literal, LiteralType, SimpleType
from alula.idl import packing as plain
from alula.types.transformer import Converter, Packing, Place, Types, wrong_type

R = TypeVar("R")

aio = lazy.module("alula._kits.aio")
_TAGS = {"collection_type": "Typed List", "map_value_type": "Typed Dict"}
PICKLE = "PythonPickle"
"""The format of the blobs that flytekit pickles."""
AT_ONCE = 16
"""Uploads or downloads of one value's parts that run side by side."""


def found_in(exc: UnsupportedType, where: str) -> None:
    """Add an outer step (`field 'x' of Config`) to where the part is that is not supported."""
    exc.where = f"{where}, {exc.where}" if exc.where else where


def index(nth: int) -> str:
    """The step to an item of a list, for the path of a ConversionError."""
    return f"[{nth}]"


def keyed(keys: Sequence[Any]) -> Callable[[int], str]:
    """The steps to the values of a dict."""
    return lambda nth: f"[{keys[nth]!r}]"


def drawn(results: Iterable[R], step: Callable[[int], str]) -> list[R]:
    """The results as a list; a ConversionError on the way gets the step to the part that it came from."""
    out: list[R] = []
    try:
        for result in results:
            out.append(result)
    except ConversionError as exc:
        exc.inside(step(len(out)))
        raise
    return out


async def drawn_later(
    call: Callable[[Any, Place], Any], items: Sequence[Any], at: Place, step: Callable[[int], str]
) -> list[Any]:
    """Like `drawn`, for calls that wait: some at a time, results in the order of the items."""

    async def one(nth: int) -> Any:
        try:
            return await call(items[nth], at)
        except ConversionError as exc:
            exc.inside(step(nth))
            raise

    results: list[Any] = await aio.gather(one, range(len(items)), limit=AT_ONCE)
    return results


async def parts_later(
    parts: Iterable[tuple[Packing, Callable[[Any, Place], Any], Any]], at: Place, step: Callable[[int], str]
) -> list[Any]:
    """Like `drawn_later`, for parts of several types, some of which wait.

    Args:
        parts: Of each part its packing, the `pack` or `unpack` of it, and the value.
        at: Where blobs go.
        step: To the part with that index.
    """

    async def one(part: tuple[Packing, Callable[[Any, Place], Any], Any], at: Place) -> Any:
        packing, convert, value = part
        result = convert(value, at)
        return await result if packing.awaits else result

    return await drawn_later(one, list(parts), at, step)


def all_exact(values: Sequence[Any], exact: type) -> bool:
    """Whether each value is of exactly that class: a bool is no int."""
    return list(map(type, values)).count(exact) == len(values)


def fits(values: Sequence[Any], exact: type, bits: int) -> bool:
    """Whether the wire holds each of these scalars: ints up to `bits` with the sign, strings that are text."""
    if exact is int:
        try:
            array("q", values)  # the fastest of the ways to look at all of them
        except OverflowError:
            return bool(min(values) >= -(2**63) and max(values) < 2**bits)
    if exact is str:
        text = "".join(values)
        return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in set(text))
    return True


def packed_type() -> LiteralType:
    """The literal type of packed data that has no schema."""
    lt = LiteralType(simple=SimpleType.STRUCT)
    lt.annotation.annotations.update({"cache-key-metadata": {"serialization-format": plain.MSGPACK}})
    return lt


def pickled_type(t: Any) -> LiteralType:
    """The literal type that flytekit gives to a type that it pickles."""
    lt = LiteralType(blob=BlobType(format=PICKLE, dimensionality=BlobType.SINGLE))
    lt.metadata.update({"python_class_name": str(t)})
    return lt


def field_type(hint: Any, types: Types) -> LiteralType | None:
    """How flytekit describes a field for attribute access: what it does not know is a pickle.

    None: the field is left out, as tuples are and everything that holds one.
    """
    origin, args = get_origin(hint) or hint, get_args(hint)
    if origin is list or (origin is dict and args and args[0] is str):
        item = field_type(args[-1], types) if args else None
        if item is None:
            return None
        return LiteralType(collection_type=item) if origin is list else LiteralType(map_value_type=item)
    if origin in (Union, UnionType):
        return _union_of_fields([(arg, field_type(arg, types)) for arg in args], types)
    if isinstance(origin, type) and issubclass(origin, tuple):
        return None
    parametrised = origin is not hint and dataclasses.is_dataclass(origin)
    if not parametrised and not (isinstance(origin, type) and issubclass(origin, set | frozenset | PurePath)):
        try:
            return types.literal_type(hint)
        except RestrictedType:
            return None
        except UnsupportedType:
            pass
    return pickled_type(hint)


def _union_of_fields(variants: Sequence[tuple[Any, LiteralType | None]], types: Types) -> LiteralType | None:
    lt = LiteralType()
    for hint, found in variants:
        if found is None:
            return None
        variant = lt.union_type.variants.add()
        variant.CopyFrom(found)
        variant.structure.Clear()
        tag = "FlytePickle" if found.blob.format == PICKLE else _TAGS.get(found.WhichOneof("type") or "")
        variant.structure.tag = tag or types.converter(hint).name
    return lt


def packed_converter(declared: Any, lt: LiteralType, packing: Packing, name: str) -> Converter:
    """The converter of a type whose literals hold nothing but its packed form."""
    pack, unpack = packing.pack, packing.unpack

    def to_literal(value: Any, at: Place) -> Literal:
        return plain.packed(pack(value, at))

    def to_python(lit: Literal, at: Place) -> Any:
        return unpack(_data(lit), at)

    async def to_literal_later(value: Any, at: Place) -> Literal:
        return plain.packed(await pack(value, at))

    async def to_python_later(lit: Literal, at: Place) -> Any:
        return await unpack(_data(lit), at)

    return Converter(
        declared=declared,
        literal_type=lt,
        to_literal=to_literal_later if packing.awaits else to_literal,
        to_python=to_python_later if packing.awaits else to_python,
        awaits=packing.awaits,
        copy=packing.copy,
        name=name,
    )


def _data(lit: Literal) -> Any:
    while lit.scalar.WhichOneof("value") == "union":
        lit = lit.scalar.union.value
    return plain.unpacked(lit)


def listed(
    item: Packing, declared: Any, of: type, make: Callable[[list[Any]], Any], order: Callable[[Any], list[Any]] = list
) -> Packing:
    """The packing of a list, set or tuple whose items are of one type: a list.

    Args:
        item: Of the items.
        declared: The type as written, for messages.
        of: The class of the values.
        make: A value of a list that is nobody else's.
        order: The items of a value, as a new list.
    """
    exact = item.exact

    def opened(value: Any) -> list[Any]:
        if not isinstance(value, of):
            several = isinstance(value, list | tuple | set | frozenset)
            raise wrong_type(value, declared, f"convert it: {of.__name__}(...)" if several else "")
        return order(value)

    def plain_list(data: Any) -> list[Any]:
        if type(data) is not list:
            raise wrong_type(data, declared)
        return data

    def pack(value: Any, at: Place) -> list[Any]:
        items = opened(value)
        if exact is not None and all_exact(items, exact):
            return items
        return drawn(map(item.pack, items, repeat(at)), index)

    def unpack(data: Any, at: Place) -> Any:
        items = plain_list(data)
        if exact is not None and all_exact(items, exact):
            return make(items)
        return make(drawn(map(item.unpack, items, repeat(at)), index))

    async def pack_later(value: Any, at: Place) -> list[Any]:
        return await drawn_later(item.pack, opened(value), at, index)

    async def unpack_later(data: Any, at: Place) -> Any:
        return make(await drawn_later(item.unpack, plain_list(data), at, index))

    def copy(value: Any) -> Any:
        items = opened(value)
        if exact is not None and all_exact(items, exact) and fits(items, exact, 64):
            return make(items)
        assert item.copy is not None
        return make(drawn(map(item.copy, items), index))

    return Packing(
        pack=pack_later if item.awaits else pack,
        unpack=unpack_later if item.awaits else unpack,
        awaits=item.awaits,
        copy=None if item.copy is None else copy,
        kinds=frozenset({list}),
        of=of,
    )


def _same(value: Any, at: Place | None = None) -> Any:
    return value


def _checked(value: Any, at: Place | None = None) -> Any:
    plain.packed(value)
    return value


def _round_trip(value: Any) -> Any:
    return plain.unpacked(plain.packed(value))


ANYTHING = Packing(pack=_checked, unpack=_same, copy=_round_trip)
"""`Any` inside packed data: plain data as it stands; a tuple comes back as a list."""


def well_known(t: Any) -> Packing | None:
    """The packing of a class that no transformer serves and mashumaro knows (`Path`, `UUID`, `Decimal`, `deque`)."""
    of = get_origin(t) or t
    if not isinstance(of, type) or dataclasses.is_dataclass(of):
        return None
    from mashumaro.codecs import BasicDecoder, BasicEncoder
    from mashumaro.exceptions import UnserializableDataError, UnserializableField
    from mashumaro.mixins.msgpack import MessagePackDialect

    try:
        encode = BasicEncoder(t, default_dialect=MessagePackDialect).encode
        decode = BasicDecoder(t, default_dialect=MessagePackDialect).decode
    except (UnserializableField, UnserializableDataError, NotImplementedError):
        return None

    def pack(value: Any, at: Place | None = None) -> Any:
        if not isinstance(value, of):
            raise wrong_type(value, t)
        try:
            return encode(value)
        except (AttributeError, LookupError, TypeError, ValueError) as exc:
            raise wrong_type(value, t) from exc

    def unpack(data: Any, at: Place | None = None) -> Any:
        try:
            return decode(data)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
            raise wrong_type(data, t) from exc

    return Packing(pack=pack, unpack=unpack, copy=lambda value: unpack(pack(value)), of=of)
