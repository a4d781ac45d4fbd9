"""What the operator says to the plugin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

SELF = "self"


class Pull(StrEnum):
    """When an image is got from its registry."""

    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class DockerSettings:
    """`[backends.docker]`"""

    url: str = ""
    """`unix:///path`, `tcp://host:port`, `ssh://user@host`; empty: what `DOCKER_HOST` or the current context of Docker
    names, or else the usual sockets of Docker and Podman."""
    user_containers: bool = False
    """Python tasks run in containers of their images as well, and not in the workers."""
    containers: int = 16
    """How many run at a time, as the pool `docker`; 0: any number."""
    pull: Pull = Pull.MISSING
    """When images are pulled: `missing`, `always` or `never`."""
    pull_timeout: timedelta = timedelta(minutes=15)
    """How long a pull may take."""
    registries: Mapping[str, str] = field(default_factory=dict)
    """Registries to names of secrets as `group/key`, which hold `user:password`; of others what `docker login` has left
    is used."""
    network: str = ""
    """`none`, `host`, or a network that the engine has; empty: the engine's default."""
    user: str = ""
    """As whom containers run: a name or `1000:1000`; `self`: as the engine process; empty: as the image says."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of all containers; those of a task come first."""
    mounts: tuple[str, ...] = ()
    """Directories of the engine's machine in all containers, as `/data:/data`; `:rw` behind it lets them be written."""
    memory: str = ""
    """The most that a container may use whose task sets no limit, as `2Gi`; empty: no limit."""
    cpus: float = 0.0
    """Likewise; 0: no limit."""
    pids: int = 4096
    """Processes and threads of one container; 0: no limit."""
    init: bool = True
    """A small init process passes signals on to the task and ends what it leaves."""
    stop_grace: timedelta = timedelta(seconds=10)
    """Between asking a container to stop and killing it."""
    log_limit_bytes: int = 64 << 20
    """Of the output of one attempt; of more, the latest is kept."""
    output_limit_bytes: int = 50 << 30
    """Of the files that one task leaves as outputs."""
    timeout: timedelta = timedelta(seconds=60)
    """For one call of the engine."""
