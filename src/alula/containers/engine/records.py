"""What an engine is asked to run, and what it says of that; plain frozen data, and the JSON of the API."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

LABEL = "alula.dev/store"
"""The label that all containers of ours have."""


class Status(StrEnum):
    """Of a container, in the engine's words."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"
    UNKNOWN = "unknown"

    @property
    def over(self) -> bool:
        return self in (Status.EXITED, Status.DEAD)


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory of the engine's machine, inside of a container."""

    source: str
    target: str
    read_only: bool = True


@dataclass(frozen=True, slots=True)
class Spec:
    """One container that runs once."""

    name: str
    image: str
    entrypoint: tuple[str, ...] = ()
    """Takes the place of the image's own; empty: that one."""
    args: tuple[str, ...] = ()
    """What follows it; with no entrypoint they take the place of the image's command."""
    environ: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    directory: str = ""
    """Where it starts; empty: where the image says."""
    mounts: tuple[Mount, ...] = ()
    network: str = ""
    """`none`, `host`, or one that the engine has; empty: the engine's default."""
    memory_bytes: int = 0
    """It is killed beyond it, swap included; 0: no limit."""
    memory_request_bytes: int = 0
    cpus: float = 0.0
    """At most; 0: no limit."""
    cpu_request: float = 0.0
    """Its share where there is not enough for all; 0: that of anybody."""
    pids: int = 0
    """Processes and threads; 0: no limit."""
    gpus: int = 0
    shared_memory_bytes: int = 0
    """Of `/dev/shm`; 0: the engine's default."""
    init: bool = True
    """A small init process passes signals on and reaps what the program leaves."""
    log_bytes: int = 64 << 20
    """Of its output the engine keeps so much, the latest."""

    def body(self) -> dict[str, Any]:
        """What `POST /containers/create` takes."""
        host: dict[str, Any] = {
            "Init": self.init,
            "AutoRemove": False,
            "RestartPolicy": {"Name": "no"},
            "LogConfig": {"Type": "json-file", "Config": {"max-size": str(self.log_bytes), "max-file": "1"}},
        }
        if self.mounts:
            host["Binds"] = [f"{one.source}:{one.target}:{'ro' if one.read_only else 'rw'}" for one in self.mounts]
        if self.memory_bytes:
            host |= {"Memory": self.memory_bytes, "MemorySwap": self.memory_bytes}
        if self.memory_request_bytes and self.memory_request_bytes != self.memory_bytes:
            host["MemoryReservation"] = self.memory_request_bytes
        if self.cpus:
            host["NanoCpus"] = round(self.cpus * 1e9)
        if self.cpu_request:
            host["CpuShares"] = max(2, math.ceil(self.cpu_request * 1024))
        if self.pids:
            host["PidsLimit"] = self.pids
        if self.gpus:
            host["DeviceRequests"] = [{"Driver": "", "Count": self.gpus, "Capabilities": [["gpu"]]}]
        if self.shared_memory_bytes:
            host["ShmSize"] = self.shared_memory_bytes
        if self.network:
            host["NetworkMode"] = self.network
        made: dict[str, Any] = {
            "Image": self.image,
            "Env": [f"{name}={value}" for name, value in sorted(self.environ.items())],
            "Labels": dict(self.labels),
            "HostConfig": host,
            "Tty": False,
            "OpenStdin": False,
        }
        if self.entrypoint:
            made["Entrypoint"] = list(self.entrypoint)
        if self.args:
            made["Cmd"] = list(self.args)
        if self.user:
            made["User"] = self.user
        if self.directory:
            made["WorkingDir"] = self.directory
        return made


@dataclass(frozen=True, slots=True)
class Container:
    """What the engine says of a container."""

    id: str
    name: str
    status: Status
    exit_code: int = 0
    out_of_memory: bool = False
    """The kernel has killed something in it for memory."""
    error: str = ""
    """Why it could not be started."""
    finished_at: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def inspected(cls, found: Mapping[str, Any]) -> Container:
        """Out of `GET /containers/{name}/json`."""
        state = found.get("State") or {}
        return cls(
            id=str(found.get("Id", "")),
            name=str(found.get("Name", "")).lstrip("/"),
            status=_status(state.get("Status")),
            exit_code=int(state.get("ExitCode") or 0),
            out_of_memory=bool(state.get("OOMKilled")),
            error=str(state.get("Error") or ""),
            finished_at=_time(state.get("FinishedAt")),
            labels=(found.get("Config") or {}).get("Labels") or {},
        )

    @classmethod
    def listed(cls, found: Mapping[str, Any]) -> Container:
        """Out of a row of `GET /containers/json`, which does not say how a container has ended."""
        names = found.get("Names") or [""]
        return cls(
            id=str(found.get("Id", "")),
            name=str(names[0]).lstrip("/"),
            status=_status(found.get("State")),
            labels=found.get("Labels") or {},
        )


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a container."""

    action: str
    """`start`, `die`, `oom`, `kill`, `destroy`, ..."""
    name: str
    signal: str = ""
    """Of a `kill`: its number, or its name."""

    @property
    def ends(self) -> bool:
        """Somebody wants the container to end."""
        return self.action == "stop" or (self.action == "kill" and self.signal.removeprefix("SIG") in _ENDING)


_ENDING = frozenset({"", "2", "3", "9", "15", "INT", "QUIT", "KILL", "TERM"})


def _status(word: object) -> Status:
    try:
        return Status(str(word).lower())
    except ValueError:
        return _OTHERS.get(str(word).lower(), Status.UNKNOWN)


_OTHERS = {"stopped": Status.EXITED, "configured": Status.CREATED, "initialized": Status.CREATED}
"""Podman's own words."""


def _time(text: object) -> datetime | None:
    """A time of the API, which has nanoseconds; year 1 stands for never."""
    words = str(text or "")
    if not words or words.startswith("0001"):
        return None
    try:
        return datetime.fromisoformat(words[:19]).replace(tzinfo=UTC)
    except ValueError:
        return None
