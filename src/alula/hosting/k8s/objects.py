"""Objects of ours in a cluster: how they are marked, told from others', and deleted."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from random import Random

from alula.hosting.k8s.answers import Refused
from alula.hosting.k8s.cluster import MERGE_PATCH, Cluster, Kind
from alula.hosting.k8s.settings import ClusterSettings
from alula.plugin.context import TaskContext
from alula.plugin.k8s import K8sPlugin, Manifest

STORE = "alula.dev/store"
"""The label that every object of ours has."""
JOB = "alula.dev/job"
"""The label of pods: the name of the attempt that they are for, whoever made them."""
FINALIZER = "alula.dev/finalizer"
_NAME = re.compile(r"a[0-9a-f]{40}")
_TRIES = 5


def stamped(
    manifest: Manifest, task: TaskContext, plugin: K8sPlugin, settings: ClusterSettings, namespace: str
) -> Manifest:
    """An object as it is handed to the API server: with the attempt's name and marks."""
    given = manifest.get("metadata") or {}
    metadata = {
        **given,
        "name": task.name,
        "namespace": namespace,
        "labels": {**settings.labels, **(given.get("labels") or {}), **task.labels},
    }
    annotations = {**settings.annotations, **(given.get("annotations") or {})}
    if annotations:
        metadata["annotations"] = annotations
    else:
        metadata.pop("annotations", None)
    if settings.finalizer:
        metadata["finalizers"] = [*(given.get("finalizers") or ()), FINALIZER]
    return {**manifest, "apiVersion": plugin.api_version, "kind": plugin.kind, "metadata": metadata}


def ours(resource: Manifest, task: TaskContext) -> bool:
    """Whether an object of the attempt's name was made for the attempt."""
    labels = resource["metadata"].get("labels") or {}
    return all(labels.get(name) == value for name, value in task.labels.items())


def named_by_us(resource: Manifest) -> bool:
    """Whether it is an attempt's own object, and none that an operator made for one."""
    return _NAME.fullmatch(name(resource)) is not None


def name(resource: Manifest) -> str:
    return str(resource["metadata"]["name"])


def what(resource: Manifest) -> str:
    """An object, for people."""
    return f"{resource.get('kind', 'object')} {resource['metadata'].get('namespace', '')}/{name(resource)}"


def age(resource: Manifest, now: datetime) -> timedelta:
    """How long ago it was made, by the API server's clock."""
    made = resource["metadata"].get("creationTimestamp")
    return now - datetime.fromisoformat(str(made)) if made else timedelta(0)


def disrupted(resource: Manifest) -> bool:
    """Whether a pod is deleted because its node is drained, preempted or lost."""
    conditions = (resource.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "DisruptionTarget" and one.get("status") == "True" for one in conditions)


async def delete(cluster: Cluster, kind: Kind, resource: Manifest, random: Random) -> None:
    """Have one object deleted, if it is not yet; it may take its time. Our finalizer is taken off."""
    metadata = resource["metadata"]
    path = kind.path(str(metadata.get("namespace") or ""), name(resource))
    if not metadata.get("deletionTimestamp"):
        body: Manifest = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            # 0 would take the object away without waiting for its containers to end.
            "gracePeriodSeconds": max(1, int(cluster.settings.grace.total_seconds())),
            "propagationPolicy": "Background",
            "preconditions": {"uid": metadata["uid"]},
        }
        try:
            resource = await cluster.request("DELETE", path, body=body)
        except Refused as exc:
            if exc.missing or exc.conflict:  # gone, or another one of that name: then it is not ours
                return
            raise
    await _release(cluster, path, resource, random)


async def _release(cluster: Cluster, path: str, resource: Manifest, random: Random) -> None:
    """Take our finalizer off an object, whoever else changes it meanwhile."""
    tried = 0
    while True:
        metadata = resource.get("metadata") or {}
        finalizers = metadata.get("finalizers") or []
        if FINALIZER not in finalizers:
            return
        left = [one for one in finalizers if one != FINALIZER]
        patch = {"metadata": {"resourceVersion": metadata["resourceVersion"], "finalizers": left or None}}
        try:
            await cluster.request("PATCH", path, body=patch, content_type=MERGE_PATCH)
            return
        except Refused as exc:
            if exc.missing:
                return
            tried += 1
            if not exc.conflict or tried == _TRIES:
                raise
        await asyncio.sleep(0.01 * 2**tried * random.uniform(0.9, 1.1))
        found = await _found(cluster, path)
        if found is None:
            return
        resource = found


async def _found(cluster: Cluster, path: str) -> Manifest | None:
    try:
        return await cluster.request("GET", path)
    except Refused as exc:
        if exc.missing:
            return None
        raise
