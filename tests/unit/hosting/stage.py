"""A host in virtual time with an engine that keeps what it is told: for tests of hosts alone."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from alula._kits.records import replace
from alula.data.stores import Objects
from alula.errors import RemoteNotFound
from alula.hosting.host import Host, Surroundings
from alula.hosting.secrets import Secrets
from alula.hosting.steps import Rules
from alula.idl import TaskTemplate
from alula.plugin.context import TaskContext
from alula.plugin.core import Plugin, PluginInfo
from alula.plugin.phase import Phase, PhaseInfo
from alula.plugin.runner import Asks, AttemptId, Failed, Job, Keeps, Report, Shows, Succeeded, Waits
from alula.plugin.webapi import Limits, WebApiPlugin
from alula.testing.sim.loop import VirtualClock, VirtualLoop, virtual_loop

TASK = TaskTemplate(type="cloud")


@dataclass(frozen=True)
class Key:
    number: int


@dataclass
class RemoteJob:
    name: str
    until: float
    ends: PhaseInfo


@dataclass
class Cloud:
    """A remote service: jobs that run for some time, and calls that can be made to fail."""

    loop: VirtualLoop
    runs: float = 5.0
    ends: PhaseInfo = field(default_factory=PhaseInfo.succeeded)
    jobs: dict[int, RemoteJob] = field(default_factory=dict)
    made: int = 0
    calls: list[tuple[float, str]] = field(default_factory=list)
    before: dict[str, list[BaseException]] = field(default_factory=dict)
    """What calls raise, before they do anything."""
    after: dict[str, list[BaseException]] = field(default_factory=dict)
    """What calls raise once they have done it: the answer is lost."""

    def count(self, call: str) -> int:
        return sum(one == call for _, one in self.calls)

    def enter(self, call: str) -> None:
        self.calls.append((self.loop.time(), call))
        if self.before.get(call):
            raise self.before[call].pop(0)

    def leave(self, call: str) -> None:
        if self.after.get(call):
            raise self.after[call].pop(0)


class CloudPlugin(WebApiPlugin[Key, RemoteJob]):
    info = PluginInfo("cloud", frozenset({"cloud"}))
    key_type = Key
    limits = Limits(writes_per_second=100, reads_per_second=100)

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def create(self, task: TaskContext) -> Key:
        cloud = self.cloud
        cloud.enter("create")
        cloud.made += 1
        cloud.jobs[cloud.made] = RemoteJob(task.name, cloud.loop.time() + cloud.runs, cloud.ends)
        cloud.leave("create")
        return Key(cloud.made)

    async def find(self, task: TaskContext) -> Key | None:
        self.cloud.enter("find")
        return next((Key(number) for number, job in self.cloud.jobs.items() if job.name == task.name), None)

    async def get(self, keys: Sequence[Key]) -> Sequence[RemoteJob | RemoteNotFound]:
        self.cloud.enter("get")
        return [self.cloud.jobs.get(key.number) or RemoteNotFound(f"no job {key.number}") for key in keys]

    async def delete(self, key: Key) -> None:
        self.cloud.enter("delete")
        self.cloud.jobs.pop(key.number, None)
        self.cloud.leave("delete")

    def phase(self, task: TaskContext, remote: RemoteJob) -> PhaseInfo:
        return remote.ends if self.cloud.loop.time() >= remote.until else PhaseInfo(Phase.RUNNING)


@dataclass
class Told:
    """What the engine was told of one attempt, and what it keeps of it."""

    job: Job
    reports: list[Report] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)

    @property
    def end(self) -> Succeeded | Failed | None:
        ends = [one for one in self.reports if isinstance(one, Succeeded | Failed)]
        assert len(ends) <= 1, ends
        return ends[0] if ends else None

    @property
    def failure(self) -> Any:
        assert isinstance(self.end, Failed), self.reports
        return self.end.failure

    @property
    def shown(self) -> list[Any]:
        return [json.loads(one.info) for one in self.reports if isinstance(one, Shows)]

    @property
    def waits(self) -> str:
        return next((one.reason for one in reversed(self.reports) if isinstance(one, Waits)), "")


class Stage:
    """A host, inline, on a loop of virtual time."""

    def __init__(self, make: Callable[[], Plugin], *, loop: VirtualLoop | None = None, **around: Any) -> None:
        self.loop = loop or virtual_loop()
        self.clock = VirtualClock(self.loop)
        self.told: dict[AttemptId, Told] = {}
        self.closed: dict[AttemptId, list[str]] = {}
        self.grants: list[Callable[[], None]] = []
        self.keeping = True
        self.slow = 0.0
        around.setdefault("rules", Rules(outage=timedelta(minutes=10)))
        around.setdefault("secrets", Secrets({}))
        surroundings = Surroundings(clock=self.clock, rng=random.Random(1), objects=Objects(), **around)
        self.host = Host("cloud", make, surroundings, task_types=frozenset({"cloud"}), inline=True)
        self.process = self.loop.process("engine")
        self.loop.run_until_complete(self.process.spawn(self.host.open()))

    def again(self, make: Callable[[], Plugin], **around: Any) -> Stage:
        """The same after a crash: another process, with what the engine had kept."""
        self.process.kill()
        other = Stage(make, loop=self.loop, **around)
        other.told = {id: Told(self._kept(told)) for id, told in self.told.items()}
        return other

    def _kept(self, told: Told) -> Job:
        return replace(told.job, fresh=False, state=told.kept[-1] if told.kept else told.job.state, state_version=1)

    def id(self, number: int = 0) -> AttemptId:
        return AttemptId("p", "d", "e", f"n{number}", 0, "01234567")

    def start(self, number: int = 0, **job: Any) -> Told:
        id = self.id(number)
        told = self.told.get(id)
        if told is None:
            made = Job(id, job.pop("template", TASK), b"", f"memory://data/e/n{number}/0", **job)
            told = self.told[id] = Told(made)
        self.host.start(told.job, lambda report: self._tell(told, report))
        return told

    def _tell(self, told: Told, report: Report) -> None:
        told.reports.append(report)
        match report:
            case Keeps() if self.keeping:

                def save() -> None:
                    told.kept.append(report.state)
                    report.saved()

                self.loop.call_later(self.slow, save)
            case Asks():
                self.grants.append(report.granted)

    def close(self, number: int = 0, *, abort: bool, job: bool = False) -> list[str]:
        id = self.id(number)
        answers = self.closed.setdefault(id, [])
        lent = replace(self.told[id].job, inputs=b"") if job else None
        self.host.close(id, abort=abort, reason="the test says so", done=answers.append, job=lent)
        return answers

    def advance(self, seconds: float) -> None:
        self.loop.advance(seconds)

    def end(self) -> None:
        self.loop.run_until_complete(self.host.aclose())
        assert not self.loop.mishaps, self.loop.mishaps


def cloud_stage(**more: Any) -> tuple[Stage, Cloud]:
    loop = virtual_loop()
    cloud = Cloud(loop)
    return Stage(lambda: CloudPlugin(cloud), loop=loop, **more), cloud
