"""The pool: Python tasks in warm processes of this machine."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alula._kits import scratch
from alula._kits.awake import processors
from alula._kits.clock import Clock
from alula._kits.loops import Loop
from alula.backends.pool import deaths, needs
from alula.backends.pool.admission import Admission
from alula.backends.pool.crew import Crew, Start, Worker
from alula.backends.pool.logs import Growing, Logs, Tail, publish
from alula.backends.pool.needs import Need
from alula.backends.pool.templates import Known, Templates
from alula.config import WorkersConfig
from alula.data.layout import Attempt
from alula.data.objects import ObjectStore
from alula.data.stores import Objects
from alula.idl import ErrorDocument, ExecutionError, TaskTemplate
from alula.idl import worker as wire
from alula.plugin.core import PluginInfo
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.runner import AttemptId, Failed, Job, Progressed, Started, Succeeded, Tell, Waits

log = logging.getLogger(__name__)

_TICK_SECONDS = 0.1
"""Between two looks at logs and at who waits."""
_SAID_AFTER_SECONDS = 0.2
"""A job that waits for longer is told why."""
_SOON_SECONDS = 0.0005
"""Within such a time the answer of a job without work comes: worth staying awake for, if the last one's did."""


@dataclass(eq=False, slots=True)
class Entry:
    """A job from its start to its end."""

    pool: Pool
    job: Job
    tell: Tell
    known: Known
    need: Need
    serial: int
    put_at: float
    sent_at: float = 0.0
    worker: Worker | None = None
    log: Growing | None = None
    checkpoint: str = ""
    started: bool = False
    """It has a process, and was told so."""
    waits: bool = False
    """It has been told that it waits."""
    closing: list[Callable[[str], None]] = field(default_factory=list)
    """Who is to be told that nothing is left of it."""

    @property
    def label(self) -> str:
        id = self.job.id
        return f"{id.execution}/{id.path}"


