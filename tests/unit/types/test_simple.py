from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import ConversionError
from alula.idl import Literal, LiteralType, SimpleType, Struct, literals, packing
from tests.unit.types.rig import TYPES, copy, packed_round_trip, read, round_trip, write

DAYS = st.dates(min_value=date(1, 1, 2), max_value=date(9999, 12, 30))
TIMES = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))  # noqa: DTZ001
VALUES = {
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False),
    str: st.text(st.characters(codec="utf-8")),
    bool: st.booleans(),
    datetime: TIMES.map(lambda t: t.replace(tzinfo=UTC)),
    date: DAYS,
    timedelta: st.timedeltas(timedelta(days=-100_000), timedelta(days=100_000)),
}


@pytest.mark.parametrize("t", VALUES, ids=lambda t: t.__name__)
@given(data=st.data())
def test_every_value_comes_back_and_a_copy_is_what_comes_back(t: Any, data: st.DataObject) -> None:
    value = data.draw(VALUES[t])
    assert round_trip(t, value) == value
    assert type(round_trip(t, value)) is t
    assert copy(t, value) == value


@pytest.mark.parametrize("t", VALUES, ids=lambda t: t.__name__)
@given(data=st.data())
def test_every_value_comes_back_from_packed_data(t: Any, data: st.DataObject) -> None:
    value = data.draw(VALUES[t])
    assert packed_round_trip(t, value) == TYPES.packing(t).copy(value)


def test_nan_stays_nan_and_minus_zero_keeps_its_sign() -> None:
    assert str(round_trip(float, float("nan"))) == "nan"
    assert str(round_trip(float, -0.0)) == "-0.0"


def test_a_naive_datetime_is_taken_as_utc_by_both_ways() -> None:
    naive = datetime(2024, 1, 2, 3, 4, 5)  # noqa: DTZ001
    assert round_trip(datetime, naive) == copy(datetime, naive) == naive.replace(tzinfo=UTC)


def test_an_aware_datetime_comes_back_in_utc_by_both_ways() -> None:
    east = datetime(2024, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    assert round_trip(datetime, east).tzinfo is copy(datetime, east).tzinfo is UTC


@pytest.mark.parametrize(
    ("t", "value", "what", "fix"),
    [
        (float, 1, "expected float, got int: 1", "write 1.0"),
        (int, True, "expected int, got bool: True", "convert it: int(...)"),
        (int, 1.5, "expected int, got float: 1.5", ""),
        (str, None, "expected str, got NoneType: None", ""),
        (bool, 1, "expected bool, got int: 1", "convert it: bool(...)"),
        (date, datetime(2024, 1, 1), "expected datetime.date, got datetime.datetime", "pass its .date()"),  # noqa: DTZ001
        (int, 2**63, "does not fit into 64 bits", "pass it as a str"),
        (str, "\ud800", "lone surrogates", "decode bytes"),
    ],
)
def test_a_value_of_another_type_is_refused_with_both_types_and_a_fix(t: Any, value: Any, what: str, fix: str) -> None:
    for convert in (write, copy):
        with pytest.raises(ConversionError) as fault:
            convert(t, value)
        assert what in fault.value.what
        assert fix in fault.value.fix
        assert "\n" not in fault.value.what


def test_a_float_literal_is_an_int_only_when_it_is_whole() -> None:
    assert read(int, literals.floating(3.0)) == 3
    with pytest.raises(ConversionError, match=r"expected int, got float: 3\.5"):
        read(int, literals.floating(3.5))


def test_an_int_literal_is_read_as_a_float() -> None:
    assert type(read(float, literals.integer(0))) is float


@pytest.mark.parametrize("t", [int, float, str, bool, datetime, date, timedelta, type(None)], ids=lambda t: t.__name__)
def test_an_empty_literal_and_one_of_another_kind_are_refused(t: Any) -> None:
    for lit in (Literal(), literals.error("x"), literals.collection([])):
        with pytest.raises(ConversionError, match="got"):
            read(t, lit)


def test_a_part_of_packed_data_is_read_as_itself() -> None:
    assert read(int, packing.packed(7)) == 7
    assert read(datetime, packing.packed("2024-01-02T03:04:05+00:00")) == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert read(timedelta, packing.packed(1.5)) == timedelta(seconds=1.5)
    with pytest.raises(ConversionError, match="expected int, got bool"):
        read(int, packing.packed(True))
    with pytest.raises(ConversionError, match="ISO 8601"):
        read(date, packing.packed("yesterday"))


def test_a_variant_of_somebodys_union_is_read_as_the_value_in_it() -> None:
    assert read(int, literals.union(literals.integer(4), LiteralType(simple=SimpleType.INTEGER))) == 4


def test_a_float_field_takes_an_int_and_reads_it_as_a_float() -> None:
    form = TYPES.packing(float)
    assert packing.packed(form.pack(1, None)) == packing.packed(1)  # type: ignore[arg-type]
    assert type(packed_round_trip(float, 1)) is type(form.copy(1)) is float


def test_a_float_field_takes_the_words_that_json_has_for_what_is_no_number() -> None:
    unpack = TYPES.packing(float).unpack
    for word in ("NaN", "Infinity", "-Infinity"):
        assert str(unpack(word, None)) == str(float(word))  # type: ignore[arg-type]
    with pytest.raises(ConversionError, match=r"expected float, got str: '1\.5'"):
        unpack("1.5", None)  # type: ignore[arg-type]
    either = TYPES.packing(float | str)
    assert either.unpack("NaN", None) == "NaN"  # type: ignore[arg-type]


def test_numbers_of_a_struct_are_floats_that_ints_accept() -> None:
    struct = Struct()
    struct.update({"a": 3, "b": 2.5})
    plain = packing.of_struct(struct)
    assert TYPES.packing(int).unpack(plain["a"], None) == 3  # type: ignore[arg-type]
    with pytest.raises(ConversionError):
        TYPES.packing(int).unpack(plain["b"], None)  # type: ignore[arg-type]


def test_types_are_guessed_as_flytekit_guesses_them() -> None:
    for t in (int, float, str, bool, datetime, timedelta, type(None)):
        assert TYPES.guess(TYPES.literal_type(t)) is t
    assert TYPES.guess(TYPES.literal_type(date)) is datetime
