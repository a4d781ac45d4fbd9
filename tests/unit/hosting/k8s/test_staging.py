"""The files of raw containers in pods: who moves them, in which order, and what they are told."""

from __future__ import annotations

from typing import Any

import pytest

from alula.errors import Rejected
from alula.hosting.k8s import pods
from alula.hosting.k8s.settings import ClusterSettings
from alula.idl import DataLoadingConfig, Secret, SimpleType, TaskTemplate, literals
from alula.plugin.k8s import Manifest
from tests.unit.backends.k8s.lending import attempt
from tests.unit.hosting.k8s.test_pods import built, container

SETTINGS = ClusterSettings(copilot_image="alula:1", environment={"AWS_REGION": "x"})


def raw(*, inputs: str = "/var/in", outputs: str = "/var/out", values: str = "x>y") -> TaskTemplate:
    made = container("raw-container", command=["sh", "-c", "cat"], args=[])
    made.container.data_config.CopyFrom(DataLoadingConfig(enabled=True, input_path=inputs, output_path=outputs))
    before, _, after = values.partition(">")
    for name in before:
        made.interface.inputs.variables[name].type.simple = SimpleType.INTEGER
    for name in after:
        made.interface.outputs.variables[name].type.simple = SimpleType.INTEGER
    return made


def names(pod: Manifest) -> tuple[list[str], list[str]]:
    spec = pod["spec"]
    return [one["name"] for one in spec.get("initContainers", ())], [one["name"] for one in spec["containers"]]


def one(pod: Manifest, name: str) -> Manifest:
    spec = pod["spec"]
    found: Manifest = next(c for c in (*spec.get("initContainers", ()), *spec["containers"]) if c["name"] == name)
    return found


def test_inputs_come_before_the_task_and_outputs_go_after_it_never_at_the_same_time() -> None:
    pod = built(raw(), SETTINGS)
    assert names(pod) == (["alula-download", "primary"], ["alula-upload"])
    assert pod["metadata"]["annotations"] == {"primary_container_name": "primary"}
    inputs, outputs = (
        {"name": "alula-inputs", "mountPath": "/var/in"},
        {"name": "alula-outputs", "mountPath": "/var/out"},
    )
    assert one(pod, "primary")["volumeMounts"] == [inputs, outputs]
    assert one(pod, "primary")["terminationMessagePath"] == "/var/out/_ERROR"
    assert one(pod, "alula-download") == {
        "name": "alula-download",
        "image": "alula:1",
        "command": ["alula-copilot"],
        "args": "download --template memory://attempt/task.pb --inputs memory://attempt/inputs.pb "
        "--output-prefix memory://attempt --folder /var/in --timeout 3600".split(),
        "env": [{"name": "AWS_REGION", "value": "x"}],
        "volumeMounts": [inputs],
        "resources": {side: {"cpu": "500m", "memory": "512Mi"} for side in ("requests", "limits")},
    }
    assert one(pod, "alula-upload")["args"] == (
        "upload --template memory://attempt/task.pb --output-prefix memory://attempt "
        "--raw-prefix memory://attempt/raw --folder /var/out --timeout 3600".split()
    )
    assert pod["spec"]["volumes"] == [
        {"name": "alula-inputs", "emptyDir": {}},
        {"name": "alula-outputs", "emptyDir": {}},
    ]


def test_who_moves_files_gets_none_of_the_tasks_secrets() -> None:
    template = raw()
    template.security_context.secrets.append(Secret(group="db", key="k", mount_requirement=Secret.ENV_VAR))
    pod = built(template, SETTINGS)
    assert "_FSEC_DB_K" in {pair["name"] for pair in one(pod, "primary")["env"]}
    for name in ("alula-download", "alula-upload"):
        assert {pair["name"] for pair in one(pod, name)["env"]} == {"AWS_REGION"}


def test_credentials_of_stores_go_to_who_reads_and_writes_there() -> None:
    lent = {"AWS_SESSION_TOKEN": "t", "AWS_REGION": "y"}

    def given(template: TaskTemplate, name: str) -> dict[str, str]:
        pod = pods.build(attempt(template=template), SETTINGS, None, lent)
        return {pair["name"]: pair["value"] for pair in one(pod, name)["env"]}

    assert given(raw(), "alula-download") == given(raw(), "alula-upload") == lent
    assert "AWS_SESSION_TOKEN" not in given(raw(), "primary")
    assert given(container(), "primary")["AWS_SESSION_TOKEN"] == "t"


@pytest.mark.parametrize(
    ("template", "before", "last"),
    [
        (raw(values="x>"), ["alula-download"], "primary"),
        (raw(values=">y"), ["primary"], "alula-upload"),
        (raw(values=">"), [], "primary"),
        (raw(values="x>", inputs=""), ["alula-download"], "primary"),
        (raw(values=">y", outputs=""), ["primary"], "alula-upload"),
    ],
)
def test_nobody_moves_what_there_is_not(template: TaskTemplate, before: list[str], last: str) -> None:
    assert names(built(template, SETTINGS)) == (before, [last])


def test_inputs_that_are_all_in_the_command_need_no_file() -> None:
    template = raw(values="x>", inputs="", outputs="")
    template.container.args.append("--x={{.inputs.x}}")
    pod = built(template, ClusterSettings(), inputs={"x": literals.integer(4)})
    assert names(pod) == ([], ["primary"])
    assert one(pod, "primary")["args"] == ["--x=4"]


def test_what_runs_beside_the_task_ends_with_it() -> None:
    under: dict[str, Any] = {
        "spec": {
            "containers": [{"name": "proxy", "image": "proxy:1"}],
            "initContainers": [{"name": "setup", "image": "s:1"}],
        }
    }
    pod = built(raw(), SETTINGS, under)
    assert names(pod) == (["setup", "alula-download", "proxy", "primary"], ["alula-upload"])
    assert one(pod, "proxy")["restartPolicy"] == "Always"


def test_a_volume_of_the_author_is_the_directory() -> None:
    mount = {"name": "big", "mountPath": "/var/out", "subPath": "a"}
    under = {"spec": {"containers": [{"name": "primary", "volumeMounts": [mount]}], "volumes": [{"name": "big"}]}}
    pod = built(raw(), SETTINGS, under)
    assert mount in one(pod, "primary")["volumeMounts"]
    assert one(pod, "alula-upload")["volumeMounts"] == [mount]
    assert [volume["name"] for volume in pod["spec"]["volumes"]] == ["big", "alula-inputs"]


def test_without_an_image_for_it_the_task_is_refused_with_the_line_to_set() -> None:
    with pytest.raises(Rejected, match="no image is set that could move them") as caught:
        built(raw())
    assert caught.value.where == "[backends.k8s] copilot_image"


@pytest.mark.parametrize(
    ("inputs", "outputs"), [("/a", "/a/b"), ("/a/b", "/a/"), ("/a", "/a"), ("rel", "/a"), ("/", "/a")]
)
def test_directories_within_each_other_are_refused(inputs: str, outputs: str) -> None:
    with pytest.raises(Rejected, match="has its inputs in"):
        built(raw(inputs=inputs, outputs=outputs), SETTINGS)


def test_a_quota_counts_what_runs_at_a_time() -> None:
    def of(cpu: str, **more: Any) -> Manifest:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    staged = {"initContainers": [of("500m"), of("1", restartPolicy="Always"), of("4")], "containers": [of("500m")]}
    assert pods.asks(staged)["requests.cpu"] == "5"
    assert pods.asks({"initContainers": [of("1")], "containers": [of("2"), of("1")]})["cpu"] == "3"
