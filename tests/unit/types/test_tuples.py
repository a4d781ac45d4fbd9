from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import ConversionError, UnsupportedType
from alula.idl import packing
from alula.types.files import File
from tests.unit.types.rig import TYPES, copy, read, round_trip, write


class Point(NamedTuple):
    x: int
    tags: list[str]


@given(st.tuples(st.integers(-(2**63), 2**63 - 1), st.lists(st.text(max_size=3)), st.none() | st.booleans()))
def test_a_tuple_comes_back_and_shares_nothing(value: tuple[int, list[str], bool | None]) -> None:
    t = tuple[int, list[str], bool | None]
    made = copy(t, value)
    assert round_trip(t, value) == made == value
    before = repr(value)
    made[1].append("new")
    assert repr(value) == before


def test_named_tuples_come_back_as_their_class() -> None:
    value = Point(1, ["a"])
    for back in (round_trip(Point, value), copy(Point, value)):
        assert back == value
        assert type(back) is Point


def test_tuples_of_any_length_and_sets_come_back() -> None:
    cases: list[tuple[Any, Any]] = [(tuple[int, ...], (1, 2)), (tuple[int, ...], ()), (tuple, (1, "a"))]
    cases += [(set[str], {"a", "b"}), (frozenset[int], frozenset({1})), (set[tuple[int, str]], {(1, "a")})]
    for t, value in cases:
        assert round_trip(t, value) == copy(t, value) == value


def test_equal_sets_have_equal_literals() -> None:
    names = [f"name{n}" for n in range(50)]
    other = {"something": 1, **dict.fromkeys(reversed(names), 1)}
    del other["something"]
    assert write(set[str], set(names)) == write(set[str], set(other))


@pytest.mark.parametrize(
    ("t", "value", "what"),
    [
        (tuple[int, str], (1, 2), "[1]: expected str, got int"),
        (tuple[int, str], (1,), "expected 2 items for tuple[int, str], got 1"),
        (tuple[int, ...], [1], "convert it: tuple(...)"),
        (set[int], [1], "convert it: set(...)"),
        (Point, (1, ["a"]), "expected tests.Point, got tuple"),
    ],
)
def test_other_values_are_refused(t: Any, value: Any, what: str) -> None:
    for convert in (write, copy):
        with pytest.raises(ConversionError) as fault:
            convert(t, value)
        assert what in str(fault.value)


def test_a_tuple_may_hold_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    number, file = round_trip(tuple[int, File], (1, File(tmp_path / "a.txt")))
    assert (number, Path(file.path).read_text()) == (1, "a")


def test_an_unknown_class_is_refused_at_declaration_with_its_place() -> None:
    with pytest.raises(UnsupportedType) as fault:
        TYPES.converter(tuple[int, complex])
    assert fault.value.where == "element 1 of tuple[int, complex]"


def test_a_part_of_packed_data_is_read() -> None:
    assert read(tuple[int, str], packing.packed([1, "a"])) == (1, "a")


def test_a_tuple_is_no_dict_to_who_guesses() -> None:
    assert TYPES.guess(TYPES.literal_type(tuple[int, str])) == tuple[Any, ...]
    assert TYPES.guess(TYPES.literal_type(set[int])) == set[Any]
