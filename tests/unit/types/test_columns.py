"""What a declared data set says about its columns and its format."""

from __future__ import annotations

import collections
import datetime
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pandera.pandas
import pyarrow as pa
import pytest

from alula.errors import UnsupportedType
from alula.idl import LiteralType, SchemaType, SimpleType, StructuredDatasetType
from alula.types.columns import columns_of_schema, dataset_type, worth_a_dictionary
from alula.types.tabular import StructuredDataset


@dataclass
class Inner:
    x: float
    y: list[str]


@dataclass
class Outer:
    a: int
    inner: Inner


def columns(**types: Any) -> list[tuple[str, LiteralType]]:
    kind = dataset_type(Annotated[StructuredDataset, types])
    return [(column.name, column.literal_type) for column in kind.columns]


def simple(kind: SimpleType) -> LiteralType:
    return LiteralType(simple=kind)


def test_nothing_is_said_by_a_bare_type() -> None:
    assert dataset_type(StructuredDataset) == StructuredDatasetType()
    assert dataset_type(Annotated[StructuredDataset, 5, None]) == StructuredDatasetType()


@pytest.mark.parametrize(
    ("t", "expected"),
    [
        *((t, SimpleType.INTEGER) for t in (int, np.int64, np.int32, np.uint8)),
        *((t, SimpleType.FLOAT) for t in (float, np.float64, np.float32)),
        *((t, SimpleType.BOOLEAN) for t in (bool, np.bool_)),
        *((t, SimpleType.STRING) for t in (str, np.str_, np.bytes_, np.object_)),
        *((t, SimpleType.DATETIME) for t in (datetime.datetime, datetime.date, np.datetime64)),
        *((t, SimpleType.DURATION) for t in (datetime.timedelta, np.timedelta64)),
    ],
)
def test_a_column_has_a_simple_type(t: type, expected: SimpleType) -> None:
    assert columns(c=t) == [("c", simple(expected))]


def test_lists_and_dicts_are_columns_and_nesting_is_flattened() -> None:
    text = simple(SimpleType.STRING)
    assert columns(a=list[str], b=dict[str, int]) == [
        ("a", LiteralType(collection_type=text)),
        ("b", LiteralType(map_value_type=simple(SimpleType.INTEGER))),
    ]
    flat = [
        ("a", simple(SimpleType.INTEGER)),
        ("inner.x", simple(SimpleType.FLOAT)),
        ("inner.y", LiteralType(collection_type=text)),
    ]
    assert columns(a=int, inner={"x": float, "y": list[str]}) == flat
    assert columns(a=int, inner=Inner) == flat
    by_class = dataset_type(Annotated[StructuredDataset, Outer])
    assert [(column.name, column.literal_type) for column in by_class.columns] == flat


def test_order_of_columns_is_kept() -> None:
    ordered = collections.OrderedDict(z=int, a=str)
    kind = dataset_type(Annotated[StructuredDataset, ordered, "csv"])
    assert [column.name for column in kind.columns] == ["z", "a"]
    assert kind.format == "csv"


def test_an_arrow_schema_is_written_as_text() -> None:
    kind = dataset_type(Annotated[StructuredDataset, pa.schema([("a", pa.int64())])])
    assert (kind.external_schema_type, kind.external_schema_bytes) == ("arrow", b"a: int64")


@pytest.mark.parametrize("twice", [("csv", "parquet"), ({"a": int}, {"b": int}), (pa.schema([]), pa.schema([]))])
def test_saying_a_thing_twice_is_refused(twice: tuple[Any, Any]) -> None:
    with pytest.raises(UnsupportedType, match="twice"):
        dataset_type(Annotated[(StructuredDataset, *twice)])


def test_a_type_that_no_column_has_is_named_with_its_column() -> None:
    with pytest.raises(UnsupportedType, match=r"column 'inner\.c' has type complex"):
        columns(inner={"c": complex})


def test_a_schema_that_nobody_would_check_is_refused() -> None:
    class Schema(pandera.pandas.DataFrameModel):
        a: int

    for schema in (Schema, Schema.to_schema()):
        with pytest.raises(UnsupportedType, match="would not be checked"):
            dataset_type(Annotated[StructuredDataset, schema])


def test_the_columns_of_an_old_schema_are_read() -> None:
    kinds = SchemaType.SchemaColumn
    old = SchemaType(columns=[{"name": "a", "type": kinds.INTEGER}, {"name": "t", "type": kinds.DURATION}])
    assert [(column.name, column.literal_type) for column in columns_of_schema(old)] == [
        ("a", simple(SimpleType.INTEGER)),
        ("t", simple(SimpleType.DURATION)),
    ]


def test_only_text_is_worth_a_dictionary() -> None:
    flat = pa.schema(
        [
            ("i", pa.int64()),
            ("f", pa.float64()),
            ("s", pa.string()),
            ("l", pa.large_string()),
            ("b", pa.binary()),
            ("d", pa.dictionary(pa.int8(), pa.string())),
            ("t", pa.timestamp("us", "UTC")),
        ]
    )
    assert worth_a_dictionary(flat) == ["s", "l", "b", "d"]
    assert worth_a_dictionary(pa.schema([("s", pa.string()), ("n", pa.list_(pa.string()))])) is True
