"""A task as a pod: its container or pod template, the operator's templates and settings, the node's overrides; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from google.protobuf.json_format import MessageToDict

from alula.errors import Rejected
from alula.hosting.k8s import merging, placing, quantities, secrets, staging
from alula.hosting.k8s.objects import JOB
from alula.hosting.k8s.settings import ClusterSettings
from alula.idl import ExtendedResources, Resources, TaskTemplate
from alula.plugin.context import TaskContext
from alula.plugin.k8s import Manifest

PRIMARY = "primary_container_name"
"""The annotation, and the key of `TaskTemplate.config`, that names the container which is the task."""
_CONTAINER = "primary"
_SIDECAR = "sidecar"
_NAMES = {
    Resources.CPU: "cpu",
    Resources.MEMORY: "memory",
    Resources.STORAGE: "storage",
    Resources.EPHEMERAL_STORAGE: "ephemeral-storage",
}


def build(
    task: TaskContext,
    settings: ClusterSettings,
    template: Manifest | None = None,
    storage: Mapping[str, str] | None = None,
) -> Manifest:
    """The pod of a task: `metadata` with labels and annotations, and `spec`.

    Args:
        template: The operator's pod template for this task, with `metadata` and `spec`.
        storage: Variables with which object stores are reached: for those who do so.

    Raises:
        Rejected: The task has no container, or asks for more than it may.
    """
    primary = primary_name(task.template)
    pod = _of_target(task, primary)
    pod = merging.pods(template or {}, pod, primary)
    spec = pod["spec"]
    container = _named(spec, primary)
    for one in (*spec["containers"], *spec.get("initContainers", ())):
        _words(task, one)
    _fill(task, settings, container)
    for one in (*spec["containers"], *spec.get("initContainers", ())):
        _resources(one, settings, main=one is container)
    extended = _extended(task)
    placing.place(spec, container, extended, settings, interruptible=task.interruptible)
    secrets.mount(spec, task.template.security_context.secrets)
    _identity(spec, task.template, settings)
    spec["restartPolicy"] = "Never"
    staged = staging.stage(task, settings, spec, primary)
    for one in staging.movers(spec) if staged else [container]:
        given = {str(pair["name"]): pair for pair in one.get("env", ())}
        given.update({name: {"name": name, "value": value} for name, value in (storage or {}).items()})
        if given:
            one["env"] = list(given.values())
    _metadata(task, settings, pod, primary, staged=staged)
    return pod


def primary_name(template: TaskTemplate) -> str:
    """The name of the container that is the task."""
    if template.WhichOneof("target") != "k8s_pod":
        return _CONTAINER
    named = template.config.get(PRIMARY, "") or template.k8s_pod.primary_container_name
    if named:
        return named
    found = plain(template.k8s_pod.pod_spec).get("containers") or [{}]
    return str(found[0].get("name") or _CONTAINER)


def asks(pod_spec: Mapping[str, Any]) -> dict[str, str]:
    """What a pod asks of a quota, by the names that quotas use.

    Source: Kubernetes, "Sidecar containers": what runs at a time counts, and init containers run one after the other.
    """
    sidecars: dict[str, Decimal] = {}
    most: dict[str, Decimal] = {}
    for container in pod_spec.get("initContainers", ()):
        own = _amounts(container)
        if container.get("restartPolicy") == "Always":
            sidecars = _added(sidecars, own)
            own = {}
        most = _larger(most, _added(sidecars, own))
    together = sidecars
    for container in pod_spec.get("containers", ()):
        together = _added(together, _amounts(container))
    found = {key: f"{value:f}" for key, value in _larger(most, together).items()}
    found.update({key.removeprefix("requests."): text for key, text in found.items() if key.startswith("requests.")})
    return {**found, "pods": "1", "count/pods": "1"}


def _amounts(container: Mapping[str, Any]) -> dict[str, Decimal]:
    found = {}
    for side in ("requests", "limits"):
        for name, text in (container.get("resources", {}).get(side) or {}).items():
            value = quantities.amount(str(text))
            if value is not None:
                found[f"{side}.{name}"] = value
    return found


def _added(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {key: one.get(key, Decimal(0)) + other.get(key, Decimal(0)) for key in {**one, **other}}


def _larger(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {key: max(one.get(key, Decimal(0)), other.get(key, Decimal(0))) for key in {**one, **other}}


def plain(message: Any) -> dict[str, Any]:
    """A Struct as plain data. It keeps every number as a double: whole ones are ints again."""
    found: dict[str, Any] = _whole(MessageToDict(message))
    return found


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _of_target(task: TaskContext, primary: str) -> Manifest:
    template = task.template
    kind = template.WhichOneof("target")
    if kind == "k8s_pod":
        pod = template.k8s_pod
        spec = plain(pod.pod_spec)
        if not any(one.get("name") == primary for one in spec.get("containers") or ()):
            spec["containers"] = [*(spec.get("containers") or ()), {"name": primary}]
        labels, annotations = dict(pod.metadata.labels), dict(pod.metadata.annotations)
        return {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}
    if kind != "container":
        raise Rejected(
            f"task '{template.id.name}' of type {template.type!r} has no container that a pod could run",
            where=template.id.name,
            fix="run it by a backend for its type, or make it a task with a container image",
        )
    return {"metadata": {}, "spec": {"containers": [_container(template)]}}


def _container(template: TaskTemplate) -> Manifest:
    container: Manifest = {"name": _CONTAINER}
    for key, words in (("command", template.container.command), ("args", template.container.args)):
        if words:
            container[key] = list(words)
    ports = [{"containerPort": port.container_port, "name": port.name} for port in template.container.ports]
    if ports:
        container["ports"] = [{key: value for key, value in port.items() if value} for port in ports]
    if template.container.image:
        container["image"] = template.container.image
    return container


def _words(task: TaskContext, container: Manifest) -> None:
    """Fill in templates in a container's command, arguments and variables."""
    for words in ("command", "args"):
        if container.get(words):
            container[words] = task.fill(container[words])
    pairs = [pair for pair in container.get("env") or () if isinstance(pair.get("value"), str)]
    for pair, value in zip(pairs, task.fill([pair["value"] for pair in pairs]), strict=True):
        pair["value"] = value


