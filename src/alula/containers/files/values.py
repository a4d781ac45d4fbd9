"""Values as the text of a file, and back by their declared type; pure.

A program in any language reads and writes them: numbers and booleans as every language prints them, times in RFC 3339,
durations as seconds (`5400s`), lists, dicts and records as JSON that any parser takes.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from alula.containers.files import times
from alula.errors import ConversionError
from alula.idl import (
    BlobType,
    Literal,
    LiteralType,
    SimpleType,
    StructuredDatasetType,
    casting,
    packing,
)
from alula.idl import literals as build
from alula.idl.types import type_text

NONE = "null"
"""What stands for None in a file."""
BINARY = SimpleType.BINARY
FILES = ("blob", "structured_dataset_type", "schema")
"""Kinds of types whose values are files of their own."""

_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOATS = {math.inf: "Infinity", -math.inf: "-Infinity"}


def text(lit: Literal) -> str:
    """A value as the text of its file. Raises ConversionError for files, tables and bytes, which are no text."""
    kind = build.kind(lit)
    match kind:
        case "string_value":
            return lit.scalar.primitive.string_value
        case "union":
            return text(lit.scalar.union.value)
        case "none_type":
            return NONE
        case "binary" | "generic" | "collection" | "map" | "error":
            return document(plain(lit))
    value = plain(lit)
    return value if isinstance(value, str) else document(value)


def plain(lit: Literal) -> Any:
    """A value as JSON has it: files and tables as their URI, times and durations as text, bytes in base64."""
    kind, scalar = build.kind(lit), lit.scalar
    match kind:
        case "integer" | "string_value" | "boolean":
            return getattr(scalar.primitive, kind)
        case "float_value":
            return _json_float(scalar.primitive.float_value)
        case "datetime":
            return times.datetime_text(scalar.primitive.datetime)
        case "duration":
            return times.duration_text(scalar.primitive.duration)
        case "none_type":
            return None
        case "blob" | "schema" | "structured_dataset":
            return getattr(scalar, kind).uri
        case "union":
            return plain(scalar.union.value)
        case "collection":
            return [plain(one) for one in lit.collection.literals]
        case "map":
            return {key: plain(one) for key, one in sorted(lit.map.literals.items())}
        case "binary" if scalar.binary.tag != packing.MSGPACK:
            return base64.b64encode(scalar.binary.value).decode()
        case "binary" | "generic":
            return _jsonable(packing.unpacked(lit))
        case "error":
            return packing.plain_of(lit)
    raise ConversionError(f"a literal that holds {kind or 'nothing'} has no form in a file")


def document(data: Any) -> str:
    """Plain data as JSON that every parser takes."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False)


def from_text(content: str, t: LiteralType) -> Literal:
    """The value of a declared type that a file holds.

    Raises:
        ConversionError: The text is none of that type; says how to write one.
    """
    match t.WhichOneof("type"):
        case "simple" if t.simple == SimpleType.STRING:
            return _checked(build.string(content), t)
        case "enum_type":
            return _checked(build.string(content.strip()), t)
        case "simple" if t.simple == SimpleType.NONE:
            return build.none()
        case "simple" if t.simple in _READ:
            return _checked(_READ[t.simple](content.strip()), t)
        case "union_type":
            return _first_fit(t, lambda variant: from_text(content, variant), content)
        case "simple" | "collection_type" | "map_value_type":
            return from_plain(_parsed(content, t), t)
    raise ConversionError(f"a {type_text(t)} is no text")


def from_plain(data: Any, t: LiteralType) -> Literal:
    """The value of a declared type that JSON holds. Raises ConversionError, with its path."""
    match t.WhichOneof("type"):
        case "collection_type" if isinstance(data, list):
            return build.collection(_inside(f"[{nth}]", one, t.collection_type) for nth, one in enumerate(data))
        case "map_value_type" if isinstance(data, dict):
            return build.mapping({key: _inside(f"[{key!r}]", one, t.map_value_type) for key, one in data.items()})
        case "union_type":
            return _first_fit(t, lambda variant: from_plain(data, variant), data)
        case "enum_type" if isinstance(data, str):
            return _checked(build.string(data), t)
        case "simple":
            return _checked(_simple(data, t), t)
        case "blob" if isinstance(data, str):
            return build.blob(data, format=t.blob.format, multipart=is_directory(t))
        case "structured_dataset_type" if isinstance(data, str):
            return build.dataset(data, t.structured_dataset_type)
    raise _unfit(data, t)


def is_directory(t: LiteralType) -> bool:
    """Whether a blob type is that of directories."""
    return t.blob.dimensionality == BlobType.MULTIPART


def holds_files(t: LiteralType) -> bool:
    """Whether files, directories or tables may be within values of a type, as far as the type says."""
    match t.WhichOneof("type"):
        case "blob" | "structured_dataset_type" | "schema":
            return True
        case "collection_type":
            return holds_files(t.collection_type)
        case "map_value_type":
            return holds_files(t.map_value_type)
        case "union_type":
            return any(map(holds_files, t.union_type.variants))
    return False


def is_bytes(t: LiteralType) -> bool:
    """Whether values are Python's `bytes`, which are a pickle in stores and themselves in the files of containers."""
    named = t.metadata.fields.get("python_class_name")
    return t.blob.format == "PythonPickle" and named is not None and named.string_value == str(bytes)


def table(uri: str, t: LiteralType, path: Path) -> Literal:
    """A table at a URI, in its declared format or else in that of its files."""
    if t.HasField("schema"):
        lit = Literal()
        lit.scalar.schema.uri = uri
        lit.scalar.schema.type.CopyFrom(t.schema)
        return lit
    kind = StructuredDatasetType()
    kind.CopyFrom(t.structured_dataset_type)
    if not kind.format:
        names = [one.suffix for one in ([path] if path.is_file() else path.rglob("*"))]
        kind.format = "csv" if ".csv" in names else "parquet"
    return build.dataset(uri, kind)


