from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alula.errors import ConversionError, UnsupportedType
from alula.idl import Struct, literals, packing
from tests.unit.types.rig import TYPES, copy, packed_round_trip, read, round_trip, write

INTS = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8"))
PLAIN = st.recursive(
    st.none() | st.booleans() | INTS | st.floats(allow_nan=False) | TEXT | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(TEXT | INTS, inner),
    max_leaves=10,
)
VALUES: list[tuple[Any, Any]] = [
    (list[int], st.lists(INTS)),
    (list[int], st.lists(INTS, min_size=65)),
    (list[float], st.lists(st.floats(allow_nan=False))),
    (list[str], st.lists(TEXT)),
    (list[bool], st.lists(st.booleans())),
    (list[int | None], st.lists(st.none() | INTS)),
    (list[list[int]], st.lists(st.lists(INTS))),
    (dict[str, int], st.dictionaries(TEXT, INTS)),
    (dict[str, dict[str, list[str]]], st.dictionaries(TEXT, st.dictionaries(TEXT, st.lists(TEXT)))),
    (dict[int, list[str]], st.dictionaries(INTS, st.lists(TEXT))),
    (dict, st.dictionaries(TEXT, PLAIN)),
]


@pytest.mark.parametrize(("t", "values"), VALUES, ids=[str(t) for t, _ in VALUES])
@settings(max_examples=50)
@given(data=st.data())
def test_every_value_comes_back_by_all_ways(t: Any, values: Any, data: st.DataObject) -> None:
    value = data.draw(values)
    assert round_trip(t, value) == copy(t, value) == packed_round_trip(t, value) == value


@pytest.mark.parametrize(("t", "values"), VALUES, ids=[str(t) for t, _ in VALUES])
@settings(max_examples=20)
@given(data=st.data())
def test_a_copy_is_another_object(t: Any, values: Any, data: st.DataObject) -> None:
    value = data.draw(values)
    made = copy(t, value)
    before = repr(value)
    made.clear()
    assert repr(value) == before


def test_inner_lists_are_copied_too() -> None:
    for t, value in ((list[list[int]], [[1]]), (dict[str, list[int]], {"a": [1]}), (dict, {"a": [1]})):
        made = copy(t, value)
        inner = made[0] if isinstance(made, list) else made["a"]
        inner.append(2)
        assert (value[0] if isinstance(value, list) else value["a"]) == [1]


@pytest.mark.parametrize(
    ("t", "value", "path"),
    [
        (list[int], [1, True], "[1]: expected int, got bool"),
        (list[int], [0] * 100 + [2**63], "does not fit into 64 bits"),
        (list[list[float]], [[1.0], [2.0, 3]], "[1][1]: expected float, got int: 3"),
        (dict[str, list[str]], {"a": ["b", None]}, "['a'][1]: expected str"),
        (dict[str, int], {1: 2}, "key: expected str, got int: 1"),
        (dict[int, str], {1: 2}, "[1]: expected str, got int: 2"),
        (dict, {"k": object()}, "['k']: cannot pack object"),
        (list[str], ["a", "\udcff"], "[1]: '\\udcff' holds lone surrogates"),
    ],
)
def test_a_fault_names_the_path_to_the_part(t: Any, value: Any, path: str) -> None:
    for convert in (write, copy):
        with pytest.raises(ConversionError) as fault:
            convert(t, value)
        assert path in str(fault.value)


def test_a_tuple_or_set_for_a_list_is_refused_with_a_fix() -> None:
    for value in ((1, 2), {1, 2}):
        with pytest.raises(ConversionError, match=r"convert it: list\(\.\.\.\)"):
            copy(list[int], value)


@pytest.mark.parametrize(
    ("t", "where"),
    [
        (list[complex], "element of list[complex]"),
        (dict[str, list[complex]], "value of dict[str, list[complex]], element of list[complex]"),
        (dict[int, complex], "inside dict[int, complex]"),
    ],
)
def test_an_unknown_class_is_refused_at_declaration_with_its_path(t: Any, where: str) -> None:
    with pytest.raises(UnsupportedType, match="complex") as fault:
        TYPES.converter(t)
    assert fault.value.where == where


def test_a_bare_list_is_refused_with_what_to_write() -> None:
    with pytest.raises(UnsupportedType, match=r"list\[int\]"):
        TYPES.converter(list)


def test_any_in_a_list_is_refused_but_packed_data_may_hold_it() -> None:
    with pytest.raises(UnsupportedType):
        TYPES.converter(list[Any])
    assert packed_round_trip(list[Any], [1, "a", [None]]) == [1, "a", [None]]


@pytest.mark.parametrize(
    ("t", "value"),
    [
        (dict, {(1, 2): 3}),
        (dict[tuple[int, int], str], {(1, 2): "a"}),
        (dict[frozenset[int], int], {frozenset({1}): 2}),
    ],
)
def test_keys_that_hold_several_values_are_refused_when_written(t: Any, value: Any) -> None:
    for convert in (write, copy):
        with pytest.raises(ConversionError, match="cannot hold several values"):
            convert(t, value)


def test_keys_that_json_turned_into_strings_are_numbers_again() -> None:
    struct = Struct()
    struct.update({"1": {"2.5": 3}})
    assert read(dict[int, dict[float, int]], literals.generic(struct)) == {1: {2.5: 3}}
    with pytest.raises(ConversionError, match="expected int"):
        read(dict[int, int], packing.packed({"one": 1}))


def test_a_list_cut_out_of_packed_data_is_read() -> None:
    assert read(list[float], packing.packed([1, 2.5])) == [1.0, 2.5]
    assert read(dict[str, int], packing.packed({"a": 1})) == {"a": 1}


def test_literals_of_another_kind_are_refused() -> None:
    for t in (list[int], dict[str, int], dict):
        with pytest.raises(ConversionError, match="integer literal"):
            read(t, literals.integer(1))


def test_subclasses_come_back_plain() -> None:
    class Numbers(dict[str, int]): ...

    assert type(round_trip(dict[str, int], Numbers(a=1))) is type(copy(dict[str, int], Numbers(a=1))) is dict


def test_lists_and_dicts_are_guessed() -> None:
    for t in (list[int], dict[str, list[float]], dict):
        assert TYPES.guess(TYPES.literal_type(t)) == t
    assert TYPES.guess(TYPES.literal_type(dict[int, str])) is dict
