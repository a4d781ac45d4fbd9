"""Builders and readers of `Literal`: the only form a value has outside the user's function.

Builders set fields in place: nested constructors copy every level and cost four times as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgpack

from alula.errors import ConversionError
from alula.idl import (
    BlobType,
    Literal,
    LiteralMap,
    LiteralType,
    PromiseAttribute,
    Struct,
    StructuredDatasetType,
    Value,
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
from alula.idl.content import digest, equal

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
    "digest",
    "duration",
    "equal",
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
    "path_text",
    "resolve",
    "string",
    "strings_of",
    "timestamp",
    "to_datetime",
    "to_timedelta",
    "union",
    "unpacked",
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
    """A file, or with `multipart` a directory, at a URI. Raises ConversionError for a URI that has no UTF-8."""
    lit = Literal()
    into = lit.scalar.blob
    try:
        into.uri = uri
    except UnicodeEncodeError as exc:
        shown = uri.encode(errors="backslashreplace").decode()
        raise ConversionError(f"the name of a file is no UTF-8: {shown}", fix="rename the file") from exc
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


def unpacked(lit: Literal) -> Literal:
    """The bare value: out of its union, and out of msgpack if that holds a primitive or None. Else `lit` itself."""
    while lit.scalar.HasField("union"):
        lit = lit.scalar.union.value
    if lit.scalar.HasField("binary") and lit.scalar.binary.tag == "msgpack":
        match _read_msgpack(lit):
            case bool(value):
                return boolean(value)
            case int(value):
                return integer(value)
            case float(value):
                return floating(value)
            case str(value):
                return string(value)
            case None:
                return none()
    return lit


def resolve(lit: Literal, path: Iterable[PromiseAttribute | str | int]) -> Literal:
    """What `lit` holds at an attribute path such as `.config.layers[2]`.

    Walks lists, maps, unions, msgpack and Struct. What lies inside msgpack comes back as msgpack, as Flyte does it:
    only the reader's declared type tells a datetime from its text. See `unpacked` for when a primitive is needed.

    Raises:
        ConversionError: There is no such attribute, key or element; says which there are.
    """
    steps: Sequence[str | int] = [_step(part) for part in path]
    for nth, step in enumerate(steps):
        while lit.scalar.HasField("union"):
            lit = lit.scalar.union.value
        match kind(lit):
            case "collection":
                lit = _at(lit.collection.literals, step, steps[:nth])
            case "map":
                lit = _at(lit.map.literals, step, steps[:nth])
            case "generic":
                return _walked_struct(lit.scalar.generic, steps, nth)
            case "binary" if lit.scalar.binary.tag == "msgpack":
                value = _read_msgpack(lit)
                for deeper in range(nth, len(steps)):
                    value = _at(value, steps[deeper], steps[:deeper])
                return binary(msgpack.packb(value))
            case other:
                raise _no_such(step, steps[:nth], f"a literal of kind {other or 'nothing'} has no attributes")
    return lit


def path_text(path: Iterable[PromiseAttribute | str | int]) -> str:
    """An attribute path as it is written in Python: `.config.layers[2]`, `["a key"]`."""
    shown = ""
    for step in map(_step, path):
        shown += f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]"
    return shown


def _step(part: PromiseAttribute | str | int) -> str | int:
    if isinstance(part, PromiseAttribute):
        return part.int_value if part.WhichOneof("value") == "int_value" else part.string_value
    return part


def _walked_struct(struct: Struct, steps: Sequence[str | int], start: int) -> Literal:
    at = Value(struct_value=struct)
    for nth in range(start, len(steps)):
        match at.WhichOneof("kind"):
            case "struct_value":
                at = _at(at.struct_value.fields, steps[nth], steps[:nth])
            case "list_value":
                at = _at(at.list_value.values, steps[nth], steps[:nth])
            case _:
                raise _no_such(steps[nth], steps[:nth], "there is a plain value")
    return _from_struct_value(at)


def _from_struct_value(value: Value) -> Literal:
    match value.WhichOneof("kind"):
        case "struct_value":
            return generic(value.struct_value)
        case "list_value":
            return collection(map(_from_struct_value, value.list_value.values))
        case "number_value":
            return floating(value.number_value)
        case "string_value":
            return string(value.string_value)
        case "bool_value":
            return boolean(value.bool_value)
        case _:
            return none()


def _read_msgpack(lit: Literal) -> Any:
    try:
        return msgpack.unpackb(lit.scalar.binary.value, strict_map_key=False)
    except ValueError as exc:
        raise ConversionError(f"a binary literal tagged msgpack does not hold msgpack: {exc}") from exc


def _at(holder: Any, step: str | int, before: Sequence[str | int]) -> Any:
    """One step into a list or map, protobuf's or Python's; a list counts from its end with negative numbers."""
    if hasattr(holder, "keys"):
        if (isinstance(step, str) or isinstance(holder, dict)) and step in holder:
            return holder[step]
        keys = sorted(map(repr, holder))
        shown = ", ".join(keys[:20]) + ", ..." * (len(keys) > 20)
        raise _no_such(step, before, f"there is {shown or 'no key at all'}")
    if isinstance(holder, str | bytes) or not hasattr(holder, "__len__"):
        raise _no_such(step, before, f"there is a plain value: {holder!r}")
    if not isinstance(step, int):
        raise _no_such(step, before, f"there is a list of {len(holder)}")
    if not -len(holder) <= step < len(holder):
        raise _no_such(step, before, f"the list has {len(holder)} elements")
    return holder[step]


def _no_such(step: str | int, before: Sequence[str | int], there_is: str) -> ConversionError:
    return ConversionError(f"no {path_text([step])} in the value{path_text(before)}: {there_is}")
