"""Launch-plan nodes: executions of their own, through the engine's door."""

from __future__ import annotations

import hashlib

from alula.compiler.compile import compile_workflow
from alula.config import EngineConfig
from alula.engine.nodes.task import child_name
from alula.idl import CompiledWorkflowClosure, Identifier, Node, ResourceType, WorkflowNode, literals
from alula.idl.admin import LaunchPlan, LaunchPlanSpec
from alula.plugin.runner import Job, Succeeded, Tell
from alula.store.memory import MemoryStore
from alula.store.records import EntityRecord, ExecutionKey, NewExecution
from tests.unit.compiler.build import PLANS, TASKS, bind, ref, task_node
from tests.unit.compiler.build import workflow as template
from tests.unit.engine.build import made, signal_node, step, tuned
from tests.unit.engine.drive import (
    FakeRunner,
    clock,
    create,
    ended,
    engine,
    hang,
    outputs,
    phases,
    result,
    running,
    says,
    until,
    virtual,
    virtual_process,
)
from tests.unit.engine.test_driver import BOOM, FAST
from tests.unit.idl.build import INT


def plan_node(id: str, **settings: int) -> Node:
    target = WorkflowNode(launchplan_ref=_id(ResourceType.LAUNCH_PLAN, "plan"))
    return tuned(Node(id=id, inputs=bind(a=ref("", "a")), workflow_node=target), **settings)


def _id(kind: ResourceType, name: str) -> Identifier:
    return Identifier(resource_type=kind, project="p", domain="d", name=name, version="v")


def inner(*nodes: Node, **more: object) -> CompiledWorkflowClosure:
    made_template = template(
        nodes or [task_node("n0", "add", x=ref("", "a"), y=ref("", "b"))],
        {"o0": (INT, ref("n0", "o0"))},
        name="inner",
        inputs={"a": INT, "b": INT},
    )
    return compile_workflow(made_template, [], TASKS, PLANS)


async def registered(store: MemoryStore, closure: CompiledWorkflowClosure | None = None) -> None:
    """A launch plan of a workflow that adds `b`, which is 10 by default, to `a`."""
    closure = closure or inner()
    spec = LaunchPlanSpec(workflow_id=_id(ResourceType.WORKFLOW, "inner"))
    spec.raw_output_data_config.output_location_prefix = "s3://plans"
    spec.labels.values.update(team="plans", kind="child")
    spec.default_inputs.parameters["b"].default.CopyFrom(literals.integer(10))
    spec.default_inputs.parameters["a"].required = True
    plan = LaunchPlan(id=_id(ResourceType.LAUNCH_PLAN, "plan"), spec=spec)
    await store.register([entity("launch_plan", "plan", plan.SerializeToString(), b"")])
    await store.register([entity("workflow", "inner", b"", closure.SerializeToString())])


def entity(kind: str, name: str, spec: bytes, closure: bytes) -> EntityRecord:
    return EntityRecord(kind, "p", "d", name, "v", hashlib.sha256(spec + closure).hexdigest(), spec, closure)


PARENT = made([plan_node("n0"), step("n1", "n0")], outputs={"o0": (INT, ref("n1", "o0"))})


def child_key(attempt: int = 0) -> ExecutionKey:
    return ExecutionKey("p", "d", child_name("ex", "n0", attempt))


@virtual
async def test_a_child_runs_with_its_defaults_and_its_outputs_come_back() -> None:
    store, runner = MemoryStore(clock()), FakeRunner()
    await registered(store)
    record = await create(store, PARENT)
    async with running(engine(store, runner)):
        record = await ended(store, record.id)
    assert (record.phase, result(record)) == ("succeeded", 22)
    child = await store.execution(child_key())
    assert child.parent is not None
    assert (child.parent.execution, child.parent.path, child.phase) == (record.id, "n0", "succeeded")
    assert not store.open_commands()


@virtual
async def test_a_launch_plan_counts_where_its_parent_says_nothing() -> None:
    for said, place in (({}, "s3://plans"), ({"raw_prefix": "s3://parents"}, "s3://parents")):
        store, runner = MemoryStore(clock()), FakeRunner()
        await registered(store)
        record = await create(store, PARENT, facts=said)
        async with running(engine(store, runner)):
            await ended(store, record.id)
        child = await store.execution(child_key())
        assert (child.facts["raw_prefix"], child.labels["kind"]) == (place, "child")


@virtual
async def test_an_engine_for_one_execution_drives_its_children_too() -> None:
    store, runner = MemoryStore(clock()), FakeRunner()
    await registered(store)
    other, record = await create(store, PARENT, name="other"), await create(store, PARENT)
    async with running(engine(store, runner, only=[record.id])):
        record = await ended(store, record.id)
    assert result(record) == 22
    assert (await store.execution_by_id(other.id)).phase == "queued"


