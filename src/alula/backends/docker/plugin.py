"""`Docker`: create, find, get and delete as containers of one engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from alula._kits.aio import answered, gather, to_thread
from alula._kits.scratch import Lent
from alula.backends.docker import making, states
from alula.backends.docker.logs import Logs
from alula.backends.docker.making import Files
from alula.backends.docker.pulling import Pulling
from alula.backends.docker.settings import DockerSettings
from alula.backends.docker.states import View
from alula.backends.docker.watch import Watch
from alula.backends.docker.works import Works
from alula.containers.engine import archives, where
from alula.containers.engine.calls import Engine
from alula.containers.engine.docker import DockerEngine
from alula.containers.engine.records import LABEL, Container, Mount, Spec, Status
from alula.containers.files import lay_in, take_out
from alula.data.layout import Attempt
from alula.data.objects import ObjectStore
from alula.data.stores import Objects
from alula.errors import DataError, ImageMissing, Rejected, RemoteError, RemoteNotFound, TaskFailure
from alula.idl import LiteralMap, containers
from alula.plugin.context import TaskContext
from alula.plugin.core import Owned, PluginInfo
from alula.plugin.phase import PhaseInfo
from alula.plugin.webapi import Limits, LogPage, WebApiPlugin

TASK_TYPES = frozenset({"container", "raw-container"})
_POOL = "docker"
_SESSION = "alula.dev/session"
"""The label with the run of the engine that a container was made in."""
_FEW = 8
"""Containers that are looked at one by one; more are listed."""
_TAIL_LINES = 20
_ERROR = "_ERROR"
_ERROR_BYTES = 1 << 20
_CALL_SECONDS = 120.0
"""For one call of ours, which makes several of the engine, and moves files in and out."""


@dataclass(frozen=True, slots=True)
class DockerKey:
    """A container, and where the files of its attempt go."""

    name: str
    prefix: str
    outputs: str = ""
    """The directory inside of it that its outputs are taken from."""


class Docker(WebApiPlugin[DockerKey, View]):
    """Containers of one engine, each made for one attempt and removed after it.

    Args:
        connect: Makes the engine of a URL.
        patience_seconds: How long a call waits for an image or for files; after it the attempt is told that it waits.
    """

    info = PluginInfo("docker", TASK_TYPES, settings=DockerSettings, gives_way=True, takes_rest="user_containers")
    key_type = DockerKey
    keeps_log = True
    idempotent_create = True  # the engine has one container of a name
    limits = Limits(
        writes_per_second=1_000,
        reads_per_second=1_000,
        batch=500,
        refresh=timedelta(seconds=30),
        concurrent=128,
        settle=timedelta(seconds=5),
    )

    def __init__(
        self,
        settings: DockerSettings | None = None,
        *,
        connect: Callable[[str], Engine] | None = None,
        patience_seconds: float = 5.0,
    ) -> None:
        self._settings = settings or DockerSettings()
        seconds = self._settings.timeout.total_seconds()
        self._connect: Callable[[str], Engine] = connect or (lambda url: DockerEngine(url, timeout_seconds=seconds))
        pools = {_POOL: self._settings.containers} if self._settings.containers else {}
        self.limits = replace(self.limits, timeout=timedelta(seconds=_CALL_SECONDS), pools=pools)
        self._objects: ObjectStore = Objects()
        """Where logs go: that of the attempts, once there was one."""
        self._there: Engine | None = None
        self._watching: Watch | None = None
        self._keeping: Logs | None = None
        self._pulling: Pulling | None = None
        self._works = Works(patience_seconds)

    async def open(self) -> None:
        url = where.find(self._settings.url)
        if not url:
            return  # said of each task: there may be other backends, and an engine may come
        engine = self._connect(url)
        await engine.open()
        self._there = engine
        self._watching = Watch(engine)
        self._watching.begin()
        self._pulling = Pulling(engine, self._settings, self._works, lambda key, group: self.secret(key, group))
        self._keeping = Logs(engine, lambda: self._objects, self._settings.log_limit_bytes)

    async def close(self) -> None:
        await self._works.aclose()
        if self._watching is not None:
            await self._watching.end()
        if self._keeping is not None:
            await self._keeping.aclose()
        if self._there is not None:
            await self._there.aclose()
        self._there = self._watching = self._keeping = self._pulling = None

    def pool(self, task: TaskContext) -> str | None:
        return _POOL if self._settings.containers else None

    # --- forward ---

    async def create(self, task: TaskContext) -> DockerKey:
        engine = await self._ready()
        self._watch.know(task)
        self._objects = task.objects
        if not task.fresh and not await self._unstarted(engine, task.name):
            return _key(task)
        files, mounts = making.files_of(task.template), await self._mounts(task, engine)
        await self._images.first(task, making.image_of(task))
        with archives.spool() as archive:
            spec = await making.made(task, self._settings, files, mounts)
            spec = replace(spec, labels={**spec.labels, _SESSION: await engine.session()})
            if files:
                await self._packed(task, files, archive)
            if await self._made(task, engine, spec):
                try:
                    if files:
                        await engine.put(spec.name, archive)
                    await engine.start(spec.name)
                except Rejected:
                    await engine.remove(spec.name)
                    raise
        key = _key(task)
        self._logs.follow(key.name, Attempt(key.prefix).log)
        return key

    async def _made(self, task: TaskContext, engine: Engine, spec: Spec) -> bool:
        """Make a container; False: it is there, and was started. One that was made and never started is made anew:
        whoever made it has died before all was in it."""
        for _ in range(3):
            try:
                if await answered(engine.create(spec)):  # given up, it may take effect later, and be missed by all
                    return True
            except ImageMissing as exc:  # it was there when the image was looked for
                await self._images.missing(task, spec.image, exc)
                continue
            if not await self._unstarted(engine, spec.name):
                return False
        raise RemoteError(f"container {spec.name} comes and goes", where=engine.url)

    async def _unstarted(self, engine: Engine, name: str) -> bool:
        """Whether a container was never started, or is gone; if so, it is removed."""
        try:
            found = await engine.inspect(name)
        except RemoteNotFound:
            return True
        if found.status not in (Status.CREATED, Status.REMOVING):
            return False
        return await engine.remove(name, force=found.status is Status.REMOVING)  # False: it was just being started

    async def find(self, task: TaskContext) -> DockerKey | None:
        await self._leave(task.name)
        return None if await self._unstarted(await self._ready(), task.name) else _key(task)

    async def get(self, keys: Sequence[DockerKey]) -> Sequence[View | RemoteError]:
        engine = await self._ready()
        live: Mapping[str, Container] = {}
        if len(keys) > _FEW:
            live = {one.name: one for one in await engine.list(LABEL) if one.status is Status.RUNNING}

        async def look(key: DockerKey) -> View | RemoteError:
            if key.name in live:
                return View(live[key.name])
            try:
                return await self._view(engine, key, await engine.inspect(key.name))
            except RemoteError as exc:
                return exc

        return await gather(look, keys, limit=_FEW)

    async def _view(self, engine: Engine, key: DockerKey, found: Container) -> View:
        """What there is to know of a container: of one that has ended, also why."""
        if not found.status.over:
            self._logs.follow(key.name, Attempt(key.prefix).log)
            return View(found)
        await self._logs.save(key.name, Attempt(key.prefix).log)
        said = await self._error(engine, key) if key.outputs else ""
        if found.exit_code == 0 or found.out_of_memory:
            return View(found, said=said, told=self._watch.told_to_end(key.name))
        restarted = False
        if states.suspicious(found):
            if not await engine.alive():
                raise RemoteError(f"the container engine at {engine.url} is going down", where=engine.url)
            before, now = found.labels.get(_SESSION, ""), await engine.session()
            restarted = bool(before and now and before != now) or self._watch.lost_since(found.finished_at)
        reported = not key.outputs and await self._reported(key)
        return View(found, restarted, await engine.tail(key.name, _TAIL_LINES), said, reported)

    async def _reported(self, key: DockerKey) -> bool:
        try:
            return await self._objects.exists(Attempt(key.prefix).error)
        except DataError as exc:
            raise RemoteError(exc.what, where=exc.where, fix=exc.fix) from exc

    def phase(self, task: TaskContext, remote: View) -> PhaseInfo:
        if self._watching is not None:
            self._watching.know(task)
        words = [*containers.of(task.template).command, *containers.of(task.template).args][:1]
        python = any(map(containers.is_program, words))
        return states.phase_of(remote, python_image=making.image_of(task) if python else "")

    async def outputs(self, task: TaskContext, key: DockerKey, remote: View) -> LiteralMap | None:
        if not making.takes_files(task.template):
            return None
        if not key.outputs or not task.template.interface.outputs.variables:
            return LiteralMap()
        what, engine = "its outputs are being taken out of its container", await self._ready()
        made: LiteralMap = await self._works.result(
            f"outputs {key.name}", what, lambda: self._taken(engine, task, key), task.wake
        )
        return made

    async def _taken(self, engine: Engine, task: TaskContext, key: DockerKey) -> LiteralMap:
        with Lent("outputs") as folder, archives.spool() as archive:
            there = await engine.take(key.name, key.outputs, archive, self._settings.output_limit_bytes)
            found = await to_thread(archives.unpack, archive, folder) if there else folder
            try:
                return await take_out(task.objects, task.template, found, task.raw_prefix)
            except TaskFailure as exc:
                raise _as_ours(exc) from exc

    async def logs(self, task: TaskContext, key: DockerKey, token: str = "") -> LogPage:
        """The end of its log; all of it is in the attempt's own."""
        engine = await self._ready()
        return LogPage(tuple((await engine.tail(key.name, 1_000)).splitlines()))

    # --- the end ---

    async def delete(self, key: DockerKey) -> None:
        engine = await self._ready()
        await self._leave(key.name)
        self._watch.forget(key.name)
        await engine.stop(key.name, self._settings.stop_grace.total_seconds())
        await self._logs.save(key.name, Attempt(key.prefix).log)
        await engine.remove(key.name)
        await self._logs.forget(key.name)

    async def owned(self) -> Sequence[Owned]:
        engine = await self._ready()
        return [Owned(one.name, f"container {one.name} ({one.status})") for one in await engine.list(LABEL)]

    async def reclaim(self, job: Owned) -> None:
        engine = await self._ready()
        await engine.stop(job.name, self._settings.stop_grace.total_seconds())
        await engine.remove(job.name)

    # --- what it stands on ---

    async def _ready(self) -> Engine:
        """The engine. Raises Rejected where there is none at all."""
        if self._there is None:
            await self.open()
        if self._there is None:
            raise Rejected(where.NONE_HERE, fix=where.HINT, code="NoContainerEngine")
        return self._there

    @property
    def _watch(self) -> Watch:
        if self._watching is None:
            raise RemoteError("the plugin is not open")
        return self._watching

    @property
    def _images(self) -> Pulling:
        if self._pulling is None:
            raise RemoteError("the plugin is not open")
        return self._pulling

    @property
    def _logs(self) -> Logs:
        if self._keeping is None:
            raise RemoteError("the plugin is not open")
        return self._keeping

    async def _mounts(self, task: TaskContext, engine: Engine) -> tuple[Mount, ...]:
        """What a container sees of its data. Raises Rejected where the engine cannot see it."""
        if making.takes_files(task.template):
            return ()
        if task.output_prefix.startswith("memory:"):
            raise Rejected("data in memory cannot be seen from a container", fix="name a directory or a bucket: `data`")
        mounts = await making.data_mounts(task)
        if mounts and not engine.near:
            raise Rejected(
                f"the data of tasks are files of this machine, and the container engine at {engine.url} is on another",
                where=task.output_prefix,
                fix="name a bucket that both reach: `data` in alula.toml",
                code="NoSharedFiles",
            )
        return mounts

    async def _packed(self, task: TaskContext, files: Files, archive: BinaryIO) -> None:
        """Write what is put into a container as an archive. Inputs that take long are fetched meanwhile: NotReady."""
        if not files.inputs:
            return await to_thread(files.pack, Path(), archive)
        what = "its inputs are being laid out as files"
        laid: Lent = await self._works.result(f"inputs {task.name}", what, lambda: _laid(task), task.wake)
        with laid as folder:
            await to_thread(files.pack, folder, archive)

    async def _leave(self, name: str) -> None:
        """Nobody waits for what was to be moved for an attempt."""
        for what in ("inputs", "outputs"):
            await self._works.drop(f"{what} {name}")

    async def _error(self, engine: Engine, key: DockerKey) -> str:
        """What a container says of its failure in a file."""
        with Lent("error") as folder, archives.spool() as archive:
            try:
                if not await engine.take(key.name, f"{key.outputs.rstrip('/')}/{_ERROR}", archive, 2 * _ERROR_BYTES):
                    return ""
            except Rejected as exc:
                if exc.code != archives.TOO_LARGE:
                    raise
                return f"its {_ERROR} has more than {_ERROR_BYTES} bytes"
            path = await to_thread(archives.unpack, archive, folder)
            return await to_thread(_text, path)


def _key(task: TaskContext) -> DockerKey:
    return DockerKey(task.name, task.output_prefix, making.inside_of(task.template).outputs)


async def _laid(task: TaskContext) -> Lent:
    """A directory with the inputs of a task. Raises Rejected, RemoteError."""
    made = Lent("inputs")
    try:
        await lay_in(task.objects, task.template, await task.inputs(), made.path)
    except BaseException as exc:
        await to_thread(made.remove)
        if isinstance(exc, TaskFailure):
            raise _as_ours(exc) from exc
        raise
    return made


def _as_ours(exc: TaskFailure) -> RemoteError:
    """A failure to bring files in or out, as whoever judges calls understands it."""
    if exc.origin == "user":
        return Rejected(exc.what, where=exc.where, fix=exc.fix, code=exc.code, recoverable=exc.recoverable)
    return RemoteError(exc.what, where=exc.where, fix=exc.fix)


def _text(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(_ERROR_BYTES).decode(errors="replace").strip()
