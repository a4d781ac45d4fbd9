"""The container of a task template, be it alone or in a pod, and what its command line says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from google.protobuf.json_format import MessageToDict

from alula.idl import Container, DataLoadingConfig, TaskTemplate

_PRIMARY = "primary_container_name"


def of(template: TaskTemplate) -> Container:
    """The container that runs the task, as far as a process can be it: image, command, arguments and variables.

    Empty if the template has none.
    """
    if template.WhichOneof("target") != "k8s_pod":
        return template.container
    made = Container()
    for found in _in_pod(template)[:1]:
        made.image = str(found.get("image", ""))
        made.command.extend(map(str, found.get("command", ())))
        made.args.extend(map(str, found.get("args", ())))
        for pair in found.get("env", ()):
            if "value" in pair:
                made.env.add(key=str(pair["name"]), value=str(pair["value"]))
    return made


def files_of(template: TaskTemplate) -> DataLoadingConfig:
    """Where a container that knows nothing of Alula gets its inputs and leaves its outputs; not enabled: nowhere."""
    pod = template.WhichOneof("target") == "k8s_pod"
    return template.k8s_pod.data_config if pod else template.container.data_config


def beside(template: TaskTemplate) -> list[str]:
    """The names of the other containers of a task's pod."""
    if template.WhichOneof("target") != "k8s_pod":
        return []
    return [str(one.get("name", "")) for one in _in_pod(template)[1:]]


def is_program(word: str) -> bool:
    """Whether a word of a command line is the program that runs Python tasks, Alula's or flytekit's."""
    name = PurePath(word).name
    return name.startswith(("alula-", "pyflyte-")) and name.endswith("execute")


def option(words: Sequence[str], name: str) -> str:
    """The value of an option on a command line; empty if it is absent, or a template that nobody filled in."""
    flag = f"--{name}"
    for at, word in enumerate(words):
        head, equals, value = word.partition("=")
        if head == flag:
            given = value if equals else words[at + 1] if at + 1 < len(words) else ""
            return "" if given.startswith("{{") else given
    return ""


def _in_pod(template: TaskTemplate) -> list[dict[str, Any]]:
    """The containers of a pod as plain data, the one that runs the task first."""
    wanted = template.config.get(_PRIMARY, "")
    found: list[dict[str, Any]] = MessageToDict(template.k8s_pod.pod_spec).get("containers", [])
    return sorted(found, key=lambda one: one.get("name") != wanted)
