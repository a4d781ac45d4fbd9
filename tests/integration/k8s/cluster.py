"""A cluster for tests: the API server, a kubelet that does as it is told, and the real engine in front of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from alula._kits.clock import SystemClock
from alula.backends.k8s.pod import Pods
from alula.idl import Container, TaskTemplate
from alula.plugin.core import Plugin
from alula.store.memory import MemoryStore
from tests.acceptance.plugins.plant import Works, engine_of, template
from tests.servers.kube.kinds import Manifest
from tests.servers.kube.server import KubeServer
from tests.servers.kube.store import Change, Refusal, now

NAMESPACE = "p-d"
Life = Callable[["Kubelet", Manifest], None]


def container(name: str = "job", **more: Any) -> TaskTemplate:
    """A task that is a container."""
    made = template("container", name)
    made.container.CopyFrom(Container(image="localhost/x:1", command=["true"], **more))
    return made


class Kubelet:
    """Lives the life of pods that are bound to its node, and lets those die that are deleted.

    Args:
        life: Called with each new pod; `runs` if nothing else is said.
    """

    def __init__(self, server: KubeServer, life: Life | None = None, *, kills: bool = True) -> None:
        self.server, self.kills = server, kills
        self.life = life or Kubelet.succeed
        self.made: list[str] = []
        server.store.listeners.append(self._changed)

    def _changed(self, change: Change) -> None:
        if change.key[0] != "pods":
            return
        if change.what == "ADDED":
            self.made.append(change.key[2])
            self.server._later(lambda: self.life(self, change.resource))
        elif self.kills and change.what == "MODIFIED" and _deleted(change.resource) and not _deleted(change.before):
            self.server._later(lambda: self._gone(change.resource))

    def _gone(self, pod: Manifest) -> None:
        try:
            self.server.store.gone(self.server.kind("Pod"), *change_key(pod))
        except Refusal:
            return

    def runs(self, pod: Manifest) -> None:
        self.status(pod, "Running", {"running": {"startedAt": now()}})

    def succeed(self, pod: Manifest) -> None:
        self.runs(pod)
        self.exits(pod, 0)

    def exits(self, pod: Manifest, code: int, reason: str = "") -> None:
        reason = reason or ("Completed" if code == 0 else "Error")
        ended = {"exitCode": code, "reason": reason, "startedAt": now(), "finishedAt": now()}
        self.status(pod, "Succeeded" if code == 0 else "Failed", {"terminated": ended})

    def waits(self, pod: Manifest, reason: str, message: str = "") -> None:
        self.status(pod, "Pending", {"waiting": {"reason": reason, "message": message}})

    def status(self, pod: Manifest, phase: str, state: Manifest, **more: Any) -> None:
        one = {"name": pod["spec"]["containers"][0]["name"], "image": "x", "imageID": "", "state": state}
        status = {"phase": phase, "containerStatuses": [one], **more}
        self.server.status(*change_key(pod), status)


def _deleted(pod: Manifest | None) -> bool:
    return pod is not None and bool(pod["metadata"].get("deletionTimestamp"))


def change_key(pod: Manifest) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


@asynccontextmanager
async def engine(
    server: KubeServer,
    *,
    plugins: Sequence[type[Plugin] | Callable[[], Plugin]] = (Pods,),
    store: MemoryStore | None = None,
    outage: timedelta = timedelta(minutes=10),
    sections: Mapping[str, Any] | None = None,
    data: str = "memory://works",
    **cluster: Any,
) -> AsyncIterator[Works]:
    """The real engine with Kubernetes plugins, talking to a server."""
    settings = {"k8s": {"url": server.url, "token": server.token, "settle": "200ms", **cluster}, **(sections or {})}
    kept = store or MemoryStore()
    made, hosts = engine_of(
        kept,
        f"engine-{time.monotonic_ns()}",
        plugins,
        clock=SystemClock(),
        rng=random.Random(1),
        data=data,
        inline=False,
        settings=settings,
        environ={},
        outage=outage,
    )
    running = asyncio.create_task(made.run())
    try:
        yield Works(kept, made, hosts)
    finally:
        made.stop()
        await running
        if store is None:
            await kept.aclose()


async def until(what: Callable[[], object], within: float = 30.0) -> None:
    """Wait for something to be so."""
    ends = time.monotonic() + within
    while not what():
        if time.monotonic() > ends:
            raise AssertionError(f"not so within {within} s")
        await asyncio.sleep(0.01)
