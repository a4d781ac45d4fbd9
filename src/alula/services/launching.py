"""From what a request says of an execution to an order for one, and to the execution."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from alula.admin.attributes import CLUSTER, POOL, Rules
from alula.admin.desk import Desk, refuse
from alula.admin.entities import Known, Launchable, find
from alula.admin.executions import Asked, Created, Order, create
from alula.admin.names import prefix_fault
from alula.admin.notices import rows_of, told
from alula.admin.options import Options
from alula.compiler.terms import Terms
from alula.engine.facts import RAW_PREFIX, facts_of
from alula.errors import Unknown
from alula.idl import Identifier, ResourceType, WorkflowExecutionIdentifier
from alula.idl.admin import ConcurrencyLimitBehavior, LaunchPlanSpec
from alula.idl.ids import Key, key
from alula.idl.service import ExecutionCreateRequest, ExecutionMetadata, ExecutionSpec
from alula.sections import ResourcesConfig
from alula.services.answers import check_known, variable_faults
from alula.services.binding import Call
from alula.services.places import Places
from alula.services.sayable import oddities
from alula.services.shown import mode

log = logging.getLogger(__name__)

CUT = "alula/resources"
"""The annotation of an execution that says which tasks asked for more than they may have."""
_KEPT = 256
_SAID = 20
_TAGS_BYTES, _PRINCIPAL_BYTES = 1_000, 250
"""What executions are listed by is in an index, which Postgres wants to be short (`store.tables.TOLD`)."""


@dataclass(slots=True)
class _Kept:
    what: Launchable
    plan: LaunchPlanSpec
    fitted: dict[str, tuple[Launchable, list[str]]] = field(default_factory=dict)
    """By the terms: what runs on them, and what was cut."""


class Launchables:
    """What executions are made of, ready to run; what is registered under a version never changes, so it is kept.

    Args:
        places: What counts where; none: nothing does.
        failures: Who is told of failures, whoever runs it.
    """

    def __init__(self, desk: Desk, places: Places | None = None, failures: Sequence[str] = ()) -> None:
        self._desk, self._failures = desk, tuple(failures)
        self._places = places or Places(desk, ResourcesConfig())
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()

    async def launch(self, request: ExecutionCreateRequest, call: Call) -> Created:
        """Create the execution that is asked for, or find it.

        Raises:
            Unknown: There is no such launch plan or task.
            RequestError: Inputs, names or options cannot be, or tasks ask for too much.
            Untimely: The project is archived.
            NameTaken: The name stands for something else.
            Busy: As many are open as may be, of all or (AtLimit) of the launch plan.
        """
        kept = await self._find(wanted(request))
        project, domain = request.project, request.domain
        await self._places.enter(project, domain)
        workflow = kept.what.closure.primary.template.id.name
        rules = await self._places.rules(project, domain, workflow)
        what, cut = self._fit(kept, rules.terms)
        if cut:
            log.warning("execution.resources", extra={"entity": what.entity, "tasks": cut[:_SAID]})
            if rules.terms.reject:
                fix = "ask for less, or have the limits raised: TASK_RESOURCE attributes, or [resources] limits"
                raise refuse(f"tasks of {what.id.name} ask for more than they may have", cut, fix=fix)
        given = order(request, kept.plan, rules)
        if fault := prefix_fault(given.facts.get(RAW_PREFIX, "")):
            raise refuse("no execution was created", [f"raw_output_data_config.{fault}"])
        made = replace(what, options=what.options.over(rules.options))
        return await create(self._desk, made, replace(given, asked=self._asked(request.spec, call, kept, cut)))

    async def again(self, of: WorkflowExecutionIdentifier, spec: ExecutionSpec, made: Asked) -> Asked:
        """How an execution is asked for once more: with the limits of its launch plan, and who is told of its end.

        Raises:
            Untimely: The project is archived.
        """
        await self._places.enter(of.project, of.domain)
        plan, id = LaunchPlanSpec(), spec.launch_plan
        if id.resource_type == ResourceType.LAUNCH_PLAN and id.version:
            with suppress(Unknown):  # it is the default one of a workflow that was run without being registered
                plan = (await self._find(id)).plan
        return self._on_terms(made, id, spec, plan)

    def _asked(self, spec: ExecutionSpec, call: Call, kept: _Kept, cut: Sequence[str]) -> Asked:
        whole = ExecutionSpec()
        whole.CopyFrom(spec)
        people = told(spec, kept.plan)
        if people.notifications:
            whole.notifications.CopyFrom(people)
        if cut:
            whole.annotations.values[CUT] = "; ".join(cut[:_SAID])
        return self._on_terms(asked(whole, call), kept.what.id, whole, kept.plan)

    def _on_terms(self, made: Asked, id: Identifier, spec: ExecutionSpec, plan: LaunchPlanSpec) -> Asked:
        limit, limited = limit_of(id, plan)
        notices = rows_of(told(spec, plan).notifications, self._failures)
        return replace(made, notices=notices, limited=limited, limit=limit)

    async def _find(self, id: Identifier) -> _Kept:
        """What it is, and what its launch plan says, if it is one. Raises Unknown, and CompileError."""
        found = self._kept.get(key(id))
        if found is None:
            what = await find(self._desk.store, id)
            plan = LaunchPlanSpec()
            if what.id.resource_type == ResourceType.LAUNCH_PLAN:
                plan = (await Known(self._desk.store).plan(what.id)).spec
            found = _Kept(replace(what, packed=what.closure.SerializeToString(deterministic=True)), plan)
            if id.version:
                self._kept[key(id)] = found
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key(id))
        return found

    def _fit(self, kept: _Kept, terms: Terms) -> tuple[Launchable, list[str]]:
        known = terms.pack()
        if not known:
            return kept.what, []
        if known not in kept.fitted:
            closure, cut = terms.applied(kept.what.closure)
            packed = closure.SerializeToString(deterministic=True)
            kept.fitted = {known: (replace(kept.what, closure=closure, packed=packed), cut)}
        return kept.fitted[known]


def limit_of(id: Identifier, plan: LaunchPlanSpec) -> tuple[int, str]:
    """How many executions of a launch plan may run, and what they are counted under; 0 and nothing: any number."""
    policy = plan.concurrency_policy
    if policy.max <= 0 or policy.behavior != ConcurrencyLimitBehavior.CONCURRENCY_LIMIT_BEHAVIOR_SKIP:
        return 0, ""
    return policy.max, f"{id.project}:{id.domain}:{id.name}"


def wanted(request: ExecutionCreateRequest) -> Identifier:
    """What is to be run. A launch plan, unless the request says something else."""
    id = Identifier()
    id.CopyFrom(request.spec.launch_plan)
    if id.resource_type == ResourceType.UNSPECIFIED:
        id.resource_type = ResourceType.LAUNCH_PLAN
    id.project, id.domain = id.project or request.project, id.domain or request.domain
    return id


def order(request: ExecutionCreateRequest, plan: LaunchPlanSpec, rules: Rules) -> Order:
    """What is asked for.

    Args:
        plan: What the launch plan says; what the request says stands above it.
        rules: What counts where neither says anything.
    """
    spec = request.spec
    given = request.inputs if request.HasField("inputs") else spec.inputs
    below = rules.config
    named = {CLUSTER: spec.execution_cluster_label.value, POOL: spec.cluster_assignment.cluster_pool_name}
    labels: Mapping[str, str] = {
        **rules.labels,
        **{name: value for name, value in named.items() if value},
        **below.labels.values,
        **plan.labels.values,
        **spec.labels.values,
    }
    return Order(
        request.project,
        request.domain,
        dict(given.literals),
        request.name,
        options=_options(spec),
        labels=labels,
        facts=facts_of(spec, plan, below),
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

    Raises:
        RequestError: There is no such mode, no such time, or no such variable.
    """
    faults = [f"spec.metadata.{fault}" for fault in oddities(spec.metadata)]
    if faults := faults + variable_faults("spec.envs", spec.envs.values):
        raise refuse("no execution was created", faults)
    if how is None:
        check_known("spec.metadata.mode", spec.metadata.mode, ExecutionMetadata.ExecutionMode)
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
    if (size := sum(len(tag.encode()) + 1 for tag in tags)) > _TAGS_BYTES:
        raise refuse("no execution was created", [f"tags: take {size:,} bytes together, and may take {_TAGS_BYTES:,}"])
    principal = kept.metadata.principal.encode()[:_PRINCIPAL_BYTES].decode(errors="ignore")
    return Asked(kept.SerializeToString(), principal, mode(kept.metadata.mode), tags)


def _options(spec: ExecutionSpec) -> Options:
    return Options(
        max_parallelism=spec.max_parallelism or None,
        overwrite_cache=spec.overwrite_cache or None,
        interruptible=spec.interruptible.value if spec.HasField("interruptible") else None,
    )
