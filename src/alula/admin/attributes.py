"""What counts for executions of a place: settings, attributes of the project, of its domain, of the workflow; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from alula._kits.units import quantity
from alula.admin.names import prefix_fault
from alula.admin.options import Options
from alula.idl import CompiledWorkflowClosure, Resources
from alula.idl.service import (
    MatchableResource,
    MatchingAttributes,
    TaskResourceSpec,
    WorkflowExecutionConfig,
)
from alula.sections import Beyond, ResourcesConfig
from alula.store.plan_records import AttributesRecord

TARGETS: Mapping[str, MatchableResource] = {
    "task_resource_attributes": MatchableResource.TASK_RESOURCE,
    "cluster_resource_attributes": MatchableResource.CLUSTER_RESOURCE,
    "execution_queue_attributes": MatchableResource.EXECUTION_QUEUE,
    "execution_cluster_label": MatchableResource.EXECUTION_CLUSTER_LABEL,
    "quality_of_service": MatchableResource.QUALITY_OF_SERVICE_SPECIFICATION,
    "plugin_overrides": MatchableResource.PLUGIN_OVERRIDE,
    "workflow_execution_config": MatchableResource.WORKFLOW_EXECUTION_CONFIG,
    "cluster_assignment": MatchableResource.CLUSTER_ASSIGNMENT,
}
"""What kind of attributes a message holds, by the field that is set."""
_NAMES = ("cpu", "memory", "gpu", "ephemeral_storage", "storage")
"""Of resources, in the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts for executions of a workflow in a place."""

    config: WorkflowExecutionConfig = field(default_factory=WorkflowExecutionConfig)
    """Below what the request and the launch plan say."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Requests of tasks that say nothing."""
    limits: Mapping[str, str] = field(default_factory=dict)
    """What a task may have at most."""
    beyond: Beyond = Beyond.CLAMP

    @property
    def options(self) -> Options:
        """How executions are run, where nobody closer says so."""
        config = self.config
        return Options(
            max_parallelism=config.max_parallelism or None,
            overwrite_cache=config.overwrite_cache or None,
            interruptible=config.interruptible.value if config.HasField("interruptible") else None,
        )


def rules_of(rows: Sequence[AttributesRecord], settings: ResourcesConfig) -> Rules:
    """The rules of a place, out of all attributes that count there.

    What is nearest to the workflow counts. Of the config each field counts for itself; resources count as a whole.
    """
    by_distance = sorted(rows, key=lambda one: (bool(one.domain), bool(one.workflow)))
    config = WorkflowExecutionConfig()
    defaults, limits = amounts(settings.defaults), amounts(settings.limits)
    for row in by_distance:
        said = MatchingAttributes.FromString(row.body)
        if row.resource == MatchableResource.WORKFLOW_EXECUTION_CONFIG:
            _merge(config, said.workflow_execution_config)
        elif row.resource == MatchableResource.TASK_RESOURCE:
            defaults = _amounts_of(said.task_resource_attributes.defaults)
            limits = _amounts_of(said.task_resource_attributes.limits)
    return Rules(config, defaults, limits, settings.beyond)


def amounts(text: str) -> dict[str, str]:
    """Amounts by resource, out of `cpu=500m, memory=1Gi`. Raises ValueError."""
    found = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, equals, value = (one.strip() for one in part.partition("="))
        if not equals or name not in _NAMES:
            raise ValueError(f"{part!r} is no amount of a resource; write cpu=500m, memory=1Gi ({', '.join(_NAMES)})")
        quantity(value)
        found[name] = value
    return found


def fit(closure: CompiledWorkflowClosure, rules: Rules) -> tuple[CompiledWorkflowClosure, list[str]]:
    """A workflow whose tasks ask for what they may have, and what was cut for that, one line each.

    Only containers are looked at. A workflow in which nothing changes is the same object.
    """
    if not rules.defaults and not rules.limits:
        return closure, []
    made = CompiledWorkflowClosure()
    made.CopyFrom(closure)
    said: list[str] = []
    for task in made.tasks:
        template = task.template
        if template.WhichOneof("target") == "container":
            said += [f"{template.id.name}: {one}" for one in _fit(template.container.resources, rules)]
    return (closure, []) if made == closure else (made, said)


def _fit(resources: Resources, rules: Rules) -> list[str]:
    said = []
    asked, most = _entries(resources.requests), _entries(resources.limits)
    for name in _NAMES:
        number = Resources.ResourceName.Value(name.upper())
        default, limit = rules.defaults.get(name), rules.limits.get(name)
        if number not in asked and default:
            bound = most[number].value if number in most else default
            value = default if quantity(default) <= quantity(bound) else bound
            asked[number] = resources.requests.add(name=number, value=value)
        for kind, entries in (("request", asked), ("limit", most)):
            entry = entries.get(number)
            if limit and entry is not None and quantity(entry.value) > quantity(limit):
                said.append(f"{kind} of {name} {entry.value} is more than {limit}")
                entry.value = limit
    return said


def _entries(entries: Sequence[Resources.ResourceEntry]) -> dict[int, Resources.ResourceEntry]:
    """By resource; amounts that nobody can read are left as they are."""
    found: dict[int, Resources.ResourceEntry] = {}
    for entry in entries:
        try:
            quantity(entry.value)
        except ValueError:
            continue
        found[entry.name] = entry
    return found


def _merge(into: WorkflowExecutionConfig, said: WorkflowExecutionConfig) -> None:
    """Take over the fields that are said. Maps and lists are taken as a whole."""
    for described, value in said.ListFields():
        into.ClearField(described.name)
        if described.is_repeated:
            getattr(into, described.name).extend(value)
        elif described.message_type is not None:
            getattr(into, described.name).CopyFrom(value)
        else:
            setattr(into, described.name, value)


def _amounts_of(spec: TaskResourceSpec) -> dict[str, str]:
    return {name: getattr(spec, name) for name in _NAMES if getattr(spec, name)}


def attribute_faults(said: MatchingAttributes) -> list[str]:
    """What is wrong with attributes that somebody wants to keep."""
    target = said.WhichOneof("target")
    if target is None:
        return ["matching_attributes: nothing is in it"]
    faults = []
    if target == "task_resource_attributes":
        both = {"defaults": said.task_resource_attributes.defaults, "limits": said.task_resource_attributes.limits}
        for kind, spec in both.items():
            for name, value in _amounts_of(spec).items():
                try:
                    quantity(value)
                except ValueError as exc:
                    faults.append(f"{target}.{kind}.{name}: {exc}")
        if not faults:
            limits = _amounts_of(both["limits"])
            faults = [
                f"{target}.defaults.{name}: {value} is more than the limit {limits[name]}"
                for name, value in _amounts_of(both["defaults"]).items()
                if name in limits and quantity(value) > quantity(limits[name])
            ]
    if target == "workflow_execution_config":
        config = said.workflow_execution_config
        if config.max_parallelism < 0:
            faults.append(f"{target}.max_parallelism: is {config.max_parallelism}, and is 0 or more")
        if fault := prefix_fault(config.raw_output_data_config.output_location_prefix):
            faults.append(f"{target}.raw_output_data_config.{fault}")
    return faults
