"""Tasks as pods: what is built of containers, templates, settings and overrides. Valid by Kubernetes' own schemas."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from alula.backends.k8s.pod import Pods
from alula.errors import Rejected
from alula.hosting.k8s import objects, pods
from alula.hosting.k8s.settings import ClusterSettings
from alula.idl import Container, Identifier, Resources, Secret, TaskNodeOverrides, TaskTemplate, literals
from alula.plugin.context import TaskContext
from alula.plugin.k8s import K8sPlugin, Manifest
from tests.unit.backends.k8s.lending import attempt

SPOT = {"key": "spot", "operator": "Exists"}


def container(type: str = "python-task", **more: Any) -> TaskTemplate:
    made = TaskTemplate(id=Identifier(project="p", domain="d", name="train", version="v"), type=type)
    given = {"image": "img:1", "command": ["run"], "args": ["--in", "{{.input}}", "--out={{.outputPrefix}}"], **more}
    made.container.CopyFrom(Container(**given))
    return made


def in_pod(spec: Manifest, primary: str = "main") -> TaskTemplate:
    made = TaskTemplate(id=Identifier(name="train"), type="sidecar")
    made.k8s_pod.pod_spec.update(spec)
    made.config["primary_container_name"] = primary
    return made


def built(
    template: TaskTemplate, settings: ClusterSettings | None = None, under: Manifest | None = None, **more: Any
) -> Manifest:
    task: TaskContext = attempt(template=template, **more)
    settings = settings or ClusterSettings()
    pod = pods.build(task, settings, under)
    plugin: K8sPlugin = Pods()
    whole = objects.stamped(plugin.build(task, pod), task, plugin, settings, "p-d")
    kubernetes_validate.validate(whole, "1.36", strict=True)
    return whole


def main(pod: Manifest, name: str = "primary") -> Manifest:
    found: Manifest = next(one for one in pod["spec"]["containers"] if one["name"] == name)
    return found


def env(pod: Manifest, name: str = "primary") -> dict[str, Any]:
    return {one["name"]: one.get("value") for one in main(pod, name)["env"]}


def test_a_container_becomes_the_whole_pod() -> None:
    template = container()
    template.container.env.add(key="A", value="1")
    pod = built(template)
    name = pod["metadata"]["name"]
    environment = main(pod).pop("env")
    assert pod == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "p-d",
            "labels": {
                "alula.dev/store": "00aabbcc",
                "alula.dev/project": "p",
                "alula.dev/domain": "development",
                "alula.dev/execution": "e1",
                "alula.dev/node": "n0",
                "alula.dev/attempt": "0",
                "alula.dev/job": name,
            },
            "annotations": {"primary_container_name": "primary"},
        },
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "primary",
                    "image": "img:1",
                    "command": ["run"],
                    "args": ["--in", "memory://attempt/inputs.pb", "--out=memory://attempt"],
                    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
                }
            ],
        },
    }
    said = {one["name"]: one["value"] for one in environment}
    assert said["A"] == "1"
    assert said["FLYTE_INTERNAL_EXECUTION_ID"] == "e1"
    assert said["FLYTE_ATTEMPT_NUMBER"] == "0"


def test_a_raw_container_is_over_when_its_container_is_whatever_else_is_in_the_pod() -> None:
    assert built(container("raw-container"))["metadata"]["annotations"] == {"primary_container_name": "primary"}


def test_resources_are_the_tasks_the_nodes_and_the_settings() -> None:
    template = container()
    resources = template.container.resources
    resources.requests.add(name=Resources.CPU, value="2")
    resources.limits.add(name=Resources.MEMORY, value="4Gi")
    resources.requests.add(name=Resources.GPU, value="1")
    resources.requests.add(name=Resources.EPHEMERAL_STORAGE, value="10Gi")
    overrides = TaskNodeOverrides(container_image="other:2")
    overrides.resources.requests.add(name=Resources.CPU, value="3")
    pod = built(template, overrides=overrides)
    assert main(pod)["image"] == "other:2"
    assert main(pod)["resources"] == {
        "requests": {"cpu": "3", "nvidia.com/gpu": "1", "ephemeral-storage": "10Gi", "memory": "4Gi"},
        "limits": {"memory": "4Gi", "nvidia.com/gpu": "1"},
    }


def test_more_than_the_operator_allows_is_refused_with_the_numbers() -> None:
    template = container()
    template.container.resources.requests.add(name=Resources.CPU, value="8")
    with pytest.raises(Rejected, match=r"asks for cpu=8, and at most cpu=4000m may be had") as caught:
        built(template, ClusterSettings(limits={"cpu": "4000m"}))
    assert caught.value.code == "ResourceRequestsExceedLimits"


def test_a_pod_of_several_containers_keeps_them_and_names_the_tasks() -> None:
    field = {"fieldRef": {"fieldPath": "metadata.name"}}
    spec = {
        "containers": [
            {"name": "side", "image": "s:1", "args": ["{{.outputPrefix}}"], "ports": [{"containerPort": 80}]},
            {
                "name": "main",
                "image": "m:1",
                "env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            },
        ],
        "terminationGracePeriodSeconds": 5,
    }
    pod = built(in_pod(spec))
    assert pod["metadata"]["annotations"] == {"primary_container_name": "main"}
    assert main(pod, "side")["ports"] == [{"containerPort": 80}]
    assert main(pod, "side")["args"] == ["memory://attempt"]
    assert pod["spec"]["terminationGracePeriodSeconds"] == 5
    assert main(pod, "main")["env"][0]["valueFrom"] == field
    assert "resources" not in main(pod, "side")


def test_variables_are_filled_in_wherever_they_stand_and_only_once() -> None:
    spec = {
        "containers": [
            {"name": "side", "image": "s:1", "env": [{"name": "AT", "value": "{{.outputPrefix}}"}]},
            {"name": "main", "image": "m:1", "env": [{"name": "X", "value": "{{.inputs.x}}"}]},
        ]
    }
    pod = built(in_pod(spec), inputs={"x": literals.string("{{.outputPrefix}}")})
    assert env(pod, "side")["AT"] == "memory://attempt"
    assert env(pod, "main")["X"] == "{{.outputPrefix}}"


def test_a_template_of_the_operator_lies_under_the_tasks_pod() -> None:
    under = {
        "metadata": {"labels": {"team": "a"}, "annotations": {"note": "x"}, "creationTimestamp": None},
        "spec": {
            "containers": [
                {
                    "name": "default",
                    "image": "noop",
                    "env": [{"name": "ALL", "value": "1"}],
                    "imagePullPolicy": "Always",
                },
                {"name": "primary", "image": "noop", "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]},
                {"name": "proxy", "image": "proxy:1"},
            ],
            "initContainers": [{"name": "setup", "image": "setup:1"}],
            "volumes": [{"name": "scratch", "emptyDir": {}}],
            "tolerations": [SPOT],
            "dnsPolicy": "Default",
        },
    }
    pod = built(container(), under=under)
    assert [one["name"] for one in pod["spec"]["containers"]] == ["primary", "proxy"]
    primary = main(pod)
    assert (primary["image"], primary["imagePullPolicy"]) == ("img:1", "Always")
    assert primary["volumeMounts"] == [{"name": "scratch", "mountPath": "/scratch"}]
    assert env(pod)["ALL"] == "1"
    assert pod["metadata"]["labels"]["team"] == "a"
    assert pod["metadata"]["annotations"] == {"note": "x", "primary_container_name": "primary"}
    assert pod["spec"]["initContainers"] == [{"name": "setup", "image": "setup:1"}]
    assert (pod["spec"]["dnsPolicy"], pod["spec"]["tolerations"]) == ("Default", [SPOT])


def test_interruptible_tasks_go_to_machines_that_may_be_taken_away() -> None:
    spot = {"key": "node", "operator": "In", "values": ["spot"]}
    steady = {"key": "node", "operator": "NotIn", "values": ["spot"]}
    settings = ClusterSettings(
        interruptible_tolerations=(SPOT,),
        interruptible_node_selector={"class": "spot"},
        interruptible_requirement=spot,
        steady_requirement=steady,
    )
    found = built(container(), settings, interruptible=True)["spec"]
    assert (found["tolerations"], found["nodeSelector"]) == ([SPOT], {"class": "spot"})
    assert _expressions(found) == [[spot]]
    kept = built(container(), settings)["spec"]
    assert "tolerations" not in kept
    assert _expressions(kept) == [[steady]]


def test_accelerators_choose_nodes_and_are_tolerated() -> None:
    template = container()
    template.extended_resources.gpu_accelerator.device = "nvidia-tesla-a100"
    template.extended_resources.gpu_accelerator.partition_size = "1g.5gb"
    spec = built(template)["spec"]
    names = ["k8s.amazonaws.com/accelerator", "k8s.amazonaws.com/gpu-partition-size"]
    assert [one["key"] for one in _expressions(spec)[0]] == names
    assert [(one["key"], one["value"]) for one in spec["tolerations"]] == [
        (names[0], "nvidia-tesla-a100"),
        (names[1], "1g.5gb"),
    ]
    overrides = TaskNodeOverrides()
    overrides.extended_resources.gpu_accelerator.unpartitioned = True
    spec = built(template, overrides=overrides)["spec"]
    assert _expressions(spec) == [[{"key": names[1], "operator": "DoesNotExist"}]]


def test_shared_memory_is_a_volume_in_memory() -> None:
    template = container()
    template.extended_resources.shared_memory.size_limit = "2Gi"
    pod = built(template)
    assert pod["spec"]["volumes"] == [{"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}]
    assert main(pod)["volumeMounts"] == [{"name": "shared-memory", "mountPath": "/dev/shm"}]


def test_secrets_are_lent_by_the_cluster_and_never_read() -> None:
    template = container()
    for secret in (
        Secret(group="db", key="Password", mount_requirement=Secret.ENV_VAR),
        Secret(group="db", group_version="v2", key="token", env_var="TOKEN"),
    ):
        template.security_context.secrets.append(secret)
    pod = built(template)
    given = {one["name"]: one for one in main(pod)["env"]}
    assert given["_FSEC_DB_PASSWORD"]["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "Password"}}
    assert given["TOKEN"]["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "token"}}
    assert given["FLYTE_SECRETS_DEFAULT_DIR"]["value"] == "/etc/flyte/secrets"
    [volume], [mount] = pod["spec"]["volumes"], main(pod)["volumeMounts"]
    assert volume["secret"] == {"secretName": "db", "items": [{"key": "token", "path": "token"}]}
    assert (mount["name"], mount["mountPath"], mount["readOnly"]) == (volume["name"], "/etc/flyte/secrets/db/v2", True)
    template.security_context.secrets.append(Secret(key="alone"))
    with pytest.raises(Rejected, match="'alone' has no group"):
        built(template)


def test_who_a_pod_is_and_where_its_image_comes_from() -> None:
    template = container()
    settings = ClusterSettings(service_account="runner", image_pull_secrets=("pull",), scheduler="mine")
    spec = built(template, settings)["spec"]
    assert (spec["serviceAccountName"], spec["imagePullSecrets"]) == ("runner", [{"name": "pull"}])
    assert spec["schedulerName"] == "mine"
    template.security_context.run_as.k8s_service_account = "special"
    assert built(template, settings)["spec"]["serviceAccountName"] == "special"


def test_labels_of_the_task_never_hide_whose_pod_it_is() -> None:
    template = container()
    template.metadata.metadata.labels["alula.dev/store"] = "forged"
    template.metadata.metadata.labels["team"] = "b"
    template.metadata.metadata.annotations["note"] = "y"
    metadata = built(template, ClusterSettings(labels={"team": "a", "env": "dev"}))["metadata"]
    assert metadata["labels"]["alula.dev/store"] == "00aabbcc"
    assert (metadata["labels"]["team"], metadata["labels"]["env"]) == ("b", "dev")
    assert metadata["annotations"]["note"] == "y"


def test_a_task_without_a_container_is_no_pod() -> None:
    with pytest.raises(Rejected, match="has no container"):
        built(TaskTemplate(id=Identifier(name="q"), type="sql_task"))


def test_what_a_pod_asks_of_a_quota() -> None:
    spec = {
        "containers": [
            {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1"}}},
            {"resources": {"requests": {"cpu": "1"}}},
            {},
        ]
    }
    found = pods.asks(spec)
    assert {name: found[name] for name in ("cpu", "requests.cpu", "limits.cpu", "pods")} == {
        "cpu": "1.500",
        "requests.cpu": "1.500",
        "limits.cpu": "1",
        "pods": "1",
    }


def _expressions(spec: Manifest) -> list[list[Manifest]]:
    required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return [term["matchExpressions"] for term in required["nodeSelectorTerms"]]
