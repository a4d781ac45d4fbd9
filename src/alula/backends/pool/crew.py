"""The processes of a pool: its keeper, a zygote per set of code, and their workers."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from alula._kits.clock import Clock
from alula.backends.pool import deaths
from alula.backends.pool.keeper import Keeper, last_words
from alula.backends.pool.line import Line
from alula.backends.pool.needs import Code
from alula.idl import worker as wire
from alula.plugin.failure import AttemptFailure

log = logging.getLogger(__name__)

_MOST_TEMPLATES = 1000
"""A worker that has seen so many is replaced, for it remembers each."""
_HEAR_SECONDS = 1.0
"""From the end of a worker's stream to the news of its death; one that lives on cannot answer any more."""
_SHOWN = 2000
"""Characters of what a zygote printed before it died."""


@dataclass(frozen=True, slots=True)
class Start:
    """How fresh interpreters for the code that is here begin."""

    interpreter: str = ""
    """Empty: fork, if the keeper can; else this interpreter."""
    paths: tuple[str, ...] = ()
    """Put before their `sys.path`."""
    modules: tuple[str, ...] = ()
    """Imported before the first worker is forked."""
    keeper: tuple[str, ...] = ()
    """The command of a keeper that all zygotes are forks of, those of code bundles too; empty: our own."""
    imports: bool = True
    """Zygotes import the modules of tasks; else only the tasks' own processes do."""
    prepare_seconds: float = 300.0
    """A zygote that imports for longer hangs, and is killed; the next one leaves imports to its workers."""


class Owner(Protocol):
    """What a crew tells about workers that have a job."""

    def heard(self, worker: Worker, message: wire.Message) -> None:
        """The worker says something."""
        ...

    def died(self, worker: Worker, failure: AttemptFailure) -> None:
        """The worker is dead, and nothing of it is left."""
        ...

    def over(self, worker: Worker, used_bytes: int) -> None:
        """The worker and its descendants hold more memory than they may."""
        ...


@dataclass(eq=False, slots=True)
class Zygote:
    """One zygote process, as the engine sees it."""

    number: int
    code: Code
    output: Path
    keeper: Keeper
    line: Line | None = None
    pid: int = 0
    """0 until it has spoken."""
    prepared: bool = False
    """It has its code, and forks."""
    preparing: int = 0
    """So often it was told what to import, and has not said that it is done."""
    late: Callable[[Zygote], asyncio.TimerHandle] | None = None
    """Begins to wait for the end of its imports, not for ever."""
    patience: asyncio.TimerHandle | None = None
    idle: list[Worker] = field(default_factory=list)
    """Those who have nothing to do; the last one did something most recently."""
    workers: dict[int, Worker] = field(default_factory=dict)
    preloaded: set[str] = field(default_factory=set)
    problem: str = ""

    def prepare(self, message: wire.Prepare) -> None:
        """Have it import something: until then it forks nobody."""
        assert self.line is not None
        self.line.say(message)
        self.preparing += 1
        self._wait()

    def ready(self, pid: int, *, prepared: bool) -> None:
        """It has spoken; maybe it has what it was to import."""
        self.pid, self.prepared = pid, self.prepared or prepared
        if prepared:
            self.preparing -= 1
            self._wait()

    def _wait(self) -> None:
        if self.patience is not None:
            self.patience.cancel()
        if self.preparing and self.late is not None:
            self.patience = self.late(self)

    def hang_up(self) -> None:
        """Speak with it no more, nor with its workers: they end."""
        for worker in self.workers.values():
            worker.hang_up()
        if self.line is not None:
            self.line.close()
        if self.patience is not None:
            self.patience.cancel()


@dataclass(eq=False, slots=True)
class Worker:
    """One worker process, as the engine sees it."""

    number: int
    zygote: Zygote
    directory: Path
    line: Line | None = None
    pid: int = 0
    """0 until the zygote says so."""
    busy: bool = False
    leaving: bool = False
    """It ends by itself, or is told to: its death says nothing about a job."""
    when_known: list[Callable[[], None]] = field(default_factory=list)
    """Called when its pid is known."""
    templates: set[int] = field(default_factory=set)
    idle_since: float = 0.0

    @property
    def spool(self) -> str:
        """The file that its output goes to."""
        return str(self.directory / "log")

    def withdraw(self) -> None:
        """Be given no job any more."""
        if self in self.zygote.idle:
            self.zygote.idle.remove(self)

    def hang_up(self) -> None:
        """Speak with it no more: it ends when it has nothing to do."""
        self.leaving = True
        if self.line is not None:
            self.line.close()

    def know(self, call: Callable[[], None]) -> None:
        """Have something done once its pid is known, or is known never to be."""
        if self.pid or self.zygote.problem:
            call()
        else:
            self.when_known.append(call)

    def known(self) -> None:
        """Do what had to wait for the pid."""
        calls, self.when_known = self.when_known, []
        for call in calls:
            call()


