"""Ways to a cluster, its clock, pages of lists, logs, and what is ours in it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from alula._kits.clock import SystemClock
from alula._kits.records import replace
from alula.backends.k8s.pod import Pods
from alula.errors import ConfigError, RemoteError
from alula.hosting.adapter import Means
from alula.hosting.calls import Calls
from alula.hosting.k8s.adapter import Applied, K8sAdapter
from alula.hosting.k8s.cluster import PODS, Cluster
from alula.hosting.k8s.settings import ClusterSettings
from alula.plugin.runner import AttemptId
from tests.integration.k8s.cluster import Kubelet, container, until
from tests.servers.kube.server import KubeServer, kube_server
from tests.unit.backends.lending import lent

NAMESPACE = "p-development"


@pytest.fixture
def server() -> Iterator[KubeServer]:
    with kube_server() as made:
        made.namespace(NAMESPACE)
        yield made


@asynccontextmanager
async def connected(**settings: Any) -> AsyncIterator[Cluster]:
    cluster = Cluster(ClusterSettings(**settings), SystemClock())
    await cluster.open()
    try:
        yield cluster
    finally:
        await cluster.close()


@asynccontextmanager
async def adapted(server: KubeServer) -> AsyncIterator[K8sAdapter]:
    tasks: list[asyncio.Task[None]] = []
    clock = SystemClock()
    means = Means(
        calls=Calls("pod", clock),
        clock=clock,
        rng=random.Random(1),
        outage=timedelta(minutes=1),
        limits=lambda limits: limits,
        spawn=lambda work: tasks.append(asyncio.ensure_future(work)),
        pools=lambda pools: None,
        section=lambda name: {},
        settled=lambda exc: None,
    )
    settings = ClusterSettings(url=server.url, token=server.token, settle=timedelta(0))
    adapter = K8sAdapter(Pods(), means, settings)
    await adapter.open()
    try:
        yield adapter
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await adapter.close()


def pod(name: str, **labels: str) -> dict[str, Any]:
    spec = {"containers": [{"name": "main", "image": "x:1"}]}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


async def test_a_token_in_a_file_and_a_kubeconfig_lead_to_the_cluster(server: KubeServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(f"{server.token}\n")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "none",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {"token": server.token}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    for settings in (
        {"url": server.url, "token_file": str(token)},
        {"kubeconfig": str(tmp_path / "config"), "context": "c"},
    ):
        async with connected(**settings) as cluster:
            assert (await cluster.request("GET", "/version"))["major"] == "1"


async def test_no_way_to_a_cluster_says_what_to_configure(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no way to a cluster") as caught:
        async with connected(kubeconfig=str(tmp_path / "nothing")):
            pass
    assert "kubeconfig" in caught.value.fix


async def test_a_server_that_is_not_there_is_said_to_be_out_of_reach() -> None:
    async with connected(url="http://127.0.0.1:9", token="x") as cluster:
        with pytest.raises(RemoteError, match="cannot be reached"):
            await cluster.request("GET", "/version")


async def test_time_is_the_servers(server: KubeServer) -> None:
    server.ahead = 3600
    async with connected(url=server.url, token=server.token) as cluster:
        await cluster.request("GET", "/version")
        ahead = cluster.now() - SystemClock().now()
    assert timedelta(minutes=59) < ahead < timedelta(minutes=61)


async def test_long_lists_come_in_pages_and_are_begun_anew_when_they_get_too_old(server: KubeServer) -> None:
    for number in range(600):
        server.store.create(server.kind("Pod"), NAMESPACE, pod(f"x{number:03}", a="b"), "test")
    async with connected(url=server.url, token=server.token) as cluster:
        found, version = await cluster.every(PODS, NAMESPACE, "a=b")
        assert len(server.requests) == 2

        def much_later() -> None:
            server.store.version += 1
            server.compact()

        left = iter((lambda: None, much_later))
        server.store.create(server.kind("Pod"), NAMESPACE, pod("more", a="b"), "test")
        server.before = lambda: next(left, lambda: None)()
        anew, _ = await cluster.every(PODS, NAMESPACE, "a=b")
    assert [one["metadata"]["name"] for one in found] == [f"x{number:03}" for number in range(600)]
    assert (found[0]["kind"], int(version) <= server.store.version) == ("Pod", True)
    assert (len(anew), len(server.requests)) == (601, 5)


async def test_what_is_ours_is_found_by_its_label_and_reclaimed(server: KubeServer) -> None:
    name = AttemptId("p", "d", "gone", "n0", 0, "00aabbcc").name
    server.store.create(server.kind("Pod"), NAMESPACE, pod(name, **{"alula.dev/store": "00aabbcc"}), "test")
    server.store.create(server.kind("Pod"), NAMESPACE, pod("theirs"), "test")
    server.store.create(server.kind("Pod"), NAMESPACE, pod(f"{name}-driver", **{"alula.dev/store": "00aabbcc"}), "test")
    Kubelet(server, lambda kubelet, pod: None)
    async with adapted(server) as adapter:
        owned = await adapter.owned()
        assert [(one.name, one.what) for one in owned] == [(name, f"Pod {NAMESPACE}/{name}")]
        await adapter.reclaim(owned[0])
        await until(lambda: len(server.pods()) == 2)
        assert not await adapter.owned()


async def test_the_log_of_a_running_container_is_read_on(server: KubeServer) -> None:
    kubelet = Kubelet(server, Kubelet.runs)
    task = lent(container())
    async with adapted(server) as adapter:
        state = (await adapter.handle(task, None)).state
        await until(lambda: kubelet.made and server.pods()[0]["status"]["phase"] == "Running")
        key = (NAMESPACE, task.name, "primary")
        server.logs[key] = "one\ntwo\n"
        page = await adapter.logs(task, state)
        assert page.lines == ("one", "two")
        server.logs[key] += "three\n"
        page = await adapter.logs(task, state, page.token)
        assert page.lines == ("three",)
        assert (await adapter.logs(task, state, page.token)).lines == ()
        await adapter.finalize(task, state)
    assert not server.pods()


async def test_an_attempt_that_nobody_tried_to_make_costs_no_request(server: KubeServer) -> None:
    async with adapted(server) as adapter:
        await adapter.abort(lent(container()), None, "never mind")
        await adapter.finalize(lent(container()), None)
    assert server.requests == []


async def test_an_attempt_of_a_former_process_is_looked_for_though_nothing_is_known(server: KubeServer) -> None:
    Kubelet(server, Kubelet.runs)
    task = lent(container())
    async with adapted(server) as adapter:
        await adapter.handle(task, None)
    task.job = replace(task.job, fresh=False)
    async with adapted(server) as adapter:
        await adapter.abort(task, None, "enough")
        await adapter.finalize(task, Applied(NAMESPACE))
    assert not server.pods()


async def test_watches_that_break_are_opened_again_and_nothing_is_lost(server: KubeServer) -> None:
    kubelet = Kubelet(server, Kubelet.runs)
    task = lent(container())
    async with adapted(server) as adapter:
        state = (await adapter.handle(task, None)).state
        await until(lambda: server.pods()[0]["status"]["phase"] == "Running")
        watch = adapter._watches[NAMESPACE]
        for _ in range(3):
            await until(lambda: watch.live and server.watchers)
            before = server.watchers
            server.cut_watches()
            await until(lambda before=before: server.watchers and not server.watchers & before)
        await until(lambda: watch.live)
        kubelet.exits(server.pods()[0], 0)
        await until(lambda: watch.live and watch.objects[task.name]["status"]["phase"] == "Succeeded")
        assert watch.relists == 1, "it went on from where it was"
        assert (await adapter.handle(task, state)).info.phase == "succeeded"
        await adapter.finalize(task, state)
