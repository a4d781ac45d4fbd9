"""Jobs of a Slurm cluster: `SlurmTask` is a script, `@task(task_config=Slurm(...))` a Python function."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, ClassVar, NoReturn, Unpack

from alula.errors import SignatureError, TaskFailure
from alula.idl import TaskTemplate
from alula.sdk.instance import InstanceTask
from alula.sdk.options import TaskKeywords
from alula.sdk.taskplugin import TaskPlugin

_PLACE = re.compile(r"\{\{\s*\.?(inputs|outputs)\.(\w+)\s*\}\}")


@dataclass(frozen=True)
class Slurm:
    """What a job asks of the cluster. What is left out is up to the cluster.

    Args:
        partition: Which queue.
        account: Who pays.
        qos: The quality of service.
        reservation: A reservation to run in.
        constraint: Features that the nodes must have.
        gres: Generic resources, as `gpu:2`.
        licenses: As `--licenses`.
        cpus: Cores of each task of the job; by default what `requests=Resources(cpu=...)` says.
        memory: Of each node, as `4G`; by default what `requests=Resources(mem=...)` says.
        time_limit: Slurm ends the job after it. It counts in minutes, and rounds up.
        nodes: How many nodes.
        tasks: How many tasks `srun` starts.
        exclusive: Nobody else's jobs on its nodes.
        array: Indices of a job array, as `0-9` or `0-99%5`. The task is over when all its elements are.
        nice: The higher, the later.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    reservation: str = ""
    constraint: str = ""
    gres: str = ""
    licenses: str = ""
    cpus: int = 0
    memory: str = ""
    time_limit: timedelta | None = None
    nodes: int = 0
    tasks: int = 0
    exclusive: bool = False
    array: str = ""
    nice: int = 0

    def custom(self) -> dict[str, Any]:
        """As the backend reads it."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        plain = {
            name: value.total_seconds() if isinstance(value, timedelta) else value for name, value in given.items()
        }
        return {name: value for name, value in plain.items() if value}


class SlurmPlugin(TaskPlugin[Slurm]):
    """Python functions as jobs: the command of their container is run by the batch script."""

    task_type = "slurm"
    config_type = Slurm

    def custom(self, config: Slurm) -> Mapping[str, Any]:
        return config.custom()


class SlurmTask(InstanceTask):
    """Runs a script as a job of a Slurm cluster; it succeeds with exit code 0.

    `{{.inputs.x}}` in the script stands for an input (a file: its path), `{{.outputs.y}}` for the path at which the
    script leaves an output: a file or directory where `File` or `Directory` is declared, else a file with the value as
    text. A value is never read as code: the script gets a reference to a variable, quoted as its place needs. Scripts
    that are not for a shell read the variables `ALULA_INPUT_x` and `ALULA_OUTPUT_y`.

    Args:
        name: Full name, unique in the project.
        script: The text of the script; `/bin/sh` reads it unless its first line says otherwise.
        inputs: Names to types.
        outputs: Names to types.
        keywords: Settings as of `@task`: `task_config=Slurm(...)` says what the job asks for. The variables in
            `environment` are set for the script, and secrets that are asked for are there as in any task.

    Raises:
        SignatureError: a placeholder stands for nothing.

    Example:
        count = SlurmTask(
            name="genomes.count",
            script="grep -c '>' {{.inputs.genome}} > {{.outputs.sequences}}",
            inputs=kwtypes(genome=File),
            outputs=kwtypes(sequences=int),
            task_config=Slurm(partition="short", memory="2G"),
        )
    """

    task_type: ClassVar[str] = "slurm"
    runs_user_code: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        script: str,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        **keywords: Unpack[TaskKeywords],
    ) -> None:
        self.script, self.config = script, keywords.pop("task_config", None) or Slurm()
        super().__init__(name, inputs, outputs, **keywords)
        known = {"inputs": self.interface.inputs, "outputs": self.interface.outputs}
        missing = [found[0] for found in _PLACE.finditer(script) if found[2] not in known[found[1]]]
        if missing:
            listed = ", ".join([*self.interface.inputs, *self.interface.outputs]) or "none"
            raise SignatureError(
                f"the script of '{name}' uses {', '.join(dict.fromkeys(missing))}, which is not declared",
                where=self.where,
                fix=f"its inputs and outputs are: {listed}",
            )

    def execute(self, **inputs: Any) -> NoReturn:
        raise TaskFailure(
            f"the script of '{self.name}' is run by Slurm, which a plain call does not reach",
            where=self.where,
            fix="run it with `alula run` where Slurm's commands are, or stand in for it: "
            f"with alula.testing.task_mock({self.short_name}) as fake: fake.return_value = ...",
            code="NoSlurm",
            origin="system",
        )

    def fill(self, template: TaskTemplate, env: Mapping[str, str], image: Callable[[Any], str]) -> None:
        environment = {**env, **(self.options.environment or {})}
        template.custom.update({**self.config.custom(), "script": self.script})
        if environment:
            template.custom.update({"environment": environment})
