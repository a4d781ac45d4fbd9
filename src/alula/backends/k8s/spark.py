"""Spark: `SparkApplication` objects, which the Spark operator turns into a driver and executors.

Source: kubeflow/spark-operator, api/v1beta2/sparkapplication_types.go; flyteidl plugins/spark.proto.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.protobuf.json_format import MessageToDict

from alula.errors import Rejected
from alula.idl import K8sPod
from alula.idl.plugins import SparkApplication, SparkJob
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo
from alula.plugin.failure import FailureKind
from alula.plugin.k8s import K8sPlugin, Manifest
from alula.plugin.phase import LogLink, Phase, PhaseInfo

PRIMARY = "primary_container_name"
_TYPES = {
    SparkApplication.PYTHON: "Python",
    SparkApplication.JAVA: "Java",
    SparkApplication.SCALA: "Scala",
    SparkApplication.R: "R",
}
_QUEUED = frozenset({"", "NEW", "PENDING_RERUN", "SUSPENDED", "SUSPENDING", "RESUMING"})
_STARTING = frozenset({"SUBMITTED", "PENDING_SUBMISSION"})
_DRIVER_CONTAINER = "spark-kubernetes-driver"
_STORE = "alula.dev/store"
_PLACING = ("nodeSelector", "tolerations", "affinity", "schedulerName")
_CONTAINER = ("env", "envFrom", "volumeMounts", "securityContext")


@dataclass(frozen=True, slots=True)
class SparkSettings:
    """How Spark jobs are run, where tasks do not say."""

    version: str = "3.5.1"
    """Of the Spark in the images; the operator demands one."""
    service_account: str = "spark"
    """Of drivers, which make executors; for tasks that name none."""
    history_url: str = ""
    """Of a history server; empty: no link to one."""
    ui_scheme: str = "https"
    """Of the drivers' pages, as the operator's ingress serves them."""


class Spark(K8sPlugin):
    """One `SparkApplication` per attempt."""

    info = PluginInfo("spark", frozenset({"spark"}), config=SparkJob, settings=SparkSettings)
    api_version, kind = "sparkoperator.k8s.io/v1beta2", "SparkApplication"

    def __init__(self, settings: SparkSettings | None = None) -> None:
        self.settings = settings or SparkSettings()

    def build(self, task: TaskContext, pod: Manifest) -> Manifest:
        job, main = task.custom(SparkJob), _primary(pod)
        if not job.mainApplicationFile:
            raise Rejected(
                "the Spark job has no mainApplicationFile", fix="give Spark(applications_path='local:///...')"
            )
        conf = _conf(job, task.name)
        spec: Manifest = {
            "type": _TYPES[job.applicationType],
            "mode": "cluster",
            "sparkVersion": self.settings.version,
            "image": main.get("image", ""),
            "mainApplicationFile": job.mainApplicationFile,
            "arguments": list(main.get("args") or ()),
            "restartPolicy": {"type": "Never"},
            "sparkConf": conf,
            "driver": self._role(pod, job.driverPod, "driver", conf),
            "executor": self._role(pod, job.executorPod, "executor", conf),
        }
        if job.applicationType == SparkApplication.PYTHON:
            spec["pythonVersion"] = "3"
        if job.mainClass:
            spec["mainClass"] = job.mainClass
        if job.hadoopConf:
            spec["hadoopConf"] = dict(sorted(job.hadoopConf.items()))
        volumes = _by_name(pod["spec"].get("volumes"), *(_plain(one).get("volumes") for one in _pods(job)))
        if volumes:
            spec["volumes"] = volumes
        pulls = [str(one["name"]) for one in pod["spec"].get("imagePullSecrets") or ()]
        if pulls:
            spec["imagePullSecrets"] = pulls
        return {"spec": spec}

    def phase(self, task: TaskContext, resource: Manifest, *, now: datetime) -> PhaseInfo:
        status: Mapping[str, Any] = resource.get("status") or {}
        found = status.get("applicationState") or {}
        state, said = str(found.get("state") or ""), str(found.get("errorMessage") or "")
        links, facts = self._links(status), _facts(status)
        if state == "COMPLETED":
            return PhaseInfo(Phase.SUCCEEDED, progress=1.0, links=links, custom=facts)
        if state == "FAILED":
            message = said or "the Spark job failed, and the operator does not say why"
            return PhaseInfo.failed("SparkFailed", message, recoverable=True, links=links)
        if state == "SUBMISSION_FAILED":
            message = said or "spark-submit failed, and the operator does not say why"
            kind = FailureKind.SYSTEM
            return PhaseInfo.failed("SparkSubmissionFailed", message, kind=kind, recoverable=True, links=links)
        if state in _QUEUED:
            return PhaseInfo(
                Phase.QUEUED, said or state or "the Spark operator has not seen it yet", None, links, facts
            )
        if state in _STARTING:
            return PhaseInfo(Phase.STARTING, said or state, None, links, facts)
        return PhaseInfo(Phase.RUNNING, "" if state == "RUNNING" else said or state, None, links, facts)

    def log_of(self, task: TaskContext, resource: Manifest) -> tuple[str, str] | None:
        driver = ((resource.get("status") or {}).get("driverInfo") or {}).get("podName")
        return (str(driver), _DRIVER_CONTAINER) if driver else None

    def _role(self, pod: Manifest, over: K8sPod, role: str, conf: Mapping[str, str]) -> Manifest:
        """The driver, or the executors: as the task's pod, with what the job says of this role over it."""
        spec, main = pod["spec"], _primary(pod)
        given = _plain(over)
        wanted = over.primary_container_name or PRIMARY
        containers = given.get("containers") or [{}]
        own = next((one for one in containers if one.get("name") in (wanted, main.get("name"))), containers[0])
        metadata = pod.get("metadata") or {}
        # Objects that the operator makes are not ours to count: its application is.
        labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name != _STORE}
        made: Manifest = {"labels": {**labels, **over.metadata.labels}}
        annotations = {**(metadata.get("annotations") or {}), **over.metadata.annotations}
        annotations.pop(PRIMARY, None)  # its containers have names of their own
        if annotations:
            made["annotations"] = annotations
        for key in _PLACING:
            value = given.get(key) or spec.get(key)
            if value:
                made[key] = value
        for key in _CONTAINER:
            found = _by_name(main.get(key), own.get(key)) if key == "env" else own.get(key) or main.get(key)
            if found:
                made[key] = found
        if role == "driver":
            made["serviceAccount"] = spec.get("serviceAccountName") or self.settings.service_account
        if own.get("image"):
            made["image"] = own["image"]
        cores, memory = conf.get(f"spark.{role}.cores"), conf.get(f"spark.{role}.memory")
        made.update({"cores": _number(cores, f"spark.{role}.cores")} if cores else {})
        made.update({"memory": memory} if memory else {})
        limit = conf.get(f"spark.kubernetes.{role}.limit.cores")
        made.update({"coreLimit": limit} if limit else {})
        instances = conf.get("spark.executor.instances")
        if role == "executor" and instances:
            made["instances"] = _number(instances, "spark.executor.instances")
        return made

    def _links(self, status: Mapping[str, Any]) -> tuple[LogLink, ...]:
        driver = status.get("driverInfo") or {}
        found = []
        address = driver.get("webUIIngressAddress") or driver.get("webUIAddress")
        if address:
            scheme = "" if "://" in str(address) else f"{self.settings.ui_scheme}://"
            found.append(LogLink("Spark UI", f"{scheme}{address}"))
        if self.settings.history_url and status.get("sparkApplicationId"):
            base = self.settings.history_url.rstrip("/")
            found.append(LogLink("Spark history", f"{base}/history/{status['sparkApplicationId']}"))
        return tuple(found)


