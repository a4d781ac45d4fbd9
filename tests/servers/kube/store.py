"""The objects of the API server for tests: versions, selectors, updates, deletion; every change is kept, in order."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tests.servers.kube import kinds, managed
from tests.servers.kube.kinds import BUILT_IN, Invalid, Manifest, Resource

Key = tuple[str, str, str]
"""Plural with group, namespace, name."""


class Refusal(Exception):
    """An answer that is a `Status`."""

    def __init__(self, code: int, reason: str, message: str, details: Manifest | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body: Manifest = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        self.body.update({"message": message, "reason": reason, "code": code})
        if details:
            self.body["details"] = details


@dataclass(frozen=True)
class Change:
    version: int
    key: Key
    what: str
    resource: Manifest
    before: Manifest | None


class Store:
    """Objects under versions. Every method may be called from any thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.resources = list(BUILT_IN)
        self.version = 200
        self.compacted = 0
        """Versions before this one are too old to watch or to list from."""
        self.objects: dict[Key, Manifest] = {}
        self.changes: list[Change] = []
        self.listeners: list[Callable[[Change], None]] = []

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        found = (r for r in self.resources if (r.group, r.version, r.plural) == (group, version, plural))
        return next(found, None)

    def key(self, kind: Resource, namespace: str, name: str) -> Key:
        return kind.full, namespace if kind.namespaced else "", name

    # Reading.

    def get(self, kind: Resource, namespace: str, name: str) -> Manifest:
        with self.lock:
            found = self.objects.get(self.key(kind, namespace, name))
            if found is None:
                raise missing(kind, name)
            return deepcopy(found)

    def list(
        self, kind: Resource, namespace: str, *, labels: str = "", fields: str = "", limit: int = 0, token: str = ""
    ) -> Manifest:
        with self.lock:
            version, start = self.version, ""
            if token:
                found = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
                version, start = found["rv"], found["start"].rstrip("\0")
                if version < self.compacted:
                    raise expired("The provided continue parameter is too old")
            items = []
            for key in sorted(self.objects):
                if key[0] != kind.full or (namespace and key[1] != namespace) or (start and key[2] <= start):
                    continue
                one = self.objects[key]
                if selected(one, labels) and field_selected(one, fields):
                    items.append({k: v for k, v in deepcopy(one).items() if k not in ("kind", "apiVersion")})
            metadata: Manifest = {"resourceVersion": str(version)}
            if limit and len(items) > limit:
                left = len(items) - limit
                items = items[:limit]
                start = items[-1]["metadata"]["name"] + "\0"
                data = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": start}, separators=(",", ":"))
                metadata["continue"] = base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")
                if not labels and not fields:
                    metadata["remainingItemCount"] = left
            return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": items}

    # Writing.

    def create(self, kind: Resource, namespace: str, body: Manifest, manager: str) -> Manifest:
        with self.lock:
            made = self._ready(kind, namespace, body)
            name = made["metadata"]["name"]
            key = self.key(kind, namespace, name)
            self._admit(kind, namespace, made)
            if key in self.objects:
                message = f'{kind.full} "{name}" already exists'
                raise Refusal(409, "AlreadyExists", message, _details(kind, name))
            made["metadata"].update(uid=str(uuid4()), creationTimestamp=now())
            if kind.generation:
                made["metadata"]["generation"] = 1
            owners = managed.Managers()
            fields = managed.flat(made, "", typed=kind.typed)
            made = kinds.admitted(made)
            if kind.kind == "Namespace":
                fields = managed.flat({"metadata": made["metadata"]}, "", typed=True)
            owners.update(manager, {}, fields, part="", version=kind.api_version, time=now())
            made["metadata"]["managedFields"] = owners.entries()
            self._put(key, "ADDED", made)
            if kind.kind == "CustomResourceDefinition":
                self._define(made)
            return deepcopy(self.objects.get(key, made))

    def write(self, kind: Resource, namespace: str, name: str, after: Manifest, manager: str, part: str) -> Manifest:
        """Put an object in place of a former state of it. `part`: `status`, or empty for everything else."""
        with self.lock:
            before = self.get(kind, namespace, name)
            given = after["metadata"].get("resourceVersion")
            if given and given != before["metadata"]["resourceVersion"]:
                raise conflict(kind, name)
            made = kinds.defaulted(_joined(before, after, part, status=kind.status))
            if kind.kind == "Pod" and not part:
                self._checked(kind, name, lambda: kinds.changed_pod(before, made))
            old, new = (managed.flat(one, part, typed=kind.typed) for one in (before, made))
            owners = managed.Managers(before["metadata"].get("managedFields"))
            owners.update(manager, old, new, part=part, version=kind.api_version, time=now())
            if kind.kind == "Pod" and part:
                for condition in made["status"].get("conditions") or ():
                    condition.setdefault("observedGeneration", made["metadata"]["generation"])
            if _content(made) == _content(before):
                return before
            made["metadata"]["managedFields"] = owners.entries()
            if kind.generation and made.get("spec") != before.get("spec"):
                made["metadata"]["generation"] += 1
            return self._written(kind, self.key(kind, namespace, name), before, made)

    def merge(self, kind: Resource, namespace: str, name: str, patch: Manifest, manager: str, part: str) -> Manifest:
        with self.lock:
            before = self.get(kind, namespace, name)
            given = (patch.get("metadata") or {}).get("resourceVersion")
            after = merged(before, patch)
            if not given:
                after["metadata"].pop("resourceVersion", None)
            return self.write(kind, namespace, name, after, manager, part)

    def apply(self, kind: Resource, namespace: str, name: str, body: Manifest, manager: str, *, force: bool) -> Any:
        """Server-side apply. Gives the status code as well."""
        with self.lock:
            key = self.key(kind, namespace, name)
            wanted = managed.applied(body, typed=kind.typed)
            before = self.objects.get(key)
            if before is None:
                made = self._ready(kind, namespace, body)
                made["metadata"].update(uid=str(uuid4()), creationTimestamp=now())
                owners = managed.Managers()
                owners.apply(manager, {}, wanted, version=kind.api_version, time=now())
                made["metadata"]["managedFields"] = owners.entries()
                return 201, self._put(key, "ADDED", made)
            owners = managed.Managers(before["metadata"]["managedFields"])
            old = managed.applied(before, typed=kind.typed)
            found = owners.conflicts(manager, old, wanted)
            if found and not force:
                causes = [
                    {
                        "reason": "FieldManagerConflict",
                        "message": f'conflict with "{other}"',
                        "field": "".join(f".{step.removeprefix('f:')}" for step in path),
                    }
                    for other, path in found
                ]
                said = ", ".join(f"{one['message']}: {one['field']}" for one in causes)
                plural = "conflict" if len(causes) == 1 else "conflicts"
                message = f"Apply failed with {len(causes)} {plural}: {said}"
                raise Refusal(409, "Conflict", message, {"causes": causes})
            owners.apply(manager, old, wanted, version=kind.api_version, time=now())
            made = merged(before, {k: v for k, v in body.items() if k not in ("kind", "apiVersion")})
            made["metadata"]["managedFields"] = owners.entries()
            if made == before:
                return 200, deepcopy(before)
            return 200, self._written(kind, key, deepcopy(before), made)

    def delete(self, kind: Resource, namespace: str, name: str, options: Manifest | None = None) -> Manifest:
        with self.lock:
            found = self.get(kind, namespace, name)
            key, metadata = self.key(kind, namespace, name), found["metadata"]
            options = options or {}
            for what, value in (options.get("preconditions") or {}).items():
                if metadata.get(what) != value:
                    said = f"the {what.upper() if what == 'uid' else what} in the precondition ({value}) does not match"
                    message = f'Operation cannot be fulfilled on {kind.full} "{name}": {said}'
                    raise Refusal(409, "Conflict", message, _details(kind, name))
            grace = _grace(kind, found, options.get("gracePeriodSeconds"))
            if not grace and not metadata.get("finalizers") and kind.kind != "Namespace":
                self._put(key, "DELETED", None)
                return found
            if metadata.get("deletionTimestamp"):
                if grace < metadata.get("deletionGracePeriodSeconds", 0):
                    metadata["deletionGracePeriodSeconds"] = grace
                    return self._put(key, "MODIFIED", found)
                return found
            metadata["deletionTimestamp"] = now()
            if kind.generation:
                metadata["deletionGracePeriodSeconds"] = grace
                metadata["generation"] = metadata.get("generation", 0) + 1
            if kind.kind == "Namespace":
                found["status"] = {"phase": "Terminating"}
            return self._put(key, "MODIFIED", found)

    def gone(self, kind: Resource, namespace: str, name: str) -> None:
        """Take away an object that was waiting for its end, as a kubelet does once its containers are dead."""
        with self.lock:
            found = self.get(kind, namespace, name)
            found["metadata"]["deletionGracePeriodSeconds"] = 0
            key = self.key(kind, namespace, name)
            if found["metadata"].get("finalizers"):
                self._put(key, "MODIFIED", found)
            else:
                self._put(key, "DELETED", None)

    # Within.

    def _written(self, kind: Resource, key: Key, before: Manifest, made: Manifest) -> Manifest:
        metadata = made["metadata"]
        waits = metadata.get("deletionTimestamp") and not metadata.get("finalizers")
        if waits and not metadata.get("deletionGracePeriodSeconds"):
            self._put(key, "DELETED", None)
            return made  # as it was never stored
        return self._put(key, "MODIFIED", made)

    def _put(self, key: Key, what: str, made: Manifest | None) -> Manifest:
        self.version += 1
        before = self.objects.get(key)
        if made is None:
            assert before is not None
            del self.objects[key]
            made = deepcopy(before)
            made["metadata"]["resourceVersion"] = str(self.version)
        else:
            made["metadata"]["resourceVersion"] = str(self.version)
            self.objects[key] = deepcopy(made)
        change = Change(self.version, key, what, deepcopy(made), before)
        self.changes.append(change)
        for listener in list(self.listeners):
            listener(change)
        return made

    def _ready(self, kind: Resource, namespace: str, body: Manifest) -> Manifest:
        made = kinds.defaulted({**body, "kind": kind.kind, "apiVersion": kind.api_version})
        metadata = made.setdefault("metadata", {})
        if kind.namespaced:
            metadata["namespace"] = namespace
        for name in ("finalizers", "labels", "annotations"):
            if name in metadata and not metadata[name]:
                del metadata[name]
        self._checked(kind, str(metadata.get("name") or ""), lambda: kinds.check(made))
        return made

    def _checked(self, kind: Resource, name: str, check: Callable[[], None]) -> None:
        try:
            check()
        except Invalid as exc:
            said = [f"{field}: {message}" for _, message, field in exc.causes]
            text = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
            causes = [{"reason": r, "message": m, "field": f} for r, m, f in exc.causes]
            details = {"name": name, "kind": kind.kind, "causes": causes}
            if kind.group:
                details["group"] = kind.group
            raise Refusal(422, "Invalid", f'{kind.kind} "{name}" is invalid: {text}', details) from exc

    def _admit(self, kind: Resource, namespace: str, made: Manifest) -> None:
        """Refuse what has no place. Quotas come before the look whether the name is taken."""
        if not kind.namespaced:
            return
        space = self.objects.get(("namespaces", "", namespace))
        if space is None:
            message = f'namespaces "{namespace}" not found'
            raise Refusal(404, "NotFound", message, {"name": namespace, "kind": "namespaces"})
        name = made["metadata"]["name"]
        if space["metadata"].get("deletionTimestamp"):
            said = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = {"reason": "NamespaceTerminating", "message": said, "field": "metadata.namespace"}
            raise Refusal(
                403,
                "Forbidden",
                f'{kind.full} "{name}" is forbidden: {said}',
                _details(kind, name) | {"causes": [cause]},
            )
        if kind.kind != "Pod" or self.key(kind, namespace, name) in self.objects:
            return
        wants = kinds.asked(made["spec"])
        for (full, where, quota), one in sorted(self.objects.items()):
            if full != "resourcequotas" or where != namespace:
                continue
            hard, used = one["spec"]["hard"], self.used(namespace)
            over = [n for n in sorted(hard) if n in wants and used.get(n, 0) + wants[n] > kinds.amount(hard[n])]
            if over:
                parts = (
                    ",".join(f"{n}={_shown(wants[n])}" for n in over),
                    ",".join(f"{n}={_shown(used.get(n, 0))}" for n in over),
                    ",".join(f"{n}={hard[n]}" for n in over),
                )
                said = f"exceeded quota: {quota}, requested: {parts[0]}, used: {parts[1]}, limited: {parts[2]}"
                raise Refusal(403, "Forbidden", f'pods "{name}" is forbidden: {said}', _details(kind, name))

    def used(self, namespace: str) -> dict[str, Any]:
        """What the pods of a namespace that have not ended ask for."""
        totals: dict[str, Any] = {}
        for (full, where, _), one in self.objects.items():
            if full == "pods" and where == namespace and one["status"].get("phase") not in ("Succeeded", "Failed"):
                for name, value in kinds.asked(one["spec"]).items():
                    totals[name] = totals.get(name, 0) + value
        return totals

    def _define(self, definition: Manifest) -> None:
        spec = definition["spec"]
        for one in spec["versions"]:
            self.resources.append(
                Resource(
                    spec["group"],
                    one["name"],
                    spec["names"]["plural"],
                    spec["names"]["kind"],
                    namespaced=spec["scope"] == "Namespaced",
                    status="status" in (one.get("subresources") or {}),
                    generation=True,
                    typed=False,
                )
            )


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def missing(kind: Resource, name: str) -> Refusal:
    group = {"group": kind.group} if kind.group else {}
    return Refusal(404, "NotFound", f'{kind.full} "{name}" not found', {"name": name, **group, "kind": kind.plural})


