"""A task as a container: its image and command, the operator's settings, the node's overrides, what it may see."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from alula._kits.aio import to_thread
from alula._kits.units import quantity
from alula.backends.docker.settings import SELF, DockerSettings
from alula.containers.engine.archives import Packing
from alula.containers.engine.records import Mount, Spec
from alula.containers.files.places import Folders, folders
from alula.data import layout, uris
from alula.errors import ConfigError, Rejected, TaskFailure
from alula.idl import Resources, Secret, TaskTemplate, containers
from alula.plugin import template as templates
from alula.plugin.context import TaskContext

_SECRETS, _PREFIX = "/etc/flyte/secrets", "_FSEC_"
"""Where secrets are, as files and as variables. Source: flytekit's `SecretsManager`."""
_OF_THIS_MACHINE = ("ALULA_CODE_ROOT", "ALULA_CODE_PYTHON")
"""Variables for those who share the file system of the engine."""


@dataclass(slots=True)
class Files:
    """What is put into a container before it starts."""

    inputs: str = ""
    """The path of the directory with inputs; empty: there is none."""
    outputs: str = ""
    """The path of the directory for outputs; empty: none is needed."""
    contents: dict[str, bytes] = field(default_factory=dict, repr=False)
    """By absolute path: secrets."""

    def __bool__(self) -> bool:
        return bool(self.inputs or self.outputs or self.contents)

    def pack(self, laid: Path, archive: BinaryIO) -> None:
        """All of it as an archive. Blocks."""
        packing = Packing(archive)
        if self.inputs:
            packing.folder(self.inputs, laid)
        if self.outputs:
            packing.open_folder(self.outputs)
        packing.files(self.contents)
        packing.close()


def takes_files(template: TaskTemplate) -> bool:
    """Whether its container knows nothing of Alula: its inputs are files, and so are its outputs."""
    return containers.files_of(template).enabled


def files_of(template: TaskTemplate) -> Files:
    """What a task has put in and taken out. Raises Rejected for directories that cannot be."""
    return Files(*inside_of(template))


def inside_of(template: TaskTemplate) -> Folders:
    """The directories of a task's files in its container. Raises Rejected."""
    try:
        return folders(template)
    except TaskFailure as exc:
        raise Rejected(exc.what, where=exc.where, fix=exc.fix, code=exc.code) from exc


async def made(task: TaskContext, settings: DockerSettings, files: Files, mounts: tuple[Mount, ...]) -> Spec:
    """The container of a task; what it must find elsewhere is written there, and its secrets are added to `files`.

    Args:
        mounts: What it sees of its data.

    Raises:
        Rejected: The task has no container that this engine could run.
        Unknown: One of its secrets is missing.
    """
    container = containers.of(task.template)
    image = image_of(task)
    beside = containers.beside(task.template)
    if beside:
        raise Rejected(
            f"task '{task.template.id.name}' runs beside other containers ({', '.join(beside)}), and this is one",
            where=task.template.id.name,
            fix="run it on Kubernetes, or start what it needs inside of the task",
        )
    environ = {**settings.environment, **task.environ()}
    environ = {name: value for name, value in environ.items() if name not in _OF_THIS_MACHINE}
    environ |= await _secrets(task, files)
    if not takes_files(task.template):
        environ |= await task.storage()
    words = [*container.command, *container.args, *(pair.value for pair in container.env)]
    if templates.uses(words, "Input") or templates.uses(words, "InputPrefix"):
        await task.inputs_uri()
    if templates.uses(words, "TaskTemplatePath"):
        await task.objects.write(layout.Attempt(task.output_prefix).template, task.template.SerializeToString())
    user = as_whom(settings)
    if mounts and not user and os.getuid():  # or the files that it leaves would not be ours
        user, environ = _self(), {"HOME": "/tmp", **environ}
    spec = Spec(
        name=task.name,
        image=image,
        entrypoint=tuple(task.fill(list(container.command))),
        args=tuple(task.fill(list(container.args))),
        environ=environ,
        labels=dict(task.labels),
        user=user,
        mounts=(*mounts_of(settings), *mounts),
        network=settings.network,
        init=settings.init,
        pids=settings.pids,
        log_bytes=settings.log_limit_bytes,
    )
    return _limited(spec, task, settings)


def image_of(task: TaskContext) -> str:
    overrides, container = task.overrides, containers.of(task.template)
    image = (overrides.container_image if overrides is not None else "") or container.image
    if image:
        return image
    raise Rejected(
        f"task '{task.template.id.name}' of type {task.template.type!r} names no container image",
        where=task.template.id.name,
        fix='give it one: container_image="..."',
    )


