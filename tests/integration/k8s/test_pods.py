"""Tasks as pods, through the real engine, against a server that answers as a real one does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from alula.idl import Resources
from alula.plugin.runner import AttemptId
from tests.acceptance.plugins.plant import Works, failure_of
from tests.integration.k8s.cluster import NAMESPACE, Kubelet, container, engine, until
from tests.servers.kube.kinds import Manifest
from tests.servers.kube.server import KubeServer, kube_server


@pytest.fixture
def server() -> Iterator[KubeServer]:
    with kube_server() as made:
        made.namespace(NAMESPACE)
        yield made


async def attempts(works: Works, id: int) -> int:
    return len(await works.store.attempts(id))


async def said(works: Works, id: int) -> str:
    return " ".join(one.message for one in await works.store.progress(id))


async def waits_for(works: Works, id: int, text: str) -> None:
    for _ in range(1000):
        if text in await said(works, id):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(await said(works, id))


def name_of(store: str, number: int = 0) -> str:
    return AttemptId("p", "d", "e", "n0", number, store).name


async def test_a_pod_that_succeeds_is_a_task_that_succeeds_and_nothing_is_left(server: KubeServer) -> None:
    kubelet = Kubelet(server)
    async with engine(server) as works:
        record = await works.run(container())
        assert (await works.ended(record.id)).phase == "succeeded"
        await until(lambda: not server.pods())
        assert await attempts(works, record.id) == 1
    assert len(kubelet.made) == 1


async def test_the_end_of_a_pod_is_noticed_within_a_second(server: KubeServer) -> None:
    kubelet = Kubelet(server, Kubelet.runs)
    async with engine(server) as works:
        record = await works.run(container())
        await waits_for(works, record.id, "")
        await until(lambda: server.pods() and server.pods()[0]["status"]["phase"] == "Running")
        kubelet.exits(server.pods()[0], 0)
        assert (await works.ended(record.id, within=1)).phase == "succeeded"


async def test_what_the_container_printed_is_kept_with_the_attempt(server: KubeServer, tmp_path: Path) -> None:
    def life(kubelet: Kubelet, pod: Manifest) -> None:
        server.logs[NAMESPACE, pod["metadata"]["name"], "primary"] = "hello\nworld\n"
        kubelet.succeed(pod)

    Kubelet(server, life)
    async with engine(server, data=str(tmp_path)) as works:
        record = await works.run(container())
        assert (await works.ended(record.id)).phase == "succeeded"
    assert [log.read_text() for log in tmp_path.rglob("log.txt")] == ["hello\nworld\n"]


async def test_the_log_of_a_pod_that_runs_can_be_followed(server: KubeServer, tmp_path: Path) -> None:
    kubelet = Kubelet(server, Kubelet.runs)

    def printed() -> list[str]:
        return [log.read_text() for log in tmp_path.rglob("log.txt")]

    async with engine(server, data=str(tmp_path), log_refresh="100ms") as works:
        record = await works.run(container())
        await until(lambda: kubelet.made)
        key = (NAMESPACE, kubelet.made[0], "primary")
        server.logs[key] = "one\n"
        await until(lambda: printed() == ["one\n"])
        server.logs[key] = "one\ntwo\n"
        await until(lambda: printed() == ["one\ntwo\n"])
        kubelet.exits(server.pods()[0], 0)
        assert (await works.ended(record.id)).phase == "succeeded"


@pytest.mark.parametrize(
    ("code", "reason", "wanted", "tries"),
    [(1, "Error", "Error", 2), (137, "OOMKilled", "OOMKilled", 2)],
)
async def test_failures_of_the_user_cost_retries(
    server: KubeServer, code: int, reason: str, wanted: str, tries: int
) -> None:
    kubelet = Kubelet(server, lambda kubelet, pod: kubelet.exits(pod, code, reason))
    async with engine(server) as works:
        record = await works.run(container(), retries=1)
        assert (await works.ended(record.id)).phase == "failed"
        failure = await failure_of(works.store, record.id)
        assert failure is not None
        assert failure.code.endswith(wanted)
        await until(lambda: not server.pods())
    assert len(kubelet.made) == tries


async def test_what_the_cluster_does_to_a_pod_costs_the_user_nothing(server: KubeServer) -> None:
    """Killed, deleted by somebody, gone: each is tried again, and the task has no retries."""

    def life(kubelet: Kubelet, pod: Manifest) -> None:
        name = pod["metadata"]["name"]
        match len(kubelet.made):
            case 1:
                kubelet.exits(pod, 137)
            case 2:
                kubelet.runs(pod)
                server.store.delete(server.kind("Pod"), NAMESPACE, name, {"gracePeriodSeconds": 0})
            case 3:
                kubelet.runs(pod)
                server.store.delete(server.kind("Pod"), NAMESPACE, name)
            case _:
                kubelet.succeed(pod)

    kubelet = Kubelet(server, life)
    async with engine(server) as works:
        record = await works.run(container())
        assert (await works.ended(record.id, within=40)).phase == "succeeded"
        await until(lambda: not server.pods())
    assert len(kubelet.made) == 4


async def test_a_pod_that_somebody_deletes_is_given_up_before_it_is_gone(server: KubeServer) -> None:
    kubelet = Kubelet(server, Kubelet.runs, kills=False)
    async with engine(server) as works:
        record = await works.run(container())
        await until(lambda: server.pods() and server.pods()[0]["status"]["phase"] == "Running")
        server.store.delete(server.kind("Pod"), NAMESPACE, kubelet.made[0])
        await until(lambda: sum(method == "GET" and "/log" in path for _, method, path in server.requests))
        kubelet.life = Kubelet.succeed
        server.store.gone(server.kind("Pod"), NAMESPACE, kubelet.made[0])
        assert (await works.ended(record.id)).phase == "succeeded"
        rows = await works.store.attempts(record.id)
    assert b"UnexpectedObjectDeletion" in rows[0].body
    assert len(kubelet.made) == 2


async def test_an_image_that_cannot_be_pulled_is_tolerated_and_then_fails(server: KubeServer) -> None:
    kubelet = Kubelet(server, lambda kubelet, pod: kubelet.waits(pod, "ImagePullBackOff", "no such image"))
    async with engine(server) as works:
        record = await works.run(container())
        await waits_for(works, record.id, "ImagePullBackOff: no such image")
        server.ahead = 200.0  # by the server's clock it is enough
        server.cut_watches()
        for nth in range(200):  # as a kubelet says it again and again
            if (await works.store.execution_by_id(record.id)).phase == "failed" or not server.pods():
                break
            server.status(NAMESPACE, kubelet.made[0], {"message": f"still, {nth}"})
            await asyncio.sleep(0.1)
        assert (await works.ended(record.id)).phase == "failed"
        failure = await failure_of(works.store, record.id)
        assert failure is not None
        assert failure.code.endswith("ImagePullBackOff")
        await until(lambda: not server.pods())


async def test_an_abort_leaves_nothing(server: KubeServer) -> None:
    Kubelet(server, Kubelet.runs)
    async with engine(server) as works:
        record = await works.run(container())
        await until(lambda: server.pods() and server.pods()[0]["status"]["phase"] == "Running")
        await works.store.ask(record.id, "abort", body=b"enough")
        assert (await works.ended(record.id)).phase == "aborted"
        await until(lambda: not server.pods())


async def test_a_lost_answer_to_a_creation_makes_no_second_pod(server: KubeServer) -> None:
    kubelet = Kubelet(server)
    server.fault("POST", "/pods", "lost")
    async with engine(server) as works:
        record = await works.run(container())
        assert (await works.ended(record.id)).phase == "succeeded"
        await until(lambda: not server.pods())
        assert await attempts(works, record.id) == 1
    assert len(kubelet.made) == 1


async def test_an_outage_of_the_server_costs_nothing(server: KubeServer) -> None:
    kubelet = Kubelet(server, Kubelet.runs)
    async with engine(server) as works:
        record = await works.run(container())
        await until(lambda: server.pods() and server.pods()[0]["status"]["phase"] == "Running")
        server.down = True
        server.cut_watches()
        await asyncio.sleep(1)
        kubelet.exits(server.pods()[0], 0)
        server.down = False
        assert (await works.ended(record.id)).phase == "succeeded"
        assert await attempts(works, record.id) == 1
        await until(lambda: not server.pods())


async def test_a_watch_from_too_long_ago_lists_anew(server: KubeServer) -> None:
    kubelet = Kubelet(server, Kubelet.runs)
    async with engine(server) as works:
        record = await works.run(container())
        await until(lambda: server.pods() and server.pods()[0]["status"]["phase"] == "Running")
        kubelet.exits(server.pods()[0], 0)
        server.compact()
        server.cut_watches()
        assert (await works.ended(record.id)).phase == "succeeded"


async def test_a_finalizer_of_ours_is_taken_off_whoever_else_writes(server: KubeServer) -> None:
    Kubelet(server)
    conflict = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Conflict", "message": "modified"}
    server.fault("PATCH", "/pods/", "409", times=2, body=conflict)
    async with engine(server, finalizer=True) as works:
        record = await works.run(container())
        assert (await works.ended(record.id)).phase == "succeeded"
        await until(lambda: not server.pods())
    assert sum(method == "PATCH" for _, method, _ in server.requests) == 3


async def test_a_pod_with_our_finalizer_is_read_to_its_end_though_somebody_deleted_it(server: KubeServer) -> None:
    kubelet = Kubelet(server, Kubelet.runs)
    async with engine(server, finalizer=True) as works:
        record = await works.run(container())
        await until(lambda: server.pods() and server.pods()[0]["status"]["phase"] == "Running")
        pod = server.pods()[0]
        server.down = True
        server.cut_watches()
        kubelet.exits(pod, 0)
        server.store.delete(server.kind("Pod"), NAMESPACE, pod["metadata"]["name"])
        server.down = False
        assert (await works.ended(record.id)).phase == "succeeded"
        await until(lambda: not server.pods())


async def test_quota_is_waited_for_and_noticed_when_it_is_free(server: KubeServer) -> None:
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}}
    server.store.create(server.kind("ResourceQuota"), NAMESPACE, quota, "test")
    kubelet = Kubelet(server, Kubelet.runs)
    async with engine(server) as works:
        record = await works.run(container("a"), container("b"))
        await until(lambda: len(kubelet.made) == 1)
        await waits_for(works, record.id, "exceeded quota: q, requested: pods=1")
        kubelet.life = Kubelet.succeed
        kubelet.exits(server.pods()[0], 0)
        assert (await works.ended(record.id)).phase == "succeeded"
        assert await attempts(works, record.id) == 2
    assert len(kubelet.made) == 2


async def test_more_than_the_whole_quota_fails_at_once(server: KubeServer) -> None:
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"requests.cpu": "2"}}}
    server.store.create(server.kind("ResourceQuota"), NAMESPACE, quota, "test")
    task = container()
    task.container.resources.requests.add(name=Resources.CPU, value="3")
    async with engine(server) as works:
        record = await works.run(task, retries=3)
        assert (await works.ended(record.id)).phase == "failed"
        failure = await failure_of(works.store, record.id)
        assert failure is not None
        assert failure.code.endswith("ResourceRequestsExceedLimits")
        assert "requests.cpu=3" in failure.message
        assert await attempts(works, record.id) == 1


async def test_a_name_that_stands_for_something_else_is_left_alone(server: KubeServer) -> None:
    kubelet = Kubelet(server)
    async with engine(server) as works:
        name = name_of(await works.store.tag())
        spec = {"containers": [{"name": "theirs", "image": "x:1"}]}
        kubelet.life = Kubelet.runs
        server.store.create(server.kind("Pod"), NAMESPACE, {"metadata": {"name": name}, "spec": spec}, "them")
        kubelet.life = Kubelet.succeed
        record = await works.run(container())
        assert (await works.ended(record.id)).phase == "succeeded"
        assert await attempts(works, record.id) == 2
        await until(lambda: [pod["metadata"]["name"] for pod in server.pods()] == [name])


async def test_a_pod_that_is_refused_says_all_that_is_wrong(server: KubeServer) -> None:
    task = container()
    task.container.image = ""
    task.container.resources.requests.add(name=Resources.CPU, value="2")
    task.container.resources.limits.add(name=Resources.CPU, value="1")
    async with engine(server) as works:
        record = await works.run(task, retries=3)
        assert (await works.ended(record.id)).phase == "failed"
        failure = await failure_of(works.store, record.id)
        assert failure is not None
        assert failure.code.endswith("BadTaskFormat")
        assert "spec.containers[0].image: Required value" in failure.message
        assert "must be less than or equal to cpu limit of 1" in failure.message
        assert await attempts(works, record.id) == 1


async def test_a_field_that_kubernetes_does_not_know_is_refused(server: KubeServer) -> None:
    task = container()
    task.ClearField("container")
    task.k8s_pod.pod_spec.update({"containers": [{"name": "main", "image": "x:1", "comand": ["true"]}]})
    async with engine(server) as works:
        record = await works.run(task)
        assert (await works.ended(record.id)).phase == "failed"
        failure = await failure_of(works.store, record.id)
        assert failure is not None
        assert 'unknown field "spec.containers[0].comand"' in failure.message


async def test_a_missing_namespace_is_waited_for_or_made(server: KubeServer) -> None:
    Kubelet(server)
    async with engine(server, namespace="elsewhere") as works:
        record = await works.run(container())
        await waits_for(works, record.id, 'namespaces "elsewhere" not found')
        server.namespace("elsewhere")
        assert (await works.ended(record.id)).phase == "succeeded"
    async with engine(server, namespace="alula-{project}", create_namespace=True) as works:
        record = await works.run(container())
        assert (await works.ended(record.id)).phase == "succeeded"
    assert server.store.get(server.kind("Namespace"), "", "alula-p")


@pytest.mark.parametrize("status", ["429", "500", "504"])
async def test_a_busy_server_is_asked_again(server: KubeServer, status: str) -> None:
    kubelet = Kubelet(server)
    body = {"kind": "Status", "status": "Failure", "reason": "", "message": "etcdserver: request timed out"}
    server.fault("POST", "/pods", status, times=2, body=body)
    async with engine(server) as works:
        record = await works.run(container())
        assert (await works.ended(record.id)).phase == "succeeded"
        assert await attempts(works, record.id) == 1
    assert len(kubelet.made) == 1


async def test_wrong_credentials_are_said_and_tried_again(server: KubeServer) -> None:
    Kubelet(server)
    async with engine(server, token="wrong") as works:
        record = await works.run(container())
        await waits_for(works, record.id, "Unauthorized")
        server.token = "wrong"
        assert (await works.ended(record.id)).phase == "succeeded"
        assert await attempts(works, record.id) == 1


async def test_requests_keep_to_their_rate(server: KubeServer) -> None:
    kubelet = Kubelet(server)
    async with engine(server, writes_per_second=10, reads_per_second=30) as works:
        record = await works.run(*(container(f"t{n}") for n in range(12)))
        assert (await works.ended(record.id)).phase == "succeeded"
        await until(lambda: not server.pods())
    assert len(kubelet.made) == 12
    for methods, rate in ((("POST", "DELETE", "PATCH"), 10), (("GET",), 30)):
        times = [at for at, method, _ in server.requests if method in methods]
        for begin in times:
            assert sum(begin <= at < begin + 10 for at in times) <= rate * 10


async def test_a_pod_that_never_ends_its_deletion_keeps_its_attempt_open(server: KubeServer) -> None:
    Kubelet(server, Kubelet.runs, kills=False)
    async with engine(server, grace="1s") as works:
        record = await works.run(container())
        await until(lambda: server.pods() and server.pods()[0]["status"]["phase"] == "Running")
        await works.store.ask(record.id, "abort", body=b"enough")
        await until(lambda: "deletionTimestamp" in server.pods()[0]["metadata"])
        assert (await works.store.attempts(record.id))[0].open
        server.store.gone(server.kind("Pod"), NAMESPACE, server.pods()[0]["metadata"]["name"])
        assert (await works.ended(record.id)).phase == "aborted"


async def test_an_outage_longer_than_we_wait_fails_and_is_the_systems(server: KubeServer) -> None:
    server.fault("POST", "/pods", "cut", times=-1)
    async with engine(server, outage=timedelta(seconds=1)) as works:
        record = await works.run(container())
        await waits_for(works, record.id, "cannot be reached")
        server.faults.clear()
        Kubelet(server)
        assert (await works.ended(record.id, within=40)).phase == "succeeded"
