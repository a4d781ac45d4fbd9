from __future__ import annotations

from datetime import timedelta

import pytest

from alula.admin.desk import Desk
from alula.data.stores import Objects
from alula.errors import Busy, NameTaken, RequestError, Unknown, Untimely
from alula.idl import ResourceType, literals
from alula.idl import WorkflowExecution as Phases
from alula.idl.service import (
    ExecutionMetadata,
    ExecutionRecoverRequest,
    ExecutionRelaunchRequest,
    ExecutionState,
    ExecutionTerminateRequest,
    ExecutionUpdateRequest,
    NamedEntityIdentifier,
    ResourceListRequest,
    Sort,
    WorkflowExecutionGetDataRequest,
    WorkflowExecutionGetRequest,
)
from alula.plugin.failure import AttemptFailure
from alula.plugin.runner import Failed, Started
from alula.services import blobs
from alula.store.memory import MemoryStore
from tests.unit.admin import office
from tests.unit.admin.office import integers
from tests.unit.engine.drive import FakeRunner, says
from tests.unit.services.control import CALL, Control, id, plain, plan_id, request

BAD = says(Started(), Failed(AttemptFailure("USER:ValueError", "no good " + "x" * 30_000)))
PLAN = plan_id(plain.name)


async def control(**defaults: int) -> Control:
    made = Control.over(office.desk())
    await made.registered(plain, defaults)
    return made


async def get(at: Control, name: str):  # type: ignore[no-untyped-def]
    return await at.executions.GetExecution(WorkflowExecutionGetRequest(id=id(name)), CALL)


async def data(at: Control, name: str):  # type: ignore[no-untyped-def]
    return await at.executions.GetExecutionData(WorkflowExecutionGetDataRequest(id=id(name)), CALL)


def listing(filters: str = "", *, limit: int = 0, token: str = "", sort: Sort | None = None) -> ResourceListRequest:
    place = NamedEntityIdentifier(project="p", domain="d")
    return ResourceListRequest(id=place, filters=filters, limit=limit, token=token, sort_by=sort)


async def test_what_was_asked_for_is_what_is_told() -> None:
    at = await control(x=5)
    asked = request(PLAN, name="ex")
    asked.spec.labels.values["team"] = "blue"
    asked.spec.envs.values.add(key="MODE", value="fast")
    asked.spec.tags.extend(["red", "red"])
    asked.spec.max_parallelism = 3
    await at.create(asked)
    waiting, early = await get(at, "ex"), await data(at, "ex")
    assert waiting.closure.phase == Phases.QUEUED
    assert (early.full_inputs.literals["x"], len(early.full_outputs.literals)) == (literals.integer(5), 0)
    record = await at.run(id("ex"))
    assert (record.facts["env.MODE"], record.labels, record.tags) == ("fast", {"team": "blue"}, ("red",))
    told = await get(at, "ex")
    assert (told.spec.launch_plan, told.spec.max_parallelism, told.spec.metadata.principal) == (PLAN, 3, "ann")
    assert not told.spec.HasField("inputs")
    closure = told.closure
    assert (closure.phase, closure.workflow_id.name, closure.HasField("error")) == (Phases.SUCCEEDED, plain.name, False)
    assert closure.created_at.ToDatetime() <= closure.started_at.ToDatetime() <= closure.updated_at.ToDatetime()
    assert closure.HasField("duration")
    whole = await data(at, "ex")
    assert [one.scalar.primitive.integer for one in whole.full_outputs.literals.values()] == [5]


async def test_the_same_name_with_the_same_inputs_is_the_same_execution() -> None:
    at = await control()
    first = await at.create(request(PLAN, name="ex", inputs=integers(x=1)))
    assert await at.create(request(PLAN, name="ex", inputs=integers(x=1))) == first
    with pytest.raises(NameTaken, match=r"its inputs are other ones: x \(1 there, 2 here\)"):
        await at.create(request(PLAN, name="ex", inputs=integers(x=2)))
    assert (await at.create(request(PLAN, inputs=integers(x=1)))).name != "ex"


async def test_what_cannot_be_created_is_said_all_at_once() -> None:
    at = await control()
    with pytest.raises(RequestError, match="x"):
        await at.create(request(PLAN, name="ex"))
    with pytest.raises(RequestError) as caught:
        await at.create(request(PLAN, name="No Name", inputs={"x": literals.string("a"), "y": literals.integer(1)}))
    assert all(part in str(caught.value) for part in ("No Name", "expected int", "y"))
    with pytest.raises(Unknown, match="nobody"):
        await at.create(request(plan_id("nobody")))


