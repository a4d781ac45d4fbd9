from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import AmbiguousUnion, ConversionError, UnsupportedType
from alula.idl import literals, packing
from alula.types.transformer import HashMethod
from tests.unit.types.rig import TYPES, copy, pack, packed_round_trip, read, round_trip, write


class Color(enum.Enum):
    RED = "red"


class Light(enum.Enum):
    RED = "red"


@dataclass
class A:
    x: int


@dataclass
class B:
    x: int


@dataclass
class Wide(A):
    y: int = 0


def twin() -> Any:
    @dataclass
    class A:
        x: int

    return A


TwinOfA = twin()


@dataclass
class Holder:
    either: A | B
    maybe: int | None = None


@given(st.none() | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=3))
def test_a_value_comes_back_as_its_own_class(value: Any) -> None:
    t = Union[int, float, str, bool, None]  # noqa: UP007
    for back in (round_trip(t, value), copy(t, value), packed_round_trip(t, value)):
        assert type(back) is type(value)
        assert back == value


@pytest.mark.parametrize("t", [A | B, B | A, Union[A, B, None]])  # noqa: UP007
@pytest.mark.parametrize("value", [A(1), B(1)])
def test_two_dataclasses_of_one_shape_are_told_apart_by_the_class_of_the_value(t: Any, value: Any) -> None:
    for back in (round_trip(t, value), copy(t, value), packed_round_trip(t, value)):
        assert type(back) is type(value)
        assert back == value


def test_the_same_holds_inside_a_dataclass() -> None:
    for value in (Holder(A(1)), Holder(B(1), 2)):
        assert round_trip(Holder, value) == copy(Holder, value) == value
        assert type(round_trip(Holder, value).either) is type(value.either)


def test_packed_data_names_the_variant_only_where_its_fields_cannot_tell() -> None:
    assert pack(Holder, Holder(A(1)))["either"] == {"x": 1}
    assert set(pack(Holder, Holder(B(1)))["either"]) == {"x", "__variant__"}


def test_the_nearest_base_class_takes_an_instance_of_a_subclass() -> None:
    assert type(round_trip(A | Wide | None, Wide(1, 2))) is Wide
    assert round_trip(A | int, Wide(1, 2)) == A(1)


def test_two_classes_with_equal_names_and_fields_are_ambiguous_in_both_directions() -> None:
    t = Union[A, TwinOfA]  # noqa: UP007
    for convert in (write, copy):
        with pytest.raises(AmbiguousUnion, match="rename one"):
            convert(t, A(1))
    with pytest.raises(AmbiguousUnion):
        read(t, write(A | None, A(1)))


def test_a_raw_value_that_two_enums_take_is_ambiguous_and_a_member_is_not() -> None:
    with pytest.raises(AmbiguousUnion, match=r"Color and .*Light"):
        write(Color | Light, "red")
    assert copy(Color | int, "red") is Color.RED


def test_a_string_is_a_string_where_an_enum_has_that_value_too() -> None:
    assert round_trip(Color | str, "red") == "red"
    assert round_trip(Color | str, Color.RED) is Color.RED


def test_an_int_for_a_float_is_refused_in_a_union_too() -> None:
    with pytest.raises(ConversionError, match=r"write 1\.0"):
        write(Optional[float], 1)  # noqa: UP045


def test_the_first_variant_takes_what_several_of_one_class_share() -> None:
    t = Union[list[int], list[str]]  # noqa: UP007
    for value in ([], [1], ["a"]):
        assert round_trip(t, value) == copy(t, value) == packed_round_trip(t, value) == value
    with pytest.raises(ConversionError):
        write(t, [1.0])


def test_choices_share_their_class_with_strings() -> None:
    t = Union[Literal["a", "b"], list[str], None]  # noqa: UP007
    assert round_trip(t, "a") == "a"
    with pytest.raises(ConversionError, match="use one of 'a', 'b'"):
        write(t, "c")


def test_a_literal_without_a_tag_is_read_by_its_kind() -> None:
    t = Union[float, int, str, None]  # noqa: UP007
    for value in (1, "a", None, 0.5):
        back = read(t, write(type(value), value))
        assert back == value
        assert type(back) is type(value)
    assert read(Optional[A], packing.packed({"x": 1})) == A(1)  # noqa: UP045
    with pytest.raises(ConversionError, match="boolean"):
        read(t, literals.boolean(True))


def test_a_variant_stored_by_a_smaller_union_is_read_by_a_larger_one() -> None:
    assert read(int | str | A | None, write(Optional[A], A(2))) == A(2)  # noqa: UP045
    with pytest.raises(ConversionError):
        read(int | str, write(Optional[A], A(2)))  # noqa: UP045


def test_a_path_or_a_string_inside_packed_data_comes_back_as_the_string_it_is() -> None:
    assert packed_round_trip(Path | None, Path("a/b")) == Path("a/b")
    assert packed_round_trip(str | Path, "a/b") == "a/b"


def test_a_text_that_is_a_date_stays_a_text_where_text_comes_first() -> None:
    assert packed_round_trip(str | datetime, "2024-01-01") == "2024-01-01"


def test_both_spellings_and_annotations_give_one_literal_type() -> None:
    plain = TYPES.literal_type(Optional[int])  # noqa: UP045
    assert plain == TYPES.literal_type(int | None) == TYPES.literal_type(Annotated[int | None, "note"])
    assert [v.structure.tag for v in plain.union_type.variants] == ["int", "none"]


def test_a_hashed_variant_is_allowed() -> None:
    assert round_trip(Annotated[int, HashMethod(str)] | None, 3) == 3


def test_an_unknown_variant_is_refused_at_declaration() -> None:
    with pytest.raises(UnsupportedType) as fault:
        TYPES.converter(int | complex)
    assert fault.value.where == "variant of int | complex"


def test_a_union_is_guessed_as_a_union() -> None:
    assert TYPES.guess(TYPES.literal_type(int | list[str] | None)) == int | list[str] | None
