"""Spark applications: what is built of a Spark job, and what their states say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import kubeflow_spark_api.models as models
import pytest

from alula.backends.k8s.spark import Spark, SparkSettings
from alula.errors import Rejected
from alula.plugin.failure import FailureKind
from alula.plugin.phase import Phase, PhaseInfo
from tests.unit.backends.k8s.lending import attempt

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POD: dict[str, Any] = {
    "metadata": {
        "labels": {"alula.dev/store": "0123", "alula.dev/node": "n0"},
        "annotations": {"primary_container_name": "primary", "team": "data"},
    },
    "spec": {
        "containers": [
            {
                "name": "primary",
                "image": "spark:3.5",
                "args": ["alula-execute", "--inputs", "s3://b/inputs.pb"],
                "env": [{"name": "A", "value": "1"}],
            }
        ],
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "pull"}],
        "restartPolicy": "Never",
    },
}
JOB: dict[str, Any] = {
    "mainApplicationFile": "local:///app.py",
    "executorPath": "/usr/bin/python3",
    "sparkConf": {"spark.executor.instances": "3", "spark.driver.memory": "2g", "spark.executor.cores": "2"},
    "executorPod": {
        "metadata": {"labels": {"role": "worker"}},
        "podSpec": {
            "containers": [{"name": "primary", "env": [{"name": "B", "value": "2"}]}],
            "nodeSelector": {"disk": "ssd"},
        },
        "primaryContainerName": "primary",
    },
}


def built(job: dict[str, Any] = JOB) -> dict[str, Any]:
    spec: dict[str, Any] = Spark().build(attempt("spark", job), POD)["spec"]
    return spec


def test_a_job_is_built_into_driver_and_executors() -> None:
    spec = built()
    assert {key: spec[key] for key in ("type", "mode", "pythonVersion", "image", "mainApplicationFile")} == {
        "type": "Python",
        "mode": "cluster",
        "pythonVersion": "3",
        "image": "spark:3.5",
        "mainApplicationFile": "local:///app.py",
    }
    assert spec["arguments"] == ["alula-execute", "--inputs", "s3://b/inputs.pb"]
    assert spec["restartPolicy"] == {"type": "Never"}
    assert spec["imagePullSecrets"] == ["pull"]
    assert spec["sparkConf"]["spark.pyspark.python"] == "/usr/bin/python3"
    assert spec["driver"]["memory"] == "2g"
    assert spec["driver"]["serviceAccount"] == "spark"
    assert spec["driver"]["env"] == [{"name": "A", "value": "1"}]
    executor = spec["executor"]
    assert (executor["instances"], executor["cores"]) == (3, 2)
    assert executor["nodeSelector"] == {"disk": "ssd"}
    assert executor["tolerations"] == [{"key": "spot", "operator": "Exists"}]
    assert executor["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert executor["labels"] == {"alula.dev/node": "n0", "role": "worker"}
    assert executor["annotations"] == {"team": "data"}


def unknown(model: Any, data: dict[str, Any], path: str = "") -> list[str]:
    """Fields that a published model of the operator lacks."""
    known = {field.alias or name: field for name, field in model.model_fields.items()}
    found = [f"{path}{name}" for name in data if name not in known]
    for name, value in data.items():
        kinds = (
            [one for one in get_args(known[name].annotation) if hasattr(one, "model_fields")] if name in known else []
        )
        if kinds and isinstance(value, dict):
            found += unknown(kinds[0], value, f"{path}{name}.")
    return found


def test_the_operators_published_model_knows_every_field() -> None:
    container = {
        "envFrom": [{"secretRef": {"name": "s"}}],
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        "securityContext": {"runAsUser": 1},
    }
    placed = {
        "nodeSelector": {"a": "b"},
        "affinity": {"nodeAffinity": {}},
        "schedulerName": "mine",
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    pod = {"metadata": POD["metadata"], "spec": {**POD["spec"], **placed}}
    pod["spec"]["containers"] = [{**POD["spec"]["containers"][0], **container}]
    conf = {"spark.kubernetes.driver.limit.cores": "2", "spark.driver.cores": "1", **JOB["sparkConf"]}
    job = {**JOB, "sparkConf": conf, "hadoopConf": {"a": "b"}, "mainClass": "Main"}
    spec = Spark().build(attempt("spark", job), pod)["spec"]
    assert unknown(models.SparkV1beta2SparkApplicationSpec, spec) == []
    assert models.SparkV1beta2SparkApplicationSpec.from_dict(spec).to_dict() == spec
    assert {"coreLimit", "envFrom", "affinity", "schedulerName"} <= set(spec["driver"])


def test_pods_that_the_operator_makes_do_not_count_as_ours() -> None:
    spec = built()
    assert "alula.dev/store" not in {**spec["driver"]["labels"], **spec["executor"]["labels"]}


def test_a_job_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(Rejected, match="mainApplicationFile"):
        built({})
    with pytest.raises(Rejected, match="'two'"):
        built({**JOB, "sparkConf": {"spark.executor.instances": "two"}})


def state(name: str, **more: Any) -> PhaseInfo:
    resource = {
        "metadata": {"name": "a1"},
        "status": {"applicationState": {"state": name, "errorMessage": "why"}, **more},
    }
    return Spark(SparkSettings(history_url="https://h/")).phase(attempt("spark"), resource, now=NOW)


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("", Phase.QUEUED),
        ("PENDING_RERUN", Phase.QUEUED),
        ("SUBMITTED", Phase.STARTING),
        ("RUNNING", Phase.RUNNING),
        ("SUCCEEDING", Phase.RUNNING),
        ("FAILING", Phase.RUNNING),
        ("UNKNOWN", Phase.RUNNING),
        ("A_STATE_OF_TOMORROW", Phase.RUNNING),
        ("COMPLETED", Phase.SUCCEEDED),
        ("FAILED", Phase.FAILED),
        ("SUBMISSION_FAILED", Phase.FAILED),
    ],
)
def test_every_state_of_the_operator_has_its_phase(name: str, phase: Phase) -> None:
    assert state(name).phase is phase


def test_who_pays_for_a_failure() -> None:
    found = [state(name).failure for name in ("FAILED", "SUBMISSION_FAILED")]
    assert [(one.code, one.kind, one.message) for one in found if one] == [
        ("SparkFailed", FailureKind.USER, "why"),
        ("SparkSubmissionFailed", FailureKind.SYSTEM, "why"),
    ]
    assert all(one is not None and one.recoverable for one in found)


def test_an_application_that_nobody_has_seen_is_queued() -> None:
    info = Spark().phase(attempt("spark"), {"metadata": {"name": "a1"}, "spec": {}}, now=NOW)
    assert (info.phase, info.reason) == (Phase.QUEUED, "the Spark operator has not seen it yet")


def test_links_lead_to_the_driver_and_the_history() -> None:
    info = state(
        "RUNNING",
        sparkApplicationId="spark-1",
        driverInfo={"podName": "a1-driver", "webUIIngressAddress": "ui.example/a1"},
        executorState={"x-1": "RUNNING", "x-2": "RUNNING", "x-3": "FAILED"},
    )
    assert [link.uri for link in info.links] == ["https://ui.example/a1", "https://h/history/spark-1"]
    assert info.custom == {"application": "spark-1", "executors": {"FAILED": 1, "RUNNING": 2}}


def test_the_log_is_the_drivers() -> None:
    resource = {"metadata": {"name": "a1"}, "status": {"driverInfo": {"podName": "a1-driver"}}}
    assert Spark().log_of(attempt("spark"), resource) == ("a1-driver", "spark-kubernetes-driver")
    assert Spark().log_of(attempt("spark"), {"metadata": {"name": "a1"}}) is None