async def test_so_many_tags_are_taken_as_can_be_found_fast() -> None:
    at, asked = await control(), request(PLAN, inputs=integers(x=1))
    asked.spec.tags.extend(f"{nth:0100}" for nth in range(10))
    with pytest.raises(RequestError, match="tags: take 1,010 bytes together, and may take 1,000"):
        await at.create(asked)
    asked.spec.tags.pop()
    assert len((await at.run(await at.create(asked))).tags) == 9


async def test_a_task_runs_alone_and_keeps_its_name() -> None:
    at = await control()
    task = plan_id("tests.unit.services.control.double", ResourceType.TASK)
    await at.run(await at.create(request(task, name="ex", inputs=integers(x=4))))
    told = await get(at, "ex")
    assert (told.spec.launch_plan, told.closure.workflow_id.name) == (task, f".flytegen.{task.name}")


async def test_no_more_are_created_than_may_be_open() -> None:
    at = Control.over(Desk(MemoryStore(), Objects(), office.DATA, backlog=1))
    await at.registered(plain)
    await at.create(request(PLAN, name="ex", inputs=integers(x=1)))
    await at.create(request(PLAN, name="ex", inputs=integers(x=1)))
    with pytest.raises(Busy, match="1 executions are open"):
        await at.create(request(PLAN, inputs=integers(x=1)))


async def test_why_one_failed_is_told_whole_and_in_lists_in_short() -> None:
    at = await control()
    record = await at.run(await at.create(request(PLAN, name="bad", inputs=integers(x=1))), FakeRunner(default=BAD))
    assert record.phase == "failed"
    error = (await get(at, "bad")).closure.error
    assert (error.code, error.kind, len(error.message) > 3_000) == ("USER:ValueError", error.USER, True)
    [listed] = (await at.executions.ListExecutions(listing(), CALL)).executions
    assert len(listed.closure.error.message) < 3_000


async def test_one_is_stopped_by_somebody_for_a_reason() -> None:
    at = await control()
    await at.create(request(PLAN, name="ex", inputs=integers(x=1)))
    for _ in range(2):
        await at.executions.TerminateExecution(ExecutionTerminateRequest(id=id("ex"), cause="enough"), CALL)
    await at.run(id("ex"))
    closure = (await get(at, "ex")).closure
    assert (closure.phase, closure.abort_metadata.cause, closure.abort_metadata.principal) == (
        Phases.ABORTED,
        "enough",
        "ann",
    )
    done = await at.create(request(PLAN, name="done", inputs=integers(x=1)))
    await at.run(done)
    with pytest.raises(Untimely, match="it has succeeded"):
        await at.executions.TerminateExecution(ExecutionTerminateRequest(id=done, cause="late"), CALL)


async def test_one_is_repeated_and_recovered_and_says_of_which() -> None:
    at = await control()
    await at.run(await at.create(request(PLAN, name="bad", inputs=integers(x=1))), FakeRunner(default=BAD))
    for _ in range(2):  # clients ask again at once
        again = await at.executions.RelaunchExecution(ExecutionRelaunchRequest(id=id("bad"), name="again"), CALL)
        good = await at.executions.RecoverExecution(ExecutionRecoverRequest(id=id("bad"), name="good"), CALL)
    assert (again.id.name, good.id.name) == ("again", "good")
    await at.run(good.id)
    said = (await get(at, "good")).spec.metadata
    assert (said.mode, said.reference_execution.name) == (ExecutionMetadata.RECOVERED, "bad")
    said = (await get(at, "again")).spec.metadata
    assert (said.mode, said.reference_execution.name) == (ExecutionMetadata.RELAUNCH, "bad")
    with pytest.raises(Untimely, match="nothing to recover"):
        await at.executions.RecoverExecution(ExecutionRecoverRequest(id=id("good")), CALL)


async def test_what_a_recovery_says_of_itself_counts() -> None:
    at = await control()
    asked = request(PLAN, name="bad", inputs=integers(x=1))
    asked.spec.metadata.system_metadata.execution_cluster = "old"
    await at.run(await at.create(asked), FakeRunner(default=BAD))
    again = ExecutionRecoverRequest(id=id("bad"), name="good")
    again.metadata.mode = ExecutionMetadata.SCHEDULED
    again.metadata.nesting = 2
    again.metadata.parent_node_execution.node_id = "n7"
    again.metadata.system_metadata.namespace = "new"
    await at.executions.RecoverExecution(again, CALL)
    said = (await get(at, "good")).spec.metadata
    assert (said.mode, said.reference_execution.name) == (ExecutionMetadata.RECOVERED, "bad")
    assert (said.nesting, said.parent_node_execution.node_id) == (2, "n7")
    assert (said.system_metadata.execution_cluster, said.system_metadata.namespace) == ("old", "new")


