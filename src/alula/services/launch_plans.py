"""Launch plans, as they are registered and looked up."""

from __future__ import annotations

from alula.admin.entities import Specs
from alula.idl import ResourceType
from alula.idl.service import (
    LaunchPlan,
    LaunchPlanCreateRequest,
    LaunchPlanCreateResponse,
    LaunchPlanList,
    NamedEntityIdentifierList,
    NamedEntityIdentifierListRequest,
    ObjectGetRequest,
    ResourceListRequest,
)
from alula.services.answers import checked, id_of, timestamp
from alula.services.binding import Call
from alula.services.registry import Registry
from alula.store.records import EntityRecord


class LaunchPlans:
    """Launch plans by version; of a version, only whether it is active changes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def CreateLaunchPlan(self, request: LaunchPlanCreateRequest, call: Call) -> LaunchPlanCreateResponse:
        """Registering the same again is fine, and changes nothing. Raises RequestError."""
        plan = LaunchPlan(id=checked(request.id, ResourceType.LAUNCH_PLAN), spec=request.spec)
        await self._registry.add(Specs(launch_plans=(plan,)))
        return LaunchPlanCreateResponse()

    async def GetLaunchPlan(self, request: ObjectGetRequest, call: Call) -> LaunchPlan:
        """Raises Unknown."""
        return plan_of(await self._registry.get(checked(request.id, ResourceType.LAUNCH_PLAN)))

    async def ListLaunchPlans(self, request: ResourceListRequest, call: Call) -> LaunchPlanList:
        """Raises RequestError."""
        found, after = await self._registry.list("launch_plan", request)
        return LaunchPlanList(launch_plans=[plan_of(one) for one in found], token=after)

    async def ListLaunchPlanIds(
        self, request: NamedEntityIdentifierListRequest, call: Call
    ) -> NamedEntityIdentifierList:
        """Names that have a version. Raises RequestError."""
        return await self._registry.names("launch_plan", request)


def plan_of(record: EntityRecord) -> LaunchPlan:
    """A launch plan as clients see it, without its state."""
    plan = LaunchPlan.FromString(record.spec)
    plan.id.CopyFrom(id_of(record))
    created = timestamp(record.created_at)
    if created is not None:
        plan.closure.created_at.CopyFrom(created)
        plan.closure.updated_at.CopyFrom(created)
    return plan
