"""From what a request says of an execution to an order for one."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from alula.admin.desk import Desk
from alula.admin.entities import Known, Launchable, find
from alula.admin.executions import Asked, Order
from alula.admin.facts import RAW_PREFIX, with_environment
from alula.admin.options import Options
from alula.idl import Identifier, ResourceType, WorkflowExecutionIdentifier
from alula.idl.admin import LaunchPlanSpec
from alula.idl.ids import Key, key
from alula.idl.service import ExecutionCreateRequest, ExecutionMetadata, ExecutionSpec
from alula.services.binding import Call
from alula.services.shown import mode

_KEPT = 256


class Launchables:
    """What executions are made of, ready to run; what is registered under a version never changes, so it is kept."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._kept: OrderedDict[Key, tuple[Launchable, LaunchPlanSpec]] = OrderedDict()

    async def find(self, id: Identifier) -> tuple[Launchable, LaunchPlanSpec]:
        """What it is, and what its launch plan says, if it is one. Raises Unknown, and CompileError."""
        found = self._kept.get(key(id))
        if found is None:
            what = await find(self._desk.store, id)
            plan = LaunchPlanSpec()
            if what.id.resource_type == ResourceType.LAUNCH_PLAN:
                plan = (await Known(self._desk.store).plan(what.id)).spec
            found = replace(what, packed=what.closure.SerializeToString(deterministic=True)), plan
            if id.version:
                self._kept[key(id)] = found
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key(id))
        return found


def wanted(request: ExecutionCreateRequest) -> Identifier:
    """What is to be run. A launch plan, unless the request says something else."""
    id = Identifier()
    id.CopyFrom(request.spec.launch_plan)
    if id.resource_type == ResourceType.UNSPECIFIED:
        id.resource_type = ResourceType.LAUNCH_PLAN
    id.project, id.domain = id.project or request.project, id.domain or request.domain
    return id


def order(request: ExecutionCreateRequest, call: Call, plan: LaunchPlanSpec) -> Order:
    """What is asked for.

    Args:
        plan: What the launch plan says; what the request says stands above it.
    """
    spec = request.spec
    given = request.inputs if request.HasField("inputs") else spec.inputs
    variables = {one.key: one.value for one in (*plan.envs.values, *spec.envs.values)}
    facts = with_environment(variables)
    raw = spec.raw_output_data_config.output_location_prefix or plan.raw_output_data_config.output_location_prefix
    if raw:
        facts[RAW_PREFIX] = raw
    return Order(
        request.project,
        request.domain,
        dict(given.literals),
        request.name,
        options=_options(spec),
        labels={**plan.labels.values, **spec.labels.values},
        facts=facts,
        asked=asked(spec, call),
    )


def asked(
    spec: ExecutionSpec,
    call: Call,
    *,
    how: ExecutionMetadata.ExecutionMode | None = None,
    of: WorkflowExecutionIdentifier | None = None,
) -> Asked:
    """How it was asked for: the request as it is kept, without its inputs.

    Args:
        how: How it comes about, if the request does not say.
        of: The execution that it repeats or goes on with.
    """
    kept = ExecutionSpec()
    kept.CopyFrom(spec)
    kept.ClearField("inputs")
    if call.principal:
        kept.metadata.principal = call.principal
    if how is not None:
        kept.metadata.mode = how
    if of is not None:
        kept.metadata.reference_execution.CopyFrom(of)
    tags = tuple(dict.fromkeys(tag for tag in kept.tags if tag and "\n" not in tag))
    return Asked(kept.SerializeToString(), kept.metadata.principal, mode(kept.metadata.mode), tags)


def _options(spec: ExecutionSpec) -> Options:
    return Options(
        max_parallelism=spec.max_parallelism or None,
        overwrite_cache=spec.overwrite_cache or None,
        interruptible=spec.interruptible.value if spec.HasField("interruptible") else None,
    )
