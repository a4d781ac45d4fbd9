from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import Int64Value

from alula.errors import ConversionError, UnsupportedType
from alula.idl import Identifier, ListValue, Struct, literals
from tests.unit.types.rig import TYPES, copy, packed_round_trip, read, round_trip, write


def struct(**values: Any) -> Struct:
    made = Struct()
    made.update(values)
    return made


@pytest.mark.parametrize(
    "value", [Identifier(project="p", name="n"), struct(a=1.5, b=["x", None], c={"d": True}), Identifier()]
)
def test_a_message_comes_back(value: Any) -> None:
    t = type(value)
    assert round_trip(t, value) == copy(t, value) == packed_round_trip(t, value) == value
    assert copy(t, value) is not value


def test_a_list_value_is_a_list_of_literals() -> None:
    value = ListValue()
    value.extend([1.0, "two", True, None, {"a": 1}])
    assert write(ListValue, value).WhichOneof("value") == "collection"
    assert round_trip(ListValue, value) == value


@pytest.mark.parametrize(("t", "instead"), [(Timestamp, "datetime"), (Duration, "timedelta"), (Int64Value, "int")])
def test_a_message_that_a_struct_cannot_hold_is_refused_at_declaration(t: Any, instead: str) -> None:
    with pytest.raises(UnsupportedType) as fault:
        TYPES.converter(t)
    assert instead in fault.value.fix


def test_the_base_class_of_all_messages_names_none() -> None:
    with pytest.raises(UnsupportedType):
        TYPES.converter(Message)


def test_another_message_and_other_json_are_refused() -> None:
    with pytest.raises(ConversionError, match=r"expected .*Identifier"):
        write(Identifier, struct())
    with pytest.raises(ConversionError, match="no_such_field"):
        read(Identifier, literals.generic(struct(no_such_field=1)))
    with pytest.raises(ConversionError):
        read(Identifier, literals.integer(1))


def test_a_message_class_is_guessed_from_its_name() -> None:
    assert TYPES.guess(TYPES.literal_type(Identifier)) is Identifier
    assert TYPES.guess(TYPES.literal_type(Struct)) is Struct
