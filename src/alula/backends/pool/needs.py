"""What a job needs, read off its template: resources, code, and whether a process can be its container at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from alula._kits.units import quantity
from alula.idl import Resources, TaskNodeOverrides, TaskTemplate, containers

_SAID_BY_FLYTE = ("FLYTE_", "_F_")
"""Beginnings of names: variables that flytekit reads itself, when a task runs."""


@dataclass(frozen=True, slots=True)
class Code:
    """What a zygote imports before it forks."""

    bundle: str = ""
    """URI of a code bundle; empty: the code that is here."""
    variables: tuple[tuple[str, str], ...] = ()
    """Of tasks of flytekit's: those of their container, which their modules may read when they are imported."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a job takes while it runs."""

    cpus: float = 1.0
    memory_bytes: int = 0
    """What it asks for."""
    memory_limit_bytes: int = 0
    """What it may not exceed; 0: nothing is said."""


def refusal(template: TaskTemplate) -> str:
    """Why no worker can run a task, with a way out; empty if one can."""
    container = containers.of(template)
    words = [*container.command, *container.args]
    what = f"task '{template.id.name}' of type {template.type!r}"
    if any(containers.is_program(word) for word in words[:2]):
        others = containers.beside(template)
        if others:
            return (
                f"{what} runs beside other containers ({', '.join(others)}), and a worker is one process: "
                "run it on Kubernetes, or start what it needs inside the task"
            )
        return ""
    if template.WhichOneof("target") == "sql":
        return (
            f"{what} is a statement for a database service, and workers run Python tasks only: "
            "use SQLite3Task, or a @task with a database driver"
        )
    if words or container.image:
        command = " ".join(words) or "its entry point"
        return (
            f"{what} runs {command:.80} in the image {container.image or '(none)'}, and workers run Python tasks only: "
            "use a ShellTask or @task, or give it to a backend that runs containers"
        )
    return f"{what} has no container, and workers run Python tasks only: name a backend that serves this type"


def need(template: TaskTemplate, overrides: TaskNodeOverrides | None) -> Need:
    """What a job takes. Raises ValueError with what is no quantity."""
    asked, limits = dict[int, float](), dict[int, float]()
    given = [template.container.resources]
    if overrides is not None and overrides.HasField("resources"):
        given.append(overrides.resources)
    for resources in given:
        asked |= {entry.name: quantity(entry.value) for entry in resources.requests if entry.value}
        limits |= {entry.name: quantity(entry.value) for entry in resources.limits if entry.value}
    cpu, memory = Resources.CPU, Resources.MEMORY
    # An eager task waits for others: if it held a core meanwhile, a few of them would leave none for those.
    usual = 0.0 if template.metadata.is_eager else 1.0
    return Need(
        cpus=asked.get(cpu) or limits.get(cpu) or usual,
        memory_bytes=int(asked.get(memory) or limits.get(memory) or 0),
        memory_limit_bytes=int(limits.get(memory, 0)),
    )


def code(template: TaskTemplate) -> tuple[Code, str]:
    """Which code a job needs, and the module of its task, if the command line names one."""
    container = containers.of(template)
    words = list(container.args)
    bundle = containers.option(words, "additional-distribution") or containers.option(words, "dynamic-addl-distro")
    module = words[words.index("task-module") + 1] if "task-module" in words[:-1] else ""
    theirs = any(PurePath(word).name.startswith("pyflyte-") for word in [*container.command, *words][:1])
    variables = {pair.key: pair.value for pair in container.env if not pair.key.startswith(_SAID_BY_FLYTE)}
    return Code(bundle, tuple(sorted(variables.items())) if theirs else ()), module


def shown_bytes(count: float) -> str:
    """Bytes as people write them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.4g} {unit}"
