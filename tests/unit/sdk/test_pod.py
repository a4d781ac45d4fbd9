from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from alula.errors import CallError, ConfigError
from alula.idl import Container, K8sPod
from alula.sdk.image import Image, ImageConfig, ImageSpec
from alula.sdk.pod import PodTemplate
from alula.sdk.resources import Resources, to_message

IMAGES = ImageConfig.from_images("reg/def:v1", {"other": "reg/other:v2"})

MANIFEST: dict[str, Any] = {
    "containers": [
        {
            "name": "side",
            "image": "{{.image.other.fqn}}:{{.image.other.version}}",
            "ports": [{"containerPort": 80, "hostIP": "1.2.3.4"}],
        },
        {
            "name": "main",
            "env": [
                {"name": "K", "value": "own"},
                {"name": "Z", "valueFrom": {"fieldRef": {"fieldPath": "x"}}},
            ],
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            "command": ["zzz"],
            "resources": {"limits": {"cpu": "9"}},
        },
    ],
    "initContainers": [{"name": "init", "image": "busybox"}],
    "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
    "nodeSelector": {"x": "y"},
    "tolerations": [{"effect": "NoSchedule", "tolerationSeconds": 3}],
}

# What flytekit 1.16.31 writes for the same templates and containers, serialized deterministically.
EMPTY = (
    "0a001280010a7e0a0a636f6e7461696e6572731270326e0a6c2a6a0a240a0461726773121c321a0a111a0f7079666c7974652d657865637574"
    "650a051a032d2d780a0d0a07636f6d6d616e64120232000a090a03656e76120232000a150a05696d616765120c1a0a7265672f6465663a7631"
    "0a110a046e616d6512091a077072696d617279"
)
FULL = (
    "0a100a060a016112016212060a016312016412be060acc040a0a636f6e7461696e65727312bd0432ba040a6d2a6b0a170a05696d616765120e"
    "1a0c7265672f6f746865723a76320a0e0a046e616d6512061a04736964650a400a05706f727473123732350a332a310a1a0a0d636f6e746169"
    "6e6572506f727412091100000000000054400a130a06686f7374495012091a07312e322e332e340ac8032ac5030a240a0461726773121c321a"
    "0a111a0f7079666c7974652d657865637574650a051a032d2d780a0d0a07636f6d6d616e64120232000aae010a03656e7612a60132a3010a1d"
    "2a1b0a0b0a046e616d6512031a01410a0c0a0576616c756512031a01310a1d2a1b0a0b0a046e616d6512031a014b0a0c0a0576616c75651203"
    "1a01320a1f2a1d0a0b0a046e616d6512031a014b0a0e0a0576616c756512051a036f776e0a422a400a0b0a046e616d6512031a015a0a310a09"
    "76616c756546726f6d12242a220a200a086669656c6452656612142a120a100a096669656c645061746812031a01780a150a05696d61676512"
    "0c1a0a7265672f6465663a76310a0e0a046e616d6512061a046d61696e0a7e0a097265736f757263657312712a6f0a180a066c696d69747312"
    "0e2a0c0a0a0a0363707512031a01320a530a08726571756573747312472a450a0a0a0363707512031a01310a1a0a11657068656d6572616c2d"
    "73746f7261676512051a033247690a0a0a0367707512031a01310a0f0a066d656d6f727912051a033147690a360a0c766f6c756d654d6f756e"
    "7473122632240a222a200a110a096d6f756e745061746812041a022f760a0b0a046e616d6512031a01760a3c0a0e696e6974436f6e7461696e"
    "657273122a32280a262a240a120a05696d61676512091a0762757379626f780a0e0a046e616d6512061a04696e69740a1c0a0c6e6f64655365"
    "6c6563746f72120c2a0a0a080a017812031a01790a4d0a0b746f6c65726174696f6e73123e323c0a3a2a380a160a06656666656374120c1a0a"
    "4e6f5363686564756c650a1e0a11746f6c65726174696f6e5365636f6e647312091100000000000008400a420a07766f6c756d657312373235"
    "0a332a310a220a08656d70747944697212162a140a120a0973697a654c696d697412051a033147690a0b0a046e616d6512031a0176"
)
LIMITS_ONLY = (
    "0a0012c0010abd010a0a636f6e7461696e65727312ae0132ab010aa8012aa5010a240a0461726773121c321a0a111a0f7079666c7974652d65"
    "7865637574650a051a032d2d780a0d0a07636f6d6d616e64120232000a090a03656e76120232000a150a05696d616765120c1a0a7265672f64"
    "65663a76310a110a046e616d6512091a077072696d6172790a390a097265736f7572636573122c2a2a0a180a066c696d697473120e2a0c0a0a"
    "0a0363707512031a01320a0e0a08726571756573747312022a00"
)


def task(requests: Resources | None = None, limits: Resources | None = None, **env: str) -> Container:
    container = Container(image="reg/def:v1", args=["pyflyte-execute", "--x"], resources=to_message(requests, limits))
    for key, value in env.items():
        container.env.add(key=key, value=value)
    return container


def wire(pod: K8sPod) -> str:
    return pod.SerializeToString(deterministic=True).hex()