def _inside(step: str, data: Any, t: LiteralType) -> Literal:
    try:
        return from_plain(data, t)
    except ConversionError as exc:
        raise exc.inside(step) from exc


def _first_fit(t: LiteralType, read: Callable[[LiteralType], Literal], shown: Any) -> Literal:
    """The value of a union: that of the narrowest variant which takes it, whatever the order of declaration."""
    for variant in sorted(t.union_type.variants, key=width):
        if is_none(variant):
            if shown is None or (isinstance(shown, str) and shown.strip() == NONE):
                return build.union(build.none(), variant)
            continue
        try:
            return build.union(read(variant), variant)
        except ConversionError:
            continue
    raise _unfit(shown, t)


_WIDTHS: Mapping[int, int] = {
    SimpleType.NONE: 0,
    SimpleType.BOOLEAN: 2,
    SimpleType.INTEGER: 3,
    SimpleType.FLOAT: 4,
    SimpleType.DATETIME: 5,
    SimpleType.DURATION: 6,
    SimpleType.ERROR: 7,
    SimpleType.STRUCT: 9,
    SimpleType.STRING: 11,
    SimpleType.BINARY: 12,
}


def width(t: LiteralType) -> int:
    """How much a type takes: of a union the narrowest is tried first."""
    match t.WhichOneof("type"):
        case "simple":
            return _WIDTHS.get(t.simple, 10)
        case "enum_type":
            return 1
        case "collection_type" | "map_value_type":
            return 8
    return 10


def is_none(t: LiteralType) -> bool:
    return t.WhichOneof("type") == "simple" and t.simple == SimpleType.NONE


def _simple(data: Any, t: LiteralType) -> Literal:
    match t.simple, data:
        case SimpleType.STRUCT, _:
            return packing.packed(data)
        case SimpleType.NONE, None:
            return build.none()
        case SimpleType.STRING, str():
            return build.string(data)
        case SimpleType.BOOLEAN, bool():
            return build.boolean(data)
        case (SimpleType.BOOLEAN | SimpleType.NONE | SimpleType.STRING, _) | (_, bool()):
            raise _unfit(data, t)
        case SimpleType.INTEGER, int():
            return build.integer(data)
        case SimpleType.INTEGER, float() if data.is_integer():
            return build.integer(int(data))
        case SimpleType.FLOAT, int() | float():
            return build.floating(float(data))
        case SimpleType.FLOAT, "NaN" | "Infinity" | "-Infinity":
            return build.floating(float(data))
        case SimpleType.DATETIME, str():
            return times.datetime_of(data)
        case SimpleType.DURATION, str() | int() | float():
            return times.duration_of(str(data))
        case SimpleType.BINARY, str():
            return _bytes(data)
        case SimpleType.ERROR, dict():
            return build.error(str(data.get("message", "")), failed_node_id=str(data.get("failed_node_id", "")))
    raise _unfit(data, t)


def _checked(lit: Literal, t: LiteralType) -> Literal:
    why = casting.why_unfit(lit, t)
    if why:
        raise ConversionError(why)
    return lit


def _parsed(content: str, t: LiteralType) -> Any:
    try:
        return json.loads(content)
    except ValueError as exc:  # JSONDecodeError, or a number with too many digits
        raise ConversionError(f"{_short(content)} is no JSON: {exc}", fix=f"write a {type_text(t)} as JSON") from exc


def _jsonable(data: Any) -> Any:
    match data:
        case dict():
            return {key if isinstance(key, str) else document(_jsonable(key)): _jsonable(v) for key, v in data.items()}
        case list() | tuple():
            return [_jsonable(one) for one in data]
        case bytes():
            return base64.b64encode(data).decode()
        case float():
            return _json_float(data)
        case None | bool() | int() | str():
            return data
    return str(data)


def _json_float(value: float) -> float | str:
    return value if math.isfinite(value) else _FLOATS.get(value, "NaN")


def _integer(content: str) -> Literal:
    if not _INTEGER.fullmatch(content):
        raise ConversionError(f"{_short(content)} is no int", fix="write digits, with a sign before them if need be")
    if len(content) > 40:
        raise ConversionError(f"{_short(content)} does not fit into 64 bits", fix="declare a str, or a float")
    return build.integer(int(content))


def _float(content: str) -> Literal:
    try:
        return build.floating(float(content))
    except ValueError as exc:
        raise ConversionError(
            f"{_short(content)} is no float", fix="write it like 3.14, 1e-9, NaN or -Infinity"
        ) from exc


def _boolean(content: str) -> Literal:
    match content.lower():
        case "true" | "1":
            return build.boolean(True)
        case "false" | "0":
            return build.boolean(False)
    raise ConversionError(f"{_short(content)} is no bool", fix="write true or false")


def _bytes(content: str) -> Literal:
    try:
        return build.binary(base64.b64decode(content, validate=True), "")
    except binascii.Error as exc:
        raise ConversionError(f"{_short(content)} is no base64", fix="write bytes in base64 within JSON") from exc


def _unfit(data: Any, t: LiteralType) -> ConversionError:
    return ConversionError(f"expected {type_text(t)}, got {_short(data)}")


def _short(data: Any) -> str:
    shown = repr(data)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


_READ: Mapping[int, Callable[[str], Literal]] = {
    SimpleType.INTEGER: _integer,
    SimpleType.FLOAT: _float,
    SimpleType.BOOLEAN: _boolean,
    SimpleType.DATETIME: times.datetime_of,
    SimpleType.DURATION: times.duration_of,
}
