"""What a task says to Slurm, and what the operator says to the plugin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """`TaskTemplate.custom` of tasks of type `slurm`."""

    script: str = ""
    """What runs; `{{.inputs.x}}` stands for a value, `{{.outputs.y}}` for a path. Empty: the container's command."""
    partition: str = ""
    account: str = ""
    qos: str = ""
    reservation: str = ""
    constraint: str = ""
    gres: str = ""
    """Generic resources, as `gpu:2`."""
    licenses: str = ""
    cpus: int = 0
    """Of each task of the job. 0: what the Alula task asks for."""
    memory: str = ""
    """Of each node, as `4G`. Empty: what the Alula task asks for."""
    time_limit: timedelta | None = None
    """Slurm ends the job after it; it counts in minutes."""
    nodes: int = 0
    tasks: int = 0
    """As `--ntasks`."""
    exclusive: bool = False
    array: str = ""
    """As `--array`: `0-9`, `0-99%5`. The attempt is over when all its elements are."""
    nice: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of a script."""


@dataclass(frozen=True, slots=True)
class SlurmSettings:
    """`[backends.slurm]`"""

    url: str = ""
    """Where `slurmrestd` listens; empty: the commands of Slurm are used."""
    api: str = "v0.0.38"
    """The version of its interface."""
    user: str = ""
    """As whom to speak to it; empty: whoever runs the engine."""
    token: str = "slurm/jwt"
    """The secret with the token for it, as `group/key`; looked up for every call, since tokens are short-lived."""
    commands: str = ""
    """The directory of `sbatch`, `squeue` and the others; empty: they are on the `PATH`."""
    conf: str = ""
    """Slurm's own configuration file; empty: where Slurm looks for it."""
    directory: str = ""
    """A directory on the cluster's shared file system for the scripts, outputs and logs of jobs while they run; what is
    to stay is then copied to where data lies. Empty: they lie with the data, which must be on such a file system."""
    path: str = ""
    """The `PATH` of jobs; empty: that of the engine, with its Python first."""
    partition: str = ""
    """For tasks that name none."""
    account: str = ""
    """Likewise."""
    jobs: int = 0
    """How many jobs may be in the cluster's hands at a time, as the pool `slurm`; 0: any number."""
    timeout: timedelta = timedelta(seconds=30)
    """For one command or call: they hang for minutes where the controller does not answer."""
