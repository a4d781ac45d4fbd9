"""Runners whose attempts follow a script: how long they take, how they end, how their answers get lost.

A `Cluster` is the outside world, where jobs run; it outlives every engine. A `ScriptedRunner` is what one engine has of
it. Jobs are either `local`, and die with their engine, as those of worker processes do; or they go on without it, and
are taken up again by their id, as those of a remote service.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVarTuple

from alula.idl import TaskTemplate
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.runner import AttemptId, Failed, Job, Progressed, Report, Started, Succeeded, Tell
from alula.testing.sim.loop import Process, VirtualLoop
from alula.testing.sim.prefaces import Ledger, Preface, Prefaces, Waiting, none

Ts = TypeVarTuple("Ts")

GONE = Failed(AttemptFailure("JobGone", "the job is no longer there", FailureKind.SYSTEM, recoverable=True))
"""What is told of a job that was closed and is asked for again."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What one attempt does."""

    ends: Succeeded | Failed | None
    """None: it never does."""
    queued: float = 0.0
    """Seconds before it starts to run."""
    runs: float = 1.0
    """Seconds from then to its end."""
    progress: tuple[tuple[float, Progressed], ...] = ()
    """What it says on its way, by the seconds since it runs."""


Script = Callable[[Job], Deed]
"""What an attempt does; asked anew whenever it runs anew."""


@dataclass(slots=True)
class Dials:
    """How often things go wrong with runners. `budget` is shared by all, so that in the end everything goes right."""

    rng: random.Random
    budget: int = 0
    lost: float = 0.05
    """A report never comes; whoever starts the job again is told."""
    late: float = 0.1
    doubled: float = 0.1
    refused: float = 0.1
    """A clean-up fails."""
    slow: float = 10.0
    """Seconds that something late takes at most."""

    def trouble(self, chance: float) -> bool:
        """Whether something goes wrong now."""
        if self.budget <= 0 or self.rng.random() >= chance:
            return False
        self.budget -= 1
        return True


@dataclass(slots=True, eq=False)
class _Live:
    """A job that was started and not closed."""

    job: Job
    deed: Deed
    owner: ScriptedRunner
    """Who started it, or took it up last."""
    tell: Tell
    local: bool
    running: bool = False
    over: Report | None = None
    """How it ended."""
    said: list[Report] = field(default_factory=list)
    preface: Preface = field(default_factory=Preface)

    @property
    def live(self) -> bool:
        return self.over is None


class Cluster:
    """Where jobs run, and what sees if one runs twice.

    Args:
        script: What each attempt does.
        dials: How often things go wrong.
        log: Told what happens, one line at a time.
    """

    def __init__(self, loop: VirtualLoop, script: Script, dials: Dials, log: Callable[[str], None]) -> None:
        self.loop, self.script, self.dials, self.log = loop, script, dials, log
        self.prefaces: Prefaces = none
        """What attempts do before they run."""
        self.ledger = Ledger()
        self.jobs: dict[str, list[_Live]] = {}
        """By the name of the attempt; more than one is a fault, and so are two live ones of a node."""
        self.closed: set[str] = set()
        self.started: dict[str, int] = {}
        """How often each attempt was made to run."""
        self.faults: list[str] = []
        self.on_start: Callable[[Job, str], None] = lambda job, by: None
        """Told of every start, before it, and which engine asked for it."""
        self.most = 0
        """So many jobs were live at one time."""
        self._live = 0
        self._of_node: dict[tuple[str, str, str, str], list[_Live]] = {}
        """All jobs that each node ever had."""
        self._outside = contextvars.copy_context()
        """Of no process: what happens here goes on when engines die."""

    def live(self) -> Iterator[_Live]:
        return (one for found in self.jobs.values() for one in found if one.live)

    def left(self) -> list[str]:
        """What still runs, in words."""
        return [f"{_text(one.job.id)} still runs" for one in self.live()]

    def begin(self, job: Job, owner: ScriptedRunner, tell: Tell) -> None:
        name = job.id.name
        deed = self.script(job)
        live = _Live(job, deed, owner, tell, owner.local, preface=self.prefaces(job))
        if live.preface.units:
            used = live.preface.units + sum(one.preface.units for one in self.live())
            if used > self.ledger.units:
                self.faults.append(f"{_text(job.id)} begins, and {used} of {self.ledger.units} units are in use")
        of_node = self._of_node.setdefault(_node(job.id), [])
        for other in of_node:
            if other.live:
                self.faults.append(f"{_text(job.id)} runs while {_text(other.job.id)} still does")
        of_node.append(live)
        self.jobs.setdefault(name, []).append(live)
        self.started[name] = self.started.get(name, 0) + 1
        self._live += 1
        self.most = max(self.most, self._live)
        self.log(f"job {_text(job.id)} begins")
        at = self.loop.time() + deed.queued
        self.at(at, self._run, live)
        for after, progress in deed.progress:
            if after < deed.runs:
                self.at(at + after, self._say, live, progress)
        if deed.ends is not None:
            self.at(at + deed.runs, self._end, live, deed.ends)

    def stop(self, live: _Live) -> None:
        """End a job from outside."""
        if live.live:
            self.over(live, GONE)

    def over(self, live: _Live, how: Report) -> None:
        live.over = how
        self._live -= 1

    def lose(self, runner: ScriptedRunner) -> list[_Live]:
        """What is local to a runner ends with it. Gives what was live until now."""
        lost = []
        for name in list(self.jobs):
            mine = [one for one in self.jobs[name] if one.owner is runner and one.local]
            lost += [one for one in mine if one.live]
            for one in mine:
                self.stop(one)
            self.jobs[name] = [one for one in self.jobs[name] if one not in mine]
            if not self.jobs[name]:
                del self.jobs[name]
        return lost

    def at(self, when: float, call: Callable[[*Ts], object], *args: *Ts) -> asyncio.TimerHandle:
        """Have something happen on the outside, whichever engine dies until then."""
        return self.loop.call_at(when, call, *args, context=self._outside)

    def _run(self, live: _Live) -> None:
        if live.live:
            live.running = True
            self._say(live, Started())

    def _end(self, live: _Live, how: Succeeded | Failed) -> None:
        if live.live:
            self.log(f"job {_text(live.job.id)} ends: {'well' if isinstance(how, Succeeded) else how.failure.code}")
            self.over(live, how)
            self._say(live, how)

    def _say(self, live: _Live, report: Report) -> None:
        if live.over not in (None, report):
            return
        live.said.append(report)
        live.owner.told(live, report)


