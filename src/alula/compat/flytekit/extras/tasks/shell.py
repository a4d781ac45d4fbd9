"""`ShellTask`: a script with typed inputs and outputs."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import Any

from alula.compat.flytekit.core.interface import Interface
from alula.compat.flytekit.core.python_function_task import PythonInstanceTask
from alula.compat.names import mirror
from alula.errors import TaskFailure
from alula.tasks.shell import OutputLocation
from alula.tasks.shell import ShellTask as Ours


class ShellTask(PythonInstanceTask[Any]):
    """Runs a script. See `alula.ShellTask`."""

    def __init__(
        self,
        name: str,
        debug: bool = False,
        script: str | None = None,
        script_file: str | os.PathLike[str] | None = None,
        task_config: Any = None,
        shell: str = "/bin/sh",
        *,
        inputs: dict[str, Any] | None = None,
        output_locs: list[OutputLocation] | None = None,
        **kwargs: Any,
    ) -> None:
        if script and script_file:
            raise ValueError("Only either of script or script_file can be provided")
        if not script and not script_file:
            raise ValueError("Either a script or script_file is needed")
        outputs = {one.var: one.var_type for one in output_locs or ()}
        super().__init__(
            name=name,
            task_config=task_config,
            task_type=kwargs.pop("task_type", "shell"),
            interface=Interface(inputs, outputs),
            **kwargs,
        )
        self._script, self._script_file, self._debug, self._shell = script, script_file, debug, shell
        self._output_locs = list(output_locs or ())

    @property
    def script(self) -> str | None:
        return self._script

    @property
    def script_file(self) -> Any:
        return self._script_file

    @property
    def result(self) -> Any:
        return None

    def execute(self, **kwargs: Any) -> Any:
        types = self.python_interface.ours
        made = Ours(
            self.name,
            self._debug,
            self._script,
            self._script_file,
            {name: one.type for name, one in types.inputs.items()},
            self._output_locs,
            shell=self._shell,
            environment=self.environment or None,
        )
        return made.execute(**kwargs)


@dataclass
class ProcessResult:
    """What a command has left."""

    returncode: int
    output: str
    error: str


def subproc_execute(command: list[str] | str, **kwargs: Any) -> ProcessResult:
    """Run a command. Exception: it cannot be run, or ends with another code than 0."""
    given = {"shell": isinstance(command, str), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **kwargs}
    done = subprocess.run(command, text=True, check=False, **given)
    if done.returncode:
        raise TaskFailure(
            f"the command {command!r} ended with exit code {done.returncode}: {(done.stderr or '').strip()[-2000:]}",
            code="USER:ShellExit",
            recoverable=True,
        )
    return ProcessResult(done.returncode, done.stdout or "", done.stderr or "")


__all__ = ["OutputLocation"]
__getattr__, __dir__ = mirror(__name__, {})
