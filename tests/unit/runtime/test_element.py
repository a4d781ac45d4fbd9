"""One item of a mapped task."""

from __future__ import annotations

import pytest

from alula.errors import ConfigError
from alula.idl import LiteralMap, literals
from alula.runtime.element import element_index, element_inputs

VARIABLE = {"BATCH_JOB_ARRAY_INDEX_VAR_NAME": "FLYTE_K8S_ARRAY_INDEX"}
LIST = literals.collection([literals.integer(10), literals.integer(20)])


def at(index: int) -> dict[str, str]:
    return {**VARIABLE, "FLYTE_K8S_ARRAY_INDEX": str(index)}


def test_an_item_is_taken_from_each_list_and_what_is_bound_stays_whole() -> None:
    inputs = LiteralMap(literals={"x": LIST, "bound": LIST, "name": literals.string("n")})
    made = element_inputs(frozenset({"bound", "name"}), inputs, at(1))
    assert made.literals["x"] == literals.integer(20)
    assert made.literals["bound"] == LIST
    assert made.literals["name"] == literals.string("n")


def test_a_list_of_one_was_cut_out_for_the_item() -> None:
    one = LiteralMap(literals={"x": literals.collection([literals.integer(70)])})
    assert element_inputs(frozenset(), one, at(6)).literals["x"] == literals.integer(70)


def test_the_offset_is_added_to_the_index() -> None:
    assert element_index({**at(2), "BATCH_JOB_ARRAY_INDEX_OFFSET": "40"}) == 42


def test_an_offset_alone_will_do() -> None:
    assert element_index({"BATCH_JOB_ARRAY_INDEX_OFFSET": "7"}) == 7


def test_no_index_is_an_error_that_names_the_variable() -> None:
    with pytest.raises(ConfigError, match="without the index") as caught:
        element_index({})
    assert "BATCH_JOB_ARRAY_INDEX_VAR_NAME" in caught.value.where


@pytest.mark.parametrize("value", ["-1", "one", "1.5"])
def test_an_index_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="no number") as caught:
        element_index({**VARIABLE, "FLYTE_K8S_ARRAY_INDEX": value})
    assert "FLYTE_K8S_ARRAY_INDEX" in caught.value.where


def test_a_variable_that_is_named_and_not_set_is_refused() -> None:
    with pytest.raises(ConfigError, match="FLYTE_K8S_ARRAY_INDEX"):
        element_index(VARIABLE)


def test_an_index_beyond_the_list_says_how_long_it_is() -> None:
    with pytest.raises(ConfigError, match="the list 'x' has 2"):
        element_inputs(frozenset(), LiteralMap(literals={"x": LIST}), at(2))
