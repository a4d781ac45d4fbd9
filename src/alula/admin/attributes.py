"""What counts for executions of a place: settings, attributes of the project, of its domain, of the workflow; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from alula._kits.units import quantity
from alula.admin.names import prefix_fault
from alula.admin.options import Options
from alula.compiler.terms import NAMES, Terms
from alula.idl.routes import Route
from alula.idl.service import (
    MatchableResource,
    MatchingAttributes,
    PluginOverride,
    PluginOverrides,
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
QUEUE, CLUSTER, POOL = "alula.dev/queue", "alula.dev/cluster", "alula.dev/cluster-pool"
"""Labels of executions, which whatever runs their tasks bears, too."""
WITHOUT_EFFECT = frozenset({"cluster_resource_attributes", "quality_of_service"})
"""What can be set, and means nothing here: there are no namespaces to fill in, and no tiers of service."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts for executions of a workflow in a place."""

    config: WorkflowExecutionConfig = field(default_factory=WorkflowExecutionConfig)
    """Below what the request and the launch plan say."""
    terms: Terms = field(default_factory=Terms)
    """What tasks may have, and which plugins run them."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of what stands in queues and goes to clusters."""

    @property
    def options(self) -> Options:
        """How executions are run, where nobody closer says so."""
        config = self.config
        return Options(
            max_parallelism=config.max_parallelism or None,
            overwrite_cache=config.overwrite_cache or None,
            interruptible=config.interruptible.value if config.HasField("interruptible") else None,
            terms=self.terms.pack() or None,
        )


def rules_of(rows: Sequence[AttributesRecord], settings: ResourcesConfig) -> Rules:
    """The rules of a place, out of all attributes that count there.

    What is nearest to the workflow counts. Of the config each field counts for itself; all others count as a whole.
    """
    by_distance = sorted(rows, key=lambda one: (bool(one.domain), bool(one.workflow)))
    config, labels = WorkflowExecutionConfig(), dict[str, str]()
    terms = Terms(amounts(settings.defaults), amounts(settings.limits), settings.beyond is Beyond.REJECT)
    for row in by_distance:
        said = MatchingAttributes.FromString(row.body)
        match row.resource:
            case MatchableResource.WORKFLOW_EXECUTION_CONFIG:
                _merge(config, said.workflow_execution_config)
            case MatchableResource.TASK_RESOURCE:
                both = said.task_resource_attributes
                terms = replace(terms, defaults=_amounts_of(both.defaults), limits=_amounts_of(both.limits))
            case MatchableResource.PLUGIN_OVERRIDE:
                terms = replace(terms, routes=_routes(said.plugin_overrides))
            case MatchableResource.EXECUTION_QUEUE:
                labels[QUEUE] = ".".join(said.execution_queue_attributes.tags)
            case MatchableResource.EXECUTION_CLUSTER_LABEL:
                labels[CLUSTER] = said.execution_cluster_label.value
            case MatchableResource.CLUSTER_ASSIGNMENT:
                labels[POOL] = said.cluster_assignment.cluster_pool_name
    return Rules(config, terms, {key: value for key, value in labels.items() if value})


def _routes(said: PluginOverrides) -> dict[str, Route]:
    usual = PluginOverride.MissingPluginBehavior.USE_DEFAULT
    return {one.task_type: Route(tuple(one.plugin_id), one.missing_plugin_behavior == usual) for one in said.overrides}


def amounts(text: str) -> dict[str, str]:
    """Amounts by resource, out of `cpu=500m, memory=1Gi`. Raises ValueError."""
    found = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, equals, value = (one.strip() for one in part.partition("="))
        if not equals or name not in NAMES:
            raise ValueError(f"{part!r} is no amount of a resource; write cpu=500m, memory=1Gi ({', '.join(NAMES)})")
        quantity(value)
        found[name] = value
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
    return {name: getattr(spec, name) for name in NAMES if getattr(spec, name)}


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
    if target == "plugin_overrides":
        faults += _override_faults(said.plugin_overrides)
    if target == "workflow_execution_config":
        config = said.workflow_execution_config
        if config.max_parallelism < 0:
            faults.append(f"{target}.max_parallelism: is {config.max_parallelism}, and is 0 or more")
        if fault := prefix_fault(config.raw_output_data_config.output_location_prefix):
            faults.append(f"{target}.raw_output_data_config.{fault}")
    return faults


def _override_faults(said: PluginOverrides) -> list[str]:
    faults, seen = list[str](), set[str]()
    for nth, one in enumerate(said.overrides):
        at = f"plugin_overrides.overrides[{nth}]"
        if not one.task_type:
            faults.append(f"{at}.task_type: is empty")
        elif one.task_type in seen:
            faults.append(f"{at}.task_type: {one.task_type!r} is there twice")
        seen.add(one.task_type)
        if not one.plugin_id or any(not name or "," in name for name in one.plugin_id):
            faults.append(f"{at}.plugin_id: names no plugin; `alula plugin list` shows names, and `workers` is one")
    return faults
