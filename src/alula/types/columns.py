"""The columns and the format of a data set, from what its declaration is annotated with."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, get_args, get_origin

from alula.errors import UnsupportedType
from alula.idl import LiteralType, SchemaType, SimpleType, StructuredDatasetType
from alula.types.transformer import split, type_name

_SIMPLE: dict[Any, SimpleType] = {
    int: SimpleType.INTEGER,
    float: SimpleType.FLOAT,
    bool: SimpleType.BOOLEAN,
    str: SimpleType.STRING,
    datetime: SimpleType.DATETIME,
    date: SimpleType.DATETIME,
    timedelta: SimpleType.DURATION,
}
_NUMPY = {
    "int": SimpleType.INTEGER,
    "uint": SimpleType.INTEGER,
    "float": SimpleType.FLOAT,
    "bool": SimpleType.BOOLEAN,
    "bool_": SimpleType.BOOLEAN,
    "datetime": SimpleType.DATETIME,
    "timedelta": SimpleType.DURATION,
    "bytes_": SimpleType.STRING,
    "str_": SimpleType.STRING,
    "object_": SimpleType.STRING,
}
"""By the name of the numpy scalar without its bits, so that numpy need not be imported."""
_OF_SCHEMA = {
    SchemaType.SchemaColumn.INTEGER: SimpleType.INTEGER,
    SchemaType.SchemaColumn.FLOAT: SimpleType.FLOAT,
    SchemaType.SchemaColumn.STRING: SimpleType.STRING,
    SchemaType.SchemaColumn.BOOLEAN: SimpleType.BOOLEAN,
    SchemaType.SchemaColumn.DATETIME: SimpleType.DATETIME,
    SchemaType.SchemaColumn.DURATION: SimpleType.DURATION,
}

Column = StructuredDatasetType.DatasetColumn


def dataset_type(t: Any) -> StructuredDatasetType:
    """The wire type of a declared data set.

    `Annotated[T, ...]` may hold columns (a dict of types, as `kwtypes` makes it, or a dataclass), a format (a string)
    and an arrow schema, each at most once. What else it holds is not looked at.

    Raises:
        UnsupportedType: two of one kind, or a column of a type that tables do not have.
    """
    kind = StructuredDatasetType()
    seen: set[str] = set()
    for item in split(t)[1]:
        columns = _columns(item)
        if columns is not None:
            _once("columns", seen, t)
            kind.columns.extend(Column(name=name, literal_type=lt) for name, lt in _flat(columns))
        elif hasattr(item, "validate"):
            raise UnsupportedType(
                f"{type_name(t)} is annotated with a schema, which would not be checked",
                fix=f"declare pandera.typing.DataFrame[{getattr(item, '__name__', 'Schema')}]",
            )
        elif isinstance(item, str):
            _once("format", seen, t)
            kind.format = item
        elif type(item).__module__.startswith("pyarrow.") and type(item).__name__ == "Schema":
            _once("arrow schema", seen, t)
            kind.external_schema_type = "arrow"
            kind.external_schema_bytes = item.to_string().encode()
    return kind


def columns_of_schema(schema: SchemaType) -> Iterable[Column]:
    """The columns of the old `schema` literal."""
    return [
        Column(name=column.name, literal_type=LiteralType(simple=_OF_SCHEMA[column.type])) for column in schema.columns
    ]


def worth_a_dictionary(schema: Any) -> list[str] | bool:
    """The columns of an arrow schema that parquet should write with a dictionary: those that hold text.

    Trying it on numbers, which seldom repeat, takes half of the time of a write and saves nothing.
    """
    if any(field.type.num_fields for field in schema):
        return True  # nested columns go by the paths of their leaves; let arrow try them all
    text = re.compile(r"dictionary|.*(string|binary)(_view)?$")
    return [field.name for field in schema if text.match(str(field.type))]


def _columns(item: Any) -> Mapping[str, Any] | None:
    if isinstance(item, Mapping):
        return item
    if isinstance(item, type) and dataclasses.is_dataclass(item):
        return typing.get_type_hints(item)
    return None


def _flat(columns: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, LiteralType]]:
    """Nested columns by their dotted path."""
    for name, t in columns.items():
        inner = _columns(t)
        if inner is not None:
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _literal_type(t, f"{prefix}{name}")


def _literal_type(t: Any, name: str) -> LiteralType:
    if get_origin(t) is list:
        return LiteralType(collection_type=_literal_type(get_args(t)[0], name))
    if get_origin(t) is dict:
        return LiteralType(map_value_type=_literal_type(get_args(t)[1], name))
    simple = _SIMPLE.get(t) if isinstance(t, type) else None
    if simple is None and isinstance(t, type) and t.__module__ == "numpy":
        simple = _NUMPY.get(t.__name__.rstrip("0123456789"))
    if simple is None:
        known = ", ".join(known.__name__ for known in _SIMPLE)
        raise UnsupportedType(
            f"column {name!r} has type {type_name(t)}, which no table column has",
            fix=f"use {known}, a numpy scalar type, or a list or dict of these",
        )
    return LiteralType(simple=simple)


def _once(what: str, seen: set[str], t: Any) -> None:
    if what in seen:
        raise UnsupportedType(f"{type_name(t)} is annotated with its {what} twice", fix="keep one of the two")
    seen.add(what)
