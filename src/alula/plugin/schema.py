"""The contract of a plugin's tasks in a language that any SDK reads, and the check of templates against it.

What a task of some type must carry follows from `PluginInfo.config`: a dataclass or a protobuf message. Its JSON Schema
describes `TaskTemplate.custom`, a Struct, in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from alula.errors import Rejected
from alula.idl import Struct, TaskTemplate
from alula.plugin import typed
from alula.plugin.core import PluginInfo
from alula.plugin.phase import Json

C = TypeVar("C")

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def published(info: PluginInfo) -> dict[str, Json]:
    """What `alula plugin schema` prints: JSON Schema of the custom part of a task, and which types of task have it.

    Raises:
        PluginError: The config has a field that JSON cannot hold.
    """
    body = config_schema(info.config)
    head: dict[str, Json] = {
        "title": f"TaskTemplate.custom of plugin {info.name}",
        "x-task-types": [*sorted(info.task_types)],
        "x-wire": "google.protobuf.Struct" if not _is_message(info.config) else _wire(info.config),
    }
    return {"$schema": DRAFT, **head, **body}


def config_schema(config: type | None) -> dict[str, Json]:
    """The JSON Schema of a config; of None: any object."""
    if config is None:
        return {"type": "object"}
    if _is_message(config):
        known: dict[str, Json] = {}
        root = _message(config.DESCRIPTOR, known)  # type: ignore[attr-defined]
        return {**root, "$defs": known}
    return {key: value for key, value in typed.schema(config).items() if key != "$schema"}


def faults_of(template: TaskTemplate, info: PluginInfo) -> list[str]:
    """What is wrong with a task's config, each fault with its path; empty: it fits."""
    if info.config is None:
        return []
    document = json_format.MessageToDict(template.custom)
    if _is_message(info.config):
        try:
            json_format.ParseDict(document, info.config())
        except json_format.ParseError as exc:
            return [f"config: {exc}"]
        return []
    return typed.faults_of(document, info.config)


def config_of(custom: Struct, as_: type[C]) -> C:
    """The custom part of a task as its config.

    Raises:
        Rejected: It does not fit; says everything that is wrong.
    """
    document = json_format.MessageToDict(custom)
    if not _is_message(as_):
        return typed.read(document, as_)
    made: Any = as_()
    try:
        json_format.ParseDict(document, made)
    except json_format.ParseError as exc:
        raise Rejected(
            f"the config is no {_wire(as_)}: {exc}",
            fix="write it as the JSON form of that message",
            code="BadTaskConfig",
        ) from exc
    checked: C = made
    return checked


def _is_message(config: type | None) -> bool:
    return isinstance(config, type) and issubclass(config, Message)


def _wire(config: Any) -> str:
    name: str = config.DESCRIPTOR.full_name
    return name


# --- Protobuf messages, as their JSON mapping has them --------------------------------------------------------------

_F = FieldDescriptor
_INTEGER: dict[str, Json] = {"type": "integer"}
_LONG: dict[str, Json] = {"type": ["integer", "string"], "pattern": "^-?[0-9]+$"}
_NUMBER: dict[str, Json] = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
_TYPES: Mapping[int, dict[str, Json]] = {
    _F.TYPE_BOOL: {"type": "boolean"},
    _F.TYPE_STRING: {"type": "string"},
    _F.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    _F.TYPE_DOUBLE: _NUMBER,
    _F.TYPE_FLOAT: _NUMBER,
    **dict.fromkeys((_F.TYPE_INT32, _F.TYPE_SINT32, _F.TYPE_SFIXED32, _F.TYPE_UINT32, _F.TYPE_FIXED32), _INTEGER),
    **dict.fromkeys((_F.TYPE_INT64, _F.TYPE_SINT64, _F.TYPE_SFIXED64, _F.TYPE_UINT64, _F.TYPE_FIXED64), _LONG),
}
_KNOWN: Mapping[str, dict[str, Json]] = {
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array"},
    "google.protobuf.Duration": {"type": "string", "description": "Seconds, such as `90s`."},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
}


def _message(descriptor: Descriptor, known: dict[str, Json]) -> dict[str, Json]:
    name = descriptor.full_name
    if name in _KNOWN:
        return _KNOWN[name]
    if name not in known:
        known[name] = {}
        fields = {one.json_name: _field(one, known) for one in descriptor.fields}
        # A field may be written under either of its names.
        fields |= {one.name: fields[one.json_name] for one in descriptor.fields}
        known[name] = {"type": "object", "properties": dict(fields), "additionalProperties": False}
    return {"$ref": f"#/$defs/{name}"}


def _field(field: FieldDescriptor, known: dict[str, Json]) -> dict[str, Json]:
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return {"type": "object", "additionalProperties": _one(inner.fields_by_name["value"], known)}
    one = _one(field, known)
    old = getattr(field, "label", 0) == 3  # as protobuf 5 has it
    repeated = field.is_repeated if hasattr(field, "is_repeated") else old
    return {"type": "array", "items": one} if repeated else one


def _one(field: FieldDescriptor, known: dict[str, Json]) -> dict[str, Json]:
    if field.enum_type is not None:
        return {"anyOf": [{"enum": [value.name for value in field.enum_type.values]}, _INTEGER]}
    if field.message_type is not None:
        return _message(field.message_type, known)
    return _TYPES[field.type]
