import pytest

from alula.errors import ConversionError
from alula.idl import BlobType, LiteralType, SchemaType, SimpleType
from alula.idl.types import accepts_none, columns_of, type_at, type_text
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
    schema_of,
    struct,
    table_of,
    union_of,
)


@pytest.mark.parametrize(
    ("t", "text"),
    [
        (INT, "int"),
        (NONE, "None"),
        (LiteralType(simple=SimpleType.DURATION), "timedelta"),
        (list_of(map_of(STR)), "list[dict[str, str]]"),
        (union_of(NONE, STR, INT), "str | int | None"),
        (union_of(), "an empty union"),
        (POINT, "Point(x: int, y: float)"),
        (
            dataclass_of("Big", **{f"f{n}": INT for n in range(9)}),
            "Big(" + "".join(f"f{n}: int, " for n in range(8)) + "...)",
        ),
        (DICT, "dict"),
        (LiteralType(simple=SimpleType.STRUCT, metadata=struct({"pb_type": "m.Msg"})), "m.Msg"),
        (file_of("csv"), "file[csv]"),
        (file_of(), "file"),
        (file_of("x", multipart=True), "directory[x]"),
        (LiteralType(blob=BlobType(format="PythonPickle"), metadata=struct({"python_class_name": "A"})), "pickle[A]"),
        (table_of(), "dataset"),
        (table_of("parquet", a=INT, b=STR), "dataset[parquet](a: int, b: str)"),
        (old_table(a=SchemaType.SchemaColumn.DATETIME), "schema(a: datetime)"),
        (enum_of("r", "g"), "enum['r', 'g']"),
        (literal_of("a", 1), "Literal['a', 1]"),
        (LiteralType(), "unknown"),
    ],
)
def test_a_type_reads_as_one_would_write_it(t: LiteralType, text: str) -> None:
    assert type_text(t) == text


def test_none_is_accepted_by_its_own_type_and_by_optional_ones() -> None:
    assert accepts_none(NONE)
    assert accepts_none(union_of(INT, union_of(STR, NONE)))
    assert not accepts_none(union_of(INT, STR))
    assert not accepts_none(list_of(NONE))
    assert not accepts_none(LiteralType())


@pytest.mark.parametrize(
    ("t", "path", "found"),
    [
        (list_of(map_of(INT)), [3, "k"], INT),
        (dataclass_of("Outer", points=list_of(POINT)), ["points", 0, "y"], FLOAT),
        (union_of(POINT, NONE), ["x"], INT),
        (union_of(POINT, dataclass_of("Q", x=STR)), ["x"], union_of(INT, STR)),
        (union_of(POINT, DICT), ["x"], None),
        (union_of(list_of(INT), POINT), [0], INT),
        (DICT, ["anything", 3, "deeper"], None),
        (schema_of({"n": {"type": "integer"}}), ["n"], INT),
        (schema_of({"n": {"type": "string", "format": "date-time"}}), ["n"], None),
        (schema_of({"n": {"type": "string", "enum": ["a"]}}), ["n"], None),
        (schema_of({"n": {"anyOf": []}}), ["n"], None),
        (schema_of({"n": {}}, additionalProperties=True), ["other"], None),
        (INT, [], INT),
    ],
)
def test_a_path_through_a_type_ends_at_the_type_of_what_is_there(
    t: LiteralType, path: list[str | int], found: LiteralType | None
) -> None:
    assert type_at(t, path) == found


def test_fields_of_the_old_json_schema_form_are_found_among_its_definitions() -> None:
    definition = {"PSchema": {"properties": {"n": {"type": "integer"}}}}
    t = LiteralType(
        simple=SimpleType.STRUCT, metadata=struct({"$ref": "#/definitions/PSchema", "definitions": definition})
    )
    assert type_at(t, ["n"]) == INT


@pytest.mark.parametrize(
    ("t", "path", "message"),
    [
        (POINT, ["z"], r"no .z in Point\(x: int, y: float\): it has the fields x, y"),
        (dataclass_of("O", p=POINT), ["p", "z"], r"no .z in Point\(.*\).p: it has"),
        (list_of(INT), ["x"], r"no .x in list\[int\]: it has elements by number"),
        (map_of(INT), [0], r"no \[0\] in dict\[str, int\]: it has entries by name"),
        (INT, ["x"], "no .x in int: it has no attributes"),
        (union_of(POINT, INT), ["z"], "no .z in"),
        (union_of(NONE), ["z"], r"None"),
        (schema_of({"n": {"type": "integer"}}), ["m"], "no .m in P: there is n"),
        (schema_of({"n": {"type": "integer"}}, additionalProperties=False), ["m"], "no .m in P"),
    ],
)
def test_a_path_that_no_value_has_says_what_there_is(t: LiteralType, path: list[str | int], message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        type_at(t, path)


def test_columns_are_told_for_both_kinds_of_table() -> None:
    column = SchemaType.SchemaColumn
    assert columns_of(table_of(a=INT, b=STR)) == {"a": INT, "b": STR}
    assert columns_of(old_table(b=column.FLOAT, a=column.INTEGER)) == {"b": FLOAT, "a": INT}
