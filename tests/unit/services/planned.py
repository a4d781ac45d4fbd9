"""Launch plans with schedules over a store in memory, and a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from alula import workflow
from alula.admin.desk import Desk
from alula.data.stores import Objects
from alula.idl import SimpleType, literals
from alula.idl.admin import CronSchedule, Schedule
from alula.idl.service import (
    ExecutionSpec,
    LaunchPlanCreateRequest,
    LaunchPlanSpec,
    LaunchPlanState,
    LaunchPlanUpdateRequest,
)
from alula.sections import SchedulesConfig
from alula.services.launch_plans import LaunchPlans
from alula.services.launching import Launchables
from alula.services.registry import Registry
from alula.services.ticks import Ticks
from alula.store.memory import MemoryStore
from alula.store.records import Changes, Ending, ExecutionRecord
from tests.unit.admin import office
from tests.unit.services.control import CALL, Control, double, plan_id

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@workflow
def timed(x: int, at: datetime) -> int:
    return double(x=x)


@dataclass(slots=True)
class HandClock:
    """A clock that stands still until it is set."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - NOON).total_seconds()

    def go(self, **more: float) -> None:
        self.at += timedelta(**more)


@dataclass(slots=True)
class Planned:
    clock: HandClock
    desk: Desk
    plans: LaunchPlans
    control: Control

    @staticmethod
    async def made(store: Callable[[HandClock], MemoryStore] = MemoryStore) -> Planned:
        clock = HandClock()
        desk = Desk(store(clock), Objects(), office.DATA, clock, Random(1))
        control = Control.over(desk)
        await control.registered(timed)
        return Planned(clock, desk, LaunchPlans(Registry(desk)), control)

    def ticks(self, owner: str = "a", **settings: object) -> Ticks:
        config = replace(SchedulesConfig(), **settings)  # type: ignore[arg-type]
        return Ticks(self.desk, config, Launchables(self.desk), owner=owner)

    async def register(
        self,
        name: str = "hourly",
        version: str = "v1",
        *,
        schedule: Schedule | None = None,
        annotations: Mapping[str, str] | None = None,
        most: int = 0,
    ) -> None:
        spec = LaunchPlanSpec(workflow_id=plan_id(timed.name))
        spec.workflow_id.resource_type = 2
        spec.entity_metadata.schedule.CopyFrom(schedule or hourly())
        parameter = spec.default_inputs.parameters["x"]
        parameter.var.type.simple = SimpleType.INTEGER
        parameter.default.CopyFrom(literals.integer(1))
        spec.annotations.values.update(annotations or {})
        if most:
            spec.concurrency_policy.max = most
            spec.concurrency_policy.behavior = 1
        id = plan_id(name)
        id.version = version
        await self.plans.CreateLaunchPlan(LaunchPlanCreateRequest(id=id, spec=spec), CALL)

    async def activate(self, name: str = "hourly", version: str = "v1", *, active: bool = True) -> None:
        id = plan_id(name)
        id.version = version
        state = LaunchPlanState.ACTIVE if active else LaunchPlanState.INACTIVE
        await self.plans.UpdateLaunchPlan(LaunchPlanUpdateRequest(id=id, state=state), CALL)

    async def started(self) -> list[ExecutionRecord]:
        """All executions, oldest first."""
        return list(await self.desk.store.executions())[::-1]

    async def times(self) -> list[str]:
        """When they were to start."""
        return [f"{scheduled_at(one):%d %H:%M}" for one in await self.started()]

    async def end(self, record: ExecutionRecord, phase: str = "succeeded") -> None:
        (claim,) = await self.desk.store.claim("engine", limit=1, only=[record.id])
        now = self.clock.now()
        await self.desk.store.commit(claim, Changes(execution=Ending(phase, now, now), closed=True))


def hourly(kickoff: str = "at") -> Schedule:
    return Schedule(cron_schedule=CronSchedule(schedule="0 * * * *"), kickoff_time_input_arg=kickoff)


def scheduled_at(record: ExecutionRecord) -> datetime:
    return ExecutionSpec.FromString(record.spec).metadata.scheduled_at.ToDatetime(tzinfo=UTC)
