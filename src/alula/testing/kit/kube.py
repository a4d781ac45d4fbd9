"""An API server in memory, for plugins of Kubernetes: objects that live as they are told to, and requests that fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from alula._kits.clock import Clock
from alula.errors import RemoteError, Throttled
from alula.hosting.k8s.answers import Refused, refusal
from alula.hosting.k8s.cluster import Cluster, Kind
from alula.hosting.k8s.settings import ClusterSettings
from alula.plugin.k8s import Manifest
from alula.testing.kit.harness import Remote
from alula.testing.kit.tap import Tap

_DIES_AFTER = 1.0
"""Seconds from the deletion of an object to its end."""
_LOOKS_EVERY = 0.25
_WATCHES_FOR = 290.0

RUNNING: Manifest = {"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"}]}
_ENDED = {"name": "main", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
SUCCEEDED: Manifest = {"phase": "Succeeded", "containerStatuses": [_ENDED]}
_BROKEN = {"name": "main", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
FAILED: Manifest = {"phase": "Failed", "containerStatuses": [_BROKEN]}


@dataclass(slots=True)
class Kube(Remote):
    """A cluster that has nothing but the objects of one plugin.

    Args:
        running, succeeded, failed: The `status` of an object that runs, and of one that has ended. Those of pods are
            there already; a custom resource has its own.
    """

    clock: Clock
    running: Manifest = field(default_factory=lambda: RUNNING)
    succeeded: Manifest = field(default_factory=lambda: SUCCEEDED)
    failed: Manifest = field(default_factory=lambda: FAILED)
    objects: dict[str, Manifest] = field(default_factory=dict)
    """By path."""
    events: list[tuple[int, str, Manifest]] = field(default_factory=list)
    """Every change: its version, what it was, and the object then."""
    version: int = 100
    _dying: dict[str, float] = field(default_factory=dict)

    # --- what the kit asks ---

    def live(self) -> Sequence[str]:
        self.sweep()
        return [
            str(one["metadata"]["name"])
            for one in self.objects.values()
            if one.get("status") == self.running and not one["metadata"].get("deletionTimestamp")
        ]

    def finish(self, name: str) -> None:
        self._turn(name, self.succeeded)

    def fail(self, name: str) -> None:
        self._turn(name, self.failed)

    def _turn(self, name: str, status: Manifest) -> None:
        for path, one in self.objects.items():
            if one["metadata"]["name"] == name:
                self._change(path, {**one, "status": status}, "MODIFIED")

    # --- what the API server does ---

    def sweep(self) -> None:
        """Let those be gone whose time has come."""
        now = self.clock.monotonic()
        for path in [path for path, at in self._dying.items() if at <= now]:
            del self._dying[path]
            if path in self.objects and not self.objects[path]["metadata"].get("finalizers"):
                self._change(path, self.objects[path], "DELETED")
                del self.objects[path]

    def create(self, path: str, body: Manifest) -> Manifest:
        path = f"{path}/{body['metadata']['name']}"
        self.sweep()
        if path in self.objects:
            raise _refused(409, "AlreadyExists", f"{path} already exists")
        metadata = {**body["metadata"], "uid": f"u{self.version}", "creationTimestamp": self.clock.now().isoformat()}
        return self._change(path, {**deepcopy(body), "metadata": metadata, "status": self.running}, "ADDED")

    def read(self, path: str) -> Manifest:
        self.sweep()
        if path not in self.objects:
            raise _refused(404, "NotFound", f"{path} not found")
        return deepcopy(self.objects[path])

    def listed(self, path: str) -> Manifest:
        self.sweep()
        found = [deepcopy(one) for where, one in self.objects.items() if where.rpartition("/")[0] == path]
        return {"items": found, "metadata": {"resourceVersion": str(self.version)}}

    def patch(self, path: str, body: Manifest) -> Manifest:
        found = self.read(path)
        for key, value in body["metadata"].items():
            if key != "resourceVersion":
                found["metadata"][key] = value
        return self._change(path, found, "MODIFIED")

    def delete(self, path: str, body: Manifest) -> Manifest:
        found = self.read(path)
        wanted = (body.get("preconditions") or {}).get("uid")
        if wanted not in (None, found["metadata"]["uid"]):
            raise _refused(409, "Conflict", f"{path} is another one")
        found["metadata"]["deletionTimestamp"] = self.clock.now().isoformat()
        self._dying.setdefault(path, self.clock.monotonic() + _DIES_AFTER)
        return self._change(path, found, "MODIFIED")

    def _change(self, path: str, resource: Manifest, what: str) -> Manifest:
        self.version += 1
        resource["metadata"]["resourceVersion"] = str(self.version)
        self.objects[path] = resource
        self.events.append((self.version, what, deepcopy(resource)))
        return deepcopy(resource)


class KubeCluster(Cluster):
    """The way of one engine to the cluster: every request goes through the tap."""

    def __init__(self, kube: Kube, settings: ClusterSettings, clock: Clock, tap: Tap) -> None:
        super().__init__(settings, clock)
        self._kube, self._tap = kube, tap

    async def open(self) -> None:
        """There is nothing to connect to."""

    async def close(self) -> None:
        """Nothing is open."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        kube, name = self._kube, path.rpartition("/")[2]
        if path.endswith("/events"):
            return {"items": []}
        made: dict[str, tuple[str, Callable[[], Manifest]]] = {
            "POST": ("apply", lambda: kube.create(path, body or {})),
            "PATCH": ("patch", lambda: kube.patch(path, body or {})),
            "DELETE": ("remove", lambda: kube.delete(path, body or {})),
            "GET": ("look", lambda: kube.read(path)) if params is None else ("list", lambda: kube.listed(path)),
        }
        call, effect = made[method]
        found: Manifest = await self._tapped(call, f"{call} {name}", effect)
        return found

    async def text(self, path: str, params: Mapping[str, str]) -> str:
        return ""

    async def kind(self, api_version: str, kind: str) -> Kind:
        return Kind(api_version, kind, f"{kind.lower()}s")

    async def watch(self, kind: Kind, namespace: str, selector: str, version: str) -> AsyncGenerator[Manifest, None]:
        await self._tapped("watch", f"watch from {version}", dict)
        seen, path = int(version or 0), kind.path(namespace)
        until = self._kube.clock.monotonic() + _WATCHES_FOR
        while self._kube.clock.monotonic() < until:
            self._kube.sweep()
            for number, what, resource in list(self._kube.events):
                if number > seen and path:
                    seen = number
                    yield {"type": what, "object": deepcopy(resource)}
            await asyncio.sleep(_LOOKS_EVERY)

    async def _tapped(self, call: str, words: str, effect: Callable[[], Manifest]) -> Any:
        async def made() -> Manifest:
            return effect()

        async def nothing() -> None:
            return None

        answer: Awaitable[Any] = self._tap.call(call, words, made, nothing)
        try:
            async with asyncio.timeout(self.settings.timeout.total_seconds()):
                return await answer
        except TimeoutError as exc:
            raise RemoteError("the API server did not answer", where=words) from exc
        except Throttled as exc:
            raise refusal(429, {"message": "too many requests", "code": 429}, where=words, retry_after=2.0) from exc


def _refused(status: int, reason: str, message: str) -> Refused:
    return refusal(status, {"kind": "Status", "reason": reason, "message": message, "code": status}, where="the kit")
