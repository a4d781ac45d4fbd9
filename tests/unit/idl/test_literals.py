from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import ConversionError
from alula.idl import BlobType, Literal, LiteralType, PromiseAttribute, SimpleType, Struct, StructuredDatasetType
from alula.idl import literals as l

A_DAY_FROM_THE_END = (datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-11))])
CONFIG = {"name": "m", "layers": [{"size": 3}, {"size": 5}], "by": {1: "one"}, "none": None}


def struct(value: dict[str, Any]) -> Struct:
    result = Struct()
    result.update(value)
    return result


@given(st.datetimes(*A_DAY_FROM_THE_END, timezones=ZONES))
def test_a_point_in_time_survives_to_the_microsecond(value: datetime) -> None:
    lit = l.timestamp(value)
    assert l.to_datetime(lit) == value
    assert l.to_datetime(lit).tzinfo is UTC
    assert 0 <= lit.scalar.primitive.datetime.nanos < 10**9


def test_a_naive_datetime_is_taken_as_utc() -> None:
    aware = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert l.to_datetime(l.timestamp(aware.replace(tzinfo=None))) == aware


@given(st.datetimes(timezones=st.just(UTC)))
def test_timestamps_are_those_that_protobuf_writes(value: datetime) -> None:
    expected = Literal()
    expected.scalar.primitive.datetime.FromDatetime(value)
    assert l.timestamp(value) == expected


@given(st.timedeltas())
def test_a_span_of_time_survives_to_the_microsecond(value: timedelta) -> None:
    lit = l.duration(value)
    assert l.to_timedelta(lit) == value
    fields = lit.scalar.primitive.duration
    assert fields.seconds * fields.nanos >= 0


def test_the_epoch_and_no_time_at_all_are_values_too() -> None:
    assert l.kind(l.timestamp(datetime(1970, 1, 1, tzinfo=UTC))) == "datetime"
    assert l.kind(l.duration(timedelta(0))) == "duration"


@pytest.mark.parametrize("read", [l.to_datetime, l.to_timedelta])
def test_a_literal_of_another_kind_is_no_time(read: Any) -> None:
    with pytest.raises(ConversionError, match="literal, got integer"):
        read(l.integer(1))
    with pytest.raises(ConversionError, match="an empty one"):
        read(Literal())


def test_times_beyond_what_python_holds_are_an_error() -> None:
    late, long = Literal(), Literal()
    late.scalar.primitive.datetime.seconds = 10**15
    long.scalar.primitive.duration.seconds = 10**18
    with pytest.raises(ConversionError, match="no date"):
        l.to_datetime(late)
    with pytest.raises(ConversionError, match="no span"):
        l.to_timedelta(long)


def test_an_int_beyond_64_bits_is_an_error_that_shows_it() -> None:
    with pytest.raises(ConversionError, match=str(2**63)):
        l.integer(2**63)
    assert l.integer(-(2**63)).scalar.primitive.integer == -(2**63)


@pytest.mark.parametrize(
    ("lit", "kind"),
    [
        (l.integer(0), "integer"),
        (l.floating(0.0), "float_value"),
        (l.string(""), "string_value"),
        (l.boolean(False), "boolean"),
        (l.none(), "none_type"),
        (l.binary(b""), "binary"),
        (l.generic(Struct()), "generic"),
        (l.blob("a/b"), "blob"),
        (l.dataset("a/b", StructuredDatasetType()), "structured_dataset"),
        (l.error("it broke"), "error"),
        (l.union(l.none(), LiteralType(simple=SimpleType.NONE)), "union"),
        (l.collection([]), "collection"),
        (l.mapping({}), "map"),
        (Literal(), ""),
    ],
)
def test_the_kind_is_told_for_empty_values_too(lit: Literal, kind: str) -> None:
    assert l.kind(lit) == kind
    assert l.kind(Literal.FromString(lit.SerializeToString())) == kind


def test_builders_keep_what_they_are_given() -> None:
    lit = l.mapping({"a": l.collection([l.integer(1), l.string("x")])})
    assert [l.kind(x) for x in lit.map.literals["a"].collection.literals] == ["integer", "string_value"]
    assert l.blob("u", format="csv", multipart=True).scalar.blob.metadata.type == BlobType(
        format="csv", dimensionality=BlobType.MULTIPART
    )
    assert l.error("m", failed_node_id="n1").scalar.error.failed_node_id == "n1"
    table = l.dataset("u", StructuredDatasetType(format="parquet")).scalar.structured_dataset
    assert table.metadata.structured_dataset_type.format == "parquet"


