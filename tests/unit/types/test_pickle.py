from __future__ import annotations

import pickle
import threading
from typing import Annotated, Any

import pytest

from alula.errors import ConversionError, UnsupportedType
from alula.idl import literals
from alula.types.pickle import Pickle
from tests.unit.types.rig import AT, OBJECTS, TYPES, now, read, round_trip, write


class Plain:
    def __init__(self, n: int) -> None:
        self.n = n


def test_a_class_is_pickled_only_where_the_annotation_asks_for_it() -> None:
    with pytest.raises(UnsupportedType, match="Plain") as fault:
        TYPES.converter(Plain)
    assert "Pickle" in fault.value.fix
    assert round_trip(Pickle[Plain], Plain(3)).n == 3
    assert round_trip(Annotated[Plain, Pickle], Plain(4)).n == 4


def test_the_blob_is_what_flytekit_pickles() -> None:
    lt = TYPES.literal_type(Pickle[Plain])
    assert lt.blob.format == "PythonPickle"
    assert lt.metadata["python_class_name"] == str(Plain)
    blob = write(Pickle[Plain], Plain(3)).scalar.blob
    assert pickle.loads(now(OBJECTS.read(blob.uri))).n == 3


def test_lambdas_and_local_classes_are_pickled_too() -> None:
    assert round_trip(Pickle[Any], lambda x: x + 1)(1) == 2


def test_lists_and_optionals_of_pickles() -> None:
    assert [p.n for p in round_trip(list[Pickle[Plain]], [Plain(1), Plain(2)])] == [1, 2]
    assert round_trip(Pickle[Plain] | None, None) is None


def test_a_value_of_another_class_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"expected .*Plain, got int"):
        write(Pickle[Plain], 3)


def test_what_cannot_be_pickled_is_said() -> None:
    with pytest.raises(ConversionError, match="cannot be pickled"):
        write(Pickle[Any], threading.Lock())


def test_a_damaged_pickle_is_said_with_its_place() -> None:
    uri = AT.new_uri()
    now(OBJECTS.write(uri, b"nonsense"))
    with pytest.raises(ConversionError, match="cannot be read") as fault:
        read(Pickle[Plain], literals.blob(uri, format="PythonPickle"))
    assert fault.value.where == uri


def test_another_literal_is_refused() -> None:
    with pytest.raises(ConversionError, match="integer literal"):
        read(Pickle[Plain], literals.integer(1))
