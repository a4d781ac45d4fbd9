from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from typing import Any, get_type_hints

import pytest
from pydantic import BaseModel

from alula.idl import LiteralType, SimpleType
from alula.types.files import File
from tests.unit.types.rig import TYPES, read, round_trip, write


@dataclass
class Inner:
    a: int
    b: str = "x"


@dataclass
class Outer:
    n: int
    when: datetime
    day: date
    inner: Inner
    rows: list[list[float]]
    by_name: dict[str, Inner]
    by_number: dict[int, str]
    pair: tuple[int, str]
    source: File
    maybe: int | None = None
    span: timedelta = timedelta(seconds=1.5)
    many: list[Inner] = field(default_factory=list)


class Model(BaseModel):
    a: int
    inner: Sub


class Sub(BaseModel):
    b: list[str] = []


Model.model_rebuild()


def test_a_class_is_made_from_a_schema_with_the_same_fields() -> None:
    made = TYPES.guess(TYPES.literal_type(Outer))
    assert made.__name__ == "Outer"
    hints = get_type_hints(made)
    assert [f.name for f in fields(made)] == sorted(hints) or set(hints) == {f.name for f in fields(Outer)}
    for name in ("n", "when", "day", "rows", "by_number", "pair", "maybe", "span"):
        assert hints[name] == get_type_hints(Outer)[name], name
    assert hints["source"] is File
    assert hints["inner"].__name__ == "Inner"
    assert made.__dataclass_fields__["span"].default == timedelta(seconds=1.5)


def test_the_same_literal_type_gives_the_same_class() -> None:
    again = LiteralType.FromString(TYPES.literal_type(Inner).SerializeToString())
    assert TYPES.guess(again) is TYPES.guess(TYPES.literal_type(Inner))


def test_a_value_moves_between_a_class_and_the_one_guessed_from_it() -> None:
    made = TYPES.guess(TYPES.literal_type(Inner))
    assert read(made, write(Inner, Inner(1))) == made(a=1, b="x")
    assert read(Inner, write(made, made(a=2))) == Inner(2)
    assert write(Inner, made(a=2)) == write(made, made(a=2))


def test_a_model_is_guessed_as_a_dataclass_with_its_parts() -> None:
    made = TYPES.guess(TYPES.literal_type(Model))
    value = read(made, write(Model, Model(a=1, inner=Sub(b=["x"]))))
    assert (value.a, value.inner.b) == (1, ["x"])
    assert round_trip(made, value) == value


def test_a_schema_of_marshmallow_is_understood() -> None:
    lt = LiteralType(simple=SimpleType.STRUCT)
    inner = {"properties": {"x": {"type": "number", "format": "float"}}, "type": "object"}
    outer: dict[str, Any] = {
        "properties": {
            "a": {"type": "number", "format": "integer"},
            "c": {"type": ["string", "null"]},
            "inner": {"type": "object", "$ref": "#/definitions/InnerSchema"},
        },
        "type": "object",
    }
    lt.metadata.update({"$ref": "#/definitions/OldSchema", "definitions": {"OldSchema": outer, "InnerSchema": inner}})
    made = TYPES.guess(lt)
    assert made.__name__ == "OldSchema"
    hints = get_type_hints(made)
    assert (hints["a"], hints["c"]) == (int, str | None)
    assert get_type_hints(hints["inner"]) == {"x": float}


@pytest.mark.parametrize("metadata", [{}, {"pb_type": "google.protobuf.struct_pb2.Struct"}])
def test_a_struct_without_a_schema_is_no_dataclass(metadata: dict[str, str]) -> None:
    lt = LiteralType(simple=SimpleType.STRUCT)
    lt.metadata.update(metadata)
    assert not hasattr(TYPES.guess(lt), "__dataclass_fields__")
