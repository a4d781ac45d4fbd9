from __future__ import annotations

from typing import Any

import pytest

from alula.admin.outline import Plans, outline_of
from alula.admin.views import files_of
from alula.errors import RequestError, Unknown
from alula.idl import NodeExecution as Phases
from alula.idl import NodeExecutionIdentifier, ResourceType, TaskExecutionIdentifier, literals
from alula.idl import TaskExecution as TaskPhases
from alula.idl.reports import CatalogCacheStatus
from alula.idl.service import (
    GetDynamicNodeWorkflowRequest,
    NodeExecution,
    NodeExecutionForTaskListRequest,
    NodeExecutionGetDataRequest,
    NodeExecutionGetRequest,
    NodeExecutionListRequest,
    Sort,
    TaskExecutionGetDataRequest,
    TaskExecutionGetRequest,
    TaskExecutionListRequest,
)
from alula.plugin.failure import AttemptFailure
from alula.plugin.phase import LogLink, Phase, PhaseInfo
from alula.plugin.runner import Failed, Shows, Started, Succeeded
from alula.plugin.showing import pack
from alula.services.binding import Call
from alula.services.links import Links
from alula.services.task_executions import TaskExecutions
from tests.unit.admin import office
from tests.unit.admin.office import integers, values
from tests.unit.compiler.build import compiled, const, sub_node, task_node, workflow
from tests.unit.engine.build import step
from tests.unit.engine.drive import FakeRunner, in_turn, outputs, says
from tests.unit.engine.test_nodes import spec
from tests.unit.services.control import CALL, Control, id, outer, plain, plan_id, request

LIST = literals.collection([literals.integer(1), literals.integer(2)])


def at_node(name: str, execution: str = "ex") -> NodeExecutionIdentifier:
    return NodeExecutionIdentifier(node_id=name, execution_id=id(execution))


async def ran(name: str = "ex", at: Control | None = None) -> Control:
    """The execution of a workflow of all kinds."""
    at = at or Control.over(office.desk())
    await at.registered(outer)
    inputs = {**integers(x=3), "xs": LIST}
    record = await at.run(await at.create(request(plan_id(outer.name), name=name, inputs=inputs)))
    assert record.phase == "succeeded", record.error
    return at


async def listed(at: Control, inside: str = "", **more: Any) -> list[NodeExecution]:
    asked = NodeExecutionListRequest(workflow_execution_id=id("ex"), unique_parent_id=inside, **more)
    return list((await at.nodes.ListNodeExecutions(asked, CALL)).node_executions)


async def attempts(at: Control, node: str, execution: str = "ex") -> list[Any]:
    asked = TaskExecutionListRequest(node_execution_id=at_node(node, execution))
    return list((await at.attempts.ListTaskExecutions(asked, CALL)).task_executions)


async def data(at: Control, node: str, execution: str = "ex") -> Any:
    return await at.nodes.GetNodeExecutionData(NodeExecutionGetDataRequest(id=at_node(node, execution)), CALL)


async def test_nodes_are_listed_with_what_they_are() -> None:
    at = await ran()
    found = {one.id.node_id: one for one in await listed(at)}
    said = {name: (one.metadata.is_array, one.metadata.is_parent_node) for name, one in found.items()}
    kinds = sorted(said.values())
    assert kinds == [(False, False), (False, False), (False, True), (True, False)]
    [array] = [name for name, one in found.items() if one.metadata.is_array]
    [sub] = [name for name, one in found.items() if one.metadata.is_parent_node]
    assert all(one.closure.phase == Phases.SUCCEEDED for one in found.values())
    assert all(one.metadata.spec_node_id == name for name, one in found.items())
    below = await listed(at, sub)
    assert [(one.id.node_id, one.metadata.spec_node_id, one.metadata.retry_group) for one in below] == [
        (f"{sub}-0-n0", "n0", "0"),
        (f"{sub}-0-n1", "n1", "0"),
    ]
    items = await listed(at, array)
    assert [one.id.node_id for one in items] == [f"{array}-0-n0", f"{array}-0-n1"]
    for name in (f"{sub}-0-n1", f"{array}-0-n1", sub):
        [one] = [await at.nodes.GetNodeExecution(NodeExecutionGetRequest(id=at_node(name)), CALL)]
        assert one.id.node_id == name


async def test_what_a_node_was_given_and_gave_is_told() -> None:
    at = await ran()
    sub = next(one.id.node_id for one in await listed(at) if one.metadata.is_parent_node)
    array = next(one.id.node_id for one in await listed(at) if one.metadata.is_array)
    assert values((await data(at, sub)).full_inputs) == {"x": 3}
    assert values((await data(at, f"{sub}-0-n1")).full_inputs) == {"x": 3}
    whole = await data(at, array)
    assert whole.full_inputs.literals["x"] == LIST
    assert whole.full_outputs.literals["o0"] == LIST
    assert values((await data(at, f"{array}-0-n1")).full_outputs) == {"o0": 2}
    assert whole.flyte_urls.outputs == f"flyte://v1/p/d/ex/{array}/o"


