"""What an agent calls a job (`resource_meta`): the key that the plugin gave, and what it takes to ask about it without
remembering anything.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from typing import Any

from alula.errors import Rejected
from alula.idl import TaskExecutionIdentifier, TaskTemplate
from alula.plugin import typed
from alula.plugin.webapi import WebApiPlugin

_FORM = 1


@dataclass(frozen=True, slots=True)
class Meta:
    """One job of a served plugin. Any agent process that serves the plugin can read it."""

    key: Any
    name: str
    """`TaskContext.name`."""
    execution: TaskExecutionIdentifier
    prefix: str
    template: TaskTemplate


def pack(plugin: WebApiPlugin[Any, Any], meta: Meta) -> bytes:
    template = zlib.compress(meta.template.SerializeToString(deterministic=True))
    document = {
        "alula": _FORM,
        "key": typed.write(meta.key),
        "version": plugin.info.state_version,
        "name": meta.name,
        "execution": base64.b64encode(meta.execution.SerializeToString(deterministic=True)).decode(),
        "prefix": meta.prefix,
        "template": base64.b64encode(template).decode(),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def unpack(plugin: WebApiPlugin[Any, Any], data: bytes) -> Meta:
    """Raises Rejected for what no agent of ours wrote."""
    try:
        document = json.loads(data)
        if document["alula"] != _FORM:
            raise ValueError(f"form {document['alula']}, and not {_FORM}")
        fields, version = document["key"], document["version"]
        if version != plugin.info.state_version:
            fields = plugin.upgrade(fields, version)
        return Meta(
            key=typed.read(fields, plugin.key_type, what="key"),
            name=str(document["name"]),
            execution=TaskExecutionIdentifier.FromString(base64.b64decode(document["execution"])),
            prefix=str(document["prefix"]),
            template=TaskTemplate.FromString(zlib.decompress(base64.b64decode(document["template"]))),
        )
    except (ValueError, KeyError, TypeError, zlib.error) as exc:
        raise Rejected(
            f"resource_meta is none that this agent gave: {type(exc).__name__}: {exc}",
            fix="ask the agent that started the job",
        ) from exc
