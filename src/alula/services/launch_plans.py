"""Launch plans: registered, looked up, and made active: then they start at the times of their schedule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from alula.admin.desk import refuse
from alula.admin.entities import Known, Specs
from alula.admin.filters import prefixed, texts, words
from alula.admin.schedules import schedule_faults, scheduled
from alula.compiler.launching import intake, open_interface
from alula.errors import Unknown
from alula.idl import Identifier, LiteralType, ResourceType, SimpleType
from alula.idl.ids import id_text
from alula.idl.service import (
    ActiveLaunchPlanListRequest,
    ActiveLaunchPlanRequest,
    LaunchPlan,
    LaunchPlanCreateRequest,
    LaunchPlanCreateResponse,
    LaunchPlanList,
    LaunchPlanSpec,
    LaunchPlanState,
    LaunchPlanUpdateRequest,
    LaunchPlanUpdateResponse,
    NamedEntityIdentifierList,
    NamedEntityIdentifierListRequest,
    ObjectGetRequest,
    ResourceListRequest,
)
from alula.idl.types import accepts_none
from alula.services.answers import check_known, checked, id_of, timestamp
from alula.services.binding import Call
from alula.services.listing import asked, checked_place, page_of
from alula.services.registry import Looked, Registry
from alula.store.memory_pages import chosen
from alula.store.plan_records import PlanRecord
from alula.store.records import EntityRecord, Page, Plain
from alula.store.rows import micros

_ACTIVE_SORTS = {"name": "name", "version": "version", "updated_at": "updated_at", "created_at": "updated_at"}
_FIELDS = prefixed(
    {
        "state": words("state", {"INACTIVE": (0,), "ACTIVE": (1,), "0": (0,), "1": (1,)}),
        "schedule_type": words("schedule", {"NONE": ("NONE",), "CRON": ("CRON",), "RATE": ("RATE",)}),
        "workflow.name": texts("workflow"),
        "workflow.version": texts("workflow_version"),
    },
    "launch_plan",
)
"""What launch plans can be filtered by beside what all versions can: each of them is looked at."""
_STATES: Mapping[int, LaunchPlanState] = {0: LaunchPlanState.INACTIVE, 1: LaunchPlanState.ACTIVE}


class LaunchPlans:
    """Launch plans by version; of a version, only whether it is active changes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def CreateLaunchPlan(self, request: LaunchPlanCreateRequest, call: Call) -> LaunchPlanCreateResponse:
        """Registering the same again is fine, and changes nothing. Raises RequestError."""
        plan = LaunchPlan(id=checked(request.id, ResourceType.LAUNCH_PLAN), spec=request.spec)
        flow = checked(request.spec.workflow_id, ResourceType.WORKFLOW, "spec.workflow_id")
        plan.spec.workflow_id.CopyFrom(flow)
        await self._check(plan.id, plan.spec)
        await self._registry.add(Specs(launch_plans=(plan,)))
        return LaunchPlanCreateResponse()

    async def GetLaunchPlan(self, request: ObjectGetRequest, call: Call) -> LaunchPlan:
        """Raises Unknown."""
        record = await self._registry.get(checked(request.id, ResourceType.LAUNCH_PLAN))
        known = await self._registry.desk.store.plans(record.project, record.domain, record.name)
        return plan_of(record, known)

    async def ListLaunchPlans(self, request: ResourceListRequest, call: Call) -> LaunchPlanList:
        """Raises RequestError."""
        known = await self._registry.desk.store.plans(request.id.project, request.id.domain, request.id.name)
        active = {(one.name, one.version) for one in known if one.active}
        more = Looked(_FIELDS, lambda row: _looked_at(row, (row.name, row.version) in active))
        found, after = await self._registry.list("launch_plan", request, more)
        return LaunchPlanList(launch_plans=[plan_of(one, known) for one in found], token=after)

    async def ListLaunchPlanIds(
        self, request: NamedEntityIdentifierListRequest, call: Call
    ) -> NamedEntityIdentifierList:
        """Names that have a version. Raises RequestError."""
        return await self._registry.names("launch_plan", request)

    async def UpdateLaunchPlan(self, request: LaunchPlanUpdateRequest, call: Call) -> LaunchPlanUpdateResponse:
        """Make a version active, and with it the one of its name that starts by itself; or make it inactive.

        Raises:
            Unknown: There is no such version.
            RequestError: Its schedule cannot be, or there is no such state.
        """
        id = checked(request.id, ResourceType.LAUNCH_PLAN)
        check_known("state", request.state, LaunchPlanState)
        record = await self._registry.get(id)
        spec = LaunchPlan.FromString(record.spec).spec
        active = request.state == LaunchPlanState.ACTIVE
        schedule = b""
        if scheduled(spec.entity_metadata.schedule):
            if active:
                await self._check(id, spec)
            schedule = spec.entity_metadata.schedule.SerializeToString(deterministic=True)
        at = self._registry.desk.clock.now()
        place = record.project, record.domain, record.name
        await self._registry.desk.store.set_plan(PlanRecord(*place, record.version, active, at, schedule))
        return LaunchPlanUpdateResponse()

    async def GetActiveLaunchPlan(self, request: ActiveLaunchPlanRequest, call: Call) -> LaunchPlan:
        """Raises Unknown, where no version is active."""
        id = request.id
        known = await self._registry.desk.store.plans(id.project, id.domain, id.name)
        for one in known:
            if one.active and id.name:
                return plan_of(await self._record(one), known)
        raise Unknown(
            f"no version of launch plan {id.name!r} is active",
            where=f"project {id.project}, domain {id.domain}",
            fix="make one active: UpdateLaunchPlan, or pyflyte launchplan --activate",
        )

    async def ListActiveLaunchPlans(self, request: ActiveLaunchPlanListRequest, call: Call) -> LaunchPlanList:
        """Raises RequestError."""
        checked_place(request.project, request.domain)
        page = asked(request.limit, sort_by=request.sort_by, fields={}, sorts=_ACTIVE_SORTS, usual="name")
        known = await self._registry.desk.store.plans(request.project, request.domain)
        rows = [(one.name, _values(one), one) for one in known if one.active]

        async def read(page: Page) -> list[tuple[tuple[Plain, Plain], PlanRecord]]:
            return chosen(rows, page)

        question = f"active plans:{request.project}:{request.domain}"
        kinds = (int if page.sort == "updated_at" else str, str)
        found, after = await page_of(read, page, at=request.token, question=question, kinds=kinds)
        return LaunchPlanList(launch_plans=[plan_of(await self._record(one), known) for one in found], token=after)

    async def _record(self, plan: PlanRecord) -> EntityRecord:
        store = self._registry.desk.store
        return await store.entity("launch_plan", plan.project, plan.domain, plan.name, plan.version)

    async def _check(self, id: Identifier, spec: LaunchPlanSpec) -> None:
        """Raises RequestError, where a launch plan could never start by itself."""
        schedule = spec.entity_metadata.schedule
        if not scheduled(schedule):
            return
        workflow = (await Known(self._registry.desk.store).workflow(spec.workflow_id)).template
        taken = intake(spec, workflow.interface)
        inputs = open_interface(taken).inputs.variables
        times = [name for name, variable in inputs.items() if _takes_time(variable.type)]
        at = self._registry.desk.clock.now()
        faults = schedule_faults(schedule, spec.annotations.values, times, at)
        given = {*taken.defaults, schedule.kickoff_time_input_arg}
        missing = sorted(name for name, one in inputs.items() if name not in given and not accepts_none(one.type))
        if missing:
            faults.append(f"default_inputs: nobody gives {', '.join(missing)} when it starts by itself")
        if faults:
            raise refuse(f"launch plan {id.name} cannot have its schedule", faults, where=id_text(id))