def containers(pod: K8sPod) -> list[dict[str, Any]]:
    return [dict(each) for each in pod.pod_spec["containers"]]  # type: ignore[call-overload]


def full(pod_spec: Any) -> K8sPod:
    template = PodTemplate(pod_spec, "main", labels={"a": "b"}, annotations={"c": "d"})
    requests = Resources(cpu="1", mem="1Gi", ephemeral_storage="2Gi", gpu="1")
    return template.to_pod(task(requests, Resources(cpu="2"), A="1", K="2"), IMAGES)


def test_an_empty_template_has_the_bytes_that_flytekit_writes() -> None:
    assert wire(PodTemplate().to_pod(task(), IMAGES)) == EMPTY


def test_a_manifest_has_the_bytes_that_flytekit_writes() -> None:
    assert wire(full(MANIFEST)) == FULL


def test_limits_alone_have_the_bytes_that_flytekit_writes() -> None:
    assert wire(PodTemplate().to_pod(task(limits=Resources(cpu="2")), IMAGES)) == LIMITS_ONLY


def test_a_spec_of_the_kubernetes_library_has_them_too() -> None:
    client = pytest.importorskip("kubernetes.client")
    main = client.V1Container(
        name="main",
        env=[
            client.V1EnvVar(name="K", value="own"),
            client.V1EnvVar(
                name="Z", value_from=client.V1EnvVarSource(field_ref=client.V1ObjectFieldSelector(field_path="x"))
            ),
        ],
        volume_mounts=[client.V1VolumeMount(name="v", mount_path="/v")],
        command=["zzz"],
        resources=client.V1ResourceRequirements(limits={"cpu": "9"}),
    )
    side = client.V1Container(
        name="side",
        image="{{.image.other.fqn}}:{{.image.other.version}}",
        ports=[client.V1ContainerPort(container_port=80, host_ip="1.2.3.4")],
    )
    spec = client.V1PodSpec(
        containers=[side, main],
        init_containers=[client.V1Container(name="init", image="busybox")],
        volumes=[client.V1Volume(name="v", empty_dir=client.V1EmptyDirVolumeSource(size_limit="1Gi"))],
        node_selector={"x": "y"},
        tolerations=[client.V1Toleration(effect="NoSchedule", toleration_seconds=3)],
    )
    assert wire(full(spec)) == FULL
    assert PodTemplate(spec).version_hash() == PodTemplate(MANIFEST).version_hash()


def test_the_template_itself_does_not_change() -> None:
    before = copy.deepcopy(MANIFEST)
    full(MANIFEST)
    assert before == MANIFEST


def test_without_resources_those_of_the_template_stay() -> None:
    pod = PodTemplate(MANIFEST, "main").to_pod(task(), IMAGES)
    (main,) = (each for each in containers(pod) if each["name"] == "main")
    assert main["resources"]["limits"]["cpu"] == "9"


def test_an_image_of_the_template_stays_the_tasks_own() -> None:
    spec = {"containers": [{"name": "primary", "image": "mine:1"}]}
    assert [each["image"] for each in containers(PodTemplate(spec).to_pod(task(), IMAGES))] == ["mine:1"]


def test_a_container_without_image_gets_the_default_one() -> None:
    pod = PodTemplate({"containers": [{"name": "side"}]}).to_pod(task(), IMAGES)
    assert [(each["name"], each["image"]) for each in containers(pod)] == [
        ("side", "reg/def:v1"),
        ("primary", "reg/def:v1"),
    ]
    with pytest.raises(ConfigError, match="no default image") as caught:
        PodTemplate({"containers": [{"name": "side"}]}).to_pod(task())
    assert "container 'side'" in caught.value.where


def test_a_container_may_have_a_spec_as_its_image() -> None:
    spec = ImageSpec(packages=["pandas"])
    template = PodTemplate({"containers": [{"name": "side", "image": spec}]})
    images = ImageConfig(None, [Image(spec.id, "reg/built", "v1")])
    assert containers(template.to_pod(task(), images))[0]["image"] == "reg/built:v1"
    other = PodTemplate({"containers": [{"name": "side", "image": spec.with_packages("x")}]})
    assert template.version_hash() != other.version_hash()


def test_what_is_none_is_left_out_and_times_are_text() -> None:
    template = PodTemplate({"hostname": None, "at": datetime(2024, 1, 2, tzinfo=UTC), "tuple": (1, None)})
    assert json.loads(json.dumps(template.manifest())) == {
        "containers": [],
        "at": "2024-01-02T00:00:00+00:00",
        "tuple": [1, None],
    }


def test_the_config_of_the_task_names_the_container() -> None:
    assert PodTemplate(primary_container_name="main").config() == {"primary_container_name": "main"}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("x", "got str: 'x'"),
        ({"containers": {}}, "are a list"),
        ({"containers": [{"image": "x"}]}, "with a name"),
        ({"containers": ["x"]}, "with a name"),
    ],
)
def test_what_is_no_pod_spec_is_refused(spec: Any, words: str) -> None:
    with pytest.raises(CallError, match=words):
        PodTemplate(spec)


def test_the_primary_container_has_a_name() -> None:
    with pytest.raises(CallError, match="no name"):
        PodTemplate(primary_container_name="")
