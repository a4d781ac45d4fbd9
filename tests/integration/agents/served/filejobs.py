"""Plugins to be served: jobs that are files in a directory, and a doubler that answers at once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alula.errors import Rejected, RemoteError, RemoteNotFound
from alula.idl import LiteralMap, literals
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo, SyncPlugin
from alula.plugin.phase import LogLink, Phase, PhaseInfo
from alula.plugin.webapi import LogPage, WebApiPlugin


@dataclass(frozen=True, slots=True)
class Settings:
    directory: str = ""
    """Empty: the variable FILE_JOBS."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a task says in `custom`."""

    seconds: float = 0
    mode: str = "ok"
    secret: str = ""
    """A secret to be used, and to be said by mistake."""


@dataclass(frozen=True, slots=True)
class FileKey:
    name: str


class FileJobs(WebApiPlugin[FileKey, dict[str, object]]):
    """A job is a file that says when it ends; it lasts, whoever is killed."""

    info = PluginInfo("file-jobs", frozenset({"file_job"}), config=Wanted, settings=Settings)
    key_type = FileKey

    def __init__(self, settings: Settings | None = None) -> None:
        self.directory = Path((settings.directory if settings else "") or os.environ["FILE_JOBS"])

    async def create(self, task: TaskContext) -> FileKey:
        wanted = task.custom(Wanted)
        if wanted.mode == "reject":
            raise Rejected("the query does not parse")
        inputs = await task.inputs()
        if wanted.secret:
            said = await task.secret(wanted.secret)
            if wanted.mode == "blab":
                raise RemoteError(f"the warehouse refuses the password {said}")
        job = {"a": inputs.literals["a"].scalar.primitive.integer, "ends": time.time() + wanted.seconds}
        with open(self.directory / f"{task.name}-{time.time_ns()}.job", "x") as file:
            json.dump({**job, "name": task.name, "mode": wanted.mode, "labels": dict(task.labels)}, file)
        if wanted.mode == "slow-answer":
            time.sleep(2)
        return FileKey(task.name)

    async def find(self, task: TaskContext) -> FileKey | None:
        return FileKey(task.name) if self._files(task.name) else None

    async def get(self, keys: Sequence[FileKey]) -> Sequence[dict[str, object] | RemoteError]:
        found: list[dict[str, object] | RemoteError] = []
        for key in keys:
            files = self._files(key.name)
            found.append(json.loads(files[0].read_text()) if files else RemoteNotFound(f"there is no job {key.name}"))
        return found

    async def delete(self, key: FileKey) -> None:
        for path in self._files(key.name):
            path.rename(path.with_suffix(".deleted"))

    def phase(self, task: TaskContext, remote: dict[str, object]) -> PhaseInfo:
        link = LogLink("file", f"file:///{remote['name']}")
        if time.time() < float(str(remote["ends"])):
            return PhaseInfo(Phase.RUNNING, "counting", progress=0.5, links=(link,), custom={"rows": 7})
        if remote["mode"] == "fail":
            return PhaseInfo.failed("NoTable", "there is no such table", recoverable=True, links=(link,))
        return PhaseInfo(Phase.SUCCEEDED, links=(link,))

    async def outputs(self, task: TaskContext, key: FileKey, remote: dict[str, object]) -> LiteralMap:
        name = next(iter(task.template.interface.outputs.variables), "o0")
        return literals.literal_map({name: literals.integer(int(str(remote["a"])) * 2)})

    async def logs(self, task: TaskContext, key: FileKey, token: str = "") -> LogPage:
        return LogPage((f"job {key.name} began", "job is over"))

    def _files(self, name: str) -> list[Path]:
        return sorted(self.directory.glob(f"{name}-*.job"))


class FileDoubler(SyncPlugin):
    info = PluginInfo("file-doubler", frozenset({"file_double"}))

    async def do(self, task: TaskContext) -> PhaseInfo:
        a = (await task.inputs()).literals["a"].scalar.primitive.integer
        if a < 0:
            raise Rejected("only what is positive is doubled")
        return PhaseInfo.succeeded(literals.literal_map({"o0": literals.integer(2 * a)}))
