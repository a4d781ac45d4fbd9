"""Who owns which field of an object: `metadata.managedFields` as API servers keep them."""

from __future__ import annotations

import json
from typing import Any

Path = tuple[str, ...]
Fields = dict[Path, Any]

_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "conditions": "type",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "ownerReferences": "uid",
}
_SETS = frozenset({"finalizers"})
_METADATA = ("labels", "annotations", "finalizers", "ownerReferences")
_BARE = frozenset({"metadata", "spec", "status", "names", "containers"})
"""What is always there in typed kinds, and so is no field of its own."""


def applied(resource: dict[str, Any], *, typed: bool) -> Fields:
    """The fields that somebody applies: values only."""
    return {path: value for path, value in flat(resource, "", typed=typed).items() if path[-1] != "."}


def flat(resource: dict[str, Any], part: str, *, typed: bool) -> Fields:
    """The fields of an object with their values. `part`: `status`, or everything else."""
    found: Fields = {}
    if part == "status":
        chosen = {"status": resource["status"]} if resource.get("status") else {}
    else:
        chosen = {k: v for k, v in resource.items() if k not in ("apiVersion", "kind", "metadata", "status")}
        metadata = {k: v for k, v in (resource.get("metadata") or {}).items() if k in _METADATA and v}
        if metadata:
            chosen["metadata"] = metadata
    for key, value in chosen.items():
        _add(found, (f"f:{key}",), key, value, bare=key in _BARE and (typed or key == "metadata"), typed=typed)
    return found


def nested(paths: Any) -> dict[str, Any]:
    """A set of paths in the form FieldsV1."""
    made: dict[str, Any] = {}
    for path in sorted(paths):
        at = made
        for step in path:
            at = at.setdefault(step, {})
    return made


class Managers:
    """The entries of one object."""

    def __init__(self, entries: list[dict[str, Any]] | None = None) -> None:
        self._entries: dict[tuple[str, str, str], tuple[str, str, set[Path]]] = {}
        for one in entries or ():
            key = (one["manager"], one["operation"], one.get("subresource", ""))
            self._entries[key] = (one["apiVersion"], one["time"], set(_paths(one["fieldsV1"])))

    def update(self, manager: str, before: Fields, after: Fields, *, part: str, version: str, time: str) -> None:
        """Somebody wrote an object: what they changed is theirs."""
        changed = {path for path in after if path not in before or before[path] != after[path]}
        removed = before.keys() - after.keys()
        own = (manager, "Update", part)
        if changed or removed:
            for key, (stamp, since, paths) in list(self._entries.items()):
                left = paths - removed - (changed if key != own else set())
                self._entries[key] = (stamp, since, left)
        if changed:
            _, _, paths = self._entries.get(own, (version, time, set()))
            self._entries[own] = (version, time, paths | changed)
        elif removed and own in self._entries:
            self._entries[own] = (version, time, self._entries[own][2])
        self._tidy()

    def conflicts(self, manager: str, before: Fields, wanted: Fields) -> list[tuple[str, Path]]:
        """Whose fields somebody would change by an apply."""
        found = []
        for (other, operation, part), (_, _, paths) in self._entries.items():
            if (other, operation) != (manager, "Apply") and not part:
                found += [
                    (other, path)
                    for path in sorted(paths)
                    if path in wanted and path[-1] != "." and before.get(path) != wanted[path]
                ]
        return found

    def apply(self, manager: str, before: Fields, wanted: Fields, *, version: str, time: str) -> None:
        own = (manager, "Apply", "")
        changed = {path for path in wanted if before.get(path) != wanted[path]}
        for key, (stamp, since, paths) in list(self._entries.items()):
            if key != own:
                self._entries[key] = (stamp, since, paths - changed)
        stamp, since, had = self._entries.get(own, (version, time, set()))
        same = had == set(wanted) and not changed
        self._entries[own] = (version, since if same else time, set(wanted))
        self._tidy()

    def had(self, manager: str) -> set[Path]:
        return self._entries.get((manager, "Apply", ""), ("", "", set()))[2]

    def entries(self) -> list[dict[str, Any]]:
        made = []
        order = sorted(self._entries, key=lambda key: (key[1] != "Apply", self._entries[key][1], key[0], key[2]))
        for key in order:
            manager, operation, part = key
            version, time, paths = self._entries[key]
            entry = {
                "manager": manager,
                "operation": operation,
                "apiVersion": version,
                "time": time,
                "fieldsType": "FieldsV1",
                "fieldsV1": nested(paths),
            }
            made.append({**entry, "subresource": part} if part else entry)
        return made

    def _tidy(self) -> None:
        self._entries = {key: entry for key, entry in self._entries.items() if entry[2]}


def _paths(fields: dict[str, Any], at: Path = ()) -> list[Path]:
    if not fields and at:
        return [at]
    return [path for key, value in fields.items() for path in _paths(value, (*at, key))]


def _add(found: Fields, at: Path, key: str, value: Any, *, bare: bool, typed: bool) -> None:
    by = _KEYS.get(key)
    if isinstance(value, dict) and value:
        if not bare:
            found[*at, "."] = True
        for name, one in value.items():
            _add(found, (*at, f"f:{name}"), name, one, bare=typed and name in _BARE, typed=typed)
    elif isinstance(value, list) and value and key in _SETS:
        found[*at, "."] = True
        found.update({(*at, f"v:{json.dumps(one)}"): one for one in value})
    elif typed and by and isinstance(value, list) and value:
        if not bare and key != "containers":
            found[*at, "."] = True
        for one in value:
            inside = (*at, f"k:{json.dumps({by: one.get(by)}, separators=(',', ':'))}")
            _add(found, inside, "", one, bare=False, typed=typed)
    else:
        found[at] = value