class Crew:
    """Starts processes, and knows which of them live.

    Args:
        owner: Is told what becomes of workers.
        spool: A directory of the crew's own.
        start: How fresh interpreters begin.
        grace_seconds: Between asking a process to end and killing it.
    """

    def __init__(self, owner: Owner, spool: Path, start: Start, *, grace_seconds: float, clock: Clock) -> None:
        self._owner, self._spool, self._start, self._clock = owner, spool, start, clock
        self._grace = grace_seconds
        self._loop = asyncio.get_running_loop()
        self._keeper: Keeper | None = None
        self._gone = asyncio.Event()
        """A worker is dead."""
        self._fallen: list[Keeper] = []
        """Those that were killed, and may have left something that ends."""
        self._zygotes: dict[Code, Zygote] = {}
        self._by_number: dict[int, Zygote] = {}
        self._numbers = 0
        self.forked = self.died = 0
        """Workers that were ever started, and those that ended when nobody had told them to."""
        self._kills = deaths.kernel_kills()
        self._unprepared: set[Code] = set()
        """Code that killed a zygote when it was imported: it is left to the workers."""

    def open(self, root: wire.Root | None) -> None:
        """Start the keeper, or take the one that there is, and the zygote of the code that is here."""
        self._keeper = self._begin_keeper(root)
        self._zygote(Code(), "")

    async def stop(self) -> None:
        """End all workers within the time that they get for that: those with a job are told to, the others leave."""
        if (keeper := self._keeper) is None:
            return
        here = [w for z in self._zygotes.values() for w in z.workers.values() if w.pid]
        left = {worker for worker in here if worker.busy}

        def gone(worker: Worker) -> None:
            left.discard(worker)
            self._gone.set()

        for worker in here:
            if worker.busy:
                worker.leaving = True
                keeper.end(worker.pid, self._grace, partial(gone, worker))
            else:
                worker.hang_up()
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * self._grace + 1 if left else self._grace):
                while left or any(not one.busy and one.number in one.zygote.workers for one in here):
                    self._gone.clear()
                    await self._gone.wait()

    async def aclose(self) -> None:
        """End everything that is left, at once."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.close()
            self._fallen.append(keeper)
        for zygote in self._zygotes.values():
            zygote.hang_up()
        while self._fallen:
            await self._fallen.pop().ended()

    def keep(self, seconds: float) -> None:
        """Have everything end in so many seconds, unless this is called again by then."""
        if self._keeper is not None:
            self._keeper.lease(seconds)

    # workers

    def take(self, code: Code, module: str) -> Worker:
        """A worker for a job that needs this code: an idle one, or a new one."""
        zygote = self._zygote(code, module)
        worker = zygote.idle.pop() if zygote.idle else self._fork(zygote)
        worker.busy = True
        return worker

    def give_back(self, worker: Worker) -> None:
        """A worker has nothing to do any more."""
        worker.busy = False
        worker.idle_since = self._clock.monotonic()
        if len(worker.templates) > _MOST_TEMPLATES:
            worker.hang_up()
        else:
            worker.zygote.idle.append(worker)

    def end(self, worker: Worker, grace_seconds: float, gone: Callable[[], None]) -> None:
        """End a worker with all that descends from it; `gone` is called when nothing is left."""
        worker.leaving = True

        def end() -> None:
            keeper = worker.zygote.keeper
            if worker.pid or keeper.lost:
                keeper.end(worker.pid, grace_seconds, gone)
            else:
                gone()

        worker.know(end)

    def idle(self) -> int:
        """Workers that have nothing to do."""
        return sum(len(zygote.idle) for zygote in self._zygotes.values())

    def watch(self, worker: Worker, limit_bytes: int) -> None:
        """Tell when a worker holds more memory than this; 0: no more."""

        def watch() -> None:
            if self._keeper is not None and worker.pid:
                self._keeper.watch(worker.pid, limit_bytes)

        worker.know(watch)

    def dismiss_idle(self, seconds: float) -> None:
        """Let those workers end that have had nothing to do for so long, and zygotes of bundles without any."""
        before = self._clock.monotonic() - seconds
        for zygote in list(self._zygotes.values()):
            while zygote.idle and zygote.idle[0].idle_since <= before:
                zygote.idle.pop(0).hang_up()
            if zygote.code != Code() and not zygote.workers and zygote.pid:
                self._forget(zygote)
                zygote.hang_up()

    def forget(self, worker: Worker) -> None:
        """A worker is dead, and its files are of no use any more."""
        worker.zygote.workers.pop(worker.number, None)
        worker.withdraw()
        worker.hang_up()
        self._gone.set()
        _remove(worker.directory, self._loop)

    def _fork(self, zygote: Zygote) -> Worker:
        self._numbers += 1
        self.forked += 1
        worker = Worker(self._numbers, zygote, self._spool / f"worker-{self._numbers}")
        worker.directory.mkdir()
        ours, theirs = socket.socketpair()
        worker.line = Line(
            ours, lambda message: self._owner.heard(worker, message), lambda: self._quiet(worker), self._loop
        )
        zygote.workers[worker.number] = worker
        if zygote.line is not None:
            zygote.line.say(wire.Fork(worker.number, str(worker.directory)), theirs)
        return worker

    def _quiet(self, worker: Worker) -> None:
        """Its stream has ended: it is dying, which the zygote says in a moment; or its task has broken it."""
        worker.withdraw()
        if worker.busy:
            self._loop.call_later(_HEAR_SECONDS, self._dead, worker, deaths.stream_lost)
        else:
            worker.leaving = True

    def _dead(self, worker: Worker, failure: Callable[[], AttemptFailure]) -> None:
        """A worker has died. Whoever waits for that is told once its descendants are gone too."""
        if worker.number not in worker.zygote.workers:
            return
        worker.withdraw()  # if something else holds its stream open, nobody has heard the end of that
        if worker.leaving and not worker.busy:
            self.forget(worker)
        elif not worker.leaving:
            self.died += 1
            said = failure()  # now: what the kernel says changes
            gone = partial(self._owner.died, worker, said) if worker.busy else partial(self.forget, worker)
            self.end(worker, 0, gone)

    # zygotes

    def _zygote(self, code: Code, module: str) -> Zygote:
        """The zygote of a set of code, which has that module or will have."""
        zygote = self._zygotes.get(code)
        if zygote is None:
            zygote = self._begin(code, module)
        elif module and module not in zygote.preloaded and zygote.line is not None and self._imports(code):
            zygote.preloaded.add(module)
            zygote.prepare(wire.Prepare(modules=(module,)))
        return zygote

    def _imports(self, code: Code) -> bool:
        """Whether its zygote is told what to import."""
        return self._start.imports and not self._is_fork(code) and code not in self._unprepared

    def _is_fork(self, code: Code) -> bool:
        """Whether its zygote is a fork of a process that has imported what it wants to."""
        forks = self._keeper is not None and self._keeper.forks and not self._start.keeper
        return forks and not code.bundle and not self._start.interpreter

    def _begin_keeper(self, root: wire.Root | None) -> Keeper:
        return Keeper(root, str(self._spool), self, self._loop, self._start.keeper)

    def _begin(self, code: Code, module: str) -> Zygote:
        if self._keeper is None:
            self._keeper = self._begin_keeper(None)
        self._numbers += 1
        zygote = Zygote(self._numbers, code, self._spool / f"zygote-{self._numbers}", self._keeper)
        ours, theirs = socket.socketpair()
        zygote.line = Line(ours, lambda message: self._heard(zygote, message), lambda: None, self._loop)
        here = not code.bundle
        interpreter = self._start.interpreter or ("" if here or self._start.keeper else sys.executable)
        self._keeper.begin(zygote.number, interpreter, str(zygote.output), theirs)
        modules = (*self._start.modules, *((module,) if module else ()))
        if not self._imports(code):
            modules = ()
        zygote.preloaded.update(modules)
        directory = "" if here else str(self._spool / "code" / sha256(code.bundle.encode()).hexdigest()[:16])
        paths = self._start.paths if here else ()
        zygote.late = lambda late: self._loop.call_later(self._start.prepare_seconds, self._hangs, late)
        zygote.prepare(wire.Prepare(paths, modules, code.bundle, directory, dict(code.variables)))
        self._zygotes[code] = self._by_number[zygote.number] = zygote
        return zygote

    def _heard(self, zygote: Zygote, message: wire.Message) -> None:
        match message:
            case wire.Ready(version, pid, problem, prepared):
                zygote.ready(pid, prepared=prepared)
                if problem or version != wire.VERSION:
                    zygote.problem = problem or (
                        f"its interpreter has another version of Alula: it speaks version {version} of the messages of "
                        f"workers, and this engine {wire.VERSION}. Install the same version there"
                    )
                    self.zygote_lost(zygote.number, 0)
            case wire.Forked(number, pid):
                worker = zygote.workers.get(number)
                if worker is not None:
                    worker.pid = pid
                    worker.known()
            case wire.Exited(number, 0, _):
                worker = zygote.workers.get(number)
                if worker is not None:
                    worker.leaving = True
                    self._owner.died(worker, deaths.zygote_lost("no process can be forked: there are too many"))
            case wire.Exited(number, _, status):
                worker = zygote.workers.get(number)
                if worker is not None:
                    if worker.line is not None:
                        worker.line.drain()  # its last words came by another way
                    self._dead(worker, lambda: deaths.of(status, out_of_memory=self._killed_by_kernel()))

    def _hangs(self, zygote: Zygote) -> None:
        """It still imports."""
        zygote.prepared = False
        seconds = self._start.prepare_seconds
        zygote.problem = f"the process that workers are forked from imported for longer than {seconds:g} s"
        if zygote.pid:
            zygote.keeper.end(zygote.pid, 0, lambda: None)
        self.zygote_lost(zygote.number, 0)

    def _killed_by_kernel(self) -> bool:
        before, self._kills = self._kills, deaths.kernel_kills()
        return self._kills > before

    def _forget(self, zygote: Zygote) -> None:
        self._by_number.pop(zygote.number, None)
        if zygote.patience is not None:
            zygote.patience.cancel()
        if self._zygotes.get(zygote.code) is zygote:
            del self._zygotes[zygote.code]

    # what the keeper tells

    def zygote_lost(self, zygote: int, status: int) -> None:
        found = self._by_number.get(zygote)
        if found is None:
            return
        self._forget(found)
        if not found.prepared:
            self._unprepared.add(found.code)
        found.problem = found.problem or (
            f"the process that workers are forked from died ({_ending(status)}), and they with it{_printed(found)}"
        )
        log.error("workers.zygote_lost", extra={"problem": found.problem})
        self._bury(found)

    def over(self, pid: int, used_bytes: int) -> None:
        for worker in [one for zygote in self._zygotes.values() for one in zygote.workers.values()]:
            if worker.pid == pid and worker.busy and not worker.leaving:
                self._owner.over(worker, used_bytes)

    def keeper_lost(self) -> None:
        log.error("workers.keeper_lost")
        if self._keeper is not None:
            self._fallen.append(self._keeper)
            self._keeper = None
        for zygote in list(self._zygotes.values()):
            said = last_words(str(self._spool)) if self._start.keeper else ""
            zygote.problem = f"the process that looks after workers died, and they with it{said}"
            self._forget(zygote)
            for worker in zygote.workers.values():
                if worker.pid:
                    with suppress(ProcessLookupError):
                        os.kill(worker.pid, signal.SIGKILL)  # the kernel does it too, a moment later
            self._bury(zygote)

    def _bury(self, zygote: Zygote) -> None:
        """All workers of a dead zygote die."""
        failure = deaths.zygote_lost(zygote.problem)
        for worker in list(zygote.workers.values()):
            if worker.busy or worker.pid:
                self._dead(worker, lambda: failure)
            else:
                self.forget(worker)
            worker.known()
        if zygote.line is not None:
            zygote.line.close()


def _remove(directory: Path, loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_in_executor(None, shutil.rmtree, directory, True)
    except RuntimeError as exc:  # there can be no thread; it goes with the pool
        log.warning("workers.directory_left", extra={"directory": str(directory), "error": str(exc)})


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else deaths.signal_name(-code)


def _printed(zygote: Zygote) -> str:
    """The end of what a zygote printed."""
    with suppress(OSError):
        text = zygote.output.read_text(errors="replace").strip()
        return f". Its last words: {text[-_SHOWN:]}" if text else ""
    return ""
