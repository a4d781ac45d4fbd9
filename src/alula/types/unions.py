"""`Optional[T]`, `Union[A, B]` and `A | B`: a value's class chooses its variant, and the stored tag finds it again.

A variant is chosen by exact class, else by the nearest base class, else by conversion: the variants that take the value
(a path for a `File`, a raw value for an enum). Only the last step can be ambiguous. Of several variants of one class
(`list[int] | list[str]`) the first that takes the value wins: what such variants share, reads the same in each.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Generator, Sequence
from itertools import permutations
from types import UnionType
from typing import Any, TypeVar, get_args

from alula.errors import AmbiguousUnion, ConversionError, UnsupportedType
from alula.idl import Literal, LiteralType, SimpleType, literals
from alula.idl import packing as plain
from alula.types.packing import found_in
from alula.types.transformer import (
    Converter,
    Packing,
    Place,
    Types,
    TypeTransformer,
    class_of,
    split,
    type_name,
    wrong_type,
)

V = TypeVar("V", Converter, Packing)
R = TypeVar("R")
_Steps = Generator[tuple[bool, Any], Any, R]

_VARIANT = "__variant__"
"""Key that names the variant of a record inside packed data, where its fields alone would be read as another one."""


class UnionTransformer(TypeTransformer[Any]):
    python_type = typing.Union
    more_types = (UnionType,)
    name = "Typed Union"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        lt = LiteralType()
        lt.union_type.SetInParent()
        for variant in _variants(t, types.converter):
            lt.union_type.variants.append(_tagged(variant))
        return lt

    def to_literal(self, value: Any, t: Any, at: Place) -> Any:
        return at.types.converter(t).to_literal(value, at)

    def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        return at.types.converter(t).to_python(lit, at)

    def guess(self, lt: LiteralType, types: Types) -> Any:
        if not lt.HasField("union_type"):
            return None
        return typing.Union[tuple(types.guess(variant) for variant in lt.union_type.variants)]  # noqa: UP007

    def converter(self, t: Any, types: Types) -> Converter:
        return _Literals(t, _variants(t, types.converter)).converter(self.literal_type(t, types), self.name)

    def packing(self, t: Any, types: Types) -> Packing:
        return _Packed(t, _variants(t, types.packing)).packing()


def _variants(t: Any, find: Callable[[Any], V]) -> list[V]:
    args = get_args(split(t)[0])
    found = []
    try:
        for arg in args:
            found.append(find(arg))
    except UnsupportedType as exc:
        found_in(exc, f"variant of {type_name(t)}")
        raise
    return found


def _tagged(variant: Converter) -> LiteralType:
    lt = LiteralType()
    lt.CopyFrom(variant.literal_type)
    lt.structure.Clear()
    lt.structure.tag = variant.name
    return lt


class _Choice:
    """The variants that may take a value, by its class."""

    def __init__(self, declared: Any, classes: Sequence[type | None]) -> None:
        self.declared = declared
        self.all = range(len(classes))
        self.classes = classes
        self.by_class: dict[type, list[int]] = {}
        for nth, cls in enumerate(classes):
            if cls is not None:
                self.by_class.setdefault(cls, []).append(nth)
        self.sole = {cls: found[0] for cls, found in self.by_class.items() if len(found) == 1}

    def near(self, value: Any) -> Sequence[int]:
        """The variants of the value's class, else of its nearest base; empty: only a conversion can help."""
        cls = type(value)
        for base in cls.__mro__:
            found = self.by_class.get(base)
            if found is not None:
                # A bool is no int and a datetime no date: simple types refuse their subclasses.
                return found
        return [nth for nth in self.all if self._is_virtual_base(nth, value)]

    def _is_virtual_base(self, nth: int, value: Any) -> bool:
        """Whether a variant is an abstract class (`Iterator`) that the value's class implements without inheriting."""
        cls = self.classes[nth]
        return cls is not None and type(cls) is not type and isinstance(value, cls)

    def refused(self, value: Any, faults: Sequence[ConversionError]) -> ConversionError:
        if len(faults) == 1:
            return faults[0]
        fix = next((fault.fix for fault in faults if fault.fix), "")
        return wrong_type(value, self.declared, fix)

    def ambiguous(self, what: str, variants: Sequence[Any]) -> AmbiguousUnion:
        names = " and ".join(variants)
        return AmbiguousUnion(
            f"{what} may be {names} of {type_name(self.declared)}",
            fix="pass an instance of the one that is meant; of two classes with equal names and fields rename one",
        )


