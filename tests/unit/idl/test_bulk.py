from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import ConversionError
from alula.idl import BindingDataCollection, Literal, LiteralCollection, Primitive, Scalar, bulk, literals

INT64 = st.integers(-(2**63), 2**63 - 1)
EDGES = [0, 1, -1, 127, 128, 2**14 - 1, 2**14, 2**56 - 1, 2**56, 2**62, 2**63 - 1, -(2**63), -(2**56), 255, 256]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def one_by_one(values: Sequence[Any], field: str) -> Literal:
    plain = [Literal(scalar=Scalar(primitive=Primitive(**{field: v}))) for v in values]
    return Literal(collection=LiteralCollection(literals=plain))


@given(st.lists(INT64 | st.sampled_from(EDGES), max_size=200))
def test_integers_are_the_same_messages_as_built_one_by_one(values: list[int]) -> None:
    lit = bulk.collection_of_integers(values)
    assert lit == one_by_one(values, "integer")
    assert bulk.integers_of(lit.collection) == values


def test_edge_integers_survive_in_a_list_long_enough_for_whole_list_operations() -> None:
    values = EDGES * 10
    assert [x.scalar.primitive.integer for x in bulk.collection_of_integers(values).collection.literals] == values


@given(st.lists(st.floats(allow_nan=False), max_size=100))
def test_floats_are_the_same_messages_as_built_one_by_one(values: list[float]) -> None:
    lit = bulk.collection_of_floats(values)
    assert lit == one_by_one(values, "float_value")
    assert list(map(repr, bulk.floats_of(lit.collection) or [])) == list(map(repr, values))


@given(st.lists(TEXT, max_size=100))
def test_strings_are_the_same_messages_as_built_one_by_one(values: list[str]) -> None:
    lit = bulk.collection_of_strings(values)
    assert lit == one_by_one(values, "string_value")
    assert bulk.strings_of(lit.collection) == values


@pytest.mark.parametrize("size", [0, 111, 119, 120, 125, 127, 128, 16_370, 16_384, 3_000_000])
def test_strings_of_every_length_of_the_length_are_written_right(size: int) -> None:
    values = ["x" * size, "", "é" * 5]
    assert bulk.strings_of(bulk.collection_of_strings(values).collection) == values


@given(st.lists(st.booleans(), max_size=100))
def test_booleans_are_the_same_messages_as_built_one_by_one(values: list[bool]) -> None:
    lit = bulk.collection_of_booleans(values)
    assert lit == one_by_one(values, "boolean")
    assert bulk.booleans_of(lit.collection) == values


@pytest.mark.parametrize("size", [2, 100])
@pytest.mark.parametrize("big", [2**63, -(2**63) - 1, 10**30])
def test_an_integer_beyond_64_bits_is_named_with_its_place(size: int, big: int) -> None:
    with pytest.raises(ConversionError, match=f"element {size - 1} does not fit into 64 bits: {big}"):
        bulk.collection_of_integers([1] * (size - 1) + [big])


@pytest.mark.parametrize("size", [1, 2, 50])
@pytest.mark.parametrize("read", [bulk.integers_of, bulk.floats_of, bulk.booleans_of])
def test_a_list_with_one_element_of_another_kind_is_not_read(
    size: int, read: Callable[[LiteralCollection], list[Any] | None]
) -> None:
    lit = bulk.collection_of_integers(range(size)) if read is bulk.integers_of else one_by_one([0] * size, "integer")
    lit.collection.literals[-1].scalar.primitive.string_value = "1"
    assert read(lit.collection) is None


@pytest.mark.parametrize("size", [1, 50])
def test_an_element_without_a_value_is_not_read_as_zero(size: int) -> None:
    lit = bulk.collection_of_integers([0] * size)
    lit.collection.literals[0].Clear()
    assert bulk.integers_of(lit.collection) is None


def test_an_empty_list_is_still_a_list() -> None:
    for build in (bulk.collection_of_integers, bulk.collection_of_strings):
        assert build([]).WhichOneof("value") == "collection"
    assert bulk.integers_of(LiteralCollection()) == []


def test_elements_may_carry_a_hash_and_still_be_read() -> None:
    lit = bulk.collection_of_integers([1, 2, 3, 4, 5])
    lit.collection.literals[2].hash = "h"
    lit.collection.literals[2].metadata["k"] = "v"
    assert bulk.integers_of(lit.collection) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("size", [30, 1_000])
def test_constants_that_a_binding_spells_out_are_the_list_of_them(size: int) -> None:
    spelled, built = BindingDataCollection(), []
    for nth in range(size):
        lit = literals.integer(nth) if nth % 2 else literals.string(f"ü{nth}")
        spelled.bindings.add().scalar.CopyFrom(lit.scalar)
        built.append(lit)
    assert bulk.collection_of_constants(spelled) == literals.collection(built)
    spelled.bindings[size // 2].promise.var = "o0"
    assert bulk.collection_of_constants(spelled) is None
    spelled.bindings[size // 2].Clear()
    assert bulk.collection_of_constants(spelled) is None