async def test_lists_of_nodes_are_turned_filtered_and_sorted() -> None:
    at = await ran()
    seen, token = [], ""
    while not seen or token:
        asked = NodeExecutionListRequest(workflow_execution_id=id("ex"), limit=1, token=token)
        page = await at.nodes.ListNodeExecutions(asked, CALL)
        seen += [one.id.node_id for one in page.node_executions]
        token = page.token
    assert len(set(seen)) == len(seen) == 4
    down = Sort(key="node_id", direction=Sort.DESCENDING)
    assert [one.id.node_id for one in await listed(at, sort_by=down)] == sorted(seen, reverse=True)
    assert await listed(at, filters="eq(phase,FAILED)") == []
    assert len(await listed(at, filters="value_in(phase,SUCCEEDED;RUNNING)")) == 4
    with pytest.raises(RequestError, match="must be one of"):
        await listed(at, filters="eq(phase,DONE)")
    with pytest.raises(Unknown, match="no node 'n99'"):
        await listed(at, "n99")


async def test_a_node_inside_of_another_is_filtered_by_the_id_that_it_has() -> None:
    at = await ran()
    for above in await listed(at):
        for one in await listed(at, above.id.node_id):
            name = one.id.node_id
            found = await listed(at, above.id.node_id, filters=f"eq(node_id,{name})")
            assert [same.id.node_id for same in found] == [name]
            rest = await listed(at, above.id.node_id, filters=f"ne(node_id,{name})")
            assert name not in [other.id.node_id for other in rest]
            assert len(rest) == 1
    assert await listed(at, filters="eq(node_id,nowhere)") == []


async def test_the_cache_is_told_with_who_made_the_outputs() -> None:
    at = await ran()
    await ran("again", at)

    async def cached(execution: str) -> NodeExecution:
        asked = NodeExecutionListRequest(workflow_execution_id=id(execution))
        found = (await at.nodes.ListNodeExecutions(asked, CALL)).node_executions
        return next(one for one in found if one.closure.HasField("task_node_metadata"))

    first, second = await cached("ex"), await cached("again")
    assert first.closure.task_node_metadata.cache_status == CatalogCacheStatus.CACHE_POPULATED
    hit = second.closure.task_node_metadata
    assert hit.cache_status == CatalogCacheStatus.CACHE_HIT
    assert hit.catalog_key.dataset_id.name.startswith("flyte_task-")
    assert hit.catalog_key.dataset_id.resource_type == ResourceType.DATASET
    assert hit.catalog_key.source_task_execution.node_execution_id == first.id
    assert await attempts(at, second.id.node_id, "again") == []


async def test_attempts_are_told_one_by_one() -> None:
    at = Control.over(office.desk())
    await at.registered(plain)
    flow = office.launchable(office.workflow(step("n0", retries=1), gives="n0"))
    await office.start(at.desk, flow.closure)
    shown = Shows(pack(PhaseInfo(Phase.RUNNING, "on its way", links=(LogLink("page", "https://example.org/1"),))))
    bad = says(Started(), shown, Failed(AttemptFailure("USER:ValueError", "not yet", recoverable=True)))
    record = await at.run(id("ex"), FakeRunner(scripts={"n0": in_turn(bad, office.adding)}))
    assert record.phase == "succeeded"
    first, second = await attempts(at, "n0")
    assert [one.id.retry_attempt for one in (first, second)] == [0, 1]
    assert (first.closure.phase, first.closure.error.message) == (TaskPhases.RETRYABLE_FAILED, "not yet")
    assert [(one.name, one.uri) for one in first.closure.logs] == [("page", "https://example.org/1")]
    assert second.closure.phase == TaskPhases.SUCCEEDED
    again = await at.attempts.GetTaskExecution(TaskExecutionGetRequest(id=second.id), CALL)
    assert again == second
    good, bad_one = [
        await at.attempts.GetTaskExecutionData(TaskExecutionGetDataRequest(id=one.id), CALL) for one in (second, first)
    ]
    assert (values(good.full_outputs), values(good.full_inputs)) == ({"o0": 2}, {"x": 1, "y": 1})
    assert not bad_one.full_outputs.literals
    missing = TaskExecutionIdentifier(node_execution_id=at_node("n0"), retry_attempt=7)
    with pytest.raises(Unknown, match="has no attempt 7"):
        await at.attempts.GetTaskExecution(TaskExecutionGetRequest(id=missing), CALL)


async def test_what_attempts_have_printed_has_a_link() -> None:
    at = await ran()
    links = Links(b"k" * 32, at.desk.clock)
    array = next(one.id.node_id for one in await listed(at) if one.metadata.is_array)
    alone = next(one.id.node_id for one in await listed(at) if one.closure.HasField("task_node_metadata"))
    for path, number in ((alone, 0), (f"{array}[1]", 0)):
        await at.desk.objects.write(files_of(at.desk, office.key("ex"), path, number).log, b"said\n")
    parts = TaskExecutions(at.desk, Plans(at.desk), links)
    call = Call(base_url="https://alula.example.org")
    asked = [TaskExecutionListRequest(node_execution_id=at_node(node)) for node in (alone, array)]
    [one], [whole] = [(await parts.ListTaskExecutions(each, call)).task_executions for each in asked]
    elements = whole.closure.metadata.external_resources
    assert [len(each.logs) for each in elements] == [0, 1]
    for log in (*one.closure.logs, *elements[1].logs):
        assert log.ttl.seconds > 3_000
        grant = links.read(log.uri.removeprefix("https://alula.example.org/objects/"))
        assert grant is not None
        assert (grant.verb, await at.desk.objects.read(grant.uri)) == ("GET", b"said\n")


