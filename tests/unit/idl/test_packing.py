from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import ConversionError
from alula.idl import BlobType, EnumType, Literal, LiteralType, SimpleType, Struct, StructuredDatasetType, UnionType
from alula.idl import literals as build
from alula.idl.packing import is_packed, kinds_of, literal_of, of_struct, packed, plain_of, unpacked

INTEGER, STRING = LiteralType(simple=SimpleType.INTEGER), LiteralType(simple=SimpleType.STRING)
NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
FILE = LiteralType(blob=BlobType(format="csv"))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), inner),
    max_leaves=8,
)


@given(PLAIN)
def test_plain_data_comes_back_from_msgpack(value: Any) -> None:
    lit = packed(value)
    assert is_packed(lit)
    assert lit.scalar.binary.tag == "msgpack"
    assert unpacked(lit) == value


def test_the_json_of_a_struct_is_plain_data_with_float_numbers() -> None:
    struct = Struct()
    struct.update({"a": 1, "b": [None, "x", {"c": True}]})
    assert is_packed(build.generic(struct))
    assert unpacked(build.generic(struct)) == of_struct(struct) == {"a": 1.0, "b": [None, "x", {"c": True}]}


@pytest.mark.parametrize("value", [object(), {"a": {1, 2}}, 2**64, "\ud800"])
def test_what_msgpack_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ConversionError, match="cannot pack"):
        packed(value)


@pytest.mark.parametrize(
    ("lit", "what"),
    [
        (build.integer(1), "expected packed data, got integer"),
        (Literal(), "expected packed data"),
        (build.binary(b"x", "cbor"), "format 'cbor'"),
        (build.binary(b"\xc1"), "damaged"),
        (build.binary(b""), "damaged"),
    ],
)
def test_other_literals_hold_no_plain_data(lit: Literal, what: str) -> None:
    with pytest.raises(ConversionError, match=what):
        unpacked(lit)


ROUND_TRIPS = [
    (build.integer(3), INTEGER, 3),
    (build.floating(0.5), LiteralType(simple=SimpleType.FLOAT), 0.5),
    (build.string("s"), STRING, "s"),
    (build.boolean(False), LiteralType(simple=SimpleType.BOOLEAN), False),
    (build.none(), LiteralType(simple=SimpleType.NONE), None),
    (build.timestamp(NEW_YEAR), LiteralType(simple=SimpleType.DATETIME), "2024-01-01T00:00:00+00:00"),
    (build.duration(timedelta(seconds=1.5)), LiteralType(simple=SimpleType.DURATION), 1.5),
    (
        build.error("m", failed_node_id="n"),
        LiteralType(simple=SimpleType.ERROR),
        {"message": "m", "failed_node_id": "n"},
    ),
    (packed({"a": [1]}), LiteralType(simple=SimpleType.STRUCT), {"a": [1]}),
    (build.blob("s3://b/k", format="csv"), FILE, {"path": "s3://b/k"}),
    (build.string("red"), LiteralType(enum_type=EnumType(values=["red"])), "red"),
    (build.collection([build.integer(1)]), LiteralType(collection_type=INTEGER), [1]),
    (build.mapping({"k": build.string("v")}), LiteralType(map_value_type=STRING), {"k": "v"}),
    (
        build.dataset("s3://t", StructuredDatasetType(format="parquet")),
        LiteralType(structured_dataset_type=StructuredDatasetType()),
        {"uri": "s3://t", "file_format": "parquet"},
    ),
    (
        build.union(build.string("a"), STRING),
        LiteralType(union_type=UnionType(variants=[INTEGER, STRING])),
        "a",
    ),
]


@pytest.mark.parametrize(("lit", "lt", "plain"), ROUND_TRIPS)
def test_every_literal_has_a_plain_form_that_gives_it_back(lit: Literal, lt: LiteralType, plain: Any) -> None:
    assert plain_of(lit) == plain
    assert literal_of(plain, lt) == lit
    assert type(plain) in (kinds_of(lt) or {type(plain)})


def test_a_files_metadata_travels_with_it() -> None:
    lit = build.blob("s3://b/k", format="csv")
    lit.metadata["k"] = "v"
    assert literal_of(plain_of(lit), FILE) == lit


def test_numbers_that_json_mixed_up_are_told_by_the_type() -> None:
    assert literal_of(3.0, INTEGER) == build.integer(3)
    assert literal_of(3, LiteralType(simple=SimpleType.FLOAT)) == build.floating(3.0)


@pytest.mark.parametrize(
    ("plain", "lt"),
    [
        ("x", INTEGER),
        (1.5, INTEGER),
        (1, STRING),
        ({"uri": "x"}, FILE),
        ("soon", LiteralType(simple=SimpleType.DATETIME)),
        ({"a": 1}, LiteralType(collection_type=INTEGER)),
        ([1.5], LiteralType(union_type=UnionType(variants=[INTEGER, STRING]))),
        (1, LiteralType()),
    ],
)
def test_data_of_another_form_is_refused(plain: Any, lt: LiteralType) -> None:
    with pytest.raises(ConversionError, match="packed data holds"):
        literal_of(plain, lt)


def test_a_literal_that_holds_nothing_has_no_plain_form() -> None:
    with pytest.raises(ConversionError):
        plain_of(Literal())
