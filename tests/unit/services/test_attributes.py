"""What counts for executions of a place, and which of several that say something does."""

from __future__ import annotations

import itertools

import pytest

from alula.admin.attributes import CLUSTER, POOL, QUEUE, amounts, rules_of
from alula.admin.outline import Plans
from alula.compiler.terms import read_terms
from alula.engine.codec import read_settings
from alula.errors import RequestError, Unknown, Untimely
from alula.idl import CompiledWorkflowClosure, Resources
from alula.idl.routes import Route
from alula.idl.service import (
    ExecutionClusterLabel,
    ExecutionQueueAttributes,
    ExecutionRecoverRequest,
    ExecutionRelaunchRequest,
    ExecutionSpec,
    ListMatchableAttributesRequest,
    MatchableResource,
    MatchingAttributes,
    PluginOverrides,
    ProjectAttributesUpdateRequest,
    ProjectDomainAttributesDeleteRequest,
    ProjectDomainAttributesGetRequest,
    ProjectDomainAttributesUpdateRequest,
    WorkflowAttributesGetRequest,
    WorkflowAttributesUpdateRequest,
    WorkflowExecutionConfig,
)
from alula.sections import Beyond, ResourcesConfig
from alula.services.attributes import Attributes
from alula.services.executions import Executions
from alula.services.launching import CUT, Launchables
from alula.services.places import Places
from alula.services.shown import execution_id
from alula.store.plan_records import AttributesRecord, ProjectRecord
from tests.unit.admin.office import integers
from tests.unit.services.control import CALL, plain, plan_id, request
from tests.unit.services.planned import Planned

TASK, CONFIG = MatchableResource.TASK_RESOURCE, MatchableResource.WORKFLOW_EXECUTION_CONFIG


def config(**said: int | bool) -> MatchingAttributes:
    return MatchingAttributes(workflow_execution_config=WorkflowExecutionConfig(**said))  # type: ignore[arg-type]


def tasks(*, cpu: str = "", limit: str = "") -> MatchingAttributes:
    made = MatchingAttributes()
    made.task_resource_attributes.defaults.cpu = cpu
    made.task_resource_attributes.limits.cpu = limit
    return made


def row(said: MatchingAttributes, domain: str = "", workflow: str = "") -> AttributesRecord:
    resource = TASK if said.HasField("task_resource_attributes") else CONFIG
    return AttributesRecord("p", domain, workflow, int(resource), said.SerializeToString())


LEVELS = [(("", ""), 5), (("d", ""), 10), (("d", "w"), 100)]


@pytest.mark.parametrize("there", [c for n in range(4) for c in itertools.combinations(LEVELS, n)])
def test_the_nearest_counts_whatever_the_order_of_rows(there: list[tuple[tuple[str, str], int]]) -> None:
    rows = [row(config(max_parallelism=value), *place) for place, value in there]
    for order in itertools.permutations(rows):
        assert rules_of(order, ResourcesConfig()).config.max_parallelism == max((v for _, v in there), default=0)


def test_fields_of_the_config_count_each_for_itself_and_resources_as_a_whole() -> None:
    rows = [
        row(config(max_parallelism=5, overwrite_cache=True)),
        row(config(max_parallelism=7), "d"),
        row(tasks(cpu="1", limit="4")),
        row(tasks(limit="8"), "d"),
    ]
    found = rules_of(rows, ResourcesConfig(defaults="memory=1Gi"))
    assert (found.config.max_parallelism, found.config.overwrite_cache) == (7, True)
    assert (found.terms.defaults, found.terms.limits) == ({}, {"cpu": "8"})
    assert rules_of([], ResourcesConfig(defaults="memory=1Gi")).terms.defaults == {"memory": "1Gi"}


def container(requests: str = "", limits: str = "") -> CompiledWorkflowClosure:
    made = CompiledWorkflowClosure()
    template = made.tasks.add().template
    template.id.name = "train"
    template.container.SetInParent()
    resources = template.container.resources
    for text, entries in ((requests, resources.requests), (limits, resources.limits)):
        for name, value in amounts(text).items():
            entries.add(name=Resources.ResourceName.Value(name.upper()), value=value)
    return made