def _fill(task: TaskContext, settings: ClusterSettings, container: Manifest) -> None:
    """The image, the variables and the resources of the primary container."""
    overrides = task.overrides
    if overrides is not None and overrides.container_image:
        container["image"] = overrides.container_image
    given = {str(pair["name"]): pair for pair in container.get("env", ())}
    for name, value in {**settings.environment, **task.environ()}.items():
        given[name] = {"name": name, "value": value}
    container["env"] = list(given.values())
    wanted = task.resources()
    found = container.setdefault("resources", {})
    for side, entries in (("requests", wanted.requests), ("limits", wanted.limits)):
        for entry in entries:
            known = settings.gpu_resource if entry.name == Resources.GPU else _NAMES.get(entry.name)
            if known:
                found.setdefault(side, {})[known] = entry.value


def _resources(container: Manifest, settings: ClusterSettings, *, main: bool) -> None:
    found = container.setdefault("resources", {})
    requests, limits = dict(found.get("requests") or {}), dict(found.get("limits") or {})
    for name, value in limits.items():
        requests.setdefault(name, value)
    if main:
        for name, value in settings.requests.items():
            requests.setdefault(name, value)
    for name, value in requests.items():
        if "/" in name:  # extended resources: what is asked for is what there may be
            limits.setdefault(name, value)
    beyond = quantities.over({**requests, **limits}, settings.limits)
    if beyond:
        asked = ", ".join(f"{name}={({**requests, **limits})[name]}" for name in beyond)
        most = ", ".join(f"{name}={settings.limits[name]}" for name in beyond)
        raise Rejected(
            f"container {container.get('name')!r} asks for {asked}, and at most {most} may be had",
            fix="ask for less, or raise [backends.k8s] limits",
            code="ResourceRequestsExceedLimits",
        )
    found.update({key: value for key, value in (("requests", requests), ("limits", limits)) if value})
    if not found:
        del container["resources"]


def _identity(spec: Manifest, template: TaskTemplate, settings: ClusterSettings) -> None:
    account = template.security_context.run_as.k8s_service_account or spec.get("serviceAccountName")
    if account or settings.service_account:
        spec["serviceAccountName"] = account or settings.service_account
    pulls = {str(one.get("name")): one for one in spec.get("imagePullSecrets") or ()}
    for name in settings.image_pull_secrets:
        pulls.setdefault(name, {"name": name})
    if pulls:
        spec["imagePullSecrets"] = list(pulls.values())
    if settings.scheduler:
        spec.setdefault("schedulerName", settings.scheduler)


def _metadata(task: TaskContext, settings: ClusterSettings, pod: Manifest, primary: str, *, staged: bool) -> None:
    given, asked = pod.get("metadata") or {}, task.template.metadata.metadata
    labels = {**settings.labels, **(given.get("labels") or {}), **asked.labels, **task.labels, JOB: task.name}
    annotations = {**settings.annotations, **(given.get("annotations") or {}), **asked.annotations}
    if staged or _one_is_the_task(task.template):
        annotations[PRIMARY] = primary
    pod["metadata"] = {"labels": labels, "annotations": annotations}


def _one_is_the_task(template: TaskTemplate) -> bool:
    """Whether the task is over when one container is, whatever else is in the pod. If not, all of them must end."""
    if template.WhichOneof("target") != "k8s_pod" or template.type == _SIDECAR:
        return True
    named = template.config.get(PRIMARY, "") or template.k8s_pod.primary_container_name
    return bool(named) or len(plain(template.k8s_pod.pod_spec).get("containers") or ()) <= 1


def _named(spec: Manifest, name: str) -> Manifest:
    found: Iterable[Manifest] = spec["containers"]
    return next(one for one in found if one.get("name") == name)


def _extended(task: TaskContext) -> ExtendedResources:
    made = ExtendedResources()
    made.CopyFrom(task.template.extended_resources)
    overrides = task.overrides
    if overrides is not None:
        over = overrides.extended_resources
        if over.HasField("gpu_accelerator"):
            made.gpu_accelerator.CopyFrom(over.gpu_accelerator)
        if over.HasField("shared_memory"):
            made.shared_memory.CopyFrom(over.shared_memory)
    return made
