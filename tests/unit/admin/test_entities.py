from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alula import LaunchPlan, task, workflow
from alula.admin.entities import Specs, find, prepare, register
from alula.admin.executions import Order, create
from alula.admin.values import outputs
from alula.errors import CompileError, NameTaken, RequestError, Unknown
from alula.idl import Identifier, ResourceType, literals
from alula.idl.admin import LaunchPlan as LaunchPlanMessage
from alula.idl.admin import TaskSpec, WorkflowSpec
from alula.store.memory import MemoryStore
from tests.unit.admin import office
from tests.unit.admin.office import desk, integers, key, specs

NOW = datetime(2024, 11, 2, tzinfo=UTC)


@task
def add(x: int, y: int = 2) -> int:
    """Add two numbers."""
    return x + y


@workflow
def inner(x: int) -> int:
    return add(x=x, y=x)


@workflow
def outer(x: int, y: int = 5) -> int:
    return add(x=inner(x=x), y=y)


@workflow
def joined(x: int) -> int:
    return add(x=add(x=x), y=add(x=x))


PLAN = LaunchPlan.get_or_create(outer, name="tests.admin.plan", default_inputs={"x": 3}, fixed_inputs={"y": 4})


@workflow
def launching() -> int:
    return PLAN()


def id_of(kind: ResourceType, name: str, version: str = "v1") -> Identifier:
    return Identifier(resource_type=kind, project="p", domain="d", name=name, version=version)


async def test_what_is_registered_can_be_run_by_its_id() -> None:
    at = desk()
    await register(at.store, specs(PLAN), now=NOW)
    for kind, name, inputs, result in (
        (ResourceType.LAUNCH_PLAN, PLAN.name, {}, 10),
        (ResourceType.WORKFLOW, outer.name, integers(x=1, y=2), 4),
        (ResourceType.TASK, add.name, integers(x=1, y=2), 3),
    ):
        for version in ("v1", ""):
            what = await find(at.store, id_of(kind, name, version))
            assert what.id.version == "v1"
            made = await create(at, what, Order("p", "d", inputs))
            assert (await office.run(at, made)).phase == "succeeded"
            assert office.values(await outputs(at, made.record.key)) == {"o0": result}


async def test_a_program_runs_without_being_registered() -> None:
    at, program = desk(), specs(outer, version="")
    what = await prepare(program, id_of(ResourceType.WORKFLOW, outer.name, ""))
    made = await create(at, what, Order("p", "d", integers(x=1, y=2), name="ex"))
    await office.run(at, made)
    assert office.values(await outputs(at, key("ex"))) == {"o0": 4}
    with pytest.raises(Unknown, match="there is no workflow other") as caught:
        await prepare(program, id_of(ResourceType.WORKFLOW, "other", ""))
    assert outer.name in caught.value.fix


async def test_a_launch_plan_brings_its_defaults_and_fixed_inputs() -> None:
    at = desk()
    await register(at.store, specs(PLAN), now=NOW)
    what = await find(at.store, id_of(ResourceType.LAUNCH_PLAN, PLAN.name))
    made = await create(at, what, Order("p", "d"))
    assert dict(what.intake.fixed) == integers(y=4)
    with pytest.raises(RequestError, match="y: is fixed"):
        await create(at, what, Order("p", "d", integers(y=1)))
    assert made.record.entity == f"launch_plan:p:d:{PLAN.name}:v1"


async def test_a_launch_plan_that_is_called_must_be_known() -> None:
    store = MemoryStore()
    whole = specs(launching)
    without = Specs(whole.tasks, whole.workflows)
    with pytest.raises(CompileError):
        await register(store, without, now=NOW)
    await register(store, whole, now=NOW)
    found = await find(store, id_of(ResourceType.WORKFLOW, launching.name))
    assert [plan.template.id.name for plan in found.closure.launch_plans] == [PLAN.name]


async def test_registering_the_same_again_is_fine_and_descriptions_do_not_count() -> None:
    store = MemoryStore()
    await register(store, specs(PLAN), now=NOW)
    again = specs(PLAN)
    for spec in again.tasks:
        spec.description.short_description = "another way to say it"
    await register(store, again, now=NOW)
    assert len(await store.entities("task")) == 1


async def test_the_order_in_which_a_node_names_those_before_it_does_not_count() -> None:
    at, given = desk(), specs(joined)
    [flow] = given.workflows
    last = flow.template.nodes[-1]
    for order in (["n0", "n1"], ["n1", "n0"]):
        last.upstream_node_ids[:] = order
        await register(at.store, given, now=NOW)
    last.upstream_node_ids[:] = ["n0"]
    with pytest.raises(NameTaken, match="another content"):
        await register(at.store, given, now=NOW)


async def test_another_content_under_the_same_version_is_refused_as_a_whole() -> None:
    store = MemoryStore()
    await register(store, specs(inner), now=NOW)
    changed = specs(outer)
    for spec in changed.tasks:
        spec.template.metadata.retries.retries = 3
    with pytest.raises(NameTaken):
        await register(store, changed, now=NOW)
    assert [found.name for found in await store.entities("workflow")] == [inner.name]


async def test_ids_must_be_complete_and_all_faults_come_at_once() -> None:
    task_spec, flow, plan = TaskSpec(), WorkflowSpec(), LaunchPlanMessage()
    task_spec.template.id.CopyFrom(id_of(ResourceType.TASK, "t", ""))
    flow.template.id.CopyFrom(id_of(ResourceType.WORKFLOW, "", "a:b"))
    plan.id.CopyFrom(id_of(ResourceType.LAUNCH_PLAN, "plan"))
    plan.id.project = "../.."
    with pytest.raises(RequestError) as caught:
        await register(MemoryStore(), Specs.of([task_spec], [flow], [plan]), now=NOW)
    for part in ("task t: '' is no version", "has no name", "'a:b' is no version", "project: '../..'"):
        assert part in str(caught.value)


@pytest.mark.parametrize(("name", "said"), [("a\0b", "cannot be printed"), ("x" * 501, "may have 500")])
async def test_names_can_be_printed_and_are_not_endless(name: str, said: str) -> None:
    spec = TaskSpec()
    spec.template.id.CopyFrom(id_of(ResourceType.TASK, name))
    with pytest.raises(RequestError, match=said):
        await register(MemoryStore(), Specs.of([spec], []), now=NOW)


async def test_a_launch_plan_that_would_let_nothing_run_is_refused() -> None:
    wrong = specs(PLAN)
    wrong.launch_plans[0].spec.max_parallelism = -3
    with pytest.raises(RequestError, match="cannot be: max_parallelism: is -3"):
        await register(MemoryStore(), wrong, now=NOW)


async def test_inputs_of_a_launch_plan_must_fit_its_workflow() -> None:
    wrong = specs(PLAN)
    [plan] = wrong.launch_plans
    plan.spec.fixed_inputs.literals["y"].CopyFrom(literals.string("four"))
    plan.spec.default_inputs.parameters["z"].default.CopyFrom(literals.integer(1))
    with pytest.raises(RequestError, match="2 faults") as caught:
        await register(MemoryStore(), wrong, now=NOW)
    assert "default input z: there is no such variable" in str(caught.value)
    assert "fixed input y: expected int" in str(caught.value)