class ScriptedRunner:
    """A `Runner` for one engine.

    Args:
        local: Its jobs end when its engine does; otherwise another engine's runner takes them up.
    """

    def __init__(self, cluster: Cluster, process: Process, *, local: bool = True) -> None:
        self.cluster, self.process, self.local = cluster, process, local
        self._end: asyncio.TimerHandle | None = None
        self._waiting = Waiting(process, cluster.ledger)

    async def open(self) -> None:
        """There is nothing to get ready."""

    async def aclose(self) -> None:
        self._waiting.clear()
        self.cluster.lose(self)

    def keep(self, seconds: float) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = self.cluster.at(self.cluster.loop.time() + seconds, self._unkept)

    def _unkept(self) -> None:
        """The engine was silent for too long: its own processes end, whatever it is doing."""
        self._waiting.clear()
        for live in self.cluster.lose(self):
            self.cluster.log(f"job {_text(live.job.id)} ends, since {self.process.name} is silent")
            self.process.call_soon(live.tell, GONE)

    def accepts(self, template: TaskTemplate) -> str:
        return ""

    def start(self, job: Job, tell: Tell) -> None:
        cluster, name = self.cluster, job.id.name
        if not self.process.alive:
            return
        mine = [one for one in cluster.jobs.get(name, []) if not one.local or one.owner is self]
        cluster.on_start(job, self.process.name)
        cluster.ledger.starts(job)
        if mine:
            [live] = mine
            live.owner, live.tell = self, tell
            cluster.log(f"job {_text(job.id)} is taken up by {self.process.name}")
            for report in list(live.said):
                self.told(live, report)
        elif name in cluster.closed and not self.local:
            self.process.call_soon(tell, GONE)
        else:
            self._waiting.begin(job, tell, cluster.prefaces(job), lambda: cluster.begin(job, self, tell))

    def told(self, live: _Live, report: Report) -> None:
        """Carry a report to the engine: maybe late, maybe twice, maybe not at all."""
        dials, tell = self.cluster.dials, live.tell

        def arrive() -> None:
            if live.tell is tell and live.owner is self:
                tell(report)

        if dials.trouble(dials.lost):
            self.cluster.log(f"report {type(report).__name__} of {_text(live.job.id)} is lost")
            return
        late = dials.rng.random() * dials.slow if dials.trouble(dials.late) else 0.0
        self._after(late, arrive)
        if dials.trouble(dials.doubled):
            self._after(late + dials.rng.random() * dials.slow, arrive)

    def wake(self, id: AttemptId) -> None: ...

    def forget(self, id: AttemptId) -> None: ...

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        if not self.process.alive:
            return
        self._waiting.drop(id.name)
        dials = self.cluster.dials
        wait = dials.rng.random() * dials.slow if dials.trouble(dials.late) else 0.05
        self.cluster.log(f"close {_text(id)}{', and abort it' if abort else ''}")
        if dials.trouble(dials.refused):
            self._after(wait, lambda: done("the machine says no"))
        else:
            self._after(wait, lambda: self._closed(id, done))

    def _closed(self, id: AttemptId, done: Callable[[str], None]) -> None:
        cluster = self.cluster
        kept = []
        for one in cluster.jobs.pop(id.name, []):
            if one.local and one.owner is not self:
                kept.append(one)  # it runs in another engine's process
            else:
                cluster.stop(one)
        if kept:
            cluster.jobs[id.name] = kept
        cluster.closed.add(id.name)
        cluster.log(f"closed {_text(id)}")
        done("")

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        self.cluster.loop.call_later(seconds, self.process.call_soon, call)


def _node(id: AttemptId) -> tuple[str, str, str, str]:
    return id.project, id.domain, id.execution, id.path


def _text(id: AttemptId) -> str:
    return f"{id.execution}/{id.path}#{id.number}"
