"""Where the files of a container are, and which names they may have; pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from alula.errors import TaskFailure
from alula.idl import TaskTemplate, containers, templates

ERROR = "_ERROR"
"""A file among the outputs with the text of why the task failed."""
SAID = "USER:ContainerError"
"""The code of a failure whose text is that of `_ERROR`."""
COPILOTS = ("alula-download", "alula-upload")
"""The names of the containers that move the files of a task in its pod."""
COPILOT = "CopilotFailed"
"""The code of a failure of whoever moves files in a pod; what went wrong is in the attempt's error, if it got there."""
INPUTS, OUTPUTS = "/var/flyte/inputs", "/var/flyte/outputs"
"""Where they are in containers of tasks that leave it open. Source: flyteplugins, `flytek8s/config`."""
_RESERVED = frozenset({"inputs.json", "inputs.yaml", "inputs.pb", ERROR})


class Folders(NamedTuple):
    """The two directories of a container, as it knows them; empty: it has no use for it."""

    inputs: str
    outputs: str


def folders(template: TaskTemplate) -> Folders:
    """Where a task wants its inputs as files, and where it leaves its outputs.

    Raises:
        TaskFailure: The directories are relative, or one is within the other.
    """
    config = containers.files_of(template)
    if not config.enabled:
        return Folders("", "")
    inputs, outputs = config.input_path, config.output_path
    if not template.interface.inputs.variables:
        inputs = ""
    elif not inputs and template.interface.inputs.variables.keys() - templates.inputs_in(templates.words_of(template)):
        inputs = INPUTS
    outputs = (outputs or OUTPUTS) if template.interface.outputs.variables else outputs
    paths = [PurePosixPath(path) for path in (inputs, outputs) if path]
    bad = [str(path) for path in paths if not path.is_absolute() or ".." in path.parts or len(path.parts) < 2]
    nested = len(paths) == 2 and (paths[0].is_relative_to(paths[1]) or paths[1].is_relative_to(paths[0]))
    if bad or nested:
        raise TaskFailure(
            f"container task '{template.id.name}' has its inputs in {inputs!r} and its outputs in {outputs!r}",
            where=template.id.name,
            fix="give two absolute directories, none of them within the other",
            code="BadTaskFormat",
        )
    return Folders(*(str(PurePosixPath(path)) if path else "" for path in (inputs, outputs)))


def misnamed(names: Iterable[str], *, reserved: bool = True) -> dict[str, str]:
    """Why names can be none of a file, for those that cannot.

    Args:
        reserved: Names that mean something else here are no good either.
    """
    found = {name: _why(name, reserved) for name in names}
    return {name: why for name, why in found.items() if why}


def _why(name: str, reserved: bool) -> str:
    if not name or name in (".", "..") or "/" in name or "\0" in name or "\\" in name:
        return "is no name of a file"
    if len(name.encode()) > 255:
        return "is too long for the name of a file"
    return "is the name of another file there" if reserved and name in _RESERVED else ""