def _conf(job: SparkJob, name: str) -> dict[str, str]:
    conf = {"spark.app.name": name, **job.sparkConf}
    if job.executorPath:
        conf.setdefault("spark.pyspark.python", job.executorPath)
        conf.setdefault("spark.pyspark.driver.python", job.executorPath)
    return dict(sorted(conf.items()))


def _facts(status: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if status.get("sparkApplicationId"):
        facts["application"] = str(status["sparkApplicationId"])
    states = Counter(str(state) for state in (status.get("executorState") or {}).values())
    if states:
        facts["executors"] = dict(sorted(states.items()))
    return facts


def _primary(pod: Manifest) -> Manifest:
    name = (pod.get("metadata") or {}).get("annotations", {}).get(PRIMARY)
    containers: list[Manifest] = pod["spec"]["containers"]
    return next((one for one in containers if one.get("name") == name), containers[0])


def _pods(job: SparkJob) -> tuple[K8sPod, K8sPod]:
    return job.driverPod, job.executorPod


def _plain(pod: K8sPod) -> dict[str, Any]:
    """The spec of a pod as plain data, with whole numbers as ints."""

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: whole(one) for key, one in value.items()}
        if isinstance(value, list):
            return [whole(one) for one in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    found: dict[str, Any] = whole(MessageToDict(pod.pod_spec))
    return found


def _by_name(*lists: Any) -> list[Manifest]:
    """Lists of named things as one; of two with a name the later."""
    found: dict[str, Manifest] = {}
    for items in lists:
        for one in items or ():
            found[str(one.get("name"))] = one
    return list(found.values())


def _number(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError as exc:
        raise Rejected(
            f"{name} is {text!r}, and must be a whole number", fix=f"Spark(spark_conf={{'{name}': '2'}})"
        ) from exc