async def test_numbers_that_stand_for_nothing_are_refused() -> None:
    at = await control()
    asked = request(PLAN, name="ex", inputs=integers(x=1))
    asked.spec.metadata.mode = 99  # type: ignore[assignment]
    with pytest.raises(RequestError, match=r"spec\.metadata\.mode is 99"):
        await at.create(asked)
    asked.spec.metadata.mode = ExecutionMetadata.SCHEDULED
    asked.spec.metadata.scheduled_at.seconds = 2**62  # the scheduler reads it
    with pytest.raises(RequestError, match=r"spec\.metadata\.scheduled_at: is no timestamp"):
        await at.create(asked)
    asked.spec.metadata.ClearField("scheduled_at")
    asked.spec.envs.values.add(key="A=B", value="1")
    asked.spec.envs.values.add(key="C", value="\0")
    with pytest.raises(RequestError, match="2 faults"):
        await at.create(asked)
    with pytest.raises(RequestError, match="state is 7"):
        await at.executions.UpdateExecution(ExecutionUpdateRequest(id=id("ex"), state=7), CALL)  # type: ignore[arg-type]


async def test_one_is_put_away_and_taken_out_again() -> None:
    at = await control()
    await at.create(request(PLAN, name="ex", inputs=integers(x=1)))
    away = ExecutionUpdateRequest(id=id("ex"), state=ExecutionState.EXECUTION_ARCHIVED)
    await at.executions.UpdateExecution(away, CALL)
    said = (await get(at, "ex")).closure.state_change_details
    assert (said.state, said.principal) == (ExecutionState.EXECUTION_ARCHIVED, "ann")
    assert not (await at.executions.ListExecutions(listing("eq(state,EXECUTION_ACTIVE)"), CALL)).executions
    await at.executions.UpdateExecution(ExecutionUpdateRequest(id=id("ex")), CALL)
    assert len((await at.executions.ListExecutions(listing("eq(state,0)"), CALL)).executions) == 1


async def test_lists_are_filtered_sorted_and_turned_page_by_page() -> None:
    at = await control()
    for name in ("c", "a", "b"):
        await at.create(request(PLAN, name=name, inputs=integers(x=1)))

    async def names(filters: str = "", **more: object) -> tuple[list[str], str]:
        found = await at.executions.ListExecutions(listing(filters, **more), CALL)  # type: ignore[arg-type]
        return [one.id.name for one in found.executions], found.token

    assert await names() == (["b", "a", "c"], "")
    assert await names(sort=Sort(key="name", direction=Sort.ASCENDING)) == (["a", "b", "c"], "")
    page, token = await names(limit=2)
    assert page == ["b", "a"]
    await at.create(request(PLAN, name="new", inputs=integers(x=1)))
    assert await names(limit=2, token=token) == (["c"], "")
    assert await names(f"eq(launch_plan.name,{plain.name})+eq(launch_plan.version,v1)+contains(name,a)") == (["a"], "")
    assert await names(f"eq(workflow.name,{plain.name})+ne(phase,QUEUED)") == ([], "")
    assert await names(f"eq(task.name,{plain.name})") == ([], "")
    assert len((await names("eq(user,ann)+eq(mode,MANUAL)"))[0]) == 4
    named = listing(limit=2)
    named.id.name = "a"
    found = await at.executions.ListExecutions(named, CALL)
    assert ([one.id.name for one in found.executions], found.token) == (["a"], "")
    with pytest.raises(RequestError, match="another listing"):
        await names("eq(phase,QUEUED)", token=token)
    with pytest.raises(RequestError, match="colour: cannot be filtered by"):
        await names("eq(colour,red)")
    with pytest.raises(RequestError, match="nothing is sorted by 'colour'"):
        await names(sort=Sort(key="colour"))


async def test_values_too_large_for_a_message_are_put_into_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "INLINE_BYTES", 1)
    at = await control()
    await at.run(await at.create(request(PLAN, name="ex", inputs=integers(x=3))))
    found = await data(at, "ex")
    assert not found.full_inputs.literals
    assert found.inputs.bytes == len(await at.desk.objects.read(found.inputs.url))
    assert found.outputs.bytes > 0


async def test_times_of_creation_are_compared() -> None:
    at = await control()
    await at.create(request(PLAN, name="ex", inputs=integers(x=1)))
    now = at.desk.clock.now()

    async def count(filters: str) -> int:
        return len((await at.executions.ListExecutions(listing(filters), CALL)).executions)

    assert await count(f"gte(created_at,{(now - timedelta(hours=1)).isoformat()})") == 1
    assert await count(f"gt(created_at,{(now + timedelta(hours=1)).isoformat()})") == 0