@pytest.mark.parametrize(
    ("asked", "limits", "gets", "cut"),
    [
        ("", "", "cpu=500m", []),
        ("", "cpu=200m", "cpu=200m", []),
        ("cpu=2", "", "cpu=2", []),
        ("cpu=3", "", "cpu=2500m", ["train: request of cpu 3 is more than 2500m"]),
        ("cpu=1", "cpu=4", "cpu=1", ["train: limit of cpu 4 is more than 2500m"]),
        ("memory=9Gi", "", "memory=9Gi,cpu=500m", []),
    ],
)
def test_tasks_get_what_they_may_have(asked: str, limits: str, gets: str, cut: list[str]) -> None:
    rules = rules_of([], ResourcesConfig("cpu=500m", "cpu=2500m"))
    made, said = rules.terms.applied(container(asked, limits))
    assert said == cut
    assert (
        made.tasks[0].template.container.resources.requests
        == container(gets).tasks[0].template.container.resources.requests
    )


def test_lists_of_the_config_are_taken_as_a_whole() -> None:
    def assigning(*nodes: str) -> MatchingAttributes:
        made = config()
        made.workflow_execution_config.execution_env_assignments.add(node_ids=nodes)
        return made

    found = rules_of([row(assigning("a")), row(assigning("b"), "d")], ResourcesConfig()).config
    assert [list(one.node_ids) for one in found.execution_env_assignments] == [["b"]]


def test_where_nothing_is_said_nothing_changes() -> None:
    closure = container("cpu=1000")
    assert rules_of([], ResourcesConfig()).terms.applied(closure)[0] is closure


def test_amounts_that_nobody_can_read_are_told() -> None:
    for text in ("cpu", "cpu=many", "cores=3"):
        with pytest.raises(ValueError, match=text.split("=")[-1]):
            amounts(text)


async def test_attributes_are_kept_found_listed_and_forgotten() -> None:
    one = await Planned.made()
    calls = Attributes(one.desk)
    asked = ProjectDomainAttributesUpdateRequest()
    asked.attributes.project, asked.attributes.domain = "p", "d"
    asked.attributes.matching_attributes.CopyFrom(tasks(cpu="1"))
    await calls.UpdateProjectDomainAttributes(asked, CALL)
    get = ProjectDomainAttributesGetRequest(project="p", domain="d", resource_type=TASK)
    assert (await calls.GetProjectDomainAttributes(get, CALL)).attributes == asked.attributes
    listed = await calls.ListMatchableAttributes(ListMatchableAttributesRequest(resource_type=TASK), CALL)
    assert [(found.project, found.domain, found.workflow) for found in listed.configurations] == [("p", "d", "")]
    with pytest.raises(Unknown, match="p/d/w has no attributes TASK_RESOURCE"):
        await calls.GetWorkflowAttributes(
            WorkflowAttributesGetRequest(project="p", domain="d", workflow="w", resource_type=TASK), CALL
        )
    drop = ProjectDomainAttributesDeleteRequest(project="p", domain="d", resource_type=TASK)
    await calls.DeleteProjectDomainAttributes(drop, CALL)
    await calls.DeleteProjectDomainAttributes(drop, CALL)
    with pytest.raises(Unknown):
        await calls.GetProjectDomainAttributes(get, CALL)


async def test_attributes_that_cannot_be_are_refused_with_all_that_is_wrong() -> None:
    one = await Planned.made()
    asked = ProjectAttributesUpdateRequest()
    asked.attributes.project = "p"
    with pytest.raises(RequestError, match="nothing is in it"):
        await Attributes(one.desk).UpdateProjectAttributes(asked, CALL)
    asked.attributes.matching_attributes.CopyFrom(tasks(cpu="9", limit="2"))
    with pytest.raises(RequestError, match="cpu: 9 is more than the limit 2"):
        await Attributes(one.desk).UpdateProjectAttributes(asked, CALL)
    flow = WorkflowAttributesUpdateRequest()
    flow.attributes.project, flow.attributes.domain = "p", "d"
    with pytest.raises(RequestError, match=r"attributes\.workflow: is empty"):
        await Attributes(one.desk).UpdateWorkflowAttributes(flow, CALL)


async def launched(one: Planned, settings: ResourcesConfig) -> ExecutionSpec:
    await one.control.registered(plain)
    asked = request(plan_id(plain.name), inputs=integers(x=1))
    made = await Launchables(one.desk, Places(one.desk, settings)).launch(asked, CALL)
    return ExecutionSpec.FromString(made.record.spec)


