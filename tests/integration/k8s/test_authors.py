"""What beginners write: a plugin whose `build` or `phase` gives what is none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo
from alula.plugin.k8s import K8sPlugin, Manifest
from alula.plugin.phase import Phase, PhaseInfo
from tests.acceptance.plugins.plant import failure_of
from tests.integration.k8s.cluster import NAMESPACE, Kubelet, container, engine, until
from tests.integration.k8s.test_pods import waits_for
from tests.servers.kube.server import KubeServer, kube_server


@pytest.fixture
def server() -> Iterator[KubeServer]:
    with kube_server() as made:
        made.namespace(NAMESPACE)
        yield made


class Careless(K8sPlugin):
    info = PluginInfo("careless", frozenset({"container"}))
    built: Any = None
    said: Any = None

    def build(self, task: TaskContext, pod: Manifest) -> Manifest:
        return pod if self.built is None else self.built  # type: ignore[no-any-return]

    def phase(self, task: TaskContext, resource: Manifest, *, now: datetime) -> PhaseInfo:
        return self.said  # type: ignore[no-any-return]


@pytest.mark.parametrize("built", [False, "pod", [1]])
async def test_a_build_that_gives_no_manifest_fails_the_attempt_at_once(server: KubeServer, built: Any) -> None:
    async with engine(server, plugins=(type("This", (Careless,), {"built": built}),)) as works:
        record = await works.run(container())
        assert (await works.ended(record.id)).phase == "failed"
        failure = await failure_of(works.store, record.id)
    assert failure is not None
    said = f"careless could not build a Pod: careless.build gave {built!r}, not a manifest: does it end with `return`?"
    assert (failure.code, said in failure.message) == ("FailedToBuildResource", True), failure
    assert not server.pods()


@pytest.mark.parametrize("said", [None, Phase.RUNNING])
async def test_a_phase_that_is_none_is_named_and_leaves_no_pod(server: KubeServer, said: Any) -> None:
    Kubelet(server, Kubelet.runs)
    plugins = (type("This", (Careless,), {"said": said}),)
    async with engine(server, plugins=plugins) as works:
        record = await works.run(container())
        await waits_for(works, record.id, f"careless.phase gave {said!r}: not a PhaseInfo")
        await works.store.ask(record.id, "abort", body=b"enough")
        assert (await works.ended(record.id)).phase == "aborted"
        await until(lambda: not server.pods())
