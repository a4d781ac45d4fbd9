"""The terms on which the tasks of an execution run: what they may ask for, and which plugins run them; pure.

They are settled when an execution is created and kept with it, so that they hold for what comes later, too: what
dynamic tasks make, and child executions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from google.protobuf.struct_pb2 import Struct

from alula._kits.units import quantity
from alula.compiler.nodes import every_node
from alula.idl import CompiledWorkflowClosure, Node, Resources, TaskTemplate
from alula.idl.routes import Route, write_route

NAMES = ("cpu", "memory", "gpu", "ephemeral_storage", "storage")
"""Of resources, in the order in which they are told."""
_IN_PODS = {"ephemeral_storage": "ephemeral-storage"}
_PRIMARY = "primary_container_name"
_GPU = "nvidia.com/gpu"


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all tasks of an execution."""

    defaults: Mapping[str, str] = field(default_factory=dict)
    """Requests of tasks that say nothing, by resource."""
    limits: Mapping[str, str] = field(default_factory=dict)
    """What a task may have at most."""
    reject: bool = False
    """A task that asks for more does not run; else it gets the most."""
    routes: Mapping[str, Route] = field(default_factory=dict)
    """By type of task."""

    def __bool__(self) -> bool:
        return bool(self.defaults or self.limits or self.routes)

    def pack(self) -> str:
        """As text; empty where nothing holds."""
        if not self:
            return ""
        routes = {kind: [*one.plugins, one.or_usual] for kind, one in self.routes.items()}
        plain = [dict(self.defaults), dict(self.limits), self.reject, routes]
        return json.dumps(plain, sort_keys=True, separators=(",", ":"))

    def applied(self, closure: CompiledWorkflowClosure) -> tuple[CompiledWorkflowClosure, list[str]]:
        """A workflow whose tasks ask for what they may have, and what was cut for that, one line each.

        A workflow in which nothing changes is the same object.
        """
        if not self:
            return closure, []
        made = CompiledWorkflowClosure()
        made.CopyFrom(closure)
        said: list[str] = []
        for task in made.tasks:
            template = task.template
            said += [f"{template.id.name}: {one}" for one in _fit_task(template, self)]
            if template.type in self.routes:
                write_route(template.config, self.routes[template.type])
        for workflow in (made.primary, *made.sub_workflows):
            for node in _nodes([*workflow.template.nodes, workflow.template.failure_node]):
                over = node.task_node.overrides
                if node.HasField("task_node") and over.HasField("resources"):
                    said += [f"{workflow.template.id.name}.{node.id}: {one}" for one in _fit(over.resources, self)]
        return (closure, []) if made == closure else (made, said)

    def packed(self, closure: bytes) -> tuple[bytes, list[str]]:
        """The same of a serialized workflow."""
        if not self:
            return closure, []
        made, said = self.applied(CompiledWorkflowClosure.FromString(closure))
        return made.SerializeToString(deterministic=True), said


@lru_cache(maxsize=256)
def read_terms(text: str) -> Terms:
    """The terms that `Terms.pack` has packed. Raises ValueError."""
    if not text:
        return Terms()
    defaults, limits, reject, routes = json.loads(text)
    found = {kind: Route(tuple(plugins), or_usual) for kind, (*plugins, or_usual) in routes.items()}
    return Terms(defaults, limits, reject, found)


def _nodes(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        for one in every_node(node):
            yield one
            if one.HasField("array_node"):
                yield one.array_node.node


def _fit_task(template: TaskTemplate, terms: Terms) -> list[str]:
    match template.WhichOneof("target"):
        case "container":
            return _fit(template.container.resources, terms, main=True)
        case "k8s_pod":
            return _fit_pod(template, terms)
    return []


def _fit(resources: Resources, terms: Terms, *, main: bool = False) -> list[str]:
    both = resources.requests, resources.limits
    found = [_entries(entries) for entries in both]
    requests, limits = ({name: entry.value for name, entry in one.items()} for one in found)
    *changes, said = _fitted(requests, limits, terms, main=main)
    for entries, known, changed in zip(both, found, changes, strict=True):
        for name, value in changed.items():
            if name in known:
                known[name].value = value
            else:
                entries.add(name=Resources.ResourceName.Value(name.upper()), value=value)
    return said


def _fit_pod(template: TaskTemplate, terms: Terms) -> list[str]:
    """All containers of a pod may have the most each; the one that is the task gets what nobody asks for."""
    pod, said = template.k8s_pod, list[str]()
    primary = template.config.get(_PRIMARY, "") or pod.primary_container_name
    for nth, one in enumerate(pod.pod_spec.fields["containers"].list_value.values):
        container = one.struct_value
        name = container.fields["name"].string_value
        main = name == primary if primary else nth == 0
        asked, most = _texts(container, "requests"), _texts(container, "limits")
        requests, limits, cut = _fitted(asked, most, terms, main=main)
        said += [f"container {name}: {one}" for one in cut]
        for side, changed in (("requests", requests), ("limits", limits)):
            for resource, value in changed.items():
                into = container.fields["resources"].struct_value.fields[side].struct_value
                into.fields[_key(into, resource)].string_value = value
    return said


def _texts(container: Struct, side: str) -> dict[str, str]:
    """Amounts by the names of resources, as far as they can be read."""
    found = {}
    resources = container.fields["resources"].struct_value.fields if "resources" in container.fields else {}
    given = resources[side].struct_value if side in resources else Struct()
    for name in NAMES:
        if (key := _key(given, name)) in given.fields:
            value = given.fields[key]
            text = value.string_value or f"{value.number_value:g}"
            if _readable(text):
                found[name] = text
    return found


def _key(given: Struct, name: str) -> str:
    """What a resource is called there; a GPU bears the name of who made it."""
    if name == "gpu":
        return next((key for key in given.fields if key.endswith("/gpu")), _GPU)
    return _IN_PODS.get(name, name)


def _fitted(
    requests: MutableMapping[str, str], limits: Mapping[str, str], terms: Terms, *, main: bool
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """What changes in requests and in limits, and what is cut."""
    said: list[str] = []
    changes: tuple[dict[str, str], dict[str, str]] = {}, {}
    for name in NAMES:
        default, most = terms.defaults.get(name), terms.limits.get(name)
        if main and default and name not in requests:
            bound = limits.get(name, default)
            changes[0][name] = requests[name] = default if quantity(default) <= quantity(bound) else bound
        for kind, given, changed in (("request", requests, changes[0]), ("limit", limits, changes[1])):
            if most and name in given and quantity(given[name]) > quantity(most):
                said.append(f"{kind} of {name} {given[name]} is more than {most}")
                changed[name] = most
    return *changes, said


def _entries(entries: Sequence[Resources.ResourceEntry]) -> dict[str, Resources.ResourceEntry]:
    """By resource; amounts that nobody can read are left as they are."""
    numbers = {Resources.ResourceName.Value(name.upper()): name for name in NAMES}
    return {numbers[one.name]: one for one in entries if one.name in numbers and _readable(one.value)}


def _readable(text: str) -> bool:
    try:
        quantity(text)
    except ValueError:
        return False
    return True
