"""Which nodes a pod may go to, and its shared memory: interruptible machines, accelerators; pure, in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alula.hosting.k8s.settings import ClusterSettings
from alula.idl import ExtendedResources, GPUAccelerator, SharedMemory
from alula.plugin.k8s import Manifest

_SHARED_MEMORY = "shared-memory"


def place(
    spec: Manifest,
    container: Manifest,
    extended: ExtendedResources,
    settings: ClusterSettings,
    *,
    interruptible: bool,
) -> None:
    """Add to a pod's spec what settings and extended resources say about where it runs."""
    selector = {**settings.node_selector, **(spec.get("nodeSelector") or {})}
    _tolerate(spec, *settings.tolerations)
    if interruptible:
        selector |= settings.interruptible_node_selector
        _tolerate(spec, *settings.interruptible_tolerations)
        _require(spec, settings.interruptible_requirement)
    else:
        _require(spec, settings.steady_requirement)
    if selector:
        spec["nodeSelector"] = selector
    if extended.HasField("gpu_accelerator"):
        _accelerator(spec, extended.gpu_accelerator, settings)
    if extended.HasField("shared_memory"):
        _shared_memory(spec, container, extended.shared_memory)


def _accelerator(spec: Manifest, wanted: GPUAccelerator, settings: ClusterSettings) -> None:
    if wanted.device:
        _on(spec, settings.gpu_device_label, wanted.device)
    if wanted.WhichOneof("partition_size_value") == "partition_size":
        _on(spec, settings.gpu_partition_label, wanted.partition_size)
    elif wanted.unpartitioned:
        _require(spec, {"key": settings.gpu_partition_label, "operator": "DoesNotExist"})


def _on(spec: Manifest, label: str, value: str) -> None:
    """Only on nodes with a label of that value, also if they are tainted with it."""
    _require(spec, {"key": label, "operator": "In", "values": [value]})
    _tolerate(spec, {"key": label, "operator": "Equal", "value": value, "effect": "NoSchedule"})


def _tolerate(spec: Manifest, *tolerations: Mapping[str, Any]) -> None:
    have = spec.get("tolerations") or []
    more = [dict(one) for one in tolerations if one not in have]
    if more:
        spec["tolerations"] = [*have, *more]


def _require(spec: Manifest, requirement: Mapping[str, Any]) -> None:
    """Add a requirement to every way in which nodes may be chosen."""
    if not requirement:
        return
    affinity = spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})
    required = affinity.setdefault("requiredDuringSchedulingIgnoredDuringExecution", {})
    terms = required.setdefault("nodeSelectorTerms", []) or [{}]
    required["nodeSelectorTerms"] = [
        {**term, "matchExpressions": [*(term.get("matchExpressions") or ()), dict(requirement)]} for term in terms
    ]


def _shared_memory(spec: Manifest, container: Manifest, wanted: SharedMemory) -> None:
    name = wanted.mount_name or _SHARED_MEMORY
    kept: Manifest = {"medium": "Memory"}
    if wanted.size_limit:
        kept["sizeLimit"] = wanted.size_limit
    volumes = [one for one in spec.get("volumes") or () if one.get("name") != name]
    spec["volumes"] = [*volumes, {"name": name, "emptyDir": kept}]
    path = wanted.mount_path or "/dev/shm"  # where POSIX shared memory lives
    mounts = [one for one in container.get("volumeMounts") or () if one.get("mountPath") != path]
    container["volumeMounts"] = [*mounts, {"name": name, "mountPath": path}]
