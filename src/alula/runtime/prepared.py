"""A task template made ready to run many times in one process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from google.protobuf.message import DecodeError

from alula.errors import DamagedData
from alula.idl import TaskTemplate, containers
from alula.runtime.arguments import parse
from alula.runtime.attempt import Loaded, load
from alula.runtime.variables import of_template

_TEMPLATE = re.compile(r"\{\{\s*[.$](\w+)\s*\}\}")
_PLACES = {"input": "inputs.pb", "outputprefix": "outputs", "rawoutputdataprefix": "raw", "namespace": ""}
"""What stands for the places on a command line until an attempt brings its own."""


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
        self.environment: Mapping[str, str] = of_template(self._template, container)
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
