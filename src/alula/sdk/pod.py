"""Pods: what a task's container gets around it in Kubernetes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from dataclasses import fields as fields_of
from datetime import date
from typing import Any

from alula.errors import CallError
from alula.idl import Container, K8sObjectMetadata, K8sPod, Struct
from alula.idl import Resources as ResourcesMessage
from alula.sdk.image import ImageConfig, ImageSpec

PRIMARY_CONTAINER_KEY = "primary_container_name"
"""Under it a task's config says which container of the pod is the task's own."""
DEFAULT_PRIMARY_CONTAINER = "primary"

Manifest = dict[str, Any]


@dataclass(frozen=True)
class PodTemplate:
    """The pod that a task's container is put into: `@task(pod_template=PodTemplate(pod_spec={...}))`.

    Args:
        pod_spec: A pod spec as in a manifest (`{"containers": [...], "nodeSelector": {...}}`), or a `V1PodSpec` of the
            kubernetes library. The container that has the primary name is the task's own; it need not be there.
        primary_container_name: Name of the task's own container.
        labels: Of the pod.
        annotations: Of the pod.

    Raises:
        CallError: No name, or something that is no pod spec.
    """

    pod_spec: Any = None
    primary_container_name: str = DEFAULT_PRIMARY_CONTAINER
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None

    def __post_init__(self) -> None:
        if not self.primary_container_name:
            raise CallError(
                "the primary container has no name",
                where="PodTemplate(primary_container_name='')",
                fix=f"leave it out to have {DEFAULT_PRIMARY_CONTAINER!r}, or name one",
            )
        for fault in self._faults():
            raise CallError(
                fault,
                where="PodTemplate(pod_spec=...)",
                fix='write it like {"containers": [{"name": "primary", "volumeMounts": [...]}]}, or as a V1PodSpec',
            )

    def manifest(self) -> Manifest:
        """The pod spec as in a manifest, without anything that is None. A copy."""
        return {"containers": [], **_plain(self.pod_spec if self.pod_spec is not None else {})}

    def config(self) -> dict[str, str]:
        """What the task's config says about the pod."""
        return {PRIMARY_CONTAINER_KEY: self.primary_container_name}

    def to_pod(self, container: Container, images: ImageConfig | None = None) -> K8sPod:
        """The pod with the task's container in it.

        The task's container keeps what the template says about it, but for command, arguments and (if the task asks
        for any) resources, which come from the task; the task's environment comes before the template's.

        Args:
            container: The task's container, as it would be without a pod.
            images: Resolves templates in image names, and serves containers that name no image.

        Raises:
            ConfigError: An image cannot be resolved.
        """
        spec = self.manifest()
        images = images or ImageConfig.from_images(None)
        if all(each["name"] != self.primary_container_name for each in spec["containers"]):
            spec["containers"].append({"name": self.primary_container_name})
        for each in spec["containers"]:
            own = each["name"] == self.primary_container_name
            if own and each.get("image") is None:
                each["image"] = container.image
            else:
                each["image"] = images.resolve(each.get("image"), where=f"container {each['name']!r} of the pod")
            if own:
                _merge(each, container)
        pod = K8sPod(metadata=K8sObjectMetadata(labels=self.labels, annotations=self.annotations))
        pod.pod_spec.CopyFrom(_struct(spec))
        return pod

    def version_hash(self) -> str:
        """A hash of all that the template says."""
        said = [self.manifest(), self.primary_container_name, self.labels, self.annotations]
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=_image_name).encode()).hexdigest()

    def _faults(self) -> Iterator[str]:
        if self.pod_spec is None:
            return
        spec = _plain(self.pod_spec)
        if not isinstance(spec, dict):
            yield f"a pod spec is a mapping or a V1PodSpec, got {type(self.pod_spec).__name__}: {self.pod_spec!r:.80}"
            return
        containers = spec.get("containers", [])
        if not isinstance(containers, list):
            yield f"containers of a pod spec are a list, got {containers!r:.80}"
            return
        for each in containers:
            if not isinstance(each, dict) or not each.get("name"):
                yield f"a container of a pod spec is a mapping with a name, got {each!r:.80}"


def _merge(own: Manifest, container: Container) -> None:
    """Put what the task says about its container over what the template says."""
    own["command"], own["args"] = list(container.command), list(container.args)
    limits, requests = _amounts(container.resources.limits), _amounts(container.resources.requests)
    if limits or requests:
        own["resources"] = {"limits": limits, "requests": requests}
    own["env"] = [{"name": pair.key, "value": pair.value} for pair in container.env] + (own.get("env") or [])


def _amounts(entries: Sequence[ResourcesMessage.ResourceEntry]) -> dict[str, str]:
    names = ResourcesMessage.ResourceName
    return {names.Name(entry.name).lower().replace("_", "-"): entry.value for entry in entries}


def _plain(value: Any) -> Any:
    """A value of the kubernetes library, or of a manifest, as plain data with the names of a manifest."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    names: Mapping[str, str] | None = getattr(value, "attribute_map", None)
    if names is not None and not isinstance(value, ImageSpec):  # a model of the kubernetes library
        found = {key: getattr(value, attribute) for attribute, key in names.items()}
        return {key: _plain(each) for key, each in found.items() if each is not None}
    if is_dataclass(value) and not isinstance(value, (type, ImageSpec)):
        return {each.name: _plain(getattr(value, each.name)) for each in fields_of(value)}
    return value


def _image_name(value: Any) -> str:
    return value.image_name() if isinstance(value, ImageSpec) else str(value)


def _struct(spec: Manifest) -> Struct:
    message = Struct()
    message.update(spec)
    return message
