"""Values as the text of files: what goes out comes back, and what others write is understood."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.containers.files import values
from alula.errors import ConversionError
from alula.idl import BlobType, EnumType, Literal, LiteralType, SimpleType, UnionType, literals, packing

S = SimpleType


def of(simple: SimpleType) -> LiteralType:
    return LiteralType(simple=simple)


def union(*variants: LiteralType) -> LiteralType:
    return LiteralType(union_type=UnionType(variants=variants))


def read(text: str, t: LiteralType) -> Any:
    return packing.plain_of(values.from_text(text, t))


INT, FLOAT, STR, BOOL, NONE = of(S.INTEGER), of(S.FLOAT), of(S.STRING), of(S.BOOLEAN), of(S.NONE)
TIME, SPAN, DICT = of(S.DATETIME), of(S.DURATION), of(S.STRUCT)
COLORS = LiteralType(enum_type=EnumType(values=["red", "blue"]))


def timestamps() -> st.SearchStrategy[Literal]:
    def made(parts: tuple[int, int]) -> Literal:
        lit = Literal()
        lit.scalar.primitive.datetime.seconds, lit.scalar.primitive.datetime.nanos = parts
        return lit

    return st.tuples(st.integers(-62_135_596_800, 253_402_300_799), st.integers(0, 999_999_999)).map(made)


def durations() -> st.SearchStrategy[Literal]:
    def made(nanos: int) -> Literal:
        lit = Literal()
        sign = -1 if nanos < 0 else 1
        whole, part = divmod(abs(nanos), 10**9)
        lit.scalar.primitive.duration.seconds, lit.scalar.primitive.duration.nanos = sign * whole, sign * part
        lit.scalar.primitive.duration.SetInParent()
        return lit

    return st.integers(-(10**19), 10**19).map(made)


SIMPLE: list[tuple[LiteralType, st.SearchStrategy[Literal]]] = [
    (INT, st.integers(-(2**63), 2**63 - 1).map(literals.integer)),
    (FLOAT, st.floats(allow_nan=False).map(literals.floating)),
    (STR, st.text().map(literals.string)),
    (BOOL, st.booleans().map(literals.boolean)),
    (TIME, timestamps()),
    (SPAN, durations()),
    (COLORS, st.sampled_from(["red", "blue"]).map(literals.string)),
]


@pytest.mark.parametrize(("t", "made"), SIMPLE, ids=lambda one: str(one)[:20].strip())
def test_what_is_laid_out_reads_back_the_same_also_within_lists_and_dicts(
    t: LiteralType, made: st.SearchStrategy[Literal]
) -> None:
    @given(made, st.lists(made, max_size=3), st.dictionaries(st.text(max_size=5), made, max_size=3))
    def check(one: Literal, many: list[Literal], named: dict[str, Literal]) -> None:
        assert values.from_text(values.text(one), t) == one
        listed, mapped = literals.collection(many), literals.mapping(named)
        assert values.from_text(values.text(listed), LiteralType(collection_type=t)) == listed
        assert values.from_text(values.text(mapped), LiteralType(map_value_type=t)) == mapped

    check()


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(), st.lists, max_leaves=8))
def test_records_are_json_that_every_parser_takes(data: Any) -> None:
    lit = packing.packed({"a": data})
    text = values.text(lit)
    assert json.loads(text, parse_constant=pytest.fail) == {"a": data}
    assert values.from_text(text, DICT) == lit


def test_what_json_cannot_say_is_said_in_text() -> None:
    lit = packing.packed({"x": math.nan, "y": -math.inf, "b": b"\x00\xff", 3: 1})
    assert values.text(lit) == '{"x": "NaN", "y": "-Infinity", "b": "AP8=", "3": 1}'
    assert values.text(literals.floating(math.inf)) == "Infinity"
    assert math.isnan(values.from_text("NaN", FLOAT).scalar.primitive.float_value)
    assert values.from_plain("-Infinity", FLOAT) == literals.floating(-math.inf)


@pytest.mark.parametrize(
    ("text", "t", "value"),
    [
        (" 42\n", INT, 42),
        ("+7", INT, 7),
        ("1e3\n", FLOAT, 1000.0),
        ("2", FLOAT, 2.0),
        ("-inf", FLOAT, -math.inf),
        ("TRUE\n", BOOL, True),
        ("0", BOOL, False),
        ("a\n", STR, "a\n"),
        ("", STR, ""),
        ("red\n", COLORS, "red"),
        ("anything", NONE, None),
        ("2026-01-02T03:04:05+02:00\n", TIME, "2026-01-02T01:04:05+00:00"),
        ("2026-01-02T03:04:05", TIME, "2026-01-02T03:04:05+00:00"),
        ("2026-01-02 03:04:05.5", TIME, "2026-01-02T03:04:05.500000+00:00"),
        ("2026-01-02", TIME, "2026-01-02T00:00:00+00:00"),
        ("90", SPAN, 90.0),
        ("1.5s", SPAN, 1.5),
        ("-1h30m", SPAN, -5400.0),
        ("250ms", SPAN, 0.25),
        ("1h2m3.5s", SPAN, 3723.5),
        ("1:30:00", SPAN, 5400.0),
        ("1 day, 0:00:01", SPAN, 86401.0),
        ("PT1H30M", SPAN, 5400.0),
        ("P1DT0.5S", SPAN, 86400.5),
        ('{"a": [1, null]}', DICT, {"a": [1, None]}),
        ("[1, 2.0]", LiteralType(collection_type=INT), [1, 2]),
        ('["5s", 3]', LiteralType(collection_type=SPAN), [5.0, 3.0]),
    ],
)
def test_forms_that_programs_write(text: str, t: LiteralType, value: Any) -> None:
    assert read(text, t) == value


@pytest.mark.parametrize(
    ("text", "t", "said"),
    [
        ("4.5", INT, "'4.5' is no int"),
        ("", INT, "'' is no int"),
        ("1_000", INT, "is no int"),
        (str(2**63), INT, "does not fit into 64 bits"),
        ("9" * 5000, INT, "does not fit into 64 bits"),
        ("many", FLOAT, "'many' is no float"),
        ("yes", BOOL, "'yes' is no bool"),
        ("green", COLORS, "'green' is none of 'red', 'blue'"),
        ("tomorrow", TIME, "'tomorrow' is no date and time"),
        ("P", SPAN, "'P' is no duration"),
        ("5 parsecs", SPAN, "is no duration"),
        ("1e999", SPAN, "is no duration"),
        ("{", DICT, "'{' is no JSON"),
        ("[1, null]", LiteralType(collection_type=INT), "expected int, got None"),
        ("[true]", LiteralType(collection_type=INT), "expected int, got True"),
        ('{"a": 1}', LiteralType(collection_type=INT), r"expected list\[int\]"),
        ("[1]", union(INT, BOOL), r"expected int \| bool"),
        ("x", LiteralType(blob=BlobType()), "a file is no text"),
    ],
)
def test_text_of_another_type_is_refused_with_how_to_write_it(text: str, t: LiteralType, said: str) -> None:
    with pytest.raises(ConversionError, match=said):
        values.from_text(text, t)


def test_a_fault_within_json_says_where_it_is() -> None:
    with pytest.raises(ConversionError) as caught:
        values.from_text('{"a": [1, "x"]}', LiteralType(map_value_type=LiteralType(collection_type=INT)))
    assert caught.value.path == "['a'][1]"


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("5.0", 5.0), ("true", True), ("null", None), ("", ""), ("abc", "abc"), ("red", "red")],
)
def test_of_a_union_the_narrowest_variant_counts_whatever_the_order(text: str, value: Any) -> None:
    variants = [STR, FLOAT, COLORS, NONE, BOOL, INT]
    for order in (variants, variants[::-1]):
        made = values.from_text(text, union(*order))
        assert made.scalar.HasField("union")
        found = packing.plain_of(made)
        assert (found, type(found)) == (value, type(value))


def test_bytes_in_other_formats_are_base64_within_json() -> None:
    lit = literals.binary(b"\x00\xff", "cbor")
    assert values.plain(lit) == "AP8="
    assert values.from_plain("AP8=", of(S.BINARY)).scalar.binary.value == b"\x00\xff"
