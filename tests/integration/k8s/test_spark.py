"""A custom resource, end to end: an operator's double, the real engine, the real plugin."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from alula.backends.k8s.spark import Spark
from alula.idl import Container, TaskTemplate
from tests.acceptance.plugins.plant import failure_of, template
from tests.integration.k8s.cluster import NAMESPACE, Kubelet, engine, until
from tests.integration.k8s.test_pods import waits_for
from tests.integration.k8s.test_recorded import RECORDED
from tests.servers.kube.kinds import Manifest
from tests.servers.kube.server import KubeServer, kube_server

DEFINITION = next(one["request"]["body"] for one in RECORDED if one["name"] == "define the custom resource")


@pytest.fixture
def server() -> Iterator[KubeServer]:
    with kube_server() as made:
        made.namespace(NAMESPACE)
        yield made


def job() -> TaskTemplate:
    made = template(
        "spark", custom={"mainApplicationFile": "local:///app.py", "sparkConf": {"spark.executor.cores": "2"}}
    )
    made.container.CopyFrom(Container(image="spark:3.5", args=["alula-execute", "--inputs", "{{.input}}"]))
    return made


def define(server: KubeServer) -> None:
    server.store.create(server.kind("CustomResourceDefinition"), "", DEFINITION, "test")


def applications(server: KubeServer) -> list[Manifest]:
    items: list[Manifest] = server.store.list(server.kind("SparkApplication"), NAMESPACE)["items"]
    return items


def becomes(server: KubeServer, state: str, **more: object) -> None:
    name = applications(server)[0]["metadata"]["name"]
    status = {"applicationState": {"state": state, "errorMessage": "why"}, **more}
    server.status(NAMESPACE, name, status, kind="SparkApplication")


async def test_a_spark_job_goes_through_its_states_and_leaves_nothing(server: KubeServer) -> None:
    define(server)
    async with engine(server, plugins=(Spark,)) as works:
        record = await works.run(job())
        await until(lambda: applications(server))
        made = applications(server)[0]
        assert made["spec"]["arguments"][-1].endswith("/inputs.pb")
        becomes(server, "SUBMITTED")
        becomes(server, "RUNNING", driverInfo={"podName": "d", "webUIIngressAddress": "ui.example"})
        for _ in range(500):
            shown = [json.loads(row.info) for row in await works.store.jobs(record.id) if row.info]
            if any(one.get("links") for one in shown):
                break
            await asyncio.sleep(0.01)
        assert shown[0]["links"] == [["Spark UI", "https://ui.example"]]
        becomes(server, "COMPLETED")
        assert (await works.ended(record.id)).phase == "succeeded"
        await until(lambda: not applications(server))


async def test_a_failed_spark_job_says_why(server: KubeServer) -> None:
    define(server)
    async with engine(server, plugins=(Spark,)) as works:
        record = await works.run(job())
        await until(lambda: applications(server))
        becomes(server, "FAILED")
        assert (await works.ended(record.id)).phase == "failed"
        failure = await failure_of(works.store, record.id)
        assert failure is not None
        assert (failure.code.endswith("SparkFailed"), "why" in failure.message) == (True, True)
        await until(lambda: not applications(server))


@pytest.mark.parametrize("ends", ["aborted", "retried"])
async def test_an_attempt_is_over_when_the_pods_that_the_operator_made_are_gone(server: KubeServer, ends: str) -> None:
    define(server)
    kubelet = Kubelet(server, Kubelet.runs, kills=False)
    async with engine(server, plugins=(Spark,)) as works:
        record = await works.run(job(), retries=1)
        await until(lambda: applications(server))
        labels = applications(server)[0]["spec"]["driver"]["labels"]
        spec = {"containers": [{"name": "d", "image": "x"}]}
        pod = {"metadata": {"name": "driver", "labels": labels}, "spec": spec}
        server.store.create(server.kind("Pod"), NAMESPACE, pod, "spark-operator")
        await until(lambda: kubelet.made)
        if ends == "aborted":
            await works.store.ask(record.id, "abort", body=b"enough")
        else:
            becomes(server, "FAILED")
        await until(lambda: "deletionTimestamp" in server.pods(NAMESPACE)[0]["metadata"])
        await until(lambda: not applications(server))
        assert (await works.store.execution_by_id(record.id)).ended_at is None
        server.store.gone(server.kind("Pod"), NAMESPACE, "driver")
        if ends == "retried":
            await until(lambda: applications(server))
            becomes(server, "COMPLETED")
        assert (await works.ended(record.id)).phase == ("aborted" if ends == "aborted" else "succeeded")


async def test_without_the_operator_tasks_wait_and_say_what_is_missing(server: KubeServer) -> None:
    async with engine(server, plugins=(Spark,)) as works:
        record = await works.run(job())
        await waits_for(works, record.id, "the cluster knows no SparkApplication of sparkoperator.k8s.io/v1beta2")
        define(server)
        await until(lambda: applications(server))
        becomes(server, "COMPLETED")
        assert (await works.ended(record.id)).phase == "succeeded"