class _Literals:
    """A union on the wire: the literal of a variant, wrapped with the variant's tagged type."""

    def __init__(self, declared: Any, variants: Sequence[Converter]) -> None:
        self.declared, self.variants = declared, variants
        self.types = [_tagged(variant) for variant in variants]
        self.choice = _Choice(declared, [class_of(variant.declared) for variant in variants])
        self.names = [type_name(split(variant.declared)[0]) for variant in variants]
        tags = [variant.name for variant in variants]
        self.by_tag = {tag: nth for nth, tag in enumerate(tags) if tag and tags.count(tag) == 1}
        self.twins = frozenset(
            nth
            for nth, other in permutations(self.choice.all, 2)
            if self.types[nth] == self.types[other] and self.choice.classes[nth] is not self.choice.classes[other]
        )
        """Variants that a stored type cannot tell apart: classes with the same name and the same fields."""

    def converter(self, lt: LiteralType, name: str) -> Converter:
        awaits = any(variant.awaits for variant in self.variants)
        return Converter(
            declared=self.declared,
            literal_type=lt,
            to_literal=self.put_later if awaits else self.put,
            to_python=self.take_later if awaits else self.take,
            awaits=awaits,
            copy=self.copy if all(variant.copy is not None for variant in self.variants) else None,
            name=name,
        )

    def put(self, value: Any, at: Place) -> Literal:
        nth = self.choice.sole.get(type(value))
        if nth is None or nth in self.twins:
            nth, lit = _drive(self._put(value, at))
        else:
            lit = self.variants[nth].to_literal(value, at)
        return literals.union(lit, self.types[nth])

    async def put_later(self, value: Any, at: Place) -> Literal:
        nth, lit = await _drive_later(self._put(value, at))
        return literals.union(lit, self.types[nth])

    def take(self, lit: Literal, at: Place) -> Any:
        stored = lit.scalar.union
        nth = self.by_tag.get(stored.type.structure.tag)
        if nth is not None:
            return self.variants[nth].to_python(stored.value, at)
        return _drive(self._take(lit, at))

    async def take_later(self, lit: Literal, at: Place) -> Any:
        return await _drive_later(self._take(lit, at))

    def copy(self, value: Any) -> Any:
        sole = self.choice.sole.get(type(value))
        if sole is not None and sole not in self.twins:
            return self.variants[sole].copy(value)  # type: ignore[misc]
        _, copied = _drive(self._choose(value, lambda nth: (False, self.variants[nth].copy(value))))  # type: ignore[misc]
        return copied

    def _put(self, value: Any, at: Place) -> _Steps[tuple[int, Literal]]:
        def convert(nth: int) -> tuple[bool, Any]:
            variant = self.variants[nth]
            return variant.awaits, variant.to_literal(value, at)

        return (yield from self._choose(value, convert))

    def _choose(self, value: Any, convert: Callable[[int], tuple[bool, Any]]) -> _Steps[tuple[int, Any]]:
        """The variant of a value, and what `convert` made of it."""
        near = self.choice.near(value)
        if self.twins.intersection(near):
            raise self.choice.ambiguous(_shown(value), [self.names[nth] for nth in sorted(self.twins)])
        if len(near) == 1:
            return near[0], (yield convert(near[0]))
        faults, fits = [], []
        for nth in near or self.choice.all:
            try:
                fits.append((nth, (yield convert(nth))))
            except ConversionError as exc:
                faults.append(exc)
                continue
            if near:
                break
        if not fits:
            raise self.choice.refused(value, faults)
        if len(fits) > 1:
            raise self.choice.ambiguous(_shown(value), [self.names[nth] for nth, _ in fits])
        return fits[0]

    def _take(self, lit: Literal, at: Place) -> _Steps[Any]:
        if plain.is_packed(lit):  # a part of packed data, which knows no tags
            packing = at.types.packing(self.declared)
            return (yield packing.awaits, packing.unpack(plain.unpacked(lit), at))
        inner, candidates = lit, sorted(self.choice.all, key=lambda nth: not _likely(lit, self.types[nth]))
        stored = lit.scalar.WhichOneof("value") == "union"
        if stored:
            inner, candidates = lit.scalar.union.value, self._stored(lit.scalar.union.type)
        faults, fits = [], []
        for nth in candidates:
            variant = self.variants[nth]
            try:
                fits.append((nth, (yield variant.awaits, variant.to_python(inner, at))))
            except ConversionError as exc:
                faults.append(exc)
                continue
            if nth not in self.twins:
                break
        if not fits:
            raise faults[0] if len(faults) == 1 else self._unread(lit, faults)
        if len(fits) > 1:
            raise self.choice.ambiguous("a stored value", [self.names[nth] for nth, _ in fits])
        return fits[0][1]

    def _stored(self, stored: LiteralType) -> list[int]:
        """The variants that a stored type may mean, narrowed down as far as it goes: shape, tag, title, the whole."""
        found = list(self.choice.all)
        for alike in (_same_shape, _same_tag, _same_title, _same):
            found = [nth for nth in found if alike(stored, self.types[nth])] or found
        return found

    def _unread(self, lit: Literal, faults: Sequence[ConversionError]) -> ConversionError:
        kind = literals.kind(lit) or "an empty"
        reasons = "; ".join(dict.fromkeys(fault.what for fault in faults))
        return ConversionError(f"a literal of kind {kind} fits no variant of {type_name(self.declared)}: {reasons}")


