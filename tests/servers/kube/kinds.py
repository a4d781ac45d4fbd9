"""What the API server knows of each kind: where it lives, what it fills in, what it refuses."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from kubernetes_validate import utils as schemas

Manifest = dict[str, Any]
_NAME = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_NAME_HELP = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_NAME}')"
)
_SCHEMAS = "kubernetes-json-schema/v1.36.0-local-strict"
IMMUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


@dataclass(frozen=True)
class Resource:
    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    status: bool = False
    """Whether it has a status subresource."""
    generation: bool = False
    typed: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full(self) -> str:
        """As it stands in messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


BUILT_IN = (
    Resource("", "v1", "namespaces", "Namespace", namespaced=False, status=True),
    Resource("", "v1", "pods", "Pod", status=True, generation=True),
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "secrets", "Secret"),
    Resource("", "v1", "events", "Event"),
    Resource("", "v1", "podtemplates", "PodTemplate", generation=True),
    Resource("", "v1", "resourcequotas", "ResourceQuota", status=True),
    Resource(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        namespaced=False,
        status=True,
        generation=True,
    ),
)


class Invalid(Exception):
    """Causes, each with reason, message and field."""

    def __init__(self, causes: list[tuple[str, str, str]]) -> None:
        super().__init__(causes)
        self.causes = causes


def unknown_fields(resource: Manifest) -> list[str]:
    """Fields that the published schema of a kind lacks, as strict decoding names them."""
    kind, (group, _, version) = resource.get("kind", ""), resource.get("apiVersion", "").rpartition("/")
    name = "-".join(filter(None, (kind.lower(), group.split(".")[0], version)))
    try:
        schema = _schema(name)
    except FileNotFoundError:
        return []  # a custom resource
    found: list[str] = []
    _unknown(resource, schema, "", found)
    return found


def defaulted(resource: Manifest) -> Manifest:
    """An object with what decoding fills in."""
    made = deepcopy(resource)
    if made.get("kind") == "Pod":
        spec = made.setdefault("spec", {})
        for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
            _container(container)
        for name, value in (
            ("restartPolicy", "Always"),
            ("terminationGracePeriodSeconds", 30),
            ("dnsPolicy", "ClusterFirst"),
            ("securityContext", {}),
            ("schedulerName", "default-scheduler"),
            ("enableServiceLinks", True),
        ):
            spec.setdefault(name, value)
        _status(made.get("status") or {})
    elif made.get("kind") == "CustomResourceDefinition":
        names = made["spec"]["names"]
        names.setdefault("listKind", f"{names['kind']}List")
        made["spec"].setdefault("conversion", {"strategy": "None"})
    return made


def admitted(resource: Manifest) -> Manifest:
    """An object with what admission and its strategy fill in when it is created."""
    kind, name = resource.get("kind"), resource["metadata"]["name"]
    if kind == "Pod":
        spec = resource["spec"]
        have = {one.get("key") for one in spec.get("tolerations") or ()}
        spec["tolerations"] = [*(spec.get("tolerations") or ()), *(t for t in _TOLERATIONS if t["key"] not in have)]
        spec.update(priority=0, preemptionPolicy="PreemptLowerPriority")
        resource["status"] = {"phase": "Pending", "qosClass": _quality(spec)}
    elif kind == "Namespace":
        resource.setdefault("spec", {"finalizers": ["kubernetes"]})
        resource["status"] = {"phase": "Active"}
    elif kind == "ResourceQuota":
        resource["status"] = {}
    elif kind == "CustomResourceDefinition":
        versions = [one["name"] for one in resource["spec"]["versions"] if one.get("storage")]
        empty = {"plural": "", "kind": ""}
        resource["status"] = {"conditions": None, "acceptedNames": empty, "storedVersions": versions}
    elif "status" in resource and kind != "Event":
        del resource["status"]
    if kind == "Namespace":
        resource["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
    return resource


def check(resource: Manifest) -> None:
    """Refuse what is wrong in itself. Raises Invalid."""
    causes: list[tuple[str, str, str]] = []
    name = str((resource.get("metadata") or {}).get("name") or "")
    if not re.fullmatch(_NAME, name) or len(name) > 253:
        causes.append(("FieldValueInvalid", f'Invalid value: "{name}": {_NAME_HELP}', "metadata.name"))
    if resource.get("kind") == "Pod":
        containers = resource["spec"].get("containers") or []
        if not containers:
            causes.append(("FieldValueRequired", "Required value", "spec.containers"))
        for index, container in enumerate(containers):
            causes += _container_faults(container, f"spec.containers[{index}]")
    if causes:
        raise Invalid(causes)


def changed_pod(before: Manifest, after: Manifest) -> None:
    """Refuse changes of a pod that are not allowed. Raises Invalid."""

    def fixed(resource: Manifest) -> Manifest:
        spec = deepcopy(resource["spec"])
        for container in [*spec.get("containers", ()), *spec.get("initContainers", ())]:
            container.pop("image", None)
        for name in ("tolerations", "activeDeadlineSeconds", "terminationGracePeriodSeconds"):
            spec.pop(name, None)
        return spec

    if fixed(before) != fixed(after):
        raise Invalid([("FieldValueForbidden", f"Forbidden: {IMMUTABLE}\n@@", "spec")])


def asked(spec: Manifest) -> dict[str, Decimal]:
    """What a pod counts for in quotas."""
    totals: dict[str, Decimal] = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for container in spec.get("containers", ()):
        resources = container.get("resources") or {}
        limits = resources.get("limits") or {}
        for side, values in (("requests", {**limits, **(resources.get("requests") or {})}), ("limits", limits)):
            for name, text in values.items():
                for key in (f"{side}.{name}", *((name,) if side == "requests" else ())):
                    totals[key] = totals.get(key, Decimal(0)) + amount(text)
    return totals


def amount(text: Any) -> Decimal:
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text))
    assert found, text
    powers = {"": 1, "m": Decimal("0.001"), "k": 10**3, "M": 10**6, "G": 10**9}
    powers.update({f"{letter}i": 1024**power for power, letter in enumerate("KMGT", 1)})
    return Decimal(found[1]) * Decimal(powers[found[2]])


