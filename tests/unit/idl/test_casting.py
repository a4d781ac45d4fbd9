from datetime import UTC, datetime, timedelta

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.idl import Literal, LiteralType, SchemaType, SimpleType, Struct, StructuredDatasetType
from alula.idl import literals as l
from alula.idl.casting import castable, why_not, why_unfit
from tests.unit.idl.build import (
    DICT,
    FLOAT,
    INT,
    NONE,
    POINT,
    STR,
    dataclass_of,
    enum_of,
    file_of,
    list_of,
    literal_of,
    map_of,
    old_table,
    table_of,
    union_of,
)

COLUMN = SchemaType.SchemaColumn
BOOL = LiteralType(simple=SimpleType.BOOLEAN)
DATETIME = LiteralType(simple=SimpleType.DATETIME)
SIMPLE = [LiteralType(simple=n) for n in SimpleType.values()]

ANY_TYPE = st.recursive(
    st.sampled_from([*SIMPLE, POINT, file_of("csv"), enum_of("a", "b"), table_of(a=INT)]),
    lambda inner: st.builds(list_of, inner) | st.builds(map_of, inner) | st.builds(union_of, inner, inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("up", "down"),
    [
        (enum_of("a"), STR),
        (STR, enum_of("a")),
        (enum_of("b", "a"), enum_of("a", "b", "c")),
        (literal_of("a"), STR),
        (POINT, DICT),
        (POINT, dataclass_of("Other", q=STR)),
        (INT, union_of(STR, INT)),
        (NONE, union_of(INT, NONE)),
        (union_of(INT, NONE), union_of(NONE, STR, INT)),
        (union_of(INT), INT),
        (list_of(INT), list_of(union_of(INT, NONE))),
        (list_of(NONE), list_of(INT)),
        (map_of(NONE), map_of(list_of(INT))),
        (map_of(enum_of("a")), map_of(STR)),
        (file_of("csv"), file_of()),
        (file_of(), file_of("csv")),
        (file_of("PythonPickle"), file_of()),
        (table_of("csv"), table_of()),
        (table_of(), table_of("Parquet")),
        (table_of("PARQUET"), table_of("parquet")),
        (table_of(a=INT, b=STR), table_of(b=STR)),
        (table_of(a=INT), table_of()),
        (table_of(), table_of(a=INT)),
        (table_of(a=enum_of("x")), table_of(a=STR)),
        (old_table(a=COLUMN.INTEGER), table_of(a=INT)),
        (table_of("parquet", a=INT), old_table(a=COLUMN.INTEGER)),
        (LiteralType(), INT),
    ],
)
def test_a_type_fits_where_its_values_may(up: LiteralType, down: LiteralType) -> None:
    assert why_not(up, down) == ""
    assert castable(up, down)


@pytest.mark.parametrize(
    ("up", "down", "reason"),
    [
        (INT, FLOAT, "expected float, got int"),
        (INT, BOOL, "expected bool, got int"),
        (INT, list_of(INT), "expected list[int], got int"),
        (list_of(INT), map_of(INT), "expected dict[str, int], got list[int]"),
        (list_of(INT), list_of(STR), "element: expected str, got int"),
        (map_of(list_of(INT)), map_of(list_of(STR)), "value: element: expected str, got int"),
        (union_of(INT, NONE), INT, "it may be None: expected int, got None"),
        (union_of(INT, STR), union_of(INT, NONE), "it may be str: expected int | None, got str"),
        (FLOAT, union_of(INT, STR), "expected int | str, got float"),
        (NONE, INT, "expected int, got None"),
        (NONE, table_of(), "expected dataset, got None"),
        (enum_of("a", "z"), enum_of("a"), "expected enum['a'], got enum['a', 'z']"),
        (enum_of("a"), INT, "expected int, got enum['a']"),
        (DICT, map_of(INT), "expected dict[str, int], got dict"),
        (file_of("csv"), file_of("png"), "expected file[png], got file[csv]"),
        (file_of(), file_of("PythonPickle"), "expected file[PythonPickle], got file"),
        (file_of(), file_of(multipart=True), "expected directory, got file"),
        (table_of("csv"), table_of("parquet"), "expected a table in parquet, got one in csv"),
        (table_of("csv"), old_table(), "expected a table in parquet, got one in csv"),
        (table_of(a=INT), table_of(a=INT, b=INT, c=INT), "the table has no column b, c; it has a"),
        (table_of(a=INT), table_of(a=STR), "column a: expected str, got int"),
        (old_table(a=COLUMN.FLOAT), table_of(a=INT), "column a: expected int, got float"),
    ],
)
def test_a_type_that_cannot_fit_says_why(up: LiteralType, down: LiteralType, reason: str) -> None:
    assert why_not(up, down) == reason


@given(ANY_TYPE)
def test_every_type_fits_itself_and_an_optional_of_itself(t: LiteralType) -> None:
    assert castable(t, t)
    assert castable(t, union_of(NONE, t))
    assert castable(list_of(t), list_of(union_of(t, NONE)))


@given(ANY_TYPE, ANY_TYPE)
def test_what_fits_bare_fits_in_lists_and_maps_and_the_other_way_round(a: LiteralType, b: LiteralType) -> None:
    fits = castable(a, b)
    assert castable(map_of(a), map_of(b)) == (fits or a == NONE)
    assert castable(union_of(a, a), b) == fits


def hour() -> Literal:
    return l.duration(timedelta(hours=1))


@pytest.mark.parametrize(
    ("lit", "t"),
    [
        (l.integer(1), INT),
        (l.integer(1), union_of(STR, INT)),
        (l.union(l.integer(1), INT), union_of(STR, INT)),
        (l.union(l.none(), NONE), union_of(NONE, INT)),
        (l.none(), NONE),
        (l.string("a"), enum_of("a", "b")),
        (l.collection([]), list_of(INT)),
        (l.collection([l.integer(1), l.union(l.none(), NONE)]), list_of(union_of(INT, NONE))),
        (l.mapping({"a": l.collection([l.integer(1)])}), map_of(list_of(INT))),
        (l.binary(msgpack.packb({})), POINT),
        (l.binary(msgpack.packb(1)), INT),
        (l.binary(msgpack.packb([1])), list_of(INT)),
        (l.generic(Struct()), DICT),
        (l.blob("u", format="csv"), file_of("csv")),
        (l.blob("u", format="csv"), file_of()),
        (l.dataset("u", StructuredDatasetType(format="parquet")), table_of(a=INT)),
        (l.error("m"), LiteralType(simple=SimpleType.ERROR)),
        (hour(), LiteralType(simple=SimpleType.DURATION)),
        (l.integer(1), LiteralType()),
    ],
)
def test_a_value_of_a_type_fits_it(lit: Literal, t: LiteralType) -> None:
    assert why_unfit(lit, t) == ""


@pytest.mark.parametrize(
    ("lit", "t", "reason"),
    [
        (l.integer(3), FLOAT, "expected float, got int 3"),
        (l.string("x" * 90), INT, f"expected int, got str '{'x' * 36}..."),
        (l.timestamp(datetime(2020, 1, 2, tzinfo=UTC)), INT, "expected int, got datetime 2020-01-02T00:00:00+00:00"),
        (hour(), DATETIME, "expected datetime, got timedelta 1:00:00"),
        (l.none(), INT, "expected int, got None"),
        (l.integer(1), union_of(STR, NONE), "expected str | None, got int 1"),
        (l.union(l.integer(1), INT), union_of(STR, NONE), "expected str | None, got int 1"),
        (l.string("c"), enum_of("a", "b"), "'c' is none of 'a', 'b'"),
        (l.collection([l.integer(1), l.string("x")]), list_of(INT), "[1]: expected int, got str 'x'"),
        (
            l.mapping({"k": l.collection([l.none()])}),
            map_of(list_of(INT)),
            "['k']: [0]: expected int, got None",
        ),
        (l.collection([]), INT, "expected int, got a list"),
        (l.mapping({}), INT, "expected int, got a dict"),
        (l.binary(b""), file_of(), "expected file, got binary"),
        (l.blob("u", format="csv"), file_of("png"), "expected file[png], got file[csv]"),
        (l.blob("u"), table_of(), "expected dataset, got blob"),
        (
            l.dataset("u", StructuredDatasetType(format="csv")),
            table_of("parquet"),
            "expected a table in parquet, got one in csv",
        ),
        (l.generic(Struct()), INT, "expected int, got generic"),
        (Literal(), INT, "expected int, got nothing"),
    ],
)
def test_a_value_that_does_not_fit_says_why_and_where(lit: Literal, t: LiteralType, reason: str) -> None:
    assert why_unfit(lit, t) == reason


def test_an_offloaded_value_is_judged_by_its_inferred_type() -> None:
    lit = Literal()
    lit.offloaded_metadata.inferred_type.CopyFrom(list_of(INT))
    assert why_unfit(lit, list_of(INT)) == ""
    assert why_unfit(lit, list_of(STR)) == "element: expected str, got int"


def test_an_old_table_is_judged_by_its_columns() -> None:
    lit = Literal()
    lit.scalar.schema.type.CopyFrom(old_table(a=COLUMN.INTEGER).schema)
    assert why_unfit(lit, table_of(a=INT)) == ""
    assert why_unfit(lit, table_of(b=INT)) == "the table has no column b; it has a"
