"""Tasks as pods, through the real engine, against a server that answers as a real one does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.k8s.cluster import NAMESPACE, Kubelet, container, engine, until
from tests.servers.kube.server import KubeServer, kube_server


@pytest.fixture
def server() -> Iterator[KubeServer]:
    with kube_server() as made:
        made.namespace(NAMESPACE)
        yield made


async def test_a_pod_that_succeeds_is_a_task_that_succeeds_and_nothing_is_left(server: KubeServer) -> None:
    kubelet = Kubelet(server)
    async with engine(server) as works:
        record = await works.run(container())
        ended = await works.ended(record.id)
        await until(lambda: not server.pods())
    assert ended.phase == "succeeded"
    assert len(kubelet.made) == 1
