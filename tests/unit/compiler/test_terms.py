"""What tasks of an execution may ask for, and who runs them, in whatever form they say it."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from alula.compiler.terms import NAMES, Terms, read_terms
from alula.idl import CompiledWorkflowClosure, Resources, TaskTemplate
from alula.idl.routes import Route, read_route

LIMITED = Terms({"cpu": "1", "gpu": "1", "ephemeral_storage": "2Gi"}, {"cpu": "2", "memory": "1Gi", "gpu": "1"})


def pod(*containers: dict[str, object], primary: str = "") -> CompiledWorkflowClosure:
    made = CompiledWorkflowClosure()
    template = made.tasks.add().template
    template.id.name = "train"
    template.k8s_pod.primary_container_name = primary
    ParseDict({"containers": list(containers)}, template.k8s_pod.pod_spec)
    return made


def asked(closure: CompiledWorkflowClosure) -> list[object]:
    spec = MessageToDict(closure.tasks[0].template.k8s_pod.pod_spec)
    return [one.get("resources") for one in spec["containers"]]


def test_a_pod_asks_for_the_defaults_with_its_main_container_and_for_the_most_with_each() -> None:
    side = {"name": "side", "resources": {"requests": {"cpu": 4, "memory": "900Mi"}}}
    main = {"name": "main", "resources": {"limits": {"memory": "3Gi", "amd.com/gpu": "4"}}}
    made, said = LIMITED.applied(pod(side, main, primary="main"))
    assert asked(made) == [
        {"requests": {"cpu": "2", "memory": "900Mi"}},
        {
            "requests": {"cpu": "1", "nvidia.com/gpu": "1", "ephemeral-storage": "2Gi"},
            "limits": {"memory": "1Gi", "amd.com/gpu": "1"},
        },
    ]
    assert said == [
        "train: container side: request of cpu 4 is more than 2",
        "train: container main: limit of memory 3Gi is more than 1Gi",
        "train: container main: limit of gpu 4 is more than 1",
    ]


def test_the_first_container_of_a_pod_is_the_task_where_none_is_named() -> None:
    made, _ = Terms({"cpu": "1"}).applied(pod({"name": "a"}, {"name": "b"}))
    assert asked(made) == [{"requests": {"cpu": "1"}}, None]


@pytest.mark.parametrize("where", ["node", "array", "branch", "failure"])
def test_a_node_asks_for_no_more_than_its_task_may(where: str) -> None:
    closure = CompiledWorkflowClosure()
    template = closure.sub_workflows.add().template if where == "branch" else closure.primary.template
    template.id.name = "flow"
    node = template.failure_node if where == "failure" else template.nodes.add(id="n0")
    if where == "array":
        node = node.array_node.node
    if where == "branch":
        node = node.branch_node.if_else.case.then_node
    node.id = "n7"
    node.task_node.overrides.resources.requests.add(name=Resources.CPU, value="9")
    made, said = LIMITED.applied(closure)
    assert said == ["flow.n7: request of cpu 9 is more than 2"]
    assert b"\x129" not in made.SerializeToString()


def test_tasks_of_a_type_are_routed_and_others_are_not() -> None:
    closure = CompiledWorkflowClosure()
    for kind in ("spark", "shell"):
        closure.tasks.add().template.type = kind
    route = Route(("ours", "theirs"), or_usual=True)
    made, said = Terms(routes={"spark": route}).applied(closure)
    assert [read_route(one.template.config) for one in made.tasks] == [route, None]
    assert said == []


def test_terms_are_kept_as_text() -> None:
    for terms in (Terms(), LIMITED, Terms(limits={"cpu": "1"}, reject=True, routes={"a": Route(("b",), True)})):
        assert read_terms(terms.pack()) == terms
    assert Terms().pack() == ""


def test_what_nobody_can_read_is_left_alone() -> None:
    closure = CompiledWorkflowClosure()
    template: TaskTemplate = closure.tasks.add().template
    template.container.resources.requests.add(name=Resources.MEMORY, value="much")
    template.container.resources.requests.add(name=Resources.UNKNOWN, value="1")
    assert Terms(limits=dict.fromkeys(NAMES, "1")).applied(closure)[0] is closure
