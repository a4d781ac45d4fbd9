"""`Spark`: what tasks say to the backend, as flytekit's plugin says it, and the session that they get."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from alula import current_context, task
from alula.idl.plugins import SparkJob
from alula.sdk.pod import PodTemplate
from alula.sdk.serialize import serialize
from alula.tasks.spark import Spark, SparkTask

# Of flytekitplugins-spark 1.16.31: `MessageToDict(template.custom)` of the same configs.
PLAIN = {
    "databricksConf": {},
    "executorPath": "/opt/venv/bin/python3",
    "hadoopConf": {"fs.s3a.endpoint": "x"},
    "mainApplicationFile": "local:///opt/venv/bin/entrypoint.py",
    "sparkConf": {"spark.executor.instances": "2"},
}
WITH_POD = {
    "databricksConf": {},
    "driverPod": {
        "metadata": {"labels": {"a": "b"}},
        "podSpec": {
            "containers": [{"image": "i:1", "name": "primary"}],
            "tolerations": [{"key": "k", "operator": "Exists"}],
        },
        "primaryContainerName": "primary",
    },
    "executorPath": "/usr/bin/python3",
    "mainApplicationFile": "local:///app.py",
}


def test_the_wire_form_is_that_of_flytekit() -> None:
    plain = Spark(spark_conf={"spark.executor.instances": "2"}, hadoop_conf={"fs.s3a.endpoint": "x"})
    assert SparkTask().custom(plain) == PLAIN
    spec = {
        "containers": [{"name": "primary", "image": "i:1"}],
        "tolerations": [{"key": "k", "operator": "Exists"}],
    }
    pods = Spark(
        executor_path="/usr/bin/python3",
        applications_path="local:///app.py",
        driver_pod=PodTemplate(pod_spec=spec, labels={"a": "b"}),
    )
    assert SparkTask().custom(pods) == WITH_POD


@task(task_config=Spark(spark_conf={"a": "b"}))
def count() -> int:
    return 1


def test_a_task_with_a_spark_config_is_of_type_spark() -> None:
    [spec] = serialize(count).tasks.values()
    assert (spec.template.type, spec.template.task_type_version) == ("spark", 0)
    assert dict(spec.template.custom["sparkConf"]) == {"a": "b"}
    assert set(dict(spec.template.custom)) <= {field.json_name for field in SparkJob.DESCRIPTOR.fields}


class Builder:
    """What a session is asked to be. Stands for pyspark, which is not installed where tests run."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}
        self.stopped = False

    def master(self, name: str) -> Builder:
        return self.config("master", name)

    def config(self, name: str, value: str) -> Builder:
        self.said[name] = value
        return self

    def getOrCreate(self) -> Builder:
        return self

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Builder:
    made, package, module = Builder(), ModuleType("pyspark"), ModuleType("pyspark.sql")
    session: Any = type("SparkSession", (), {"builder": made})
    module.SparkSession = session  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyspark", package)
    monkeypatch.setitem(sys.modules, "pyspark.sql", module)
    plugin = sys.modules[SparkTask.__module__]
    monkeypatch.setattr(plugin, "_sql", module)
    return made


def test_a_task_finds_its_session_and_a_local_one_ends_with_it(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    @task(task_config=Spark(spark_conf={"spark.ui.enabled": "false"}))
    def stopped() -> bool:
        session = current_context().spark_session
        assert session is builder
        return bool(session.stopped)

    assert stopped() is False
    assert builder.said == {
        "master": "local[*]",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
    }
    assert builder.stopped


def test_in_a_cluster_the_driver_has_its_configuration_already(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_DRIVER_BIND_ADDRESS", "10.0.0.1")
    with SparkTask().around(Spark(spark_conf={"a": "b"})) as found:
        assert found == {"SPARK_SESSION": builder}
    assert (builder.said, builder.stopped) == ({}, False)
