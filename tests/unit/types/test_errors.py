from __future__ import annotations

import pytest

from alula.errors import ConversionError
from alula.idl import literals
from alula.types.errors import TaskError
from tests.unit.types.rig import TYPES, copy, packed_round_trip, read, round_trip, write


def test_an_error_comes_back() -> None:
    value = TaskError("it broke", "n3")
    assert round_trip(TaskError, value) == copy(TaskError, value) == packed_round_trip(TaskError, value) == value
    assert round_trip(TaskError | None, value) == value
    assert write(TaskError, value) == literals.error("it broke", failed_node_id="n3")


def test_other_values_and_literals_are_refused() -> None:
    for convert in (write, copy):
        with pytest.raises(ConversionError, match="got str"):
            convert(TaskError, "it broke")
    with pytest.raises(ConversionError, match="integer literal"):
        read(TaskError, literals.integer(1))


def test_an_error_is_guessed() -> None:
    assert TYPES.guess(TYPES.literal_type(TaskError)) is TaskError
