"""Dataclasses as packed data with a JSON schema: nested, generic, frozen, slotted, with files and tables in them.

The bytes are those of flytekit, which leaves them to mashumaro. Fields are checked on the way in and on the way out.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, ClassVar, TypeVar, get_args, get_origin

from alula.errors import ConversionError, UnsupportedType
from alula.idl import Literal, LiteralType
from alula.idl import packing as plain
from alula.types.packing import field_type, found_in, packed_converter, packed_type, parts_later, pickled_type
from alula.types.schemas import class_of_schema, schema_of
from alula.types.transformer import Converter, Packing, Place, Types, TypeTransformer, split, type_name, wrong_type

_MASHUMARO_OPTIONS = frozenset({"serialize", "deserialize", "serialization_strategy", "alias"})


class DataclassTransformer(TypeTransformer[Any]):
    python_type: ClassVar[Any] = staticmethod(dataclasses.dataclass)  # a function would turn into a method
    name = "Object-Dataclass-Transformer"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        base, _ = split(t)
        lt = packed_type()
        schema = schema_of(base, types)
        if schema is not None:
            lt.metadata.update(schema)
        lt.structure.SetInParent()
        own = dict(zip(getattr(get_origin(base), "__parameters__", ()), get_args(base), strict=False))
        hints = _hints(get_origin(base) or base, extras=False)
        cls: Any = get_origin(base) or base
        real = {field.name for field in dataclasses.fields(cls)}
        for name in cls.__dataclass_fields__:
            hint = _substitute(hints[name], own)
            # flytekit describes class variables too, as pickles.
            found = field_type(hint, types) if name in real else pickled_type(hint)
            if found is not None:
                lt.structure.dataclass_type[name].CopyFrom(found)
        return lt

    def to_literal(self, value: Any, t: Any, at: Place) -> Any:
        return at.types.converter(t).to_literal(value, at)

    def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        return at.types.converter(t).to_python(lit, at)

    def guess(self, lt: LiteralType, types: Types) -> Any:
        return class_of_schema(lt, types)

    def converter(self, t: Any, types: Types) -> Converter:
        packing = types.packing(t)
        return packed_converter(t, self.literal_type(t, types), packing, self.name)

    def packing(self, t: Any, types: Types) -> Packing:
        base, _ = split(t)
        cls = get_origin(base) or base
        if _has_mashumaro_options(cls):
            return _through_mashumaro(base, cls)
        return _Record(base, cls, [_field(f, hint, base, types) for f, hint in _fields(base, cls)]).packing()


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    packing: Packing
    init: bool
    required: bool


class _Record:
    """A dataclass, compiled: all its fields at once where their classes say that they are plain data already."""

    def __init__(self, declared: Any, cls: type, fields: Sequence[_Field]) -> None:
        self.declared, self.cls, self.fields = declared, cls, fields
        self.names = [f.name for f in fields]
        self.values: Callable[[Any], tuple[Any, ...]] = _values_of(self.names)

    def packing(self) -> Packing:
        awaits = any(f.packing.awaits for f in self.fields)
        copies = all(f.packing.copy is not None for f in self.fields)
        return Packing(
            pack=self._pack_later if awaits else self._pack(),
            unpack=self._unpack_later if awaits else self._unpack(),
            awaits=awaits,
            copy=self._copy() if copies else None,
            kinds=frozenset({dict}),
            of=self.cls,
        )

    def _pack(self) -> Callable[[Any, Place], dict[str, Any]]:
        cls, names, values, checked, step = self.cls, self.names, self.values, self._checked, self._step
        calls = [(f.packing.exact, f.packing.pack) for f in self.fields]

        def pack(value: Any, at: Place) -> dict[str, Any]:
            if type(value) is not cls:
                value = checked(value, at)
            out: list[Any] = []
            try:
                for part, (exact, call) in zip(values(value), calls, strict=True):
                    out.append(part if type(part) is exact else call(part, at))
            except ConversionError as exc:
                exc.inside(step(len(out)))
                raise
            return dict(zip(names, out, strict=True))

        return pack

    def _copy(self) -> Callable[[Any], Any]:
        cls, values, checked, step = self.cls, self.values, self._checked, self._step
        # A float or bool is its own copy; ints and strings may be more than the wire holds.
        immutable = {float, bool, type(None), bytes}
        calls = [(e if e in immutable else None, f.packing.copy) for f in self.fields for e in (f.packing.exact,)]
        in_order, build = self._in_order(), self._build

        def copy(value: Any) -> Any:
            if type(value) is not cls:
                value = checked(value, None)
            out: list[Any] = []
            try:
                for part, (exact, call) in zip(values(value), calls, strict=True):
                    out.append(part if type(part) is exact else call(part))  # type: ignore[misc]
            except ConversionError as exc:
                exc.inside(step(len(out)))
                raise
            return build(out if in_order else dict(zip(self.names, out, strict=True)))

        return copy

    def _unpack(self) -> Callable[[Any, Place], Any]:
        calls = [(f.packing.exact, f.packing.unpack) for f in self.fields]
        names, build, step, present = self.names, self._build, self._step, self._present
        by_name = {f.name: f.packing.unpack for f in self.fields}
        in_order = self._in_order()

        def unpack(data: Any, at: Place) -> Any:
            if type(data) is not dict or list(data) != names:
                return partly(data, at)
            out: list[Any] = []
            try:
                for part, (exact, call) in zip(data.values(), calls, strict=True):
                    out.append(part if type(part) is exact else call(part, at))
            except ConversionError as exc:
                exc.inside(step(len(out)))
                raise
            return build(out if in_order else dict(zip(names, out, strict=True)))

        def partly(data: Any, at: Place) -> Any:
            parts = present(data)
            name = ""
            try:
                for name, part in parts.items():
                    parts[name] = by_name[name](part, at)
            except ConversionError as exc:
                exc.inside(f".{name}")
                raise
            return build(parts)

        return unpack

    def _in_order(self) -> bool:
        """Whether an instance can be made of all values by position."""
        return all(f.init for f in self.fields) and _positional(self.cls, self.names)

    async def _pack_later(self, value: Any, at: Place) -> dict[str, Any]:
        if type(value) is not self.cls:
            value = self._checked(value, at)
        parts = [(f.packing, f.packing.pack, part) for f, part in zip(self.fields, self.values(value), strict=True)]
        return dict(zip(self.names, await parts_later(parts, at, self._step), strict=True))

    async def _unpack_later(self, data: Any, at: Place) -> Any:
        parts = self._present(data)
        by_name = {f.name: f.packing for f in self.fields}
        calls = [(by_name[name], by_name[name].unpack, part) for name, part in parts.items()]
        names = list(parts)
        done = await parts_later(calls, at, lambda nth: f".{names[nth]}")
        return self._build(dict(zip(names, done, strict=True)))

    def _step(self, nth: int) -> str:
        return f".{self.names[nth]}"

    def _present(self, data: Any) -> dict[str, Any]:
        """The fields that packed data holds; others that it holds are left alone, as flytekit does."""
        if type(data) is not dict:
            raise wrong_type(data, self.declared)
        missing = [f.name for f in self.fields if f.required and f.name not in data]
        if missing:
            raise ConversionError(
                f"{type_name(self.declared)} lacks {', '.join(missing)} in the data {_short(data)}",
                fix="give these fields a default, or write the data again",
            )
        return {name: data[name] for name in self.names if name in data}

    def _build(self, parts: Any) -> Any:
        """An instance of all arguments by position, or of fields by name."""
        cls = self.cls
        try:
            if type(parts) is list:
                return cls(*parts)
            made = cls(**{f.name: parts[f.name] for f in self.fields if f.init and f.name in parts})
        except (TypeError, ValueError, AssertionError) as exc:
            raise ConversionError(f"{type_name(self.declared)} refuses these values: {exc}") from exc
        for field in self.fields:
            if not field.init and field.name in parts:
                object.__setattr__(made, field.name, parts[field.name])
        return made

    def _checked(self, value: Any, at: Any) -> Any:
        """A value that is no direct instance: a subclass, its fields as a dict, or the class before it was reloaded."""
        if isinstance(value, self.cls):
            return value
        if isinstance(value, dict) and all(f.packing.copy is not None for f in self.fields):
            return self._unpack()(plain.unpacked(plain.packed(value)), at)
        reloaded = type(value).__qualname__ == self.cls.__qualname__ and dataclasses.is_dataclass(value)
        if reloaded and all(hasattr(value, name) for name in self.names):
            return value
        raise wrong_type(value, self.declared)


def _values_of(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return typing.cast("Callable[[Any], tuple[Any, ...]]", attrgetter(*names))
    return lambda value: tuple(getattr(value, name) for name in names)


def _positional(cls: type, names: Sequence[str]) -> bool:
    """Whether the class is built from its fields in order: no keyword-only ones, no `__init__` of its own."""
    given = [f.name for f in dataclasses.fields(cls) if not f.kw_only]
    return given == list(names) and cls.__dataclass_params__.init and "__init__" in vars(cls)  # type: ignore[attr-defined]


def _fields(t: Any, cls: type) -> list[tuple[dataclasses.Field[Any], Any]]:
    hints, known = _hints(cls, extras=True), _typevars(t)
    return [(field, _substitute(hints[field.name], known)) for field in dataclasses.fields(cls)]


def _field(field: dataclasses.Field[Any], hint: Any, declared: Any, types: Types) -> _Field:
    where = f"field {field.name!r} of {type_name(declared)}"
    if field.default is None:
        hint = typing.Optional[hint]  # noqa: UP045 - `X | None` fails for hints that are no classes
    try:
        packing = types.packing(hint)
    except UnsupportedType as exc:
        found_in(exc, where)
        raise
    has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
    return _Field(field.name, packing, field.init, required=field.init and not has_default)


def _hints(cls: type, *, extras: bool) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls, include_extras=extras)
    except NameError as exc:
        raise UnsupportedType(
            f"a field of {type_name(cls)} has a type that cannot be found: {exc}",
            where=f"{cls.__module__}.{cls.__qualname__}",
            fix="define or import that type at the top of the module, not under TYPE_CHECKING",
        ) from exc


def _typevars(t: Any) -> dict[Any, Any]:
    """What each type variable stands for, in a parametrised dataclass and in its parametrised bases."""
    cls = get_origin(t) or t
    known = dict(zip(getattr(cls, "__parameters__", ()), get_args(t), strict=False))
    for base in getattr(cls, "__orig_bases__", ()):
        if get_origin(base) not in (None, typing.Generic):
            known = _typevars(_substitute(base, known)) | known
    return known


def _substitute(hint: Any, known: Mapping[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return known.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters or (isinstance(hint, type) and get_origin(hint) is None):
        return hint
    return hint[tuple(known.get(p, p) for p in parameters)]


# Classes that bring their own serialisation.


def _has_mashumaro_options(cls: type) -> bool:
    """Whether a class tells mashumaro how to serialise it, in its bases or in the metadata of a field."""
    if any(parent.__module__.startswith("mashumaro.") for parent in cls.__mro__):
        return True
    return any(_MASHUMARO_OPTIONS & set(map(str, f.metadata)) for f in dataclasses.fields(cls))


def _through_mashumaro(t: Any, cls: type) -> Packing:
    from mashumaro.codecs import BasicDecoder, BasicEncoder
    from mashumaro.mixins.json import DataClassJSONMixin
    from mashumaro.mixins.msgpack import MessagePackDialect

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    if issubclass(cls, DataClassJSONMixin):  # flytekit takes what its `to_json` makes, base64 for bytes included
        mixin: Any = cls
        encode = lambda value: json.loads(value.to_json())  # noqa: E731
        decode = lambda data: mixin.from_json(json.dumps(data))  # noqa: E731
    else:
        encode = BasicEncoder(t, default_dialect=MessagePackDialect).encode
        decode = BasicDecoder(t, default_dialect=MessagePackDialect).decode

    def pack(value: Any, at: Place | None = None) -> Any:
        if not isinstance(value, cls):
            raise wrong_type(value, t)
        try:
            return encode(value)
        except (AttributeError, LookupError, TypeError, ValueError) as exc:
            raise ConversionError(f"{type_name(t)} cannot be written: {exc}") from exc

    def unpack(data: Any, at: Place | None = None) -> Any:
        try:
            return decode(data)
        except (AttributeError, LookupError, TypeError, ValueError) as exc:
            raise ConversionError(f"{type_name(t)} cannot be read from {_short(data)}: {exc}") from exc

    def copy(value: Any) -> Any:
        return unpack(plain.unpacked(plain.packed(pack(value))))

    return Packing(pack=pack, unpack=unpack, copy=copy, kinds=frozenset({dict}), of=cls)


def _short(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 80 else text[:77] + "..."


transformers: list[TypeTransformer[Any]] = [DataclassTransformer()]
