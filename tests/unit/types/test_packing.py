from __future__ import annotations

from collections import deque
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import pytest

from alula.errors import ConversionError, UnsupportedType
from alula.idl import Literal, LiteralType, SimpleType, literals
from alula.types.registry import Registry
from alula.types.transformer import Place, Types, TypeTransformer
from tests.unit.types.rig import AT, TYPES, packed_round_trip

WELL_KNOWN: list[tuple[Any, Any]] = [
    (Path, Path("a/b")),
    (PurePosixPath, PurePosixPath("/x")),
    (UUID, UUID(int=5)),
    (Decimal, Decimal("1.10")),
    (Fraction, Fraction(1, 3)),
    (IPv4Address, IPv4Address("10.0.0.1")),
    (deque[int], deque([1, 2])),
]


class Celsius:
    def __init__(self, degrees: float) -> None:
        self.degrees = degrees


class CelsiusTransformer(TypeTransformer[Celsius]):
    python_type = Celsius

    def literal_type(self, t: Any, types: Types) -> LiteralType:
        return LiteralType(simple=SimpleType.FLOAT)

    def to_literal(self, value: Celsius, t: Any, at: Place) -> Literal:
        return literals.floating(value.degrees)

    async def to_python(self, lit: Literal, t: Any, at: Place) -> Celsius:
        return Celsius(lit.scalar.primitive.float_value)


@pytest.mark.parametrize(("t", "value"), WELL_KNOWN, ids=[str(t) for t, _ in WELL_KNOWN])
def test_a_class_with_a_well_known_plain_form_needs_no_transformer(t: Any, value: Any) -> None:
    assert packed_round_trip(t, value) == TYPES.packing(t).copy(value) == value
    with pytest.raises(ConversionError, match="expected"):
        TYPES.packing(t).pack(object(), AT)


def test_data_that_is_no_such_class_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"expected .*UUID, got str: 'x'"):
        TYPES.packing(UUID).unpack("x", AT)
    with pytest.raises(ConversionError, match="Decimal"):
        TYPES.packing(Decimal).unpack("x", AT)


def test_a_transformer_lives_in_packed_data_by_the_plain_form_of_its_literal() -> None:
    types = Registry()
    types.register(CelsiusTransformer())
    form = types.packing(Celsius)
    assert form.awaits
    assert form.kinds == {float}
    assert form.copy is None


def test_anything_means_plain_data() -> None:
    assert packed_round_trip(Any, {"a": (1, None)}) == {"a": [1, None]}
    with pytest.raises(ConversionError, match="cannot pack"):
        TYPES.packing(Any).pack({"a": object()}, AT)


def test_a_class_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UnsupportedType, match="complex"):
        TYPES.packing(complex)


def test_a_key_that_needs_more_than_plain_data_is_refused() -> None:
    types = Registry()
    types.register(CelsiusTransformer())
    with pytest.raises(UnsupportedType, match="key of a dict"):
        types.packing(dict[Celsius, int])
