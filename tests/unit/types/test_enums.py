from __future__ import annotations

import enum

import pytest

from alula.errors import ConversionError, RestrictedType
from alula.idl import literals, packing
from tests.unit.types.rig import TYPES, copy, packed_round_trip, read, round_trip, write


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


class Name(enum.StrEnum):
    ANN = "ann"


class Nothing(enum.Enum): ...


def test_a_member_comes_back_as_itself() -> None:
    for member in (*Color, *Name):
        assert round_trip(type(member), member) is copy(type(member), member) is member
        assert packed_round_trip(type(member), member) is member


def test_a_raw_value_stands_for_its_member() -> None:
    assert write(Color, "red") == write(Color, Color.RED)
    assert copy(Color, "red") is Color.RED


def test_a_value_that_is_none_names_those_that_are() -> None:
    for convert in (write, copy):
        with pytest.raises(ConversionError, match="use one of 'red', 'blue'"):
            convert(Color, "green")
    with pytest.raises(ConversionError, match="'green' is no value of"):
        read(Color, literals.string("green"))


def test_a_member_of_another_enum_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"expected .*Color, got .*Name"):
        write(Color, Name.ANN)


@pytest.mark.parametrize("t", [Level, Nothing])
def test_other_values_than_strings_are_refused_at_declaration(t: type[enum.Enum]) -> None:
    with pytest.raises(RestrictedType, match=t.__name__) as fault:
        TYPES.converter(t)
    assert "string values" in fault.value.fix


def test_ints_are_fine_inside_packed_data() -> None:
    assert packed_round_trip(Level, Level.LOW) is Level.LOW


def test_a_part_of_packed_data_and_a_variant_are_read() -> None:
    assert read(Color, packing.packed("blue")) is Color.BLUE
    assert read(Color, literals.union(literals.string("red"), TYPES.literal_type(Color))) is Color.RED
    with pytest.raises(ConversionError, match="integer literal"):
        read(Color, literals.integer(1))


def test_the_guessed_enum_is_the_same_each_time() -> None:
    guessed = TYPES.guess(TYPES.literal_type(Color))
    assert guessed is TYPES.guess(TYPES.literal_type(Color))
    assert [member.value for member in guessed] == ["red", "blue"]
