"""`Spark`: tasks with a Spark session; on Kubernetes each runs as an application of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from google.protobuf.json_format import MessageToDict

from alula._kits import lazy
from alula.idl import K8sObjectMetadata, K8sPod
from alula.idl.plugins import SparkApplication, SparkJob
from alula.sdk.pod import PodTemplate
from alula.sdk.taskplugin import TaskPlugin

_sql = lazy.module("pyspark.sql")
_PYTHON = "/opt/venv/bin/python3"
_APPLICATION = "local:///opt/venv/bin/entrypoint.py"
_IN_CLUSTER = "SPARK_DRIVER_BIND_ADDRESS"
"""Spark sets it in every driver that it starts on Kubernetes."""


@dataclass
class Spark:
    """Runs the task as a Spark driver: `@task(task_config=Spark(spark_conf={"spark.executor.instances": "2"}))`.

    In the task, `alula.current_context().spark_session` is the session. In a local run it is one in this process, with
    the same configuration.

    Args:
        spark_conf: Spark's configuration.
        hadoop_conf: Hadoop's.
        executor_path: The Python in the image.
        applications_path: The file in the image that Spark starts, as a URL.
        driver_pod: What the driver's pod has beside what the task says.
        executor_pod: What the executors' pods have.
    """

    spark_conf: Mapping[str, str] = field(default_factory=dict)
    hadoop_conf: Mapping[str, str] = field(default_factory=dict)
    executor_path: str = ""
    applications_path: str = ""
    driver_pod: PodTemplate | None = None
    executor_pod: PodTemplate | None = None


class SparkTask(TaskPlugin[Spark]):
    task_type: ClassVar[str] = "spark"
    config_type: ClassVar[type[Any]] = Spark

    def custom(self, config: Spark) -> Mapping[str, Any]:
        job = SparkJob(
            applicationType=SparkApplication.PYTHON,
            mainApplicationFile=config.applications_path or _APPLICATION,
            executorPath=config.executor_path or _PYTHON,
            sparkConf=dict(config.spark_conf or {}),
            hadoopConf=dict(config.hadoop_conf or {}),
            driverPod=_pod(config.driver_pod),
            executorPod=_pod(config.executor_pod),
        )
        job.databricksConf.SetInParent()  # as flytekit writes it
        found: dict[str, Any] = MessageToDict(job)
        return found

    @contextmanager
    def around(self, config: Spark) -> Iterator[Mapping[str, object]]:
        builder = _sql.SparkSession.builder
        if _IN_CLUSTER not in os.environ:
            builder = builder.master("local[*]").config("spark.driver.bindAddress", "127.0.0.1")
            for name, value in (config.spark_conf or {}).items():
                builder = builder.config(name, value)
        session = builder.getOrCreate()
        try:
            yield {"SPARK_SESSION": session}
        finally:
            if _IN_CLUSTER not in os.environ:
                session.stop()


def _pod(template: PodTemplate | None) -> K8sPod | None:
    if template is None:
        return None
    metadata = K8sObjectMetadata(labels=template.labels, annotations=template.annotations)
    made = K8sPod(metadata=metadata, primary_container_name=template.primary_container_name)
    made.pod_spec.update(template.manifest())
    return made
