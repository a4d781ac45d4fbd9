"""`list[T]` and `dict[str, T]` as collections and maps of literals; dicts with other keys as packed data.

Lists of plain ints, floats, strings and bools are converted as a whole, at the speed of bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, get_args

from alula.errors import ConversionError, UnsupportedType
from alula.idl import Literal, LiteralType, SimpleType, literals
from alula.idl import packing as plain
from alula.types.packing import (
    all_exact,
    drawn,
    drawn_later,
    fits,
    found_in,
    index,
    keyed,
    listed,
    packed_converter,
    packed_type,
)
from alula.types.transformer import Converter, Packing, Place, Types, TypeTransformer, split, type_name, wrong_type

_BULK: dict[Any, tuple[Callable[[list[Any]], Literal], Callable[[Any], list[Any] | None]]] = {
    int: (literals.collection_of_integers, literals.integers_of),
    float: (literals.collection_of_floats, literals.floats_of),
    str: (literals.collection_of_strings, literals.strings_of),
    bool: (literals.collection_of_booleans, literals.booleans_of),
}
"""How a whole list of one scalar class is written and read."""
_JSON_KEYS: dict[Any, Callable[[str], Any]] = {int: int, float: float}


class ListTransformer(TypeTransformer[list[Any]]):
    python_type = list
    name = "Typed List"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(collection_type=self._item(t, types).literal_type)

    def to_literal(self, value: list[Any], t: Any, at: Place) -> Any:
        return at.types.converter(t).to_literal(value, at)

    def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        return at.types.converter(t).to_python(lit, at)

    def guess(self, lt: LiteralType, types: Types) -> Any:
        return list[types.guess(lt.collection_type)] if lt.HasField("collection_type") else None  # type: ignore[misc]

    def packing(self, t: Any, types: Types) -> Packing:
        (element,) = get_args(split(t)[0]) or (Any,)
        try:
            return listed(types.packing(element), t, list, lambda items: items)
        except UnsupportedType as exc:
            found_in(exc, f"element of {type_name(t)}")
            raise

    def converter(self, t: Any, types: Types) -> Converter:
        item = self._item(t, types)
        bulk = _BULK.get(item.declared)

        def put(value: Any, at: Place) -> Literal:
            items = _list(value, t)
            if bulk is not None and all_exact(items, item.declared) and fits(items, item.declared, 63):
                return bulk[0](items)
            return literals.collection(drawn(map(item.to_literal, items, repeat(at)), index))

        def take(lit: Literal, at: Place) -> list[Any]:
            found = _unwrapped(lit)
            if found.WhichOneof("value") != "collection":
                return _part_of_data(found, t, at, "list")  # type: ignore[no-any-return]
            if bulk is not None:
                values = bulk[1](found.collection)
                if values is not None:
                    return values
            return drawn(map(item.to_python, found.collection.literals, repeat(at)), index)

        async def put_later(value: Any, at: Place) -> Literal:
            return literals.collection(await drawn_later(item.to_literal, _list(value, t), at, index))

        async def take_later(lit: Literal, at: Place) -> list[Any]:
            found = _unwrapped(lit)
            if found.WhichOneof("value") != "collection":
                return await _part_of_data(found, t, at, "list")  # type: ignore[no-any-return]
            return await drawn_later(item.to_python, found.collection.literals, at, index)

        def copy(value: Any) -> list[Any]:
            items = _list(value, t)
            if bulk is not None and all_exact(items, item.declared) and fits(items, item.declared, 63):
                return items[:] if type(items) is list else list(items)
            assert item.copy is not None
            return drawn(map(item.copy, items), index)

        return Converter(
            declared=t,
            literal_type=LiteralType(collection_type=item.literal_type),
            to_literal=put_later if item.awaits else put,
            to_python=take_later if item.awaits else take,
            awaits=item.awaits,
            copy=None if item.copy is None else copy,
            name=self.name,
        )

    @staticmethod
    def _item(t: Any, types: Types) -> Converter:
        args = get_args(split(t)[0])
        if len(args) != 1:
            raise UnsupportedType("list does not say what it holds", fix="name the element type, such as list[int]")
        try:
            return types.converter(args[0])
        except UnsupportedType as exc:
            found_in(exc, f"element of {type_name(t)}")
            raise


class DictTransformer(TypeTransformer[dict[Any, Any]]):
    python_type = dict
    name = "Typed Dict"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return types.converter(t).literal_type

    def to_literal(self, value: dict[Any, Any], t: Any, at: Place) -> Any:
        return at.types.converter(t).to_literal(value, at)

    def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        return at.types.converter(t).to_python(lit, at)

    def guess(self, lt: LiteralType, types: Types) -> Any:
        if lt.HasField("map_value_type"):
            return dict[str, types.guess(lt.map_value_type)]  # type: ignore[misc]
        return (
            dict
            if lt.WhichOneof("type") == "simple" and lt.simple == SimpleType.STRUCT and not lt.metadata.fields
            else None
        )

    def converter(self, t: Any, types: Types) -> Converter:
        args = get_args(split(t)[0])
        if args and args[0] is str:
            return self._mapping(t, args[1], types)
        return packed_converter(t, packed_type(), types.packing(t), self.name)

    def _mapping(self, t: Any, value_type: Any, types: Types) -> Converter:
        try:
            item = types.converter(value_type)
        except UnsupportedType as exc:
            found_in(exc, f"value of {type_name(t)}")
            raise

        def put(value: Any, at: Place) -> Literal:
            keys = _string_keys(value, t)
            made = drawn(map(item.to_literal, value.values(), repeat(at)), keyed(keys))
            return literals.mapping(dict(zip(keys, made, strict=True)))

        def take(lit: Literal, at: Place) -> dict[str, Any]:
            found = _unwrapped(lit)
            if found.WhichOneof("value") != "map":
                return _part_of_data(found, t, at, "dict")  # type: ignore[no-any-return]
            keys, parts = _entries(found)
            return dict(zip(keys, drawn(map(item.to_python, parts, repeat(at)), keyed(keys)), strict=True))

        async def put_later(value: Any, at: Place) -> Literal:
            keys = _string_keys(value, t)
            made = await drawn_later(item.to_literal, list(value.values()), at, keyed(keys))
            return literals.mapping(dict(zip(keys, made, strict=True)))

        async def take_later(lit: Literal, at: Place) -> dict[str, Any]:
            found = _unwrapped(lit)
            if found.WhichOneof("value") != "map":
                return await _part_of_data(found, t, at, "dict")  # type: ignore[no-any-return]
            keys, parts = _entries(found)
            return dict(zip(keys, await drawn_later(item.to_python, parts, at, keyed(keys)), strict=True))

        def copy(value: Any) -> dict[str, Any]:
            keys = _string_keys(value, t)
            assert item.copy is not None
            return dict(zip(keys, drawn(map(item.copy, value.values()), keyed(keys)), strict=True))

        return Converter(
            declared=t,
            literal_type=LiteralType(map_value_type=item.literal_type),
            to_literal=put_later if item.awaits else put,
            to_python=take_later if item.awaits else take,
            awaits=item.awaits,
            copy=None if item.copy is None else copy,
            name=self.name,
        )

    def packing(self, t: Any, types: Types) -> Packing:
        key_type, value_type = get_args(split(t)[0]) or (Any, Any)
        try:
            key, item = types.packing(key_type), types.packing(value_type)
        except UnsupportedType as exc:
            found_in(exc, f"inside {type_name(t)}")
            raise
        if key.awaits or key.copy is None:
            raise UnsupportedType(f"{type_name(key_type)} cannot be the key of a dict", fix="use str or int keys")
        return _packed_dict(t, key, item)


def _packed_dict(t: Any, key: Packing, item: Packing) -> Packing:
    key_copy, exact = key.copy, item.exact
    from_json = _JSON_KEYS.get(key.of)
    assert key_copy is not None

    def unpack_key(raw: Any, at: Place) -> Any:
        if type(raw) is str and from_json is not None:  # JSON has no other keys than strings
            try:
                raw = from_json(raw)
            except ValueError as exc:
                raise wrong_type(raw, key.of) from exc
        return key.unpack(raw, at)

    def entries(value: Any) -> tuple[list[Any], list[Any]]:
        if not isinstance(value, dict):
            raise wrong_type(value, t)
        return list(value), list(value.values())

    def pack(value: Any, at: Place) -> Any:
        keys, values = entries(value)
        if exact is None or not all_exact(values, exact):
            values = drawn(map(item.pack, values, repeat(at)), keyed(keys))
        return _dict_of(t, keys, drawn(map(key.pack, keys, repeat(at)), keyed(keys)), values)

    def unpack(data: Any, at: Place) -> Any:
        keys, values = entries(data)
        if exact is None or not all_exact(values, exact):
            values = drawn(map(item.unpack, values, repeat(at)), keyed(keys))
        return _dict_of(t, keys, drawn(map(unpack_key, keys, repeat(at)), keyed(keys)), values)

    async def pack_later(value: Any, at: Place) -> Any:
        keys, values = entries(value)
        new = drawn(map(key.pack, keys, repeat(at)), keyed(keys))
        return _dict_of(t, keys, new, await drawn_later(item.pack, values, at, keyed(keys)))

    async def unpack_later(data: Any, at: Place) -> Any:
        keys, values = entries(data)
        new = drawn(map(unpack_key, keys, repeat(at)), keyed(keys))
        return _dict_of(t, keys, new, await drawn_later(item.unpack, values, at, keyed(keys)))

    def copy(value: Any) -> Any:
        keys, values = entries(value)
        if exact is None or not (all_exact(values, exact) and fits(values, exact, 64)):
            assert item.copy is not None
            values = drawn(map(item.copy, values), keyed(keys))
        return _dict_of(t, keys, drawn(map(key_copy, keys), keyed(keys)), values)

    return Packing(
        pack=pack_later if item.awaits else pack,
        unpack=unpack_later if item.awaits else unpack,
        awaits=item.awaits,
        copy=None if item.copy is None else copy,
        kinds=frozenset({dict}),
        of=dict,
    )


def _dict_of(t: Any, old: Sequence[Any], new: Sequence[Any], values: Sequence[Any]) -> dict[Any, Any]:
    if not all_exact(new, str) and any(isinstance(key, list | tuple | frozenset | dict) for key in new):
        raise ConversionError(f"keys of {type_name(t)} cannot hold several values: {old!r}", fix="use str or int keys")
    out = dict(zip(new, values, strict=True))
    if len(out) != len(old):
        raise ConversionError(f"two keys of {type_name(t)} are the same when packed: {old!r}")
    return out


def _list(value: Any, t: Any) -> list[Any]:
    if not isinstance(value, list):
        raise wrong_type(value, t, "convert it: list(...)" if isinstance(value, tuple | set | frozenset) else "")
    return value


def _string_keys(value: Any, t: Any) -> list[str]:
    if not isinstance(value, dict):
        raise wrong_type(value, t)
    keys = list(value)
    if not all_exact(keys, str):
        raise wrong_type(next(k for k in keys if type(k) is not str), str).inside(" key")
    return keys


def _entries(lit: Literal) -> tuple[list[str], list[Literal]]:
    """Keys in order: a map on the wire has none, so that two readers of the same bytes see the same dict."""
    found = lit.map.literals
    keys = sorted(found)
    return keys, [found[key] for key in keys]


def _unwrapped(lit: Literal) -> Literal:
    while lit.scalar.WhichOneof("value") == "union":
        lit = lit.scalar.union.value
    return lit


def _part_of_data(lit: Literal, t: Any, at: Place, what: str) -> Any:
    """The value of a part of packed data, which attribute access (`node.output.field`) cuts out."""
    if not plain.is_packed(lit):
        raise ConversionError(f"expected {type_name(t)}, got {literals.kind(lit) or 'an empty'} literal")
    return at.types.packing(t).unpack(plain.unpacked(lit), at)


transformers: list[TypeTransformer[Any]] = [ListTransformer(), DictTransformer()]
