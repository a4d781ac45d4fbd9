"""Secrets that a task asks for, lent to its containers by the cluster: their values never come here; pure, in place.

Source: flytekit's `SecretsManager`, which reads the variable `_FSEC_<GROUP>_<VERSION>_<KEY>` and then the file
`<directory>/<group>/<version>/<key>`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from alula.errors import Rejected
from alula.idl import Secret
from alula.plugin.k8s import Manifest

_DIRECTORY = "/etc/flyte/secrets"
_VARIABLE = "_FSEC_"


def mount(spec: Manifest, secrets: Iterable[Secret]) -> None:
    """Give all containers the secrets: as files, or as variables where the task says so. A group is a Secret object.

    Raises:
        Rejected: A secret names no group, so no object could have it.
    """
    wanted = list(secrets)
    if not wanted:
        return
    variables: dict[str, Manifest] = {
        "FLYTE_SECRETS_DEFAULT_DIR": {"value": _DIRECTORY},
        "FLYTE_SECRETS_ENV_PREFIX": {"value": _VARIABLE},
    }
    folders: dict[tuple[str, str], list[Secret]] = {}
    for secret in wanted:
        if not secret.group:
            raise Rejected(
                f"the secret {secret.key!r} has no group, which is the name of the Secret object that holds it",
                fix="write Secret(group='name-of-the-object', key='...')",
            )
        source = {"valueFrom": {"secretKeyRef": {"name": secret.group, "key": secret.key}}}
        if secret.env_var:
            variables[secret.env_var] = source
        if secret.mount_requirement == Secret.ENV_VAR:
            words = (secret.group, secret.group_version, secret.key)
            variables[_VARIABLE + "_".join(filter(None, words)).upper()] = source
        else:
            folders.setdefault((secret.group, secret.group_version), []).append(secret)
    for (group, version), held in folders.items():
        _as_files(spec, group, version, held)
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        given = {str(pair["name"]): pair for pair in container.get("env", ())}
        given.update({name: {"name": name, **value} for name, value in variables.items()})
        container["env"] = list(given.values())


def _as_files(spec: Manifest, group: str, version: str, held: Iterable[Secret]) -> None:
    path = "/".join(filter(None, (_DIRECTORY, group.lower(), version.lower())))
    name = f"secret-{hashlib.sha256(path.encode()).hexdigest()[:16]}"
    keys = sorted({one.key for one in held if one.key})
    source: Manifest = {"secretName": group}
    if keys:
        source["items"] = [{"key": key, "path": key.lower()} for key in keys]
    spec.setdefault("volumes", []).append({"name": name, "secret": source})
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        container.setdefault("volumeMounts", []).append({"name": name, "mountPath": path, "readOnly": True})
