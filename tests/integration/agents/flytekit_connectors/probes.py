"""Connectors as users of flytekit write them, for `pyflyte serve connector`: two versions of jobs, an answer at once.

They remember nothing, so they can be killed at any time. What happens to jobs is written to a journal.
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import flytekit.sensor  # noqa: F401  registers the connector of sensors
from flyteidl.core.execution_pb2 import TaskExecution, TaskLog
from flytekit.extend.backend.base_connector import (
    AsyncConnectorBase,
    ConnectorRegistry,
    Resource,
    ResourceMeta,
    SyncConnectorBase,
)
from flytekit.models.literals import LiteralMap
from flytekit.models.task import TaskExecutionMetadata, TaskTemplate

JOURNAL = Path(os.environ["PROBE_JOURNAL"])
GATE = JOURNAL.with_suffix(".gate")
"""Jobs of the mode `gated` run until this file is there."""


def note(what: str, **facts) -> None:
    with JOURNAL.open("a") as file:
        file.write(json.dumps({"what": what, **facts}) + "\n")


@dataclass
class ProbeMeta(ResourceMeta):
    job: str
    version: int
    started: float
    seconds: float
    mode: str
    a: int
    prefix: str
    name: str


class ProbeConnector(AsyncConnectorBase):
    name = "Probe Connector"

    def __init__(self, version: int):
        super().__init__(task_type_name="probe_job", task_type_version=version, metadata_type=ProbeMeta)
        self._version = version

    def create(
        self,
        task_template: TaskTemplate,
        output_prefix: str,
        inputs: LiteralMap | None = None,
        task_execution_metadata: TaskExecutionMetadata | None = None,
        **kwargs,
    ) -> ProbeMeta:
        custom = task_template.custom
        mode = custom.get("mode", "ok")
        if mode == "raise":
            raise ValueError("the warehouse of this probe does not exist")
        about = task_execution_metadata
        job = f"{about.task_execution_id.node_execution_id.execution_id.name}-{about.task_execution_id.retry_attempt}"
        args = task_template.container.args if task_template.container else None
        name = about.annotations.get("alula.dev/name", "")
        facts = {"labels": about.labels, "namespace": about.namespace, "args": args, "name": name}
        note("create", job=job, version=self._version, **facts)
        value = inputs.literals["a"].scalar.primitive.integer if inputs and "a" in inputs.literals else 0
        return ProbeMeta(
            job, self._version, time.time(), float(custom.get("seconds", 0)), mode, value, output_prefix, name
        )

    def get(self, resource_meta: ProbeMeta, **kwargs) -> Resource:
        links = [TaskLog(name="console", uri=f"http://probe.example/{resource_meta.job}")]
        gate = JOURNAL.with_name(f"{resource_meta.name}.end") if resource_meta.mode == "kit" else GATE
        gated = resource_meta.mode in ("gated", "kit") and not gate.exists()
        if gated or time.time() < resource_meta.started + resource_meta.seconds:
            facts = {"rows": 7, "job": resource_meta.job}
            return Resource(phase=TaskExecution.RUNNING, message="counting", log_links=links, custom_info=facts)
        if resource_meta.mode == "kit" and gate.read_text() == "fail":
            return Resource(phase=TaskExecution.RETRYABLE_FAILED, message="it was made to fail", log_links=links)
        if resource_meta.mode == "fail":
            return Resource(phase=TaskExecution.FAILED, message="no such table", log_links=links)
        if resource_meta.mode == "again" and resource_meta.job.endswith("-0"):
            return Resource(phase=TaskExecution.RETRYABLE_FAILED, message="the cluster went away", log_links=links)
        if resource_meta.mode == "abort":
            return Resource(phase=TaskExecution.ABORTED, message="stopped by hand", log_links=links)
        note("done", job=resource_meta.job)
        outputs = {"o0": resource_meta.a * 10 + resource_meta.version}
        return Resource(phase=TaskExecution.SUCCEEDED, message="done", log_links=links, outputs=outputs)

    def delete(self, resource_meta: ProbeMeta, **kwargs):
        note("delete", job=resource_meta.job)


class ProbeCall(SyncConnectorBase):
    name = "Probe Call"

    def __init__(self):
        super().__init__(task_type_name="probe_call")

    def do(self, task_template: TaskTemplate, output_prefix: str, inputs: LiteralMap | None = None, **kwargs):
        value = inputs.literals["a"].scalar.primitive.integer if inputs else 0
        if value < 0:
            raise ValueError("a probe counts from nought")
        return Resource(phase=TaskExecution.SUCCEEDED, outputs={"o0": value + 1})


ConnectorRegistry.register(ProbeConnector(0))
ConnectorRegistry.register(ProbeConnector(1))
ConnectorRegistry.register(ProbeCall())