def test_a_path_leads_through_lists_maps_and_unions() -> None:
    inner = l.union(l.collection([l.integer(7), l.integer(8)]), LiteralType(simple=SimpleType.INTEGER))
    lit = l.mapping({"a": l.collection([inner])})
    assert l.resolve(lit, ["a", 0, 1]) == l.integer(8)
    assert l.resolve(lit, ["a", 0, -1]) == l.integer(8)
    assert l.resolve(lit, []) is lit


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["layers", 1, "size"], 5),
        (["layers", -1], {"size": 5}),
        (["by", 1], "one"),
        (["none"], None),
        (["name"], "m"),
    ],
)
def test_a_path_leads_through_msgpack_to_msgpack(path: list[str | int], value: Any) -> None:
    lit = l.collection([l.binary(msgpack.packb(CONFIG))])
    found = l.resolve(lit, [0, *path])
    assert found.scalar.binary.tag == "msgpack"
    assert msgpack.unpackb(found.scalar.binary.value) == value


def test_a_path_may_be_made_of_wire_attributes() -> None:
    lit = l.binary(msgpack.packb(CONFIG))
    path = [
        PromiseAttribute(string_value="layers"),
        PromiseAttribute(int_value=0),
        PromiseAttribute(string_value="size"),
    ]
    assert l.unpacked(l.resolve(lit, path)) == l.integer(3)
    assert l.path_text([*path, "a key", "ok"]) == ".layers[0].size['a key'].ok"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (["layers", 1, "size"], l.floating(5)),
        (["name"], l.string("m")),
        (["none"], l.none()),
        (["ok"], l.boolean(True)),
        (["layers", 0], l.generic(struct({"size": 3}))),
        (["numbers"], l.collection([l.floating(1), l.floating(2)])),
    ],
)
def test_a_path_leads_through_a_struct_to_literals(path: list[str | int], expected: Literal) -> None:
    value = {"name": "m", "layers": [{"size": 3}, {"size": 5}], "none": None, "ok": True, "numbers": [1, 2]}
    assert l.resolve(l.generic(struct(value)), path) == expected


@pytest.mark.parametrize(
    ("lit", "path", "message"),
    [
        (l.mapping({"a": l.none(), "b": l.none()}), ["c"], "no .c in the value: there is 'a', 'b'"),
        (l.mapping({}), ["c"], "there is no key at all"),
        (l.mapping({"a": l.none()}), [0], r"no \[0\] in the value: there is 'a'"),
        (l.collection([l.mapping({})]), [3], "the list has 1 elements"),
        (l.collection([l.none()]), [-2], "the list has 1 elements"),
        (l.collection([l.none()]), ["x"], "there is a list of 1"),
        (l.integer(1), ["x"], "kind integer has no attributes"),
        (Literal(), ["x"], "kind nothing has no attributes"),
        (l.binary(b"", "other"), ["x"], "kind binary has no attributes"),
        (l.binary(b"\xc1"), ["x"], "does not hold msgpack"),
        (
            l.binary(msgpack.packb(CONFIG)),
            ["layers", 0, "width"],
            r"no .width in the value.layers\[0\]: there is",
        ),
        (l.binary(msgpack.packb(CONFIG)), ["name", 0], r"no \[0\] in the value.name: there is a plain value: 'm'"),
        (l.binary(msgpack.packb(CONFIG)), ["none", "x"], "there is a plain value: None"),
        (l.generic(struct({"a": {"b": 1}})), ["a", "c"], "no .c in the value.a: there is 'b'"),
        (l.generic(struct({"a": [1]})), ["a", 1], "the list has 1 elements"),
        (l.generic(struct({"a": 1})), ["a", "b"], "there is a plain value"),
    ],
)
def test_a_path_that_leads_nowhere_says_what_is_there(lit: Literal, path: Sequence[str | int], message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        l.resolve(lit, path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, l.integer(3)), (3.0, l.floating(3)), ("s", l.string("s")), (True, l.boolean(True)), (None, l.none())],
)
def test_a_packed_primitive_is_unpacked_out_of_its_union(value: Any, expected: Literal) -> None:
    packed = l.binary(msgpack.packb(value))
    assert l.unpacked(l.union(packed, LiteralType(simple=SimpleType.STRUCT))) == expected


def test_what_is_no_packed_primitive_is_left_as_it_is() -> None:
    for lit in (l.binary(msgpack.packb([1])), l.binary(b"x", "other"), l.integer(1), l.collection([])):
        assert l.unpacked(lit) == lit


def test_a_file_whose_name_is_no_utf_8_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConversionError, match=r"no UTF-8: s3://b/caf\\udcff") as caught:
        l.blob("s3://b/caf\udcff")
    str(caught.value).encode()
