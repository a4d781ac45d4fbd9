"""JSON schemas as flytekit writes them into literal types: of dataclasses, and back to classes."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, get_origin
from uuid import UUID

from alula.errors import UnsupportedType
from alula.idl import BlobType, LiteralType, SimpleType, Struct, StructuredDatasetType
from alula.idl.packing import of_struct
from alula.types.transformer import Types


def schema_of(t: Any, types: Types) -> dict[str, Any] | None:
    """The JSON schema (draft 2020-12) of a dataclass, None if one of its types has none."""
    from mashumaro.jsonschema import build_json_schema
    from mashumaro.jsonschema.models import Context, JSONSchema
    from mashumaro.jsonschema.plugins import BasePlugin
    from mashumaro.jsonschema.schema import Instance

    class Blobs(BasePlugin):
        def get_schema(self, instance: Instance, ctx: Context, schema: JSONSchema | None = None) -> JSONSchema | None:
            found = _blob_schema(instance.type, types)
            return None if found is None else JSONSchema.from_dict(found)

    try:
        return build_json_schema(t, plugins=[Blobs()]).to_dict()
    except (NotImplementedError, TypeError, ValueError):
        return None


_TEXT, _NULL = {"type": "string"}, {"type": "null"}
_PATH = {"default": None, "anyOf": [_TEXT, {"type": "string", "format": "path"}]}
_FILE_METADATA = {
    "default": None,
    "anyOf": [{"type": "object", "additionalProperties": _TEXT, "propertyNames": _TEXT}, _NULL],
}
_URI = {"default": None, "anyOf": [_TEXT, _NULL]}
_FILE_FORMAT = {"default": "", "anyOf": [_TEXT, _NULL]}


def _blob_schema(t: Any, types: Types) -> dict[str, Any] | None:
    """The schema that flytekit gives to files, directories and datasets within a dataclass."""
    cls = get_origin(t) or t
    if not isinstance(cls, type) or cls.__module__ in ("builtins", "typing", "datetime", "types", "pathlib"):
        return None
    if dataclasses.is_dataclass(cls) and not hasattr(cls, "__class_getitem__"):
        return None
    try:
        lt = types.literal_type(t)
    except UnsupportedType:
        return None
    match lt.WhichOneof("type"):
        case "blob" if lt.blob.dimensionality == BlobType.MULTIPART:
            return _object("FlyteDirectory", path=_PATH)
        case "blob":
            return _object("FlyteFile", path=_PATH, metadata=_FILE_METADATA)
        case "structured_dataset_type":
            return _object("StructuredDataset", uri=_URI, file_format=_FILE_FORMAT)
    return None


def _object(title: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "title": title, "properties": properties, "additionalProperties": False}


# From a schema to a class.


def class_of_schema(lt: LiteralType, types: Types) -> type | None:
    """A dataclass with the title and the fields of a literal type's schema, the same class each time; None: no schema.

    Knows the schemas of mashumaro and pydantic (a title), and of marshmallow (`definitions`), which old versions of
    flytekit wrote.
    """
    if lt.WhichOneof("type") != "simple" or lt.simple != SimpleType.STRUCT:
        return None
    schema = lt.metadata
    if "properties" not in schema and "definitions" not in schema:
        return None
    registry: Any = types
    return _class_of_bytes(schema.SerializeToString(deterministic=True), registry)


@lru_cache(maxsize=1024)
def _class_of_bytes(serialized: bytes, types: Types) -> type | None:
    schema = of_struct(Struct.FromString(serialized))
    known = schema.get("definitions") or schema.get("$defs") or {}
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = {"title": name, **known.get(name, {})}
    if not isinstance(schema.get("title"), str) or "properties" not in schema:
        return None
    return _Schemas(known, types).record(schema)


class _Schemas:
    """Turns schemas into types; those that are named once are made once."""

    def __init__(self, known: Mapping[str, Any], types: Types) -> None:
        self.known, self.types = known, types
        self.made: dict[str, type] = {}

    def record(self, schema: Mapping[str, Any]) -> type:
        properties = schema.get("properties", {})
        required = [name for name in schema.get("required", []) if name in properties]
        fields: list[Any] = []
        for name in [*required, *sorted(properties.keys() - set(required))]:  # the wire keeps no other order
            part = properties[name]
            t = self.type(part)
            if name in required:
                fields.append((name, t))
            elif isinstance(part.get("default"), bool | int | float | str):
                fields.append((name, t, _default(t, part["default"])))
            elif (get_origin(t) or t) in (list, dict):
                fields.append((name, t, dataclasses.field(default_factory=get_origin(t) or t)))
            elif "default" in part:
                fields.append((name, typing.Union[t, None], None))  # noqa: UP007 - `|` fails for what is no class
            else:
                fields.append((name, t))
        title = re.sub(r"\W", "_", schema["title"])
        return dataclasses.make_dataclass(title, fields, kw_only=True, namespace={"__doc__": None})

    def type(self, schema: Any) -> Any:
        if not isinstance(schema, Mapping) or not schema:
            return Any
        if "$ref" in schema:
            return self._named(schema["$ref"].rpartition("/")[2])
        if schema.get("anyOf"):
            return typing.Union[tuple(self.type(one) for one in schema["anyOf"])]  # noqa: UP007
        if "enum" in schema or "const" in schema:
            values = schema.get("enum", [schema.get("const")])
            return str if all(isinstance(value, str) for value in values) else Any
        kind = schema.get("type")
        if isinstance(kind, list):  # marshmallow's optional: ["string", "null"]
            return typing.Union[tuple(self.type({**schema, "type": one}) for one in kind)]  # noqa: UP007
        if kind == "array":
            return self._array(schema)
        if kind == "object":
            return self._object(schema)
        return _SCALARS.get((kind, schema.get("format"))) or _SCALARS.get((kind, None), Any)

    def _named(self, name: str) -> Any:
        schema = self.known.get(name)
        if name in _STORED:
            return self.types.guess(_STORED[name])
        if schema is None:
            return Any
        if "properties" not in schema:
            return self.type(schema)
        if name not in self.made:
            self.made[name] = self.record({"title": name, **schema})
        return self.made[name]

    def _array(self, schema: Mapping[str, Any]) -> Any:
        if "prefixItems" in schema:
            return tuple[tuple(self.type(one) for one in schema["prefixItems"])]  # type: ignore[misc]
        return list[self.type(schema.get("items"))]  # type: ignore[misc]

    def _object(self, schema: Mapping[str, Any]) -> Any:
        stored = _STORED.get(schema.get("title", ""))
        if stored is not None:
            return self.types.guess(stored)
        if schema.get("properties") and schema.get("title"):
            return self.record(schema)
        values = schema.get("additionalProperties")
        if isinstance(values, Mapping):
            keys = _SCALARS.get((schema.get("propertyNames", {}).get("type"), None), str)
            return dict[keys, self.type(values)]  # type: ignore[valid-type,misc]
        return dict


_SCALARS: dict[tuple[Any, Any], Any] = {
    ("string", None): str,
    ("string", "date-time"): datetime,
    ("string", "date"): date,
    ("string", "uuid"): UUID,
    ("string", "decimal"): Decimal,
    ("integer", None): int,
    ("number", None): float,
    ("number", "integer"): int,
    ("number", "time-delta"): timedelta,
    ("boolean", None): bool,
    ("null", None): type(None),
}
_STORED = {
    "FlyteFile": LiteralType(blob=BlobType()),
    "_SpecificFormatClass": LiteralType(blob=BlobType()),
    "FlyteDirectory": LiteralType(blob=BlobType(dimensionality=BlobType.MULTIPART)),
    "StructuredDataset": LiteralType(structured_dataset_type=StructuredDatasetType()),
}


def _default(t: Any, value: Any) -> Any:
    """A schema's default as a value of the field's type; JSON has one class of numbers."""
    if t in (int, float) and not isinstance(value, bool | str):
        return t(value)
    if t is timedelta:
        return timedelta(seconds=value)
    return t.fromisoformat(value) if t in (date, datetime) else value