def conflict(kind: Resource, name: str) -> Refusal:
    said = "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {kind.full} "{name}": {said}'
    return Refusal(409, "Conflict", message, {"name": name, "kind": kind.plural})


def expired(message: str) -> Refusal:
    return Refusal(410, "Expired", message)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    made = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), value)
    return deepcopy(made)


def selected(resource: Manifest, selector: str) -> bool:
    """Whether labels match: `a=b`, `a!=b`, `a`, `!a`, with commas between them."""
    labels = resource["metadata"].get("labels") or {}
    for term in filter(None, (one.strip() for one in selector.split(","))):
        name, unequal, value = term.partition("!=")
        if unequal:
            if labels.get(name) == value:
                return False
            continue
        name, equal, value = term.replace("==", "=").partition("=")
        if equal:
            if labels.get(name) != value:
                return False
        elif (name.removeprefix("!") in labels) == name.startswith("!"):
            return False
    return True


def field_selected(resource: Manifest, selector: str) -> bool:
    for term in filter(None, selector.split(",")):
        path, _, value = term.partition("=")
        found: Any = resource
        for step in path.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        if str(found or "") != value:
            return False
    return True


def _joined(before: Manifest, after: Manifest, part: str, *, status: bool) -> Manifest:
    """The part that is written over the rest of what is there. Nobody writes what only the server does."""
    if part == "status":
        return {**deepcopy(before), "status": deepcopy(after.get("status") or {})}
    made = deepcopy(after)
    kept = (
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    )
    metadata = {
        k: v
        for k, v in made["metadata"].items()
        if k in ("labels", "annotations", "finalizers", "ownerReferences") and v
    }
    metadata |= {
        k: before["metadata"][k] for k in (*kept, "resourceVersion", "managedFields") if k in before["metadata"]
    }
    made["metadata"] = metadata
    made["kind"], made["apiVersion"] = before["kind"], before["apiVersion"]
    if status:
        made.pop("status", None)
        if "status" in before:
            made["status"] = deepcopy(before["status"])
    return made


def _content(resource: Manifest) -> Manifest:
    metadata = {k: v for k, v in resource["metadata"].items() if k not in ("managedFields", "resourceVersion")}
    return {**resource, "metadata": metadata}


def _shown(value: Any) -> str:
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def _details(kind: Resource, name: str) -> Manifest:
    group = {"group": kind.group} if kind.group else {}
    return {"name": name, **group, "kind": kind.plural}


def _grace(kind: Resource, found: Manifest, asked: Any) -> int:
    """Seconds that an object has to end: only a pod that runs on a node is given any."""
    if kind.kind != "Pod" or not found["spec"].get("nodeName"):
        return 0
    if found["status"].get("phase") in ("Succeeded", "Failed"):
        return 0
    return int(found["spec"]["terminationGracePeriodSeconds"] if asked is None else asked)