def plan_of(record: EntityRecord, known: Iterable[PlanRecord] = ()) -> LaunchPlan:
    """A launch plan as clients see it.

    Args:
        known: Which versions are, or were last, active.
    """
    plan = LaunchPlan.FromString(record.spec)
    plan.id.CopyFrom(id_of(record))
    created = timestamp(record.created_at)
    if created is not None:
        plan.closure.created_at.CopyFrom(created)
        plan.closure.updated_at.CopyFrom(created)
    for one in known:
        if (one.name, one.version) == (record.name, record.version):
            plan.closure.state = _STATES[int(one.active)]
            changed = timestamp(one.changed_at)
            if changed is not None:
                plan.closure.updated_at.CopyFrom(changed)
    return plan


def _takes_time(declared: LiteralType) -> bool:
    variants: Sequence[LiteralType] = declared.union_type.variants
    return declared.simple == SimpleType.DATETIME or any(map(_takes_time, variants))


def _looked_at(record: EntityRecord, active: bool) -> Mapping[str, Plain]:
    spec = LaunchPlan.FromString(record.spec).spec
    schedule, flow = spec.entity_metadata.schedule, spec.workflow_id
    kind = "RATE" if schedule.HasField("rate") else "CRON" if scheduled(schedule) else "NONE"
    return {"state": int(active), "schedule": kind, "workflow": flow.name, "workflow_version": flow.version}


def _values(plan: PlanRecord) -> dict[str, Plain]:
    return {"name": plan.name, "version": plan.version, "updated_at": micros(plan.changed_at)}
