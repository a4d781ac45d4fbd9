"""Plain data on the wire: msgpack in a binary literal, and what any literal is when it lives inside such data.

Plain data is None, bool, int, float, str, bytes, and lists and dicts of these. Attribute access (`node.output.field`)
cuts a part out of packed data, so a value of any type may arrive as the plain form of itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgpack

from alula.errors import ConversionError
from alula.idl import Literal, LiteralType, SimpleType, Struct, Value
from alula.idl import literals as build

MSGPACK = "msgpack"

_SIMPLE_KINDS: dict[int, frozenset[type]] = {
    SimpleType.NONE: frozenset({type(None)}),
    SimpleType.INTEGER: frozenset({int}),
    SimpleType.FLOAT: frozenset({float}),
    SimpleType.STRING: frozenset({str}),
    SimpleType.BOOLEAN: frozenset({bool}),
    SimpleType.DATETIME: frozenset({str}),
    SimpleType.DURATION: frozenset({float}),
    SimpleType.ERROR: frozenset({dict}),
}


def packed(plain: Any) -> Literal:
    """Plain data as a binary literal. Raises ConversionError when there is something else in it."""
    try:
        return build.binary(msgpack.packb(plain, use_bin_type=True), MSGPACK)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ConversionError(f"cannot pack {_shown(plain)}: {exc}") from exc


def is_packed(lit: Literal) -> bool:
    """Whether a literal holds plain data: msgpack, or the JSON (`generic`) of older writers and of the console."""
    return lit.scalar.WhichOneof("value") in ("binary", "generic")


def unpacked(lit: Literal) -> Any:
    """The plain data of a literal. Numbers of a `generic` one are all floats.

    Raises:
        ConversionError: it holds none, or not in msgpack.
    """
    kind = lit.scalar.WhichOneof("value")
    if kind == "generic":
        return of_struct(lit.scalar.generic)
    if kind != "binary":
        raise ConversionError(f"expected packed data, got {build.kind(lit) or 'an empty'} literal")
    binary = lit.scalar.binary
    if binary.tag != MSGPACK:
        raise ConversionError(f"packed data is in format {binary.tag!r}, and only {MSGPACK!r} is known")
    try:
        return msgpack.unpackb(binary.value, strict_map_key=False)
    except (ValueError, TypeError) as exc:
        raise ConversionError(f"packed data of {len(binary.value)} bytes is damaged: {exc}") from exc


def of_struct(struct: Struct) -> dict[str, Any]:
    """A Struct as a dict; its numbers stay floats."""
    return {key: _of_value(value) for key, value in struct.fields.items()}


def plain_of(lit: Literal) -> Any:
    """A literal as it lives inside packed data.

    Source: flytekit's dataclasses, where a blob is `{"path": uri}` and a dataset `{"uri": ..., "file_format": ...}`.
    """
    kind = build.kind(lit)
    scalar = lit.scalar
    match kind:
        case "integer" | "float_value" | "string_value" | "boolean":
            return getattr(scalar.primitive, kind)
        case "datetime":
            return build.to_datetime(lit).isoformat()
        case "duration":
            return build.to_timedelta(lit).total_seconds()
        case "none_type":
            return None
        case "binary" | "generic":
            return unpacked(lit)
        case "blob":
            return {"path": scalar.blob.uri} | ({"metadata": dict(lit.metadata)} if lit.metadata else {})
        case "structured_dataset":
            dataset = scalar.structured_dataset
            return {"uri": dataset.uri, "file_format": dataset.metadata.structured_dataset_type.format}
        case "error":
            return {"message": scalar.error.message, "failed_node_id": scalar.error.failed_node_id}
        case "union":
            return plain_of(scalar.union.value)
        case "collection":
            return [plain_of(item) for item in lit.collection.literals]
        case "map":
            return {key: plain_of(item) for key, item in lit.map.literals.items()}
    raise ConversionError(f"a {kind or 'an empty'} literal has no form inside packed data")


def literal_of(plain: Any, lt: LiteralType) -> Literal:
    """The literal of type `lt` that `plain_of` turned into `plain`.

    Raises:
        ConversionError: `plain` is nothing that a literal of that type turns into.
    """
    match lt.WhichOneof("type"):
        case "blob" if isinstance(plain, dict) and isinstance(plain.get("path"), str):
            lit = build.blob(plain["path"], format=lt.blob.format, multipart=bool(lt.blob.dimensionality))
            lit.metadata.update(plain.get("metadata") or {})
            return lit
        case "structured_dataset_type" if isinstance(plain, dict) and isinstance(plain.get("uri"), str):
            lit = build.dataset(plain["uri"], lt.structured_dataset_type)
            if plain.get("file_format"):
                lit.scalar.structured_dataset.metadata.structured_dataset_type.format = plain["file_format"]
            return lit
        case "collection_type" if isinstance(plain, list):
            return build.collection(literal_of(item, lt.collection_type) for item in plain)
        case "map_value_type" if isinstance(plain, dict):
            return build.mapping({key: literal_of(item, lt.map_value_type) for key, item in plain.items()})
        case "enum_type" if isinstance(plain, str):
            return build.string(plain)
        case "union_type":
            return _of_union(plain, lt)
        case "simple":
            return _of_simple(plain, lt.simple)
    raise ConversionError(f"packed data holds {_shown(plain)} where a {lt.WhichOneof('type') or 'value'} is expected")


def kinds_of(lt: LiteralType) -> frozenset[type]:
    """The classes of plain data that literals of this type turn into; empty: any."""
    match lt.WhichOneof("type"):
        case "simple":
            return _SIMPLE_KINDS.get(lt.simple, frozenset())
        case "blob" | "structured_dataset_type" | "map_value_type":
            return frozenset({dict})
        case "collection_type":
            return frozenset({list})
        case "enum_type":
            return frozenset({str})
    return frozenset()


def _of_simple(plain: Any, simple: int) -> Literal:
    # msgpack keeps ints and floats apart; the console's JSON does not, and a float field may have been given an int.
    if simple == SimpleType.INTEGER and isinstance(plain, float) and plain.is_integer():
        return build.integer(int(plain))
    if simple in (SimpleType.FLOAT, SimpleType.DURATION) and type(plain) is int:
        plain = float(plain)
    if simple in _SIMPLE_KINDS and type(plain) not in _SIMPLE_KINDS[simple]:
        raise ConversionError(f"packed data holds {_shown(plain)} where {SimpleType.Name(simple)} is expected")
    match simple:
        case SimpleType.NONE:
            return build.none()
        case SimpleType.INTEGER:
            return build.integer(plain)
        case SimpleType.FLOAT:
            return build.floating(plain)
        case SimpleType.STRING:
            return build.string(plain)
        case SimpleType.BOOLEAN:
            return build.boolean(plain)
        case SimpleType.DATETIME:
            return build.timestamp(_datetime(plain))
        case SimpleType.DURATION:
            return build.duration(timedelta(seconds=plain))
        case SimpleType.ERROR:
            return build.error(plain.get("message", ""), failed_node_id=plain.get("failed_node_id", ""))
    return packed(plain)


def _of_union(plain: Any, lt: LiteralType) -> Literal:
    variants = sorted(lt.union_type.variants, key=lambda v: type(plain) not in kinds_of(v))
    for variant in variants:
        try:
            return build.union(literal_of(plain, variant), variant)
        except ConversionError:
            continue
    raise ConversionError(f"packed data holds {_shown(plain)}, which is no variant of the union")


def _of_value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return of_struct(value.struct_value)
    if kind == "list_value":
        return [_of_value(item) for item in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)


def _datetime(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as exc:
        raise ConversionError(f"packed data holds {text!r}, which is no date and time in ISO 8601") from exc


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 80 else text[:77] + '...'}"