async def test_what_is_cut_is_said_with_the_execution_or_refused() -> None:
    one = await Planned.made()
    spec = await launched(one, ResourcesConfig(defaults="cpu=3", limits="cpu=2"))
    assert "double: request of cpu 3 is more than 2" in spec.annotations.values[CUT]
    with pytest.raises(RequestError, match="request of cpu 3 is more than 2"):
        await launched(one, ResourcesConfig("cpu=3", "cpu=2", Beyond.REJECT))
    assert CUT not in (await launched(one, ResourcesConfig("cpu=1", "cpu=2"))).annotations.values


async def test_attributes_of_queues_clusters_and_plugins_are_seen_with_the_execution_and_its_tasks() -> None:
    one = await Planned.made()
    calls = Attributes(one.desk)
    said = [
        MatchingAttributes(execution_queue_attributes=ExecutionQueueAttributes(tags=["gpu", "night"])),
        MatchingAttributes(execution_cluster_label=ExecutionClusterLabel(value="west")),
        MatchingAttributes(cluster_assignment={"cluster_pool_name": "spot"}),
        MatchingAttributes(plugin_overrides=PluginOverrides(overrides=[{"task_type": "t", "plugin_id": ["a"]}])),
        MatchingAttributes(quality_of_service={"tier": 1}),
    ]
    for each in said:
        asked = ProjectAttributesUpdateRequest()
        asked.attributes.project = "p"
        asked.attributes.matching_attributes.CopyFrom(each)
        await calls.UpdateProjectAttributes(asked, CALL)
    await one.control.registered(plain)
    asked_for = request(plan_id(plain.name), inputs=integers(x=1))
    asked_for.spec.execution_cluster_label.value = "east"
    made = await Launchables(one.desk, Places(one.desk, ResourcesConfig())).launch(asked_for, CALL)
    assert made.record.labels == {QUEUE: "gpu.night", CLUSTER: "east", POOL: "spot"}
    assert read_terms(read_settings(made.record.settings).terms).routes == {"t": Route(("a",))}


async def test_an_archived_project_takes_nothing_new_and_others_are_made_on_the_way() -> None:
    one = await Planned.made()
    await launched(one, ResourcesConfig())
    assert [project.id for project in await one.desk.store.projects()] == ["p"]
    await one.desk.store.put_project(ProjectRecord("p", state=1))
    with pytest.raises(Untimely, match="project p is archived"):
        await launched(one, ResourcesConfig())
    [there] = await one.desk.store.executions()
    executions = Executions(one.desk, Plans(one.desk))
    with pytest.raises(Untimely, match="project p is archived"):
        await executions.RelaunchExecution(ExecutionRelaunchRequest(id=execution_id(there.key)), CALL)
    await one.end(there, "failed")
    with pytest.raises(Untimely, match="project p is archived"):
        await executions.RecoverExecution(ExecutionRecoverRequest(id=execution_id(there.key)), CALL)


async def test_user_data_go_where_the_nearest_says_and_nowhere_that_cannot_be() -> None:
    one = await Planned.made()
    await one.control.registered(plain)
    launchables = Launchables(one.desk, Places(one.desk, ResourcesConfig()))

    async def where(asked: str = "", configured: str = "") -> str:
        said = MatchingAttributes()
        said.workflow_execution_config.raw_output_data_config.output_location_prefix = configured
        attributes = ProjectAttributesUpdateRequest()
        attributes.attributes.project = "p"
        attributes.attributes.matching_attributes.CopyFrom(said)
        await Attributes(one.desk).UpdateProjectAttributes(attributes, CALL)
        one.clock.go(seconds=10)
        wanted = request(plan_id(plain.name), inputs=integers(x=1))
        wanted.spec.raw_output_data_config.output_location_prefix = asked
        return (await launchables.launch(wanted, CALL)).record.facts.get("raw_prefix", "")

    assert [await where(), await where(configured="s3://a"), await where("s3://b", "s3://a")] == [
        "",
        "s3://a",
        "s3://b",
    ]
    for asked, configured in (("here", ""), ("", "ftp://a")):
        with pytest.raises(
            RequestError, match=r"raw_output_data_config\.output_location_prefix: .* is no place for files"
        ):
            await where(asked, configured)