def mounts_of(settings: DockerSettings) -> tuple[Mount, ...]:
    """The operator's mounts. Raises ConfigError."""
    found = []
    for text in settings.mounts:
        source, _, rest = text.partition(":")
        target, _, how = rest.partition(":")
        if not source.startswith("/") or not target.startswith("/") or how not in ("", "ro", "rw"):
            raise ConfigError(
                f"{text!r} is no mount", where="mounts in [backends.docker]", fix="write /here:/inside, or /a:/b:rw"
            )
        found.append(Mount(source, target, how != "rw"))
    return tuple(found)


def as_whom(settings: DockerSettings) -> str:
    return _self() if settings.user == SELF else settings.user


def _self() -> str:
    return f"{os.getuid()}:{os.getgid()}"


async def data_mounts(task: TaskContext) -> tuple[Mount, ...]:
    """What a task sees of data that are files of this machine: all of them, and its own directories to write to.

    Raises:
        Rejected: Its files are to go to another place of this machine.
    """
    here, user_data = task.objects.local_path(task.output_prefix), task.objects.local_path(task.raw_prefix)
    root = data_root(str(here), task) if here is not None else ""
    if user_data is not None and not (root and user_data.is_relative_to(root)):
        raise Rejected(
            "a container cannot put its files into a directory of this machine outside of the server's data",
            where=task.raw_prefix,
            fix="name a bucket in raw_output_data_config, or a directory below `data`; or leave it out",
            code="NoSharedFiles",
        )
    if here is None:
        return ()
    own = [here] if user_data is None or user_data.is_relative_to(here) else [here, user_data]
    for path in own:
        await to_thread(_open, path)
    return (Mount(root, root), *(Mount(str(path), str(path), read_only=False) for path in own))


def data_root(path: str, task: TaskContext) -> str:
    """The directory with the data of all executions, given that of one attempt."""
    id, nowhere = task.id, "memory://data"
    marker = layout.Execution.under(nowhere, project=id.project, domain=id.domain, name=id.execution).prefix
    root, found, _ = uris.join(path, "").partition(marker.removeprefix(nowhere) + "/")
    return root if found and root else path


def _open(here: Path) -> None:
    """The directory of an attempt, which whoever the container runs as may write to."""
    here.mkdir(parents=True, exist_ok=True)
    if not os.getuid():
        here.chmod(0o777)


async def _secrets(task: TaskContext, files: Files) -> dict[str, str]:
    """Variables for the secrets of a task; those that are to be files go there."""
    wanted: Iterable[Secret] = task.template.security_context.secrets
    variables: dict[str, str] = {}
    for secret in wanted:
        value = await task.secret(secret.key, secret.group)
        words = [word for word in (secret.group, secret.group_version, secret.key) if word]
        if secret.env_var:
            variables[secret.env_var] = value
        if secret.mount_requirement == Secret.ENV_VAR:
            variables[_PREFIX + "_".join(words).upper()] = value
        else:
            files.contents["/".join([_SECRETS, *(word.lower() for word in words)])] = value.encode()
    if variables or files.contents:
        variables |= {"FLYTE_SECRETS_DEFAULT_DIR": _SECRETS, "FLYTE_SECRETS_ENV_PREFIX": _PREFIX}
    return variables


def _limited(spec: Spec, task: TaskContext, settings: DockerSettings) -> Spec:
    """A container with limits and requests. Raises Rejected for what is no amount."""
    asked, shared = task.resources(), task.template.extended_resources.shared_memory.size_limit
    try:
        limits, requests = _read(asked.limits), _read(asked.requests)
        default = quantity(settings.memory) if settings.memory else 0.0
        shared_bytes = int(quantity(shared)) if shared else 0
    except ValueError as exc:
        raise Rejected(f"task '{task.template.id.name}' asks for too odd an amount: {exc}") from exc
    memory, cpu, gpu = Resources.MEMORY, Resources.CPU, Resources.GPU
    return replace(
        spec,
        memory_bytes=int(limits.get(memory) or (max(default, requests.get(memory, 0.0)) if default else 0)),
        memory_request_bytes=int(requests.get(memory, 0)),
        cpus=limits.get(cpu) or settings.cpus,
        cpu_request=requests.get(cpu) or limits.get(cpu, 0.0),
        gpus=int(limits.get(gpu) or requests.get(gpu, 0)),
        shared_memory_bytes=shared_bytes,
    )


def _read(entries: Iterable[Resources.ResourceEntry]) -> Mapping[int, float]:
    return {entry.name: quantity(entry.value) for entry in entries if entry.value}
