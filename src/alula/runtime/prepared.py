"""A task template made ready to run many times in one process."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from google.protobuf.message import DecodeError

from alula.errors import DamagedData
from alula.idl import Container, TaskTemplate, containers
from alula.runtime.arguments import parse
from alula.runtime.attempt import Loaded, load

_TEMPLATE = re.compile(r"\{\{\s*[.$](\w+)\s*\}\}")
_PLACES = {"input": "inputs.pb", "outputprefix": "outputs", "rawoutputdataprefix": "raw", "namespace": ""}
"""What stands for the places on a command line until an attempt brings its own."""
_SECRET_PREFIX = "_FSEC_"


class Prepared:
    """A task template: read at once, its task found when it first runs.

    Args:
        content: The TaskTemplate.
        scratch: A directory for the template, should its command line ask for a file.

    Raises:
        DamagedData: the content is no TaskTemplate.
    """

    def __init__(self, content: bytes, scratch: Path) -> None:
        try:
            self._template = TaskTemplate.FromString(content)
        except DecodeError as exc:
            raise DamagedData(f"{len(content)} bytes are no TaskTemplate: {exc}") from exc
        self._content, self._file = content, scratch / "task.pb"
        container = containers.of(self._template)
        self._words = [*container.command, *container.args]
        self.environment: Mapping[str, str] = _environment(self._template, container)
        """Variables of its container, and those that say which task it is."""
        self.own_variables = bool(container.env)
        self._task: Loaded | None = None

    def task(self) -> Loaded:
        """The task, as its container would find it.

        Raises:
            ConfigError: the command line cannot be read, or leads to no task.
            BaseException: whatever the user's modules raise.
        """
        if self._task is None:
            self._task = load(parse([_TEMPLATE.sub(self._value, word) for word in self._words]))
        return self._task

    def _value(self, match: re.Match[str]) -> str:
        name = match[1].lower()
        if name == "tasktemplatepath":
            self._file.write_bytes(self._content)
            return str(self._file)
        return _PLACES.get(name, match[0])


def _environment(template: TaskTemplate, container: Container) -> dict[str, str]:
    id = template.id
    made = {pair.key: pair.value for pair in container.env}
    made |= {
        "FLYTE_INTERNAL_TASK_PROJECT": id.project,
        "FLYTE_INTERNAL_TASK_DOMAIN": id.domain,
        "FLYTE_INTERNAL_TASK_NAME": id.name,
        "FLYTE_INTERNAL_TASK_VERSION": id.version,
    }
    if container.image:
        made["FLYTE_INTERNAL_IMAGE"] = container.image
    return made | _secrets(template)


def _secrets(template: TaskTemplate) -> dict[str, str]:
    """The secrets that a task asks for and this process has, under the names by which a container finds them.

    On a machine of one's own nobody injects secrets: `DB_PASSWORD` in the environment is the password of `db`.
    """
    made: dict[str, str] = {}
    for secret in template.security_context.secrets:
        words = [word for word in (secret.group, secret.group_version, secret.key) if word]
        plain = "_".join(words).upper()
        value = os.environ.get(_SECRET_PREFIX + plain, os.environ.get(plain))
        if value is not None:
            made[_SECRET_PREFIX + plain] = value
            if secret.env_var:
                made[secret.env_var] = value
    return made


def of_attempt(attempt: tuple[str, str, str, int], index: int, given: Mapping[str, str]) -> dict[str, str]:
    """The variables that say which attempt this is, after those that the execution adds."""
    project, domain, execution, number = attempt
    made = {
        **given,
        "FLYTE_INTERNAL_EXECUTION_PROJECT": project,
        "FLYTE_INTERNAL_EXECUTION_DOMAIN": domain,
        "FLYTE_INTERNAL_EXECUTION_ID": execution,
        "FLYTE_ATTEMPT_NUMBER": str(number),
    }
    if index >= 0:
        made["BATCH_JOB_ARRAY_INDEX_VAR_NAME"] = "FLYTE_K8S_ARRAY_INDEX"
        made["FLYTE_K8S_ARRAY_INDEX"] = str(index)
    return made
