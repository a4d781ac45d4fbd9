"""Builders and readers of `Literal`: the only form a value has outside the user's function.

Builders set fields in place: nested constructors copy every level and cost four times as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from alula.errors import ConversionError
from alula.idl import (
    BlobType,
    Literal,
    LiteralMap,
    LiteralType,
    Struct,
    StructuredDatasetType,
)
from alula.idl.bulk import (
    booleans_of,
    collection_of_booleans,
    collection_of_floats,
    collection_of_integers,
    collection_of_strings,
    floats_of,
    integers_of,
    strings_of,
)

__all__ = [
    "binary",
    "blob",
    "boolean",
    "booleans_of",
    "collection",
    "collection_of_booleans",
    "collection_of_floats",
    "collection_of_integers",
    "collection_of_strings",
    "dataset",
    "duration",
    "error",
    "floating",
    "floats_of",
    "generic",
    "integer",
    "integers_of",
    "kind",
    "literal_map",
    "mapping",
    "none",
    "string",
    "strings_of",
    "timestamp",
    "to_datetime",
    "to_timedelta",
    "union",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def integer(value: int) -> Literal:
    """An int. Raises ConversionError beyond 64 bits."""
    lit = Literal()
    try:
        lit.scalar.primitive.integer = value
    except ValueError as exc:
        raise ConversionError(f"{value} does not fit into 64 bits", fix="pass it as a str, or use float") from exc
    return lit


def floating(value: float) -> Literal:
    lit = Literal()
    lit.scalar.primitive.float_value = value
    return lit


def string(value: str) -> Literal:
    lit = Literal()
    lit.scalar.primitive.string_value = value
    return lit


def boolean(value: bool) -> Literal:
    lit = Literal()
    lit.scalar.primitive.boolean = value
    return lit


def timestamp(value: datetime) -> Literal:
    """A point in time, exact to the microsecond; a naive one is taken as UTC."""
    since = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
    lit = Literal()
    into = lit.scalar.primitive.datetime
    # A timedelta keeps its microseconds positive, before 1970 too: just what Timestamp asks for.
    into.seconds = since.days * 86_400 + since.seconds
    into.nanos = since.microseconds * 1_000
    into.SetInParent()
    return lit


def duration(value: timedelta) -> Literal:
    """A span of time, exact to the microsecond; a negative one has both fields negative, as Duration asks for."""
    micros = value // _MICROSECOND
    seconds, rest = divmod(abs(micros), 1_000_000)
    sign = -1 if micros < 0 else 1
    lit = Literal()
    into = lit.scalar.primitive.duration
    into.seconds = sign * seconds
    into.nanos = sign * rest * 1_000
    into.SetInParent()
    return lit


def none() -> Literal:
    lit = Literal()
    lit.scalar.none_type.SetInParent()
    return lit


def collection(literals: Iterable[Literal]) -> Literal:
    """A list. For lists of plain values see `collection_of_integers` and its sisters."""
    lit = Literal()
    lit.collection.SetInParent()
    lit.collection.literals.extend(literals)
    return lit


def mapping(literals: Mapping[str, Literal]) -> Literal:
    """A dict with string keys."""
    lit = Literal()
    lit.map.SetInParent()
    into = lit.map.literals
    for key, value in literals.items():
        into[key].CopyFrom(value)
    return lit


def literal_map(literals: Mapping[str, Literal]) -> LiteralMap:
    """Named values: the inputs or outputs of a task."""
    result = LiteralMap()
    into = result.literals
    for key, value in literals.items():
        into[key].CopyFrom(value)
    return result


def union(literal: Literal, variant: LiteralType) -> Literal:
    """A value of a union, with the variant that it is."""
    lit = Literal()
    into = lit.scalar.union
    into.value.CopyFrom(literal)
    into.type.CopyFrom(variant)
    return lit


def binary(value: bytes, tag: str = "msgpack") -> Literal:
    """Bytes in the format that `tag` names."""
    lit = Literal()
    into = lit.scalar.binary
    into.value = value
    into.tag = tag
    return lit


def generic(value: Struct) -> Literal:
    lit = Literal()
    lit.scalar.generic.CopyFrom(value)
    return lit


def blob(uri: str, *, format: str = "", multipart: bool = False) -> Literal:
    """A file, or with `multipart` a directory, at a URI."""
    lit = Literal()
    into = lit.scalar.blob
    into.uri = uri
    into.metadata.type.format = format
    into.metadata.type.dimensionality = BlobType.MULTIPART if multipart else BlobType.SINGLE
    into.metadata.type.SetInParent()
    return lit


def dataset(uri: str, type: StructuredDatasetType) -> Literal:
    """A table at a URI, with the columns and format that it was written with."""
    lit = Literal()
    into = lit.scalar.structured_dataset
    into.uri = uri
    into.metadata.structured_dataset_type.CopyFrom(type)
    return lit


def error(message: str, *, failed_node_id: str = "") -> Literal:
    """What a failure handler gets: the message, and the node that failed."""
    lit = Literal()
    into = lit.scalar.error
    into.message = message
    into.failed_node_id = failed_node_id
    return lit


def to_datetime(lit: Literal) -> datetime:
    """The point in time, aware and in UTC; less than a microsecond is dropped.

    Raises:
        ConversionError: The literal is of another kind, or the year is not within 1..9999.
    """
    if kind(lit) != "datetime":
        raise ConversionError(f"expected a datetime literal, got {kind(lit) or 'an empty one'}")
    value = lit.scalar.primitive.datetime
    try:
        return _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1_000)
    except OverflowError as exc:
        raise ConversionError(f"{value.seconds} seconds since 1970 is no date that Python can hold") from exc


def to_timedelta(lit: Literal) -> timedelta:
    """The span of time; less than a microsecond is dropped.

    Raises:
        ConversionError: The literal is of another kind, or the span is too long for a timedelta.
    """
    if kind(lit) != "duration":
        raise ConversionError(f"expected a duration literal, got {kind(lit) or 'an empty one'}")
    value = lit.scalar.primitive.duration
    try:
        return timedelta(seconds=value.seconds, microseconds=int(value.nanos / 1_000))
    except OverflowError as exc:
        raise ConversionError(f"{value.seconds} seconds is no span that Python can hold") from exc


def kind(lit: Literal) -> str:
    """Which field holds the value, by its innermost name; empty for a literal that holds none.

    One of `integer float_value string_value boolean datetime duration` (primitives), `blob binary schema none_type
    error generic structured_dataset union` (other scalars), `collection map offloaded_metadata`.
    """
    outer = lit.WhichOneof("value")
    if outer != "scalar":
        return outer or ""
    inner = lit.scalar.WhichOneof("value")
    if inner != "primitive":
        return inner or ""
    return lit.scalar.primitive.WhichOneof("value") or ""