class Pool:
    """Runs Python tasks in processes forked from a zygote. A `Runner`.

    Args:
        config: How much may run at once, and for how long what stays.
        clock: The time.
        root: A keeper that was forked from this process before threads began; None: fresh interpreters.
        start: How fresh interpreters for the code that is here begin.
        spool: A directory for files of running workers, made and removed by the pool; None: a temporary one.
        objects: Where the logs of crashed tasks go.
        tail: Is told what running tasks print.
        room: What running jobs have together with those of other pools; None: this pool has the machine to itself.
    """

    info = PluginInfo("workers", frozenset({"python-task"}))

    def __init__(
        self,
        config: WorkersConfig,
        *,
        clock: Clock,
        root: wire.Root | None = None,
        start: Start | None = None,
        spool: Path | None = None,
        objects: ObjectStore | None = None,
        tail: Tail | None = None,
        room: Admission[Entry] | None = None,
    ) -> None:
        self._config, self._clock, self._root, self._start = config, clock, root, start or Start()
        self._spool = spool
        self._objects = objects or Objects()
        self._logs = Logs(tail, config.log_limit_bytes)
        self._templates = Templates()
        self._room = room if room is not None else room_of(config)
        self._entries: dict[AttemptId, Entry] = {}
        self._running: dict[Worker, Entry] = {}
        self._silent: dict[Entry, None] = {}
        """Jobs that wait and were not told so, in order."""
        self._serials = itertools.count(1)
        self._ticking: asyncio.TimerHandle | None = None
        self._idling: asyncio.TimerHandle | None = None
        self._chores: set[asyncio.Task[None]] = set()
        self._crew: Crew | None = None
        self._quick = False
        """The last answer came soon."""

    # Runner

    @property
    def local(self) -> bool:
        return True

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._expect = self._loop.expect if isinstance(self._loop, Loop) else None
        self._processors = processors()
        if self._spool is None:
            self._spool = scratch.directory("workers")
        else:
            self._spool.mkdir(parents=True, exist_ok=True)
        self._crew = Crew(
            self, self._spool, self._start, grace_seconds=self._config.stop_grace.total_seconds(), clock=self._clock
        )
        self._crew.open(self._root)
        self._idle()

    async def aclose(self) -> None:
        stopped = list(self._running.values())
        for entry in self._entries.values():
            self._room.cancel(entry)
        self._running.clear()
        for timer in (self._ticking, self._idling):
            if timer is not None:
                timer.cancel()
        if self._crew is not None:
            await self._crew.stop()
            for entry in stopped:
                await _publish_log(entry)
            await self._crew.aclose()
        if self._chores:
            await asyncio.wait(self._chores)
        for entry in stopped:
            self._room.free(entry)
        self._entries.clear()
        begin_what_fits(self._room)
        if self._spool is not None:
            await asyncio.to_thread(shutil.rmtree, self._spool, True)

    def keep(self, seconds: float) -> None:
        if self._crew is not None:
            self._crew.keep(seconds)

    def accepts(self, template: TaskTemplate) -> str:
        known = self._templates.known(template)
        return known.refusal or self._room.impossible(known.need)

    def start(self, job: Job, tell: Tell) -> None:
        entry = self._entries.get(job.id)
        if entry is not None:
            self._take_up(entry, job, tell)
            return
        known = self._templates.known(job.template)
        need, why = known.need, known.refusal
        if job.overrides is not None and job.overrides.HasField("resources") and not why:
            try:
                need = needs.need(job.template, job.overrides)
            except ValueError as exc:
                why = f"the node asks for resources that cannot be read: {exc}"
        why = why or self._room.impossible(need)
        if why:
            tell(Failed(AttemptFailure("USER:CannotRunHere", why)))
            return
        entry = Entry(self, job, tell, known, need, next(self._serials), self._clock.monotonic())
        self._entries[job.id] = entry
        _enter(self._room, entry, need)
        if not entry.started and self._entries.get(job.id) is entry:
            self._silent[entry] = None
        self._tick_later()

    def wake(self, id: AttemptId) -> None: ...

    def forget(self, id: AttemptId) -> None: ...

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        entry = self._entries.get(id)
        if entry is None:
            done("")
            return
        entry.closing.append(done)
        if len(entry.closing) > 1:
            return
        if entry.worker is None:
            self._room.cancel(entry)
            self._finish(entry)
        elif not entry.worker.leaving:
            self._end(entry, self._config.stop_grace.total_seconds())

    def numbers(self) -> Mapping[str, float]:
        """How much there is to do, and who does it; for metrics."""
        crew = self._crew
        return {
            "pool": len(self._entries) - len(self._running),
            "workers_busy": len(self._running),
            "workers_idle": crew.idle() if crew is not None else 0,
            "workers_started": crew.forked if crew is not None else 0,
            "workers_died": crew.died if crew is not None else 0,
        }

    # what the crew tells

    def heard(self, worker: Worker, message: wire.Message) -> None:
        entry = self._running.get(worker)
        if entry is None or worker.leaving:
            return
        try:
            self._take_in(entry, worker, message)
        except Exception as exc:  # noqa: BLE001 - told to whoever waits for the job
            _broken(entry, exc)

    def _take_in(self, entry: Entry, worker: Worker, message: wire.Message) -> None:
        if not entry.started:
            self._started(entry)  # the zygote's word comes by another way, and later
        if isinstance(message, wire.Ended) and message.serial == entry.serial:
            if message.lost_log:
                log.warning("workers.log_lost", extra={"attempt": entry.label, "problem": message.lost_log})
            self._quick = self._clock.monotonic() - entry.sent_at < _SOON_SECONDS
            report = _report(message, entry.checkpoint or entry.job.checkpoint)
            assert self._crew is not None
            if message.retire:
                log.debug("workers.retired", extra={"attempt": entry.label, "why": message.retire})
                grace = self._config.stop_grace.total_seconds()
                self._crew.end(worker, grace, lambda: self._left(entry, report))
                return
            if entry.need.memory_limit_bytes:
                self._crew.watch(worker, 0)
            del self._running[worker]
            self._crew.give_back(worker)
            self._finish(entry)
            begin_what_fits(self._room)
            entry.tell(report)
        elif isinstance(message, wire.Progress) and message.serial == entry.serial:
            entry.checkpoint = message.checkpoint or entry.checkpoint
            entry.tell(Progressed(message.done, message.message, message.checkpoint))

    def died(self, worker: Worker, failure: AttemptFailure) -> None:
        entry = self._running.get(worker)
        if entry is not None:
            self._bury(entry, Failed(failure, _checkpoint(entry)))

    def over(self, worker: Worker, used_bytes: int) -> None:
        entry = self._running.get(worker)
        if entry is not None and not worker.leaving:
            failure = deaths.over_limit(used_bytes, entry.need.memory_limit_bytes)
            self._end(entry, 0, failure)

    # from start to end

    def _take_up(self, entry: Entry, job: Job, tell: Tell) -> None:
        """Somebody asks for a job that is here already."""
        if entry.closing:  # when nothing is left of it, it may begin anew
            entry.closing.append(lambda _: self.start(job, tell))
            return
        entry.tell = tell
        if entry.started:
            tell(Started())
        elif entry not in self._silent:
            entry.waits = False
            self._silent[entry] = None

    def begin(self, entry: Entry) -> None:
        """There is room for a job."""
        assert self._crew is not None
        worker = self._crew.take(entry.known.code, entry.known.module)
        entry.worker = worker
        self._running[worker] = entry
        assert worker.line is not None
        worker.line.say(_order(entry, worker, self._config.log_limit_bytes))
        entry.sent_at = self._clock.monotonic()
        if self._quick and self._expect is not None and self._room.running < self._processors:
            self._expect(_SOON_SECONDS)
        if entry.need.memory_limit_bytes:
            self._crew.watch(worker, entry.need.memory_limit_bytes)
        worker.know(lambda: self._started(entry))

    def _started(self, entry: Entry) -> None:
        """The process of a job is there."""
        worker = entry.worker
        if entry.started or worker is None or worker.leaving or self._running.get(worker) is not entry:
            return
        entry.started = True
        self._silent.pop(entry, None)
        if entry.waits:
            entry.tell(Waits(""))
        entry.tell(Started())

    def _end(self, entry: Entry, grace_seconds: float, failure: AttemptFailure | None = None) -> None:
        """End a running job's processes; then say why, if there is somebody to say it to."""
        assert self._crew is not None
        assert entry.worker is not None
        report = Failed(failure, _checkpoint(entry)) if failure is not None else None
        self._crew.end(entry.worker, grace_seconds, lambda: self._bury(entry, report))

    def _left(self, entry: Entry, report: Succeeded | Failed | None) -> None:
        """The worker of an attempt that is over has ended with all that the attempt left behind."""
        assert self._crew is not None
        assert entry.worker is not None
        if self._running.pop(entry.worker, None) is None:
            return
        self._crew.forget(entry.worker)
        self._finish(entry)
        begin_what_fits(self._room)
        if report is not None and not entry.closing:
            entry.tell(report)

    def _bury(self, entry: Entry, report: Failed | None) -> None:
        """Nothing of a job is left but its log."""
        chore = self._loop.create_task(self._bury_log(entry, report))
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)

    async def _bury_log(self, entry: Entry, report: Failed | None) -> None:
        try:
            await _publish_log(entry)
        except Exception:
            log.exception("workers.log_lost", extra={"attempt": entry.label})
        self._left(entry, report)

    def _finish(self, entry: Entry) -> None:
        """Forget a job, and tell who waited for its end."""
        self._room.free(entry)
        self._silent.pop(entry, None)
        if self._logs.followed and entry.worker is not None:
            self._logs.end(self._growing(entry))
        if self._entries.get(entry.job.id) is entry:
            del self._entries[entry.job.id]
        for done in entry.closing:
            done("")

    # from time to time

    def _tick_later(self) -> None:
        if self._ticking is None and self._entries:
            self._ticking = self._loop.call_later(_TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._ticking = None
        now = self._clock.monotonic()
        for entry in list(itertools.islice(self._silent, 1000)):
            if now - entry.put_at < _SAID_AFTER_SECONDS:
                break
            del self._silent[entry]
            entry.waits = True
            entry.tell(Waits(self._room.reason(entry) or "for its code, which is being imported"))
        for entry in self._running.values():
            self._logs.look(self._growing(entry))
        begin_what_fits(self._room)  # if it failed to when it should have
        self._tick_later()

    def _growing(self, entry: Entry) -> Growing:
        if entry.log is None:
            assert entry.worker is not None
            place = self._objects.local_path(Attempt(entry.job.prefix).log)
            entry.log = Growing(entry.job.id, entry.worker.spool, place)
        return entry.log

    def _idle(self) -> None:
        seconds = self._config.idle.total_seconds()
        self._idling = self._loop.call_later(max(seconds / 4, 0.01), self._idle)
        if self._crew is not None:
            self._crew.dismiss_idle(seconds)


def _broken(entry: Entry, exc: Exception) -> None:
    """What nobody thought of, or a full disk, has hit a job: it fails, and waits for nobody."""
    log.error("workers.broken", extra={"attempt": entry.label}, exc_info=exc)
    pool = entry.pool
    if pool._entries.get(entry.job.id) is not entry:
        return
    what = f"the workers failed: {type(exc).__name__}: {exc}"
    failure = AttemptFailure("WorkersBroken", what, FailureKind.SYSTEM, recoverable=True)
    if entry.worker is None:
        pool._finish(entry)
        entry.tell(Failed(failure, _checkpoint(entry)))
    else:
        pool._running[entry.worker] = entry
        pool._end(entry, 0, failure)


async def _publish_log(entry: Entry) -> None:
    """Put what a job has printed to its place, when its worker did not live to do it."""
    assert entry.worker is not None
    uri, limit = Attempt(entry.job.prefix).log, entry.pool._config.log_limit_bytes
    if problem := await publish(entry.pool._objects, uri, entry.worker.spool, limit):
        log.warning("workers.log_lost", extra={"attempt": entry.label, "problem": problem})


def _order(entry: Entry, worker: Worker, log_limit_bytes: int) -> wire.Run:
    """What a worker is told of a job; its template only once."""
    job, known = entry.job, entry.known
    new = known.number not in worker.templates
    worker.templates.add(known.number)
    return wire.Run(
        serial=entry.serial,
        template=known.number,
        content=known.content if new else b"",
        inputs=job.inputs,
        prefix=job.prefix,
        attempt=(job.id.project, job.id.domain, job.id.execution, job.id.number),
        checkpoint=job.checkpoint,
        index=job.index,
        attempts=job.attempts,
        environment=job.environment,
        log_limit_bytes=log_limit_bytes,
        user_data=job.user_data,
    )


def _checkpoint(entry: Entry) -> str:
    """What the next attempt goes on from. Tasks of flytekit's save without a word, so their place is looked at. Raises
    nothing: an end is being told."""
    pool, uri = entry.pool, Attempt(entry.job.prefix).checkpoint
    saved = pool._objects.local_path(uri) if pool._start.keeper and not entry.checkpoint else None
    try:
        here = saved is not None and saved.is_dir() and any(saved.iterdir())
    except OSError as exc:
        log.warning("workers.checkpoint_lost", extra={"attempt": entry.label, "problem": str(exc)})
        here = False
    return entry.checkpoint or (uri if here else entry.job.checkpoint)


def _report(ended: wire.Ended, checkpoint: str) -> Succeeded | Failed:
    if ended.kind == wire.OUTPUTS:
        return Succeeded(outputs=ended.payload)
    if ended.kind == wire.FUTURES:
        return Succeeded(futures=ended.payload)
    if ended.kind == wire.WRITTEN:
        return Succeeded(written=True)
    error = ErrorDocument.FromString(ended.payload).error
    system = error.origin == ExecutionError.SYSTEM
    kind = FailureKind.SYSTEM if system else FailureKind.USER
    return Failed(AttemptFailure(error.code, error.message, kind, error.kind == error.RECOVERABLE), checkpoint)


def room_of(config: WorkersConfig) -> Admission[Entry]:
    """The room that the jobs of one pool or of several have together."""
    return Admission(
        config.cpus or os.cpu_count() or 1, config.memory_bytes or _memory_bytes(), lambda entry: entry.label
    )


def _enter(room: Admission[Entry], entry: Entry, need: Need) -> None:
    """Begin a job if there is room for it; else it waits behind others."""
    if room.admit(entry, need):
        _begin(entry)
    else:
        room.put(entry, need, entry.job.id.execution)
        begin_what_fits(room)


def _begin(entry: Entry) -> None:
    """Begin a job that there is room for. Raises nothing."""
    try:
        entry.pool.begin(entry)
    except Exception as exc:  # noqa: BLE001 - told to whoever waits for the job
        _broken(entry, exc)


def begin_what_fits(room: Admission[Entry]) -> None:
    """Begin the jobs that there is room for, of whichever pool they are. Raises nothing: others wait for who calls."""
    try:
        while (entry := room.take()) is not None:
            _begin(entry)
    except Exception:
        log.exception("workers.room_broken")


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
