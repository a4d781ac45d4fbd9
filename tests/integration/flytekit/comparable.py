"""Literals and literal types as plain data, without what two writers may do differently."""

from __future__ import annotations

import base64
from typing import Any

import msgpack
from google.protobuf.json_format import MessageToDict

from alula.idl import Literal, LiteralType


def comparable_type(lt: LiteralType) -> Any:
    return MessageToDict(lt, preserving_proto_field_name=True)


def without_words(lt: LiteralType) -> Any:
    """The type without what a guess cannot restore: schemas, annotations and names of variants."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k not in ("metadata", "annotation", "structure")}
        return [strip(v) for v in value] if isinstance(value, list) else value

    return strip(comparable_type(lt))


def comparable(lit: Literal) -> Any:
    """A literal with the places of its blobs masked, and packed data unpacked if it has any."""

    def walk(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            if value.get("tag") == "msgpack":
                return {"msgpack": packed(value["value"])}
            return {k: walk(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(v) for v in value]
        return masked(value) if key == "uri" else value

    return walk(MessageToDict(lit, preserving_proto_field_name=True))


def packed(text: str) -> Any:
    """The bytes as they are, but for paths of blobs inside, whose length is any."""
    raw = base64.b64decode(text)
    data = msgpack.unpackb(raw, strict_map_key=False)
    return mask_paths(data) if has_paths(data) else raw.hex()


def has_paths(data: Any) -> bool:
    if isinstance(data, dict):
        return any(k in ("path", "uri") or has_paths(v) for k, v in data.items())
    return isinstance(data, list) and any(map(has_paths, data))


def mask_paths(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: masked(v) if k in ("path", "uri") else mask_paths(v) for k, v in data.items()}
    return [mask_paths(v) for v in data] if isinstance(data, list) else data


def masked(uri: Any) -> Any:
    """Where a blob is, and what its file is called, is up to the writer; that it is somewhere is not."""
    return "<somewhere>" if uri else uri
