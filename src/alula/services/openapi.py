"""The HTTP paths of the control plane as an OpenAPI document, made from the descriptors of the services."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from alula.idl.service import routes_of
from alula.services.transcoding import Path, inner_of, is_map, is_text

Schema = dict[str, Any]

_F = FieldDescriptor
_INTEGER: Schema = {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
_UNSIGNED: Schema = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
_LONG: Schema = {"type": "string", "pattern": "^-?[0-9]{1,18}$"}
_LONG_UNSIGNED: Schema = {"type": "string", "pattern": "^[0-9]{1,18}$"}
_REAL: Schema = {"type": ["number", "string"], "description": "also NaN, Infinity and -Infinity"}
_SCALARS: dict[int, Schema] = {
    _F.TYPE_BOOL: {"type": "boolean"},
    _F.TYPE_STRING: {"type": "string"},
    _F.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    _F.TYPE_DOUBLE: _REAL,
    _F.TYPE_FLOAT: _REAL,
    **dict.fromkeys((_F.TYPE_INT32, _F.TYPE_SINT32, _F.TYPE_SFIXED32), _INTEGER),
    **dict.fromkeys((_F.TYPE_UINT32, _F.TYPE_FIXED32), _UNSIGNED),
    **dict.fromkeys((_F.TYPE_INT64, _F.TYPE_SINT64, _F.TYPE_SFIXED64), _LONG),
    **dict.fromkeys((_F.TYPE_UINT64, _F.TYPE_FIXED64), _LONG_UNSIGNED),
}
_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Value": {},
}
_VARIABLE = re.compile(r"\{[^}]+\}")
_DEPTH = 3
"""Of the fields of messages that are offered as parameters of a query."""
_FAILED: Schema = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "integer"}, "message": {"type": "string"}, "details": {"type": "array"}},
}


def document(paths: Iterable[Path]) -> Schema:
    """All calls that are offered."""
    schemas: dict[str, Schema] = {"Failed": _FAILED}
    operations: dict[str, dict[str, Schema]] = {}
    for path in sorted(paths, key=lambda one: one.route.path):
        if not path.rpc.reason:
            template = _VARIABLE.sub(lambda found: _flat(found[0]), path.route.path)
            at = operations.setdefault(template, {})
            at[path.route.verb.lower()] = _operation(path, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Alula's control plane",
            "version": version("alula"),
            "description": "flyteidl's services as JSON, by their own google.api.http annotations.",
        },
        "paths": operations,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _flat(name: str) -> str:
    """Names of parameters without dots, which generators of clients cannot take."""
    return name.replace(".", "_")


def _operation(path: Path, schemas: dict[str, Schema]) -> Schema:
    rpc, route = path.rpc, path.route
    asks, main = rpc.method.input_type, next(routes_of(rpc.method))
    found: Schema = {
        "operationId": f"{rpc.name}{'' if route == main else f'_{len(path.fields)}'}",
        "tags": [rpc.service.rpartition(".")[2]],
        "summary": rpc.name,
        "parameters": [_in_path(asks, name) for name in path.fields],
        "responses": {
            "200": _content(_message(rpc.method.output_type, schemas)),
            "4XX": _content({"$ref": "#/components/schemas/Failed"}),
            "503": _content({"$ref": "#/components/schemas/Failed"}),
        },
    }
    if route.body:
        body = asks if route.body == "*" else inner_of(asks.fields_by_name[route.body])
        found["requestBody"] = {**_content(_message(body, schemas), description=""), "required": False}
        found["requestBody"].pop("description")
    else:
        found["parameters"] += _in_query(asks, taken=set(path.fields))
    return found


def _content(schema: Schema, *, description: str = "as said") -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _in_path(asks: Descriptor, name: str) -> Schema:
    field = _deep(asks, name.split("."))
    return {"name": _flat(name), "in": "path", "required": True, "schema": {**_single(field), "minLength": 1}}


def _deep(descriptor: Descriptor, names: list[str]) -> FieldDescriptor:
    field = descriptor.fields_by_name[names[0]]
    return field if len(names) == 1 else _deep(inner_of(field), names[1:])


def _in_query(asks: Descriptor, *, taken: set[str], before: str = "", depth: int = _DEPTH) -> list[Schema]:
    found: list[Schema] = []
    for field in asks.fields:
        name = f"{before}{field.name}"
        inner = field.message_type
        if name in taken or is_map(field):
            continue
        if inner is not None and not is_text(inner):
            if depth > 1 and not field.is_repeated and inner.full_name not in _KNOWN:
                found += _in_query(inner, taken=taken, before=f"{name}.", depth=depth - 1)
            continue
        schema = _single(field)
        if field.is_repeated:
            schema = {"type": "array", "items": schema}
        found.append({"name": name, "in": "query", "required": False, "schema": schema})
    return found


def _single(field: FieldDescriptor) -> Schema:
    """A value that is one text."""
    if field.message_type is not None:
        return dict(_KNOWN.get(field.message_type.full_name, {"type": "string"}))
    if field.enum_type is not None:
        return _enum(field.enum_type)
    return dict(_SCALARS[field.type])


def _message(descriptor: Descriptor, schemas: dict[str, Schema]) -> Schema:
    name = descriptor.full_name
    if name in _KNOWN:
        return _KNOWN[name]
    if name not in schemas:
        schemas[name] = {}  # before its fields, which may hold it again
        properties = {field.json_name: _field(field, schemas) for field in descriptor.fields}
        schemas[name] = {"type": "object", "properties": properties}
    return {"$ref": f"#/components/schemas/{name}"}


def _field(field: FieldDescriptor, schemas: dict[str, Schema]) -> Schema:
    if is_map(field):
        return {"type": "object", "additionalProperties": _value(inner_of(field).fields_by_name["value"], schemas)}
    schema = _value(field, schemas)
    return {"type": "array", "items": schema} if field.is_repeated else schema


def _value(field: FieldDescriptor, schemas: dict[str, Schema]) -> Schema:
    if field.message_type is not None:
        inner = field.message_type
        if is_text(inner) and inner.full_name not in _KNOWN:
            return _value(inner.fields_by_name["value"], schemas)
        return _message(inner, schemas)
    return _single(field)


def _enum(enum: EnumDescriptor) -> Schema:
    return {"type": "string", "enum": [value.name for value in enum.values]}