@virtual
async def test_children_are_driven_even_if_their_parents_take_all_the_room() -> None:
    store, runner = MemoryStore(clock()), FakeRunner()
    await registered(store)
    ids = [(await create(store, PARENT, name=f"ex{nth}")).id for nth in range(3)]
    async with running(engine(store, runner, config=EngineConfig(executions=1))):
        for id in ids:
            assert result(await ended(store, id)) == 22


@virtual
async def test_children_of_a_dead_engine_are_driven_too_although_their_parents_take_all_the_room() -> None:
    store = MemoryStore(clock())
    await registered(store)
    record = await create(store, PARENT)
    process = virtual_process("first")
    process.spawn(engine(store, FakeRunner(default=hang), owner="first").run())
    await until(store, record.id, "n0", "running")
    process.kill()
    process.bury()
    async with running(engine(store, FakeRunner(), owner="second", config=EngineConfig(executions=1))):
        assert result(await ended(store, record.id)) == 22


@virtual
async def test_a_failed_child_costs_a_retry_of_its_node() -> None:
    store = MemoryStore(clock())

    def second_time(job: Job, tell: Tell) -> None:
        tell(BOOM if job.id.execution == child_key(0).name else Succeeded(outputs(o0=5)))

    await registered(store)
    closure = made([plan_node("n0", retries=1)], outputs={"o0": (INT, ref("n0", "o0"))})
    record = await create(store, closure, settings=FAST)
    async with running(engine(store, FakeRunner(default=second_time))):
        record = await ended(store, record.id)
    assert result(record) == 5
    assert (await store.execution(child_key(0))).phase == "failed"
    assert (await store.execution(child_key(1))).phase == "succeeded"


@virtual
async def test_the_error_of_a_child_is_the_error_of_its_node() -> None:
    store, runner = MemoryStore(clock()), FakeRunner(default=says(BOOM))
    await registered(store)
    record = await create(store, PARENT)
    async with running(engine(store, runner)):
        record = await ended(store, record.id)
    name = child_key().name
    assert record.error == f"USER:Boom (node n0): execution {name} failed: it broke"


@virtual
async def test_an_abort_reaches_the_child_and_waits_for_it() -> None:
    time = clock()
    store, runner = MemoryStore(time), FakeRunner(default=hang)
    await registered(store)
    record = await create(store, PARENT)
    async with running(engine(store, runner)):
        await until(store, record.id, "n0", "running")
        child = await store.execution(child_key())
        await until(store, child.id, "n0", "running")
        before = time.monotonic()
        await store.ask(record.id, "abort", body=b"enough")
        record, child = await ended(store, record.id), await store.execution(child_key())
        assert time.monotonic() - before <= 2
    assert (record.phase, child.phase, child.open) == ("aborted", "aborted", False)
    assert not runner.live


@virtual
async def test_a_launch_plan_that_is_not_registered_fails_the_node_with_its_id() -> None:
    store = MemoryStore(clock())
    record = await create(store, made([plan_node("n0", retries=3)]))
    async with running(engine(store, FakeRunner())):
        record = await ended(store, record.id)
    assert record.phase == "failed"
    assert "launch_plan:p:d:plan:v" in record.error


@virtual
async def test_an_execution_that_has_the_childs_name_by_chance_is_left_alone() -> None:
    store = MemoryStore(clock())
    await registered(store)
    closure = made([signal_node("n0", "never")])
    taken = NewExecution(child_key(), "workflow w", closure.SerializeToString(), outputs(a=1), fingerprint="other")
    other, _ = await store.create(taken)
    record = await create(store, PARENT)
    async with running(engine(store, FakeRunner())):
        record = await ended(store, record.id)
        assert record.phase == "failed"
        assert "ChildNotLaunched" in record.error
        assert (await store.execution_by_id(other.id)).phase == "running"


@virtual
async def test_a_child_outlives_the_engine_and_is_not_launched_twice() -> None:
    store = MemoryStore(clock())
    await registered(store)
    record = await create(store, PARENT)
    async with running(engine(store, FakeRunner(default=hang))):
        await until(store, record.id, "n0", "running")
    runner = FakeRunner()
    async with running(engine(store, runner, owner="second")):
        record = await ended(store, record.id)
    assert result(record) == 22
    assert len(await store.executions()) == 2


@virtual
async def test_a_child_that_ends_while_no_engine_lives_is_not_missed() -> None:
    store = MemoryStore(clock())
    await registered(store)
    record = await create(store, PARENT)
    async with running(engine(store, FakeRunner(default=hang))):
        await until(store, record.id, "n0", "running")
        child = await store.execution(child_key())
    async with running(engine(store, FakeRunner(), owner="second", only=[child.id])):
        await ended(store, child.id)
    assert (await phases(store, record.id))["n0"] == "running"
    async with running(engine(store, FakeRunner(), owner="third", only=[record.id])):
        record = await ended(store, record.id)
    assert result(record) == 22
