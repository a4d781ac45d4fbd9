"""M38: what the status of a pod says of its attempt, row by row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alula.backends.k8s.pod import Pods, PodSettings
from alula.plugin.failure import FailureKind
from alula.plugin.phase import Phase, PhaseInfo
from tests.unit.backends.k8s.lending import attempt

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
USER, SYSTEM, TAKEN = FailureKind.USER, FailureKind.SYSTEM, FailureKind.INTERRUPTED
Row = tuple[str, dict[str, Any], Phase, str, FailureKind | None, bool]


def terminated(code: int, reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason}}


def waiting(reason: str, message: str = "m") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def pod(phase: str, *states: dict[str, Any], primary: str = "main", age: float = 10, **status: Any) -> dict[str, Any]:
    names = ["main", "side", "other"]
    made = (NOW - timedelta(seconds=age)).isoformat()
    statuses = [{"name": name, "state": state} for name, state in zip(names, states, strict=False)]
    return {
        "metadata": {
            "name": "a1",
            "namespace": "p-d",
            "creationTimestamp": made,
            "annotations": {"primary_container_name": primary} if primary else {},
        },
        "spec": {"containers": [{"name": name} for name in names[: max(1, len(states))]], "nodeName": "node-1"},
        "status": {"phase": phase, "containerStatuses": statuses, **status},
    }


def read(resource: dict[str, Any], *, interruptible: bool = False, settings: PodSettings | None = None) -> PhaseInfo:
    return Pods(settings).phase(attempt(interruptible=interruptible), resource, now=NOW)


def condition(kind: str, status: str, age: float = 10, **more: str) -> dict[str, Any]:
    at = (NOW - timedelta(seconds=age)).isoformat()
    return {"type": kind, "status": status, "lastTransitionTime": at, **more}


SCHEDULED = [condition("PodScheduled", "True", 5)]
LONG_SCHEDULED = [condition("PodScheduled", "True", 200)]
ROWS: list[Row] = [
    ("succeeded", pod("Succeeded", terminated(0)), Phase.SUCCEEDED, "", None, False),
    (
        "succeeded with a starved sidecar",
        pod("Succeeded", terminated(0), terminated(137, "OOMKilled")),
        Phase.FAILED,
        "OOMKilled",
        USER,
        True,
    ),
    ("node shut down", pod("Failed", reason="Shutdown"), Phase.FAILED, "Interrupted", SYSTEM, True),
    (
        "node shut down by name",
        pod("Failed", terminated(143), reason="NodeShutdown"),
        Phase.FAILED,
        "Interrupted",
        SYSTEM,
        True,
    ),
    ("terminated", pod("Failed", reason="Terminated"), Phase.FAILED, "Interrupted", SYSTEM, True),
    ("refused by its node", pod("Failed", reason="NodeAffinity"), Phase.FAILED, "Interrupted", SYSTEM, True),
    (
        "preempted",
        pod("Failed", terminated(137), conditions=[condition("DisruptionTarget", "True")]),
        Phase.FAILED,
        "Interrupted",
        SYSTEM,
        True,
    ),
    ("killed", pod("Failed", terminated(137)), Phase.FAILED, "Interrupted", SYSTEM, True),
    ("killed, cut off", pod("Failed", terminated(247)), Phase.FAILED, "Interrupted", SYSTEM, True),
    ("failed without a word", pod("Failed"), Phase.FAILED, "Interrupted", SYSTEM, True),
    ("starved", pod("Failed", terminated(137, "OOMKilled")), Phase.FAILED, "OOMKilled", USER, True),
    ("failed", pod("Failed", terminated(3)), Phase.FAILED, "Error", USER, True),
    (
        "failed for a reason",
        pod("Failed", reason="DeadlineExceeded", message="too long"),
        Phase.FAILED,
        "DeadlineExceeded",
        USER,
        True,
    ),
    (
        "evicted for what it did",
        pod("Failed", terminated(137, "OOMKilled"), reason="Evicted"),
        Phase.FAILED,
        "OOMKilled",
        USER,
        True,
    ),
    ("a sidecar killed", pod("Failed", terminated(1), terminated(137)), Phase.FAILED, "Error", USER, True),
    (
        "unschedulable",
        pod("Pending", conditions=[condition("PodScheduled", "False", reason="Unschedulable", message="0/3")]),
        Phase.QUEUED,
        "",
        None,
        False,
    ),
    ("not seen yet", pod("Pending"), Phase.QUEUED, "", None, False),
    (
        "image pull failed",
        pod("Pending", waiting("ErrImagePull"), conditions=LONG_SCHEDULED),
        Phase.STARTING,
        "",
        None,
        False,
    ),
    (
        "coming up",
        pod("Pending", waiting("ContainerCreating"), conditions=LONG_SCHEDULED),
        Phase.STARTING,
        "",
        None,
        False,
    ),
    (
        "init containers",
        pod("Pending", waiting("PodInitializing"), conditions=SCHEDULED),
        Phase.STARTING,
        "",
        None,
        False,
    ),
    (
        "image pulls back off",
        pod("Pending", waiting("ImagePullBackOff"), conditions=SCHEDULED),
        Phase.STARTING,
        "",
        None,
        False,
    ),
    (
        "for too long",
        pod("Pending", waiting("ImagePullBackOff"), conditions=LONG_SCHEDULED, age=300),
        Phase.FAILED,
        "ImagePullBackOff",
        USER,
        True,
    ),
    (
        "long unscheduled, then pulling",
        pod("Pending", waiting("ImagePullBackOff"), conditions=SCHEDULED, age=900),
        Phase.STARTING,
        "",
        None,
        False,
    ),
    (
        "container cannot be made",
        pod("Pending", waiting("CreateContainerError"), conditions=SCHEDULED),
        Phase.STARTING,
        "",
        None,
        False,
    ),
    (
        "never",
        pod("Pending", waiting("CreateContainerError"), conditions=LONG_SCHEDULED, age=300),
        Phase.FAILED,
        "CreateContainerError",
        USER,
        False,
    ),
    (
        "secret missing",
        pod("Pending", waiting("CreateContainerConfigError"), conditions=SCHEDULED),
        Phase.FAILED,
        "CreateContainerConfigError",
        USER,
        False,
    ),
    (
        "no such image name",
        pod("Pending", waiting("InvalidImageName"), conditions=SCHEDULED),
        Phase.FAILED,
        "InvalidImageName",
        USER,
        False,
    ),
    (
        "whatever else",
        pod("Pending", waiting("RunContainerError"), conditions=SCHEDULED),
        Phase.FAILED,
        "RunContainerError",
        SYSTEM,
        True,
    ),
    ("running", pod("Running", {"running": {}}), Phase.RUNNING, "", None, False),
    ("primary waits", pod("Running", waiting("ContainerCreating"), {"running": {}}), Phase.RUNNING, "", None, False),
    ("primary done", pod("Running", terminated(0), {"running": {}}), Phase.SUCCEEDED, "", None, False),
    ("primary failed", pod("Running", terminated(2), {"running": {}}), Phase.FAILED, "Error", USER, True),
    (
        "primary starved",
        pod("Running", terminated(137, "OOMKilled"), {"running": {}}),
        Phase.FAILED,
        "OOMKilled",
        USER,
        True,
    ),
    ("primary killed", pod("Running", terminated(137), {"running": {}}), Phase.FAILED, "Interrupted", SYSTEM, True),
    (
        "primary missing",
        pod("Running", {"running": {}}, primary="nobody"),
        Phase.FAILED,
        "PrimaryContainerNotFound",
        USER,
        False,
    ),
    ("primary declared", pod("Running", primary="main"), Phase.RUNNING, "", None, False),
    ("all of several done", pod("Running", terminated(0), terminated(0), primary=""), Phase.SUCCEEDED, "", None, False),
    ("one of several done", pod("Running", terminated(0), {"running": {}}, primary=""), Phase.RUNNING, "", None, False),
    ("one of several failed", pod("Running", terminated(1), terminated(0), primary=""), Phase.RUNNING, "", None, False),
    ("node silent", pod("Unknown"), Phase.RUNNING, "", None, False),
]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_row_of_the_table(row: Row) -> None:
    _, resource, phase, code, kind, recoverable = row
    info = read(resource)
    assert info.phase is phase
    if kind is None:
        assert info.failure is None
    else:
        assert info.failure is not None
        assert (info.failure.code, info.failure.kind, info.failure.recoverable) == (code, kind, recoverable)


@pytest.mark.parametrize("resource", [pod("Failed", reason="Shutdown"), pod("Failed", terminated(137))])
def test_what_may_be_interrupted_and_was_is_neither_the_users_nor_the_systems(resource: dict[str, Any]) -> None:
    info = read(resource, interruptible=True)
    assert info.failure is not None
    assert info.failure.kind is TAKEN


def test_a_pod_that_pends_for_too_long_fails_if_the_operator_says_so() -> None:
    resource = pod("Pending", conditions=[condition("PodScheduled", "False", reason="Unschedulable", message="0/3")])
    info = read(resource, settings=PodSettings(pending_timeout=timedelta(seconds=9)))
    assert info.failure is not None
    assert info.failure.code == "PodPendingTimeout"
    assert "Unschedulable: 0/3" in info.failure.message
    assert read(resource, settings=PodSettings(pending_timeout=timedelta(seconds=11))).failure is None


def test_an_uploader_beside_the_containers_must_end_as_well() -> None:
    resource = pod("Running", terminated(0), primary="")
    resource["spec"]["initContainers"] = [{"name": "uploader", "restartPolicy": "Always"}, {"name": "first"}]
    resource["status"]["initContainerStatuses"] = [{"name": "uploader", "state": {"running": {}}}]
    assert read(resource).phase is Phase.RUNNING
    resource["status"]["initContainerStatuses"][0]["state"] = terminated(0)
    assert read(resource).phase is Phase.SUCCEEDED


def test_the_reason_says_what_kubernetes_says() -> None:
    resource = pod("Pending", waiting("ErrImagePull", "no such host"), conditions=SCHEDULED)
    assert read(resource).reason == "ErrImagePull: no such host"
    failed = read(pod("Failed", terminated(3)))
    assert failed.failure is not None
    assert failed.failure.message == "container main ended with exit code 3 (Error)"


def test_pages_about_a_pod_are_linked_once_it_has_a_node() -> None:
    links = {"logs": "https://logs/{namespace}/{pod}/{container}?node={node}"}
    info = read(pod("Running", {"running": {}}), settings=PodSettings(log_links=links))
    assert [(one.name, one.uri) for one in info.links] == [("logs", "https://logs/p-d/a1/main?node=node-1")]


@pytest.mark.parametrize(
    "resource", [{}, {"metadata": None, "status": None}, {"metadata": {}, "status": {"phase": "?"}}]
)
def test_a_status_that_says_nothing_is_read_as_not_begun(resource: dict[str, Any]) -> None:
    assert read(resource).phase is Phase.QUEUED


def staged(phase: str, task: dict[str, Any], upload: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """A pod whose task is an init container, with others before and after it that move its files."""
    made = pod(phase, primary="main", **status)
    made["spec"]["initContainers"] = [
        {"name": "alula-download"},
        {"name": "main", "terminationMessagePath": "/out/_ERROR"},
    ]
    made["spec"]["containers"] = [{"name": "alula-upload"}]
    made["status"]["initContainerStatuses"] = [
        {"name": "alula-download", "state": terminated(0, "Completed")},
        {"name": "main", "state": task},
    ]
    after = upload or waiting("PodInitializing")
    made["status"]["containerStatuses"] = [{"name": "alula-upload", "state": after}]
    return made


def with_message(code: int, message: str, reason: str = "Error") -> dict[str, Any]:
    made = terminated(code, reason)
    made["terminated"]["message"] = message
    return made


def test_a_task_among_init_containers_runs_while_its_pod_is_pending() -> None:
    settings = PodSettings(pending_timeout=timedelta(seconds=5))
    runs = staged("Pending", {"running": {}}, conditions=SCHEDULED)
    assert read(runs, settings=settings).phase is Phase.RUNNING
    waits = staged("Pending", waiting("PodInitializing"), conditions=SCHEDULED)
    assert read(waits).phase is Phase.STARTING
    assert read(waits, settings=settings).failure is not None
    fetching = staged("Pending", waiting("PodInitializing"), conditions=SCHEDULED)
    fetching["status"]["initContainerStatuses"][0]["state"] = {"running": {}}
    assert read(fetching).reason == "its inputs are fetched"
    assert read(staged("Running", terminated(0), {"running": {}})).phase is Phase.RUNNING
    assert read(staged("Succeeded", terminated(0), terminated(0))).phase is Phase.SUCCEEDED
    assert Pods().log_of(attempt(), runs) == ("a1", "main")


@pytest.mark.parametrize(
    ("resource", "code", "kind", "said"),
    [
        (staged("Failed", with_message(3, "no rows\n")), "USER:ContainerError", USER, "no rows (exit code 3)"),
        (staged("Succeeded", with_message(0, "no rows"), terminated(0)), "USER:ContainerError", USER, "no rows"),
        (staged("Failed", terminated(3)), "Error", USER, "container main ended with exit code 3"),
        (staged("Failed", with_message(137, "x", "OOMKilled")), "OOMKilled", USER, "more memory"),
        (staged("Failed", with_message(137, "x")), "Interrupted", SYSTEM, "was killed"),
        (staged("Failed", with_message(1, "x"), reason="Shutdown"), "Interrupted", SYSTEM, "Shutdown"),
        (staged("Failed", terminated(0), terminated(1)), "CopilotFailed", SYSTEM, "container alula-upload ended"),
    ],
)
def test_how_a_task_among_init_containers_fails(
    resource: dict[str, Any], code: str, kind: FailureKind, said: str
) -> None:
    failure = read(resource).failure
    assert failure is not None
    assert (failure.code, failure.kind, failure.recoverable) == (code, kind, True)
    assert said in failure.message


def test_a_message_is_the_tasks_own_only_if_its_file_of_errors_is_read() -> None:
    made = pod("Failed", with_message(1, "from its log"))
    failure = read(made).failure
    assert failure is not None
    assert failure.code == "Error"
    assert "from its log" in failure.message
