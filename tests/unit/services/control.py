"""The parts of the control plane over a store in memory, a program that is registered there, and an engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from alula import map_task, task, workflow
from alula.admin.desk import Desk
from alula.admin.entities import Specs, register
from alula.admin.outline import Plans
from alula.idl import Identifier, Literal, LiteralMap, ResourceType, WorkflowExecutionIdentifier, literals
from alula.idl.admin import LaunchPlan
from alula.idl.service import ExecutionCreateRequest
from alula.sdk.graph import Entity
from alula.sdk.serialize import SerializationSettings, serialize
from alula.services.binding import Call
from alula.services.executions import Executions
from alula.services.nodes import Nodes
from alula.services.signals import Signals
from alula.services.task_executions import TaskExecutions
from alula.store.records import ExecutionRecord
from tests.unit.admin import office
from tests.unit.engine.drive import FakeRunner, ended

CALL = Call(principal="ann")


@task
def double(x: int) -> int:
    return 2 * x


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task(cache=True, cache_version="1")
def kept(x: int) -> int:
    return x


@workflow
def inner(x: int) -> int:
    return double(x=double(x=x))


@workflow
def outer(x: int, xs: list[int]) -> tuple[int, int, int]:
    """A mapped task and one that takes its outputs, a workflow, a cached task."""
    return total(xs=map_task(double)(x=xs)), inner(x=x), kept(x=x)


@workflow
def plain(x: int) -> int:
    return double(x=x)


@dataclass(frozen=True, slots=True)
class Control:
    desk: Desk
    executions: Executions
    nodes: Nodes
    attempts: TaskExecutions
    signals: Signals

    @staticmethod
    def over(desk: Desk) -> Control:
        plans = Plans(desk)
        parts = Executions(desk, plans), Nodes(desk, plans), TaskExecutions(desk, plans), Signals(desk)
        return Control(desk, *parts)

    async def registered(self, entity: Entity, defaults: Mapping[str, int] | None = None) -> None:
        """A workflow and what it calls, with a launch plan of its own name."""
        one = serialize(entity, SerializationSettings(project="p", domain="d", version="v1"))
        plans = []
        for flow in one.workflows.values():
            plan = LaunchPlan(id=plan_id(flow.template.id.name))
            plan.spec.workflow_id.CopyFrom(flow.template.id)
            for name, value in (defaults or {}).items():
                parameter = plan.spec.default_inputs.parameters[name]
                parameter.var.CopyFrom(flow.template.interface.inputs.variables[name])
                parameter.default.CopyFrom(literals.integer(value))
            plans.append(plan)
        specs = Specs.of(one.tasks.values(), one.workflows.values(), plans)
        await register(self.desk.store, specs, now=self.desk.clock.now())

    async def create(self, request: ExecutionCreateRequest) -> WorkflowExecutionIdentifier:
        return (await self.executions.CreateExecution(request, CALL)).id

    async def run(self, id: WorkflowExecutionIdentifier, runner: FakeRunner | None = None) -> ExecutionRecord:
        record = await self.desk.store.execution(office.key(id.name))
        async with self.driven(runner):
            return await ended(self.desk.store, record.id)

    @asynccontextmanager
    async def driven(self, runner: FakeRunner | None = None) -> AsyncIterator[None]:
        async with office.engine(self.desk, runner or FakeRunner(default=office.adding)):
            yield


def plan_id(name: str, kind: ResourceType = ResourceType.LAUNCH_PLAN) -> Identifier:
    return Identifier(resource_type=kind, project="p", domain="d", name=name, version="v1")


def request(what: Identifier, *, name: str = "", inputs: Mapping[str, Literal] | None = None) -> ExecutionCreateRequest:
    made = ExecutionCreateRequest(project="p", domain="d", name=name, inputs=LiteralMap(literals=dict(inputs or {})))
    made.spec.launch_plan.CopyFrom(what)
    made.spec.metadata.principal = "placeholder"
    return made


def id(name: str) -> WorkflowExecutionIdentifier:
    return WorkflowExecutionIdentifier(project="p", domain="d", name=name)
