"""The engine is killed at every request that it makes: there is never more than one pod, and none in the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alula.config import Durability
from alula.store.opening import open_store
from alula.store.store import Store
from tests.acceptance.plugins.plant import submit
from tests.integration.k8s.cluster import NAMESPACE, Kubelet, container, until
from tests.servers.kube.kinds import Manifest
from tests.servers.kube.server import KubeServer, kube_server

ROOT = Path(__file__).resolve().parents[3]


class Engines:
    """Starts engines, and kills them when they make their n-th request."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.running: list[int] = []

    def start(self, directory: Path, server: KubeServer) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(directory), server.url, server.token]) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        self.running.append(pid)
        return pid

    def kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    command = [sys.executable, "-m", "tests.integration.k8s.engines"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    made = Engines(process)
    try:
        yield made
    finally:
        for pid in made.running:
            made.kill(pid)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)


async def ended(store: Store, id: int) -> str:
    for _ in range(4000):
        record = await store.execution_by_id(id)
        rows = await store.attempts(id)
        if record.phase in ("succeeded", "failed", "aborted") and not any(row.open for row in rows):
            return record.phase
        await asyncio.sleep(0.01)
    raise AssertionError(f"{record.phase}: {await store.progress(id)}, {rows}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("life", ["succeeds", "runs and is aborted"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_wherever_the_engine_is_killed_there_is_one_pod_and_none_in_the_end(
    engines: Engines, tmp_path: Path, when: str, life: str
) -> None:
    explored = 0
    for point in range(1, 40):
        directory = tmp_path / str(point)
        directory.mkdir()
        killed = await _once(engines, directory, point, when, life)
        if not killed:
            break
        explored += 1
    assert explored >= 5, "the engine made fewer requests than it must"


async def _once(engines: Engines, directory: Path, point: int, when: str, life: str) -> bool:
    """One execution whose engine is killed at one point. Whether it came to that point."""
    most = 0

    def begins(kubelet: Kubelet, pod: Manifest) -> None:
        nonlocal most
        most = max(most, len(kubelet.server.pods()))
        (Kubelet.succeed if life == "succeeds" else Kubelet.runs)(kubelet, pod)

    store = open_store(str(directory / "alula.db"), durability=Durability.RELAXED)
    with kube_server() as server:
        server.namespace(NAMESPACE)
        kubelet = Kubelet(server, begins)
        record = await submit(store, "e", [container()])
        pids: list[int] = []
        killed = server.kill_at(point, lambda: engines.kill(pids[0]), after=when == "after")
        pids.append(engines.start(directory, server))
        if life != "succeeds":
            await until(lambda: killed.is_set() or kubelet.made)
            await store.ask(record.id, "abort", body=b"enough")
        ending = asyncio.create_task(ended(store, record.id))
        await until(lambda: killed.is_set() or ending.done())
        if killed.is_set():
            pids.append(engines.start(directory, server))
        phase = await ending
        rows = await store.attempts(record.id)
        engines.kill(pids[-1])
        assert phase == ("succeeded" if life == "succeeds" else "aborted"), (point, phase)
        assert most <= 1, point
        assert len(kubelet.made) <= 1, point
        assert not server.pods(), point
        assert len(rows) == 1, point
    await store.aclose()
    return killed.is_set()
