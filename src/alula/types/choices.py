"""`Literal["a", "b"]`: a simple type with the choices in its annotation, and every value checked against them."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any, get_args

from alula.errors import ConversionError, UnsupportedType
from alula.idl import Literal, LiteralType
from alula.types.transformer import Converter, Packing, Place, Types, TypeTransformer, split, type_name, wrong_type

_BASES = (str, int, float, bool)


class ChoiceTransformer(TypeTransformer[Any]):
    python_type = typing.Literal
    name = "LiteralTypeTransformer"

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        lt = LiteralType()
        lt.CopyFrom(types.literal_type(_base(t)))
        lt.annotation.annotations.update({"literal_values": list(get_args(split(t)[0]))})
        return lt

    def to_literal(self, value: Any, t: Any, at: Place) -> Any:
        return at.types.converter(t).to_literal(value, at)

    def to_python(self, lit: Literal, t: Any, at: Place) -> Any:
        return at.types.converter(t).to_python(lit, at)

    def converter(self, t: Any, types: Types) -> Converter:
        base, check = types.converter(_base(t)), _checker(t)
        put, take = base.to_literal, base.to_python
        return Converter(
            declared=t,
            literal_type=self.literal_type(t, types),
            to_literal=lambda value, at: put(check(value), at),
            to_python=lambda lit, at: check(take(lit, at)),
            copy=check,
            name=self.name,
        )

    def packing(self, t: Any, types: Types) -> Packing:
        base, check = types.packing(_base(t)), _checker(t)
        unpack = base.unpack
        return Packing(
            pack=lambda value, at: check(value),
            unpack=lambda data, at: check(unpack(data, at)),
            copy=check,
            kinds=base.kinds,
            of=base.of,
        )


def _base(t: Any) -> type:
    """The one class of all choices."""
    bases = {type(choice) for choice in get_args(split(t)[0])}
    if len(bases) != 1 or not bases <= set(_BASES):
        raise UnsupportedType(
            f"{type_name(split(t)[0])} mixes {' and '.join(sorted(b.__name__ for b in bases))}"
            if len(bases) > 1
            else f"{type_name(split(t)[0])} has choices of class {bases.pop().__name__}",
            fix="choices are all str, all int, all float or all bool; for None write Optional[Literal[...]]",
        )
    return bases.pop()


def _checker(t: Any) -> Callable[[Any], Any]:
    base = _base(t)
    choices = frozenset(get_args(split(t)[0]))

    def check(value: Any) -> Any:
        if type(value) is not base:
            raise wrong_type(value, t)
        if value not in choices:
            allowed = ", ".join(map(repr, get_args(split(t)[0])))
            raise ConversionError(
                f"{value!r} is none of the choices of {type_name(split(t)[0])}", fix=f"use one of {allowed}"
            )
        return value

    return check


transformers: list[TypeTransformer[Any]] = [ChoiceTransformer()]