async def test_an_array_has_one_attempt_that_stands_for_all() -> None:
    at = await ran()
    array = next(one.id.node_id for one in await listed(at) if one.metadata.is_array)
    [one] = await attempts(at, array)
    assert one.closure.phase == TaskPhases.SUCCEEDED
    assert [found.index for found in one.closure.metadata.external_resources] == [0, 1]
    got = await at.attempts.GetTaskExecutionData(TaskExecutionGetDataRequest(id=one.id), CALL)
    assert got.full_outputs.literals["o0"] == LIST


async def test_elements_have_the_links_of_their_plugins() -> None:
    at = Control.over(office.desk())
    await at.registered(outer)
    links = (LogLink("page", "https://example.org/1"),)
    shown = says(Started(), Shows(pack(PhaseInfo(Phase.RUNNING, links=links))), Succeeded(outputs(o0=2)))
    inputs = {**integers(x=3), "xs": LIST}
    await at.run(await at.create(request(plan_id(outer.name), name="ex", inputs=inputs)), FakeRunner(default=shown))
    array = next(one.id.node_id for one in await listed(at) if one.metadata.is_array)
    [one] = await attempts(at, array)
    assert [log.uri for each in one.closure.metadata.external_resources for log in each.logs] == [links[0].uri] * 2


async def test_what_a_dynamic_task_has_made_is_part_of_the_execution() -> None:
    at = Control.over(office.desk())
    await office.start(at.desk, office.workflow(step("n0"), step("n1", "n0"), gives="n1"))
    two = [task_node("d0", "add", x=const(3), y=const(4)), step("d1", "d0")]
    grown = says(Started(), Succeeded(futures=spec(two)))
    record = await at.run(id("ex"), FakeRunner(default=office.adding, scripts={"n0": grown}))
    assert record.phase == "succeeded", record.error
    node, _ = await listed(at)
    assert (node.metadata.is_dynamic, node.metadata.is_parent_node) == (True, True)
    made = (await data(at, "n0")).dynamic_workflow
    assert {one.id for one in made.compiled_workflow.primary.template.nodes} >= {"d0", "d1"}
    got = await at.nodes.GetDynamicNodeWorkflow(GetDynamicNodeWorkflowRequest(id=at_node("n0")), CALL)
    assert got.compiled_workflow == made.compiled_workflow
    below = await listed(at, "n0")
    assert [(one.id.node_id, one.metadata.spec_node_id) for one in below] == [("n0-0-d0", "d0"), ("n0-0-d1", "d1")]
    assert values((await data(at, "n0-0-d1")).full_inputs) == {"x": 7, "y": 7}
    [attempt] = await attempts(at, "n0")
    asked = NodeExecutionForTaskListRequest(task_execution_id=attempt.id)
    assert list((await at.nodes.ListNodeExecutionsForTask(asked, CALL)).node_executions) == below
    with pytest.raises(Unknown, match="has made no workflow"):
        await at.nodes.GetDynamicNodeWorkflow(GetDynamicNodeWorkflowRequest(id=at_node("n1")), CALL)


@pytest.mark.timeout(60)
async def test_a_node_deep_inside_of_others_is_found_at_once() -> None:
    at = Control.over(office.desk())
    depth = 40
    subs = [workflow([sub_node("n0", f"s{nth + 1}", a=const(1))], name=f"s{nth}") for nth in range(depth)]
    subs.append(workflow([task_node("n0", "add", x=const(1), y=const(2))], name=f"s{depth}"))
    await office.start(at.desk, compiled(workflow([sub_node("n0", "s0", a=const(1))]), *subs))
    record = await at.desk.store.execution(office.key("ex"))
    outline = await outline_of(at.desk, Plans(at.desk), record)
    path = "/".join(["n0"] * (depth + 2))
    assert (await outline.plan(path)).id == "n0"
    assert await outline.path(await outline.id(path)) == path


async def test_nodes_are_found_by_the_names_that_they_have() -> None:
    at = await ran()
    record = await at.desk.store.execution(office.key("ex"))
    outline = await outline_of(at.desk, Plans(at.desk), record)
    paths = [row.path for row in await at.desk.store.nodes(record.id) if row.path]
    ids = await outline.ids(paths)
    assert len(set(ids.values())) == len(paths)
    assert [await outline.path(ids[path]) for path in paths] == paths
    for wrong in ("", "n0-", "-0-n0", "n0-x-n0", "n1-0", "x" * 5_000, "n0-0-n0-0-n0"):
        with pytest.raises(Unknown):
            await outline.path(wrong)
