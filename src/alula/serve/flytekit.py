"""Tasks that flytekit registered, run by the real flytekit of an environment of its own: warm, or a process each."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from alula._kits.aio import to_thread
from alula._kits.records import replace
from alula.backends.pool.crew import Start
from alula.backends.pool.keeper import FD, SPOOL
from alula.backends.pool.pool import Pool
from alula.config import WorkersConfig
from alula.data.settings import StoreSettings
from alula.errors import ConfigError
from alula.idl import TaskTemplate, containers
from alula.plugin.runner import AttemptId, Job, Tell

log = logging.getLogger(__name__)

_OLDEST = (3, 11)
"""Warm workers run our own modules in that interpreter."""
_LOOK = """
import importlib.metadata, json, sys
try:
    version = importlib.metadata.version("flytekit")
except importlib.metadata.PackageNotFoundError:
    version = ""
print(json.dumps([list(sys.version_info[:2]), version]))
"""
_LOOK_SECONDS = 60.0
_FOREIGN = Path(__file__).resolve().parents[1] / "runtime" / "foreign.py"
_PROGRAM = "pyflyte-execute"


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python that has flytekit."""

    python: str
    version: str
    """Of flytekit."""
    warm: bool
    """It runs our workers; else its tasks are processes of their own."""
    why: str = ""
    """Why it does not run our workers, if that was not asked for."""


def python_of(config: WorkersConfig) -> str:
    """The interpreter that runs flytekit's tasks; empty: there is none, and Alula's own SDK runs them."""
    if config.python:
        return config.python
    return sys.executable if find_spec("flytekit") is not None else ""


def is_flytekits(template: TaskTemplate) -> bool:
    """Whether a task is flytekit's: its container starts one of flytekit's programs."""
    container = containers.of(template)
    words = [*container.command, *container.args][:2]
    return any(containers.is_program(word) and Path(word).name.startswith("pyflyte-") for word in words)


def look(config: WorkersConfig) -> Environment:
    """What the Python of the settings has. Blocks for some tens of milliseconds. Raises ConfigError."""
    python = python_of(config)
    where = "[workers] python"
    try:
        done = subprocess.run(
            [python, "-I", "-c", _LOOK], capture_output=True, text=True, check=False, timeout=_LOOK_SECONDS
        )
        found, version = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as exc:
        raise ConfigError(
            f"{python!r} is no Python that can be started: {exc}",
            where=where,
            fix="name the interpreter of an environment that has flytekit, such as .venv/bin/python",
        ) from exc
    if not version:
        raise ConfigError(
            f"{python} has no flytekit, which is to run tasks that flytekit registered",
            where=where,
            fix=f"{python} -m pip install flytekit; or name another environment, or none for Alula's own SDK",
        )
    old = tuple(found) < _OLDEST
    why = f"its Python is {'.'.join(map(str, found))}, and warm workers take 3.11 or newer" if old else ""
    if (config.fresh or old) and not Path(python).with_name(_PROGRAM).exists():
        raise ConfigError(
            f"there is no {_PROGRAM} beside {python}", where=where, fix="name the interpreter in its environment"
        )
    return Environment(python, version, warm=not (config.fresh or old), why=why)


def start_of(found: Environment, paths: tuple[str, ...]) -> Start:
    """How workers for that environment begin."""
    if found.warm:
        return Start(paths=paths, keeper=(found.python, "-E", "-P", str(_FOREIGN), FD, SPOOL, sys.executable))
    words = (sys.executable, "-P", "-m", "alula.runtime.fresh", FD, SPOOL, found.python)
    return Start(paths=paths, keeper=words, imports=False)


class Flytekit:
    """Runs flytekit's tasks. A `Runner`, whose environment is looked at when the first one comes.

    Args:
        make: A pool whose processes begin so.
        platform: Variables that say where the control plane is, for tasks that call it.
    """

    local = True

    def __init__(
        self, config: WorkersConfig, make: Callable[[Start], Pool], platform: Callable[[], Mapping[str, str]]
    ) -> None:
        self._config, self._make, self._platform = config, make, platform
        self._pool: Pool | None = None
        self._storage: Mapping[str, str] = {}

    @property
    def _running(self) -> Pool:
        assert self._pool is not None, "it is not open"
        return self._pool

    async def open(self) -> None:
        """Raises ConfigError: the environment is none."""
        found = await to_thread(look, self._config)
        said = {"python": found.python, "flytekit": found.version, "warm": found.warm, "why": found.why}
        log.info("workers.flytekit", extra=said)
        self._storage = storage(os.environ)
        self._pool = self._make(start_of(found, self._config.paths))
        await self._pool.open()

    async def aclose(self) -> None:
        if self._pool is not None:
            await self._pool.aclose()

    def keep(self, seconds: float) -> None:
        if self._pool is not None:
            self._pool.keep(seconds)

    def accepts(self, template: TaskTemplate) -> str:
        return self._running.accepts(template)

    def start(self, job: Job, tell: Tell) -> None:
        variables = {**self._storage, **self._platform(), **job.environment}
        self._running.start(replace(job, environment=variables), tell)

    def wake(self, id: AttemptId) -> None: ...

    def forget(self, id: AttemptId) -> None: ...

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        self._running.close(id, abort=abort, reason=reason, done=done, job=job)

    def numbers(self) -> Mapping[str, float]:
        return self._pool.numbers() if self._pool is not None else {}


def platform(grpc: str, *, certificate: str = "") -> dict[str, str]:
    """Variables that say to flytekit where a control plane is, for tasks that run others by it (`@eager`).

    Args:
        grpc: Where it listens.
        certificate: The file with that of the server, if it speaks TLS.
    """
    host, _, port = grpc.rpartition(":")
    if host in ("0.0.0.0", "[::]", "::", ""):
        host = "127.0.0.1"  # the tasks are on this machine
    made = {"FLYTE_PLATFORM_URL": f"{host}:{port}", "FLYTE_PLATFORM_INSECURE": str(not certificate).lower()}
    if certificate:
        made["FLYTE_PLATFORM_CA_CERT_FILE_PATH"] = certificate
    return made


_STORAGE = {
    "endpoint": ("FLYTE_AWS_ENDPOINT", "AWS_ENDPOINT_URL"),
    "access_key_id": ("FLYTE_AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"),
    "secret_access_key": ("FLYTE_AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"),
    "session_token": ("AWS_SESSION_TOKEN",),
    "region": ("AWS_DEFAULT_REGION",),
}
"""Our keys of S3, and the variables by which flytekit and what it uses find them. Source: flytekit
`configuration/internal.py`."""


def storage(environ: Mapping[str, str]) -> dict[str, str]:
    """Where S3 is, as our settings have it, in flytekit's words; what it is told already stays."""
    found = {key.removeprefix("aws_"): value for key, value in StoreSettings.from_env(environ).s3.items()}
    wanted = {name: found[key] for key, names in _STORAGE.items() for name in names if key in found}
    return {name: value for name, value in wanted.items() if not environ.get(name)}