class _Packed:
    """A union inside packed data, untagged: the form of the data finds the variant, in the order of declaration."""

    def __init__(self, declared: Any, variants: Sequence[Packing]) -> None:
        self.declared, self.variants = declared, variants
        self.choice = _Choice(declared, [variant.of for variant in variants])
        self.names = [type_name(split(arg)[0]) for arg in get_args(split(declared)[0])]
        kinds = [variant.kinds for variant in variants]
        self.distinct = all(kinds) and sum(map(len, kinds)) == len(frozenset().union(*kinds))

    def packing(self) -> Packing:
        awaits = any(variant.awaits for variant in self.variants)
        kinds = [variant.kinds for variant in self.variants]
        return Packing(
            pack=self.pack_later if awaits else self.pack,
            unpack=self.unpack_later if awaits else self.unpack,
            awaits=awaits,
            copy=self.copy if all(variant.copy is not None for variant in self.variants) else None,
            kinds=frozenset().union(*kinds) if all(kinds) else frozenset(),
        )

    def pack(self, value: Any, at: Place) -> Any:
        return _drive(self._pack(value, at))

    async def pack_later(self, value: Any, at: Place) -> Any:
        return await _drive_later(self._pack(value, at))

    def unpack(self, data: Any, at: Place) -> Any:
        return _drive(self._unpack(data, at))[1]

    async def unpack_later(self, data: Any, at: Place) -> Any:
        return (await _drive_later(self._unpack(data, at)))[1]

    def copy(self, value: Any) -> Any:
        near = self.choice.near(value)
        if self.distinct and len(near) == 1:
            return self.variants[near[0]].copy(value)  # type: ignore[misc]
        nowhere: Any = None  # nothing here does I/O
        return self.unpack(plain.unpacked(plain.packed(self.pack(value, nowhere))), nowhere)

    def _pack(self, value: Any, at: Place) -> _Steps[Any]:
        near = self.choice.near(value)
        faults: list[ConversionError] = []
        for nth in near or self.choice.all:
            variant = self.variants[nth]
            try:
                data = yield variant.awaits, variant.pack(value, at)
            except ConversionError as exc:
                faults.append(exc)
                continue
            if not self.distinct and type(data) is dict:
                read_as = yield from self._unpack(data, at)
                if read_as[0] != nth:
                    data = data | {_VARIANT: self.names[nth]}
            return data
        raise self.choice.refused(value, faults)

    def _unpack(self, data: Any, at: Place) -> _Steps[tuple[int, Any]]:
        candidates = list(self.choice.all)
        if type(data) is dict and _VARIANT in data:
            named = self.names.index(data[_VARIANT]) if data[_VARIANT] in self.names else None
            candidates = candidates if named is None else [named]
            data = {key: value for key, value in data.items() if key != _VARIANT}
        candidates.sort(key=lambda nth: type(data) not in (self.variants[nth].kinds or {type(data)}))
        faults: list[ConversionError] = []
        for nth in candidates:
            variant = self.variants[nth]
            try:
                return nth, (yield variant.awaits, variant.unpack(data, at))
            except ConversionError as exc:
                faults.append(exc)
        raise self.choice.refused(data, faults)


