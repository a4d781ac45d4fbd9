"""What the controllers of a cluster do by themselves: a scheduler and a quota controller, which act at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

from tests.servers.kube.kinds import Manifest, Resource
from tests.servers.kube.store import Change, Refusal, Store, now


class Controllers:
    """They act on the objects of a store, once the request that made them has its answer."""

    store: Store
    nodes: bool
    """Whether there is a node for pods."""
    _loop: asyncio.AbstractEventLoop | None
    _watching: set[asyncio.Event]
    _events: int

    def kind(self, name: str) -> Resource:
        return next(one for one in self.store.resources if one.kind == name)

    def _changed(self, change: Change) -> None:
        if change.what == "ADDED" and change.key[0] == "pods":
            self._later(lambda: self.schedule(*change.key[1:]))
        elif change.key[0] == "resourcequotas" and change.what == "ADDED":
            self._later(lambda: self._count(*change.key[1:]))
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: [event.set() for event in self._watching])

    def _later(self, act: Callable[[], None]) -> None:
        """Once the request that made it has its answer."""
        if self._loop is None:
            act()
        else:
            self._loop.call_soon_threadsafe(self._quietly, act)

    @staticmethod
    def _quietly(act: Callable[[], None]) -> None:
        with contextlib.suppress(Refusal):  # it is gone already
            act()

    def schedule(self, namespace: str, name: str) -> None:
        """Bind a pod to the one node, or say why it cannot be."""
        pod = self.kind("Pod")
        found = self.store.get(pod, namespace, name)
        if found["spec"].get("nodeName") or found["metadata"].get("deletionTimestamp"):
            return
        condition: Manifest = {"type": "PodScheduled", "lastProbeTime": None, "observedGeneration": 1}
        if self.nodes:
            with self.store.lock:
                self.store.objects[self.store.key(pod, namespace, name)]["spec"]["nodeName"] = "node-1"
            condition.update(status="True", lastTransitionTime=now())
        else:
            self._tell(found)
            said = "no nodes available to schedule pods"
            condition.update(status="False", lastTransitionTime=now(), reason="Unschedulable", message=said)
        before = [one for one in found["status"].get("conditions") or () if one["type"] != "PodScheduled"]
        self.store.merge(
            pod, namespace, name, {"status": {"conditions": [*before, condition]}}, "kube-scheduler", "status"
        )

    def reconsider(self, namespace: str, name: str) -> None:
        """The scheduler tries again, twice, and says that it is the same as before."""
        found = self.store.get(self.kind("Pod"), namespace, name)
        event = self._tell(found)
        series = {"count": 2, "lastObservedTime": _precisely()}
        with self.store.lock:
            made = self.store.get(self.kind("Event"), namespace, event)
            made["series"] = series
            entry = made["metadata"]["managedFields"][0]
            entry["fieldsV1"]["f:series"] = {".": {}, "f:count": {}, "f:lastObservedTime": {}}
            self.store._put(self.store.key(self.kind("Event"), namespace, event), "MODIFIED", made)

    def _tell(self, pod: Manifest, reason: str = "FailedScheduling", message: str = "") -> str:
        """Make an event about a pod."""
        metadata = pod["metadata"]
        self._events += 1
        name = f"{metadata['name']}.18ea4954{self._events:08x}"
        names = (
            "action",
            "eventTime",
            "note",
            "reason",
            "regarding",
            "reportingController",
            "reportingInstance",
            "type",
        )
        about = {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}
        event = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {
                "name": name,
                "namespace": metadata["namespace"],
                "uid": f"event-{self._events}",
                "creationTimestamp": now(),
                "managedFields": [
                    {
                        "manager": "kube-scheduler",
                        "operation": "Update",
                        "apiVersion": "events.k8s.io/v1",
                        "time": now(),
                        "fieldsType": "FieldsV1",
                        "fieldsV1": {f"f:{one}": {} for one in names},
                    }
                ],
            },
            "involvedObject": {**about, "apiVersion": "v1", "resourceVersion": metadata["resourceVersion"]},
            "reason": reason,
            "message": message or "no nodes available to schedule pods",
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "type": "Warning",
            "eventTime": _precisely(),
            "action": "Scheduling",
            "reportingComponent": "default-scheduler",
            "reportingInstance": "default-scheduler-vm",
        }
        with self.store.lock:
            self.store._put(("events", metadata["namespace"], name), "ADDED", event)
        return name

    warn = _tell

    def _count(self, namespace: str, name: str) -> None:
        kind = self.kind("ResourceQuota")
        hard = self.store.get(kind, namespace, name)["spec"]["hard"]
        used = {one: f"{self.store.used(namespace).get(one, 0):f}" for one in hard}
        self.store.merge(
            kind, namespace, name, {"status": {"hard": hard, "used": used}}, "kube-controller-manager", "status"
        )


def _precisely() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
