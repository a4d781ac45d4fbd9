"""Tuples, named tuples and sets as packed data.

flytekit refuses tuples as values and pickles sets. As the whole return annotation of a task a tuple names several
outputs, and never comes here.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, get_args, get_origin

import msgpack

from alula.errors import ConversionError, UnsupportedType
from alula.idl import Literal, LiteralType
from alula.types.packing import drawn, found_in, index, listed, packed_converter, packed_type, parts_later
from alula.types.transformer import Converter, Packing, Place, Types, TypeTransformer, split, type_name, wrong_type

_MARK = "python_type"
"""Metadata that tells a packed tuple or set from a packed dict."""


class _Packed(TypeTransformer[Any]):
    python_type: ClassVar[Any]

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        base, _ = split(t)
        lt = packed_type()
        lt.metadata.update({"type": "array", _MARK: (get_origin(base) or base).__name__, "items": type_name(base)})
        return lt

    def to_literal(self, value: Any, t: Any, at: Place) -> Any:
        return at.types.converter(t).to_literal(value, at)

    def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        return at.types.converter(t).to_python(lit, at)

    def guess(self, lt: LiteralType, types: Types) -> Any:
        cls = self.python_type
        is_mine = lt.WhichOneof("type") == "simple" and _MARK in lt.metadata and lt.metadata[_MARK] == cls.__name__
        return cls[Any, ...] if is_mine and cls is tuple else cls[Any] if is_mine else None

    def converter(self, t: Any, types: Types) -> Converter:
        return packed_converter(t, self.literal_type(t, types), types.packing(t), self.name)


class TupleTransformer(_Packed):
    python_type = tuple
    more_types = (typing.NamedTuple,)
    name = "tuple"

    def packing(self, t: Any, types: Types) -> Packing:
        base, _ = split(t)
        if isinstance(base, type) and get_origin(base) is None and hasattr(base, "_fields"):
            hints = typing.get_type_hints(base, include_extras=True)
            items = [_part(hints.get(name, Any), types, f"field {name!r}", base) for name in base._fields]
            return _fixed(items, lambda values: base(*values), base, base)
        args = get_args(base)
        if not args or args[-1] is Ellipsis:
            return listed(_part(args[0] if args else Any, types, "element", base), base, tuple, tuple)
        items = [_part(arg, types, f"element {nth}", base) for nth, arg in enumerate(args) if arg != ()]
        return _fixed(items, tuple, base, tuple)


class SetTransformer(_Packed):
    """Packed in the order of the packed items, so that equal sets have equal literals."""

    python_type: ClassVar[Any] = set
    name = "set"

    def packing(self, t: Any, types: Types) -> Packing:
        base, _ = split(t)
        of = get_origin(base) or base
        (element,) = get_args(base) or (Any,)
        item = _part(element, types, "element", base)
        in_order = listed(item, base, of, of)
        pack = in_order.pack

        def sorted_pack(value: Any, at: Place) -> list[Any]:
            return sorted(pack(value, at), key=msgpack.packb)

        async def sorted_pack_later(value: Any, at: Place) -> list[Any]:
            return sorted(await pack(value, at), key=msgpack.packb)

        return Packing(
            pack=sorted_pack_later if item.awaits else sorted_pack,
            unpack=in_order.unpack,
            awaits=item.awaits,
            copy=in_order.copy,
            kinds=in_order.kinds,
            of=of,
        )


class FrozensetTransformer(SetTransformer):
    python_type = frozenset
    name = "frozenset"


def _part(t: Any, types: Types, where: str, declared: Any) -> Packing:
    try:
        return types.packing(t)
    except UnsupportedType as exc:
        found_in(exc, f"{where} of {type_name(declared)}")
        raise


def _fixed(items: Sequence[Packing], make: Callable[[list[Any]], Any], declared: Any, of: type) -> Packing:
    """The packing of a tuple that has one type per item: a list."""

    def check(value: Any, wanted: Any) -> Sequence[Any]:
        if not isinstance(value, wanted):
            raise wrong_type(value, declared)
        if len(value) != len(items):
            raise ConversionError(f"expected {len(items)} items for {type_name(declared)}, got {len(value)}: {value!r}")
        found: Sequence[Any] = value
        return found

    def pack(value: Any, at: Place) -> list[Any]:
        return drawn((i.pack(v, at) for i, v in zip(items, check(value, of), strict=True)), index)

    def unpack(data: Any, at: Place) -> Any:
        return make(drawn((i.unpack(v, at) for i, v in zip(items, check(data, list), strict=True)), index))

    def copy(value: Any) -> Any:
        pairs: Iterable[tuple[Any, Any]] = zip(items, check(value, of), strict=True)
        return make(drawn((i.copy(v) for i, v in pairs), index))

    async def pack_later(value: Any, at: Place) -> list[Any]:
        return await parts_later([(i, i.pack, v) for i, v in zip(items, check(value, of), strict=True)], at, index)

    async def unpack_later(data: Any, at: Place) -> Any:
        parts = [(i, i.unpack, v) for i, v in zip(items, check(data, list), strict=True)]
        return make(await parts_later(parts, at, index))

    awaits = any(item.awaits for item in items)
    return Packing(
        pack=pack_later if awaits else pack,
        unpack=unpack_later if awaits else unpack,
        awaits=awaits,
        copy=None if any(item.copy is None for item in items) else copy,
        kinds=frozenset({list}),
        of=of,
    )


transformers: list[TypeTransformer[Any]] = [TupleTransformer(), SetTransformer(), FrozensetTransformer()]
