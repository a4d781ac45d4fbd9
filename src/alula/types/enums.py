"""Enum classes with string values: the value is stored, and a member comes back."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import cache
from typing import Any

from alula.errors import ConversionError, RestrictedType
from alula.idl import EnumType, Literal, LiteralType, literals
from alula.idl import packing as plain
from alula.types.transformer import Converter, Packing, Place, Types, TypeTransformer, split, type_name, wrong_type


class EnumTransformer(TypeTransformer[enum.Enum]):
    """Takes a member, or its value as it stands in a file or on a command line."""

    python_type = enum.Enum
    name = "DefaultEnumTransformer"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        values = [member.value for member in _class(t)]
        others = [value for value in values if type(value) is not str]
        if others or not values:
            raise RestrictedType(
                f"the enum {type_name(_class(t))} has "
                + (f"the value {others[0]!r}, and only strings are allowed" if others else "no members"),
                fix=f"give its members string values, such as {_class(t).__name__}.{_first(t)} = {_first(t).lower()!r}",
            )
        return LiteralType(enum_type=EnumType(values=values))

    def to_literal(self, value: enum.Enum, t: Any, at: Place) -> Literal:
        return literals.string(value.value)

    def to_python(self, lit: Literal, t: Any, at: Place) -> enum.Enum:
        return _member(_read(lit), t)

    def guess(self, lt: LiteralType, types: Types) -> Any:
        return _dynamic(tuple(lt.enum_type.values)) if lt.HasField("enum_type") else None

    def converter(self, t: Any, types: Types) -> Converter:
        cls = _class(t)
        members = _by_value(cls)

        def member(value: Any) -> enum.Enum:
            return value if type(value) is cls else _given(value, t)

        def put(value: Any, at: Place) -> Literal:
            return literals.string(member(value).value)

        def take(lit: Literal, at: Place) -> enum.Enum:
            value = _read(lit)
            found = members.get(value)
            return _member(value, t) if found is None else found

        return Converter(
            declared=t,
            literal_type=self.literal_type(t, types),
            to_literal=put,
            to_python=take,
            copy=member,
            name=self.name,
            matches=lambda value: isinstance(value, cls),
        )

    def packing(self, t: Any, types: Types) -> Packing:
        """Values of any plain class are allowed here, as mashumaro writes them."""
        cls = _class(t)
        return Packing(
            pack=lambda value, at: _given(value, t).value,
            unpack=lambda data, at: _member(data, t),
            copy=lambda value: _given(value, t),
            kinds=frozenset(type(member.value) for member in cls),
            of=cls,
        )


def _class(t: Any) -> type[enum.Enum]:
    cls: type[enum.Enum] = split(t)[0]
    return cls


def _first(t: Any) -> str:
    return next(iter(_class(t).__members__), "RED")


def _by_value(cls: type[enum.Enum]) -> Mapping[Any, enum.Enum]:
    return {member.value: member for member in cls}


def _given(value: Any, t: Any) -> enum.Enum:
    """The member that a caller means, by itself or by its value."""
    if isinstance(value, _class(t)):
        return value
    if isinstance(value, enum.Enum):
        raise wrong_type(value, t)
    return _member(value, t)


def _member(value: Any, t: Any) -> enum.Enum:
    cls = _class(t)
    try:
        return cls(value)
    except (ValueError, KeyError, TypeError) as exc:
        allowed = ", ".join(repr(member.value) for member in cls)
        raise ConversionError(f"{value!r} is no value of {type_name(cls)}", fix=f"use one of {allowed}") from exc


def _read(lit: Literal) -> Any:
    value = lit.scalar.primitive.string_value
    if value or literals.kind(lit) == "string_value":
        return value
    if plain.is_packed(lit):
        return plain.unpacked(lit)
    kind = literals.kind(lit)
    if kind == "union":
        return _read(lit.scalar.union.value)
    raise ConversionError(f"expected the value of an enum, got {kind or 'an empty'} literal")


@cache
def _dynamic(values: tuple[str, ...]) -> Any:
    """An enum with these values; the same class each time, so that its members are equal."""
    return enum.Enum("DynamicEnum", {value: value for value in values})


transformers: list[TypeTransformer[Any]] = [EnumTransformer()]
