"""Identifiers: one text form, one hashable key, and names that DNS accepts.

The text form is `task:project:domain:name:version`. Neither project, domain nor version may hold a colon; a name may.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from alula.errors import ConfigError
from alula.idl import Identifier, ResourceType, WorkflowExecutionIdentifier

_DNS_LABEL = 63
"""The longest DNS label. Source: RFC 1123, 2.1."""
_TYPE_NAMES: dict[ResourceType, str] = {
    ResourceType.TASK: "task",
    ResourceType.WORKFLOW: "workflow",
    ResourceType.LAUNCH_PLAN: "launch_plan",
    ResourceType.DATASET: "dataset",
}
_TYPES = {name: number for number, name in _TYPE_NAMES.items()} | {
    # The short forms that flytekit prints.
    "tsk": ResourceType.TASK,
    "wf": ResourceType.WORKFLOW,
    "lp": ResourceType.LAUNCH_PLAN,
}


class Key(NamedTuple):
    """What makes two identifiers the same; messages cannot be keys of a dict."""

    resource_type: int
    org: str
    project: str
    domain: str
    name: str
    version: str


def key(id: Identifier) -> Key:
    return Key(id.resource_type, id.org, id.project, id.domain, id.name, id.version)


def type_name(resource_type: ResourceType) -> str:
    """`task`, `workflow`, `launch_plan` or `dataset`; `entity` for an unspecified one."""
    return _TYPE_NAMES.get(resource_type, "entity")


def id_text(id: Identifier) -> str:
    """`task:project:domain:name:version`."""
    return ":".join((type_name(id.resource_type), id.project, id.domain, id.name, id.version))


def short_text(id: Identifier) -> str:
    """How a message names an entity: `task pipelines.train.fit`."""
    return f"{type_name(id.resource_type).replace('_', ' ')} {id.name}"


def parse_id(text: str) -> Identifier:
    """The identifier that `id_text` wrote; reads flytekit's short types (`tsk`, `wf`, `lp`) too. Raises ConfigError."""
    kind, *rest = text.split(":")
    if kind not in _TYPES or len(rest) < 4 or not rest[2]:
        raise ConfigError(
            f"{text!r} does not identify anything",
            fix="write TYPE:PROJECT:DOMAIN:NAME:VERSION with a type of " + ", ".join(_TYPE_NAMES.values()),
        )
    project, domain, *name, version = rest
    return Identifier(resource_type=_TYPES[kind], project=project, domain=domain, name=":".join(name), version=version)


def execution_text(id: WorkflowExecutionIdentifier) -> str:
    """`ex:project:domain:name`."""
    return f"ex:{id.project}:{id.domain}:{id.name}"


def parse_execution(text: str) -> WorkflowExecutionIdentifier:
    """The identifier that `execution_text` wrote. Raises ConfigError."""
    parts = text.split(":")
    if len(parts) != 4 or parts[0] != "ex" or not parts[3]:
        raise ConfigError(f"{text!r} does not identify an execution", fix="write ex:PROJECT:DOMAIN:NAME")
    return WorkflowExecutionIdentifier(project=parts[1], domain=parts[2], name=parts[3])


def dns_label(name: str) -> str:
    """A name as a DNS label: at most 63 of `a-z0-9-`, a hyphen neither first nor last.

    Gives node ids, so it agrees with what flytekit makes of the same ASCII name: words split at capitals, `_` and `.`
    become hyphens, the rest is dropped, and a long name keeps its end after ten digits of its SHA-224. Unlike there,
    the result never grows beyond 63.
    """
    shortened = _with_digest(name, name) if len(name) >= _DNS_LABEL else name
    label = ""
    for char in shortened:
        if char in "-_.":
            label += "-" if label and len(label) < _DNS_LABEL - 1 else ""
        elif char.isascii() and char.isalnum():
            starts_word = char.isupper() and label and label[-1] != "-" and len(label) < _DNS_LABEL - 1
            label += "-" * bool(starts_word) + char.lower()
    if len(label) > _DNS_LABEL:
        label = _with_digest(name, label)
    return label.rstrip("-")


def _with_digest(of: str, keep: str) -> str:
    head = hashlib.sha224(of.encode()).hexdigest()[:10]
    return f"{head}-{keep[-(_DNS_LABEL - len(head) - 1) :]}"
