"""Values, places and tables of statements, without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path

import msgpack
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.data.sql import mysql, places, table, values
from alula.data.sql.places import Connection, SecretName, SqlConfig
from alula.errors import Rejected
from alula.idl import Literal, LiteralType, SimpleType, Struct, StructuredDatasetType, literals

NOW = datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (literals.integer(5), 5),
        (literals.floating(0.5), 0.5),
        (literals.string("it's"), "it's"),
        (literals.boolean(True), True),
        (literals.timestamp(NOW), NOW),
        (literals.duration(timedelta(seconds=-1)), timedelta(seconds=-1)),
        (literals.none(), None),
        (literals.collection([literals.integer(1), literals.none()]), [1, None]),
        (literals.mapping({"a": literals.integer(1)}), '{"a": 1}'),
        (literals.binary(msgpack.packb({"a": [1, "é"]})), '{"a": [1, "é"]}'),
        (literals.binary(msgpack.packb(b"\xff")), b"\xff"),
        (literals.union(literals.string("x"), LiteralType(simple=SimpleType.STRING)), "x"),
    ],
)
def test_a_literal_is_a_plain_value(literal: Literal, value: object) -> None:
    assert values.parameters({"x": literal}, ["x"]) == {"x": value}


def test_structs_are_json_with_whole_numbers() -> None:
    struct = Struct()
    struct.update({"a": 1, "b": [1.5, None, True, "x"]})
    assert values.parameters({"x": literals.generic(struct)}, ["x"]) == {"x": '{"a": 1, "b": [1.5, null, true, "x"]}'}


def test_a_date_is_a_date_where_the_task_says_so() -> None:
    assert values.parameters({"x": literals.timestamp(NOW)}, ["x"], dates=["x"]) == {"x": date(2024, 1, 2)}


def test_everything_that_is_wrong_with_the_inputs_is_said_at_once() -> None:
    with pytest.raises(
        Rejected, match="asks for the input 'a', which is not there and gets a value of kind blob for 'b'"
    ):
        values.parameters({"b": literals.blob("s3://x")}, ["a", "b"])


@given(
    st.text()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.binary()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.none()
    | st.booleans()
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.timedeltas()
)
def test_what_mysql_is_sent_holds_nothing_of_a_value_but_digits(value: object) -> None:
    text = mysql.written(value)
    plain = text
    for word in (
        "convert(x'",
        "' using utf8mb4)",
        "cast(",
        " as datetime(6))",
        " as date)",
        " as time(6))",
        "null",
        "x'",
        "'",
        " as decimal(65, 30))",
    ):
        plain = plain.replace(word, "")
    assert set(plain) <= set("0123456789abcdef-+.e"), text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1], object()])
def test_mysql_refuses_what_it_has_no_type_for(value: object) -> None:
    with pytest.raises(Rejected, match="which MySQL has no type for"):
        mysql.written(value)


MAIN = Connection("postgres", "db", 5433, "u", "d", "group/key")


def test_a_connection_of_the_operators_is_found_by_its_name() -> None:
    assert places.place("postgres", SqlConfig("main"), {"main": MAIN}) is MAIN
    assert MAIN.secret == SecretName("group", "key")


@pytest.mark.parametrize(
    ("kind", "config", "own", "says"),
    [
        ("postgres", SqlConfig("other"), True, "there is no connection 'other'; there is main"),
        ("mysql", SqlConfig("main"), True, "connection 'main' is postgres, and the task is for mysql"),
        ("postgres", SqlConfig(host="evil"), False, "must name one of the operator's connections"),
        ("postgres", SqlConfig(), True, "neither a connection nor a host"),
    ],
)
def test_a_place_that_cannot_be_is_refused(kind: str, config: SqlConfig, own: bool, says: str) -> None:
    with pytest.raises(Rejected, match=says):
        places.place(kind, config, {"main": MAIN}, own=own)


def test_a_task_can_bring_its_own_place() -> None:
    config = SqlConfig(host="h", user="u", password=SecretName("g", "k"))
    assert places.place("postgres", config, {}) == Connection("postgres", "h", 0, "u", "", "g/k")


@pytest.mark.parametrize(
    ("found", "type"),
    [
        ([1, None], pa.int64()),
        ([1, 2.5], pa.float64()),
        ([2**63], pa.string()),
        ([b"x"], pa.binary()),
        ([b"x", "y"], pa.string()),
        ([None], pa.null()),
        ([Decimal("1.50"), Decimal("1E+3")], pa.decimal128(38, 2)),
        ([Decimal("1" * 30), Decimal("0." + "1" * 20)], pa.decimal256(76, 20)),
        ([Decimal("NaN")], pa.string()),
    ],
)
def test_a_column_without_a_type_gets_one_that_holds_its_values(found: list[object], type: pa.DataType) -> None:
    assert table.guessed(found) == type


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.integers(-(2**53), 2**53),
            st.floats(allow_nan=False),
            st.text(st.characters(exclude_categories=["Cs"])),
        ),
        max_size=40,
    ),
    st.integers(1, 7),
)
def test_a_file_holds_what_came_whatever_the_batches(
    tmp_path_factory: pytest.TempPathFactory, found: list[object], step: int
) -> None:
    path = tmp_path_factory.mktemp("t") / "f"
    sink = table.Sink(path, StructuredDatasetType(), "")
    rows = iter([[one] for one in found])
    for batch in table.batches(lambda wanted: list(islice(rows, step)), [("a", None)], ""):
        sink.write(batch)
    sink.close()
    got = pq.read_table(path).column("a").to_pylist()
    assert len(got) == len(found) == sink.rows
    if all(isinstance(one, int | None) for one in found):
        assert got == found
    if any(isinstance(one, str) for one in found):
        assert [one for one, was in zip(got, found, strict=True) if isinstance(was, str)] == [
            was for was in found if isinstance(was, str)
        ]


def test_a_value_that_does_not_fit_names_its_column() -> None:
    with pytest.raises(Rejected, match=r"column 'a' has a value that does not fit int8(?s:.*)cast\(a as"):
        table.batch([[300]], [("a", pa.int8())], "db")


def test_the_file_of_a_table_that_was_given_up_is_left_to_its_folder(tmp_path: Path) -> None:
    sink = table.Sink(tmp_path / "f", StructuredDatasetType(), "")
    sink.write(table.batch([[1]], [("a", None)], ""))
    sink.abandon()
    assert not (tmp_path / "f").exists()
