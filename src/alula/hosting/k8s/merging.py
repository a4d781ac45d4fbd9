"""Pod templates and pods put together: the operator's first, the task's over it; pure.

Containers of a template named `default` are what all containers start from, `primary` what the primary one does, and
those that share a name with one of the task's are merged into it; others are kept beside them. The same goes for init
containers, with `default-init` and `primary-init`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from alula.plugin.k8s import Manifest

_KEYS = {
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}
"""What tells the items of a list apart, where it is not their name. Source: patchMergeKey in core/v1 types.go."""
_APPENDED = frozenset({"tolerations", "nodeSelectorTerms", "envFrom"})
_CONTAINERS = (("containers", "default", "primary"), ("initContainers", "default-init", "primary-init"))


def pods(under: Manifest, over: Manifest, primary: str) -> Manifest:
    """A pod (`metadata` and `spec`) of a template and of what goes over it."""
    spec_under, spec_over = dict(under.get("spec") or {}), dict(over.get("spec") or {})
    made = {}
    for key, default, first in _CONTAINERS:
        lower, upper = spec_under.pop(key, None) or [], spec_over.pop(key, None) or []
        found = _containers(lower, upper, default, first, primary)
        if found:
            made[key] = found
    given = under.get("metadata") or {}
    metadata_under = {name: given.get(name) or {} for name in ("labels", "annotations")}
    metadata = merged(metadata_under, over.get("metadata") or {})
    return {"metadata": metadata, "spec": {**merged(spec_under, spec_over), **made}}


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two objects as one: what `over` says goes; maps are merged, and lists by what tells their items apart."""
    made = deepcopy(dict(under))
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(made.get(key), Mapping):
            made[key] = merged(made[key], value)
        elif isinstance(value, list) and isinstance(made.get(key), list):
            made[key] = _lists(key, made[key], value)
        elif value is not None:
            made[key] = deepcopy(value)
    return made


def _containers(
    lower: Sequence[Manifest], upper: Sequence[Manifest], default: str, first: str, primary: str
) -> list[Manifest]:
    templates = {str(one.get("name", "")): one for one in lower}
    made = []
    for one in upper:
        name = str(one.get("name", ""))
        layers = [templates.get(default), templates.get(first) if name == primary else None]
        layers += [templates.get(name) if name not in (default, first) else None, one]
        whole: Manifest = {}
        for layer in layers:
            whole = merged(whole, layer or {})
        made.append(whole)
    taken = {default, first, *(str(one.get("name", "")) for one in upper)}
    return made + [deepcopy(one) for name, one in templates.items() if name not in taken]


def _lists(key: str, under: Sequence[Any], over: Sequence[Any]) -> list[Any]:
    if key in _APPENDED:
        return [*under, *(item for item in over if item not in under)]
    by = _KEYS.get(key, "name")
    if not all(isinstance(item, Mapping) and by in item for item in (*under, *over)):
        return list(over)
    places = {item[by]: item for item in under}
    for item in over:
        places[item[by]] = merged(places.get(item[by], {}), item)
    return list(places.values())
