from __future__ import annotations

from typing import Any, Literal

import pytest

from alula.errors import ConversionError, UnsupportedType
from alula.idl import SimpleType, literals, packing
from tests.unit.types.rig import TYPES, copy, packed_round_trip, read, round_trip, write


@pytest.mark.parametrize(("t", "value"), [(Literal["a", "b"], "b"), (Literal[1, 2], 2), (Literal[False, True], True)])
def test_a_choice_comes_back(t: Any, value: Any) -> None:
    assert round_trip(t, value) == copy(t, value) == packed_round_trip(t, value) == value


@pytest.mark.parametrize(("t", "value"), [(Literal["a", "b"], "c"), (Literal[1, 2], 3)])
def test_a_value_that_is_no_choice_is_refused_in_both_directions(t: Any, value: Any) -> None:
    for convert in (write, copy):
        with pytest.raises(ConversionError, match="none of the choices"):
            convert(t, value)
    for lit in (write(type(value), value), packing.packed(value)):
        with pytest.raises(ConversionError, match="use one of"):
            read(t, lit)


def test_true_is_not_the_choice_one() -> None:
    with pytest.raises(ConversionError, match="got bool"):
        copy(Literal[1], True)


@pytest.mark.parametrize("t", [Literal["a", 1], Literal["a", None], Literal[b"a"]])
def test_mixed_choices_are_refused_at_declaration(t: Any) -> None:
    with pytest.raises(UnsupportedType, match="Literal") as fault:
        TYPES.converter(t)
    assert "all str" in fault.value.fix


def test_the_choices_are_in_the_annotation_of_the_literal_type() -> None:
    lt = TYPES.literal_type(Literal["a", "b"])
    assert lt.simple == SimpleType.STRING
    assert list(lt.annotation.annotations["literal_values"]) == ["a", "b"]  # type: ignore[arg-type]


def test_a_whole_float_from_the_console_is_an_int_choice() -> None:
    assert read(Literal[1, 2], literals.floating(2.0)) == 2
