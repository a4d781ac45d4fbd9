"""`Slurm`: create, find, get and delete as sbatch, squeue and scancel, or as calls of slurmrestd."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from alula._kits.aio import to_thread
from alula.backends.slurm import outputs, script, states
from alula.backends.slurm.commands import Commands
from alula.backends.slurm.config import SlurmJob, SlurmSettings
from alula.backends.slurm.rest import Rest
from alula.backends.slurm.states import SlurmView
from alula.backends.slurm.transport import SlurmState, Transport
from alula.data.layout import Attempt
from alula.data.stores import Objects
from alula.errors import Rejected, RemoteError, RemoteNotFound
from alula.idl import LiteralMap
from alula.plugin.context import TaskContext
from alula.plugin.core import Owned, PluginInfo
from alula.plugin.phase import PhaseInfo
from alula.plugin.webapi import Limits, LogPage, WebApiPlugin

_OURS = re.compile(r"a[0-9a-f]{40}")
_POOL = "slurm"
_ENDING_SECONDS = 10.0
"""How long a job that was cancelled is given to be gone, within one call."""
_LOG_BYTES = 64 * 1024
_LOG = "log.txt"


@dataclass(frozen=True, slots=True)
class SlurmKey:
    """A job, and the directory with its files."""

    job_id: int
    name: str
    """Numbers are given anew by a controller that has lost its state; names are not."""
    home: str = ""
    log: str = ""
    """Where its log goes in the end; empty: it is there."""


class Slurm(WebApiPlugin[SlurmKey, SlurmView]):
    """Jobs of a cluster whose nodes share a file system with the engine."""

    info = PluginInfo("slurm", frozenset({"slurm"}), SlurmJob, SlurmSettings)
    key_type = SlurmKey
    keeps_log = True
    limits = Limits(
        writes_per_second=10,
        reads_per_second=2,
        batch=500,
        refresh=timedelta(seconds=15),
        timeout=timedelta(seconds=60),
        concurrent=16,
        settle=timedelta(seconds=10),
    )

    def __init__(self, settings: SlurmSettings | None = None) -> None:
        self._settings = settings or SlurmSettings()
        if self._settings.jobs:
            self.limits = replace(self.limits, pools={_POOL: self._settings.jobs})
        self._transport: Transport | None = None
        self._objects = Objects()

    async def open(self) -> None:
        settings = self._settings
        group, _, key = settings.token.rpartition("/")
        self._transport = Rest(settings, lambda: self.secret(key, group)) if settings.url else Commands(settings)

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None

    def pool(self, task: TaskContext) -> str | None:
        return _POOL if self._settings.jobs else None

    async def create(self, task: TaskContext) -> SlurmKey:
        key = self._key(task, 0)
        home = Path(key.home)
        made, text = await script.prepared(task, task.custom(SlurmJob), self._settings, home)
        await to_thread(_lay_out, home, text)
        return replace(key, job_id=await self._cluster.submit(made))

    async def find(self, task: TaskContext) -> SlurmKey | None:
        """The first job of that name; should a lost answer ever have made another one, that is cancelled."""
        found = await self._cluster.named(task.name)
        if not found:
            return None
        first = min(job.id for job in found)
        others = {job.id for job in found if job.id != first and job.live}
        if others:
            await self._cluster.cancel(sorted(others))
        return self._key(task, first)

    async def get(self, keys: Sequence[SlurmKey]) -> Sequence[SlurmView | RemoteNotFound]:
        rows: dict[tuple[int, str], list[SlurmState]] = {}
        for job in await self._cluster.states([key.job_id for key in keys]):
            rows.setdefault((job.id, job.name), []).append(job)
        found = [rows.get((key.job_id, key.name)) for key in keys]
        pairs = zip(keys, found, strict=True)
        return [SlurmView(tuple(own)) if own else await to_thread(_forgotten, key) for key, own in pairs]

    async def delete(self, key: SlurmKey) -> None:
        """Cancel the job, and return when it is over."""
        cancelled, pause, loop = False, 0.05, asyncio.get_running_loop()
        end = loop.time() + _ENDING_SECONDS
        while True:
            there = await self._cluster.states([key.job_id])
            live = [job for job in there if job.live and job.name == key.name]
            if not live:
                break
            if cancelled and loop.time() > end:
                raise RemoteError(f"Slurm job {key.job_id} is still {live[0].state.lower()} after it was cancelled")
            if not cancelled:
                await self._cluster.cancel([key.job_id])
                cancelled = True
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)
        if key.log:
            await self._keep_log(key)
            await to_thread(shutil.rmtree, key.home, ignore_errors=True)

    def phase(self, task: TaskContext, remote: SlurmView) -> PhaseInfo:
        return states.phase_of(remote)

    async def outputs(self, task: TaskContext, key: SlurmKey, remote: SlurmView) -> LiteralMap | None:
        if not task.custom(SlurmJob).script:
            return None
        declared = {name: one.type for name, one in task.template.interface.outputs.variables.items()}
        home = Path(key.home)
        return await outputs.collected(
            declared, lambda name: script.output_file(home, name), task.objects, task.raw_prefix
        )

    async def logs(self, task: TaskContext, key: SlurmKey, token: str = "") -> LogPage:
        return await to_thread(_page, Path(key.home) / _LOG, int(token or 0))

    async def owned(self) -> Sequence[Owned]:
        found = {(job.name, job.id) for job in await self._cluster.live() if _OURS.fullmatch(job.name)}
        return [Owned(name, f"Slurm job {id}") for name, id in sorted(found)]

    async def reclaim(self, job: Owned) -> None:
        live = {row.id for row in await self._cluster.named(job.name) if row.live}
        for id in sorted(live):
            await self.delete(SlurmKey(id, job.name))

    async def _keep_log(self, key: SlurmKey) -> None:
        here = Path(key.home) / _LOG
        if await to_thread(here.exists):
            await self._objects.upload(here, key.log)

    def _key(self, task: TaskContext, job_id: int) -> SlurmKey:
        """A job, and where its files are: a directory that the nodes of the cluster see. Raises Rejected."""
        if self._settings.directory:
            home = Path(self._settings.directory) / task.name
            return SlurmKey(job_id, task.name, str(home), Attempt(task.output_prefix).log)
        here = task.objects.local_path(task.output_prefix)
        if here is None:
            raise Rejected(
                f"the files of tasks lie in {task.output_prefix}, where scripts on Slurm cannot write",
                fix="name a directory on the cluster's shared file system: `directory` in [backends.slurm]",
                code="NoSharedFiles",
            )
        return SlurmKey(job_id, task.name, str(here))

    @property
    def _cluster(self) -> Transport:
        if self._transport is None:
            raise RemoteError("the plugin is not open")
        return self._transport


def _lay_out(home: Path, text: str) -> None:
    """Make the directory, with the user's script, which only its owner may read."""
    (home / script.OUTPUTS).mkdir(parents=True, exist_ok=True)
    if text:
        path = home / script.SCRIPT
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "w", encoding="utf-8") as file:
            file.write(text)


def _forgotten(key: SlurmKey) -> SlurmView | RemoteNotFound:
    """What is left of a job that Slurm has forgotten: the exit code in its directory, if it came to its end."""
    try:
        code = int((Path(key.home) / script.MARK).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return RemoteNotFound(f"Slurm knows no job {key.job_id}, and it left no exit code", where=key.home)
    state = "FAILED" if code else "COMPLETED"
    return SlurmView((SlurmState(key.job_id, "", state, "NonZeroExitCode" if code else "", code << 8),))


def _page(log: Path, start: int) -> LogPage:
    """Some lines of a log, from a byte on."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            data = file.read(_LOG_BYTES)
            more = bool(file.read(1))
    except FileNotFoundError:
        return LogPage(())
    if more and b"\n" in data:
        data = data[: data.rindex(b"\n") + 1]
    lines = tuple(data.decode(errors="replace").splitlines())
    return LogPage(lines, str(start + len(data)) if data else "")