# Literal types, as far as they tell variants apart.


def _same_shape(stored: LiteralType, variant: LiteralType) -> bool:
    """Whether a value stored with one type can be read with the other, whatever their names and schemas."""
    kind, wanted = stored.WhichOneof("type"), variant.WhichOneof("type")
    if kind == "union_type":
        return all(_same_shape(one, variant) for one in stored.union_type.variants)
    if wanted == "union_type":
        return any(_same_shape(stored, one) for one in variant.union_type.variants)
    if kind == "enum_type" and wanted == "simple":
        return variant.simple == SimpleType.STRING
    if kind is None or kind != wanted:
        return False
    if kind in ("collection_type", "map_value_type"):
        return _same_shape(getattr(stored, kind), getattr(variant, kind))
    return kind == "structured_dataset_type" or bool(getattr(stored, kind) == getattr(variant, kind))


def _same_tag(stored: LiteralType, variant: LiteralType) -> bool:
    return stored.structure.tag == variant.structure.tag


def _same_title(stored: LiteralType, variant: LiteralType) -> bool:
    return _title(stored) == _title(variant)


def _same(stored: LiteralType, variant: LiteralType) -> bool:
    return stored == variant


def _title(lt: LiteralType) -> str:
    return lt.metadata.fields["title"].string_value if "title" in lt.metadata.fields else ""


_KINDS: dict[int, tuple[str, ...]] = {
    SimpleType.NONE: ("none_type",),
    SimpleType.INTEGER: ("integer",),
    SimpleType.FLOAT: ("float_value",),
    SimpleType.STRING: ("string_value",),
    SimpleType.BOOLEAN: ("boolean",),
    SimpleType.DATETIME: ("datetime",),
    SimpleType.DURATION: ("duration",),
    SimpleType.ERROR: ("error",),
}


def _likely(lit: Literal, lt: LiteralType) -> bool:
    """Whether a literal without a tag is of the kind that a variant's literals have, no conversion needed."""
    kind = literals.kind(lit)
    match lt.WhichOneof("type"):
        case "simple":
            return kind in _KINDS.get(lt.simple, ())
        case "collection_type":
            return kind == "collection"
        case "map_value_type":
            return kind == "map"
        case "enum_type":
            return kind == "string_value"
        case other:
            return kind == (other or "").removesuffix("_type")


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 80 else text[:77] + '...'}"


# One algorithm for variants that wait and for those that do not: a generator yields (waits, result or awaitable).


def _drive(steps: Any) -> Any:
    try:
        _, result = next(steps)
        while True:
            _, result = steps.send(result)
    except StopIteration as done:
        return done.value


async def _drive_later(steps: Any) -> Any:
    try:
        waits, result = next(steps)
        while True:
            try:
                value = await result if waits else result
            except ConversionError as exc:
                waits, result = steps.throw(exc)
            else:
                waits, result = steps.send(value)
    except StopIteration as done:
        return done.value


transformers: list[TypeTransformer[Any]] = [UnionTransformer()]