_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
]


def _container(container: Manifest) -> None:
    image = str(container.get("image") or "")
    latest = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    resources = container["resources"]
    for name, value in (resources.get("limits") or {}).items():
        resources.setdefault("requests", {}).setdefault(name, value)


def _status(status: Manifest) -> None:
    for condition in status.get("conditions") or ():
        condition.setdefault("lastProbeTime", None)
        condition.setdefault("lastTransitionTime", None)
    for one in [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]:
        one.setdefault("state", {})
        one.setdefault("lastState", {})
        one.setdefault("ready", False)
        one.setdefault("restartCount", 0)
        one.setdefault("image", "")
        one.setdefault("imageID", "")


def _container_faults(container: Manifest, where: str) -> list[tuple[str, str, str]]:
    found = []
    if not container.get("image"):
        found.append(("FieldValueRequired", "Required value", f"{where}.image"))
    resources = container.get("resources") or {}
    limits = resources.get("limits") or {}
    for name, text in sorted((resources.get("requests") or {}).items()):
        if name in limits and amount(text) > amount(limits[name]):
            said = f'Invalid value: "{text}": must be less than or equal to {name} limit of {limits[name]}'
            found.append(("FieldValueInvalid", said, f"{where}.resources.requests"))
    return found


def _quality(spec: Manifest) -> str:
    resources = [one.get("resources") or {} for one in spec.get("containers", ())]
    if not any(one.get("requests") or one.get("limits") for one in resources):
        return "BestEffort"
    sure = all(
        {"cpu", "memory"} <= set(one.get("limits") or ()) and one.get("requests") == one.get("limits")
        for one in resources
    )
    return "Guaranteed" if sure else "Burstable"


@cache
def _schema(name: str) -> Any:
    return schemas.schema_contents(f"{_SCHEMAS}/{name}.json", "1.36")


def _unknown(value: Any, schema: Any, path: str, found: list[str]) -> None:
    if "$ref" in schema:
        schema = _reference(schema["$ref"])
    if isinstance(value, list):
        for index, one in enumerate(value):
            _unknown(one, schema.get("items") or {}, f"{path}[{index}]", found)
    elif isinstance(value, dict):
        known = schema.get("properties")
        more = schema.get("additionalProperties")
        for key, one in value.items():
            where = f"{path}.{key}" if path else key
            if known and key in known:
                _unknown(one, known[key], where, found)
            elif isinstance(more, dict):
                _unknown(one, more, where, found)
            elif known and more is False:
                found.append(where)


def _reference(text: str) -> Any:
    found = _schema("_definitions")
    for step in filter(None, text.partition("#")[2].split("/")):
        found = found[step]
    return found
