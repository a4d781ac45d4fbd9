"""A scripted cloud, and plugins that run jobs in it: to learn from, and to see that the kit grades rightly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from alula._kits.clock import Clock
from alula.errors import RemoteNotFound, Throttled
from alula.idl import LiteralMap, literals
from alula.plugin.context import TaskContext
from alula.plugin.core import CorePlugin, Owned, PluginInfo, SyncPlugin
from alula.plugin.phase import Phase, PhaseInfo, Transition
from alula.plugin.webapi import Limits, WebApiPlugin
from alula.testing.kit.harness import Case, Harness, Nowhere, Remote


@dataclass(slots=True)
class CloudJob:
    """One job of the cloud."""

    id: int
    name: str
    x: int
    state: str = "running"
    made: float = 0.0


@dataclass(slots=True)
class Cloud(Remote):
    """A service that runs jobs which double a number.

    Args:
        keyed: A second creation under the same name gives the job that is there.
        listing_lag: Seconds until a new job is seen by `named`.
        per_second: Requests that it takes in a second; 0: any number.
    """

    clock: Clock
    keyed: bool = False
    listing_lag: float = 0.0
    per_second: int = 0
    jobs: dict[int, CloudJob] = field(default_factory=dict)
    made: int = 0
    _window: tuple[int, int] = (0, 0)

    # --- what a plugin calls ---

    async def create(self, name: str, x: int) -> int:
        self._admit()
        if self.keyed:
            for job in self.jobs.values():
                if job.name == name:
                    return job.id
        self.made += 1
        self.jobs[self.made] = CloudJob(self.made, name, x, made=self.clock.monotonic())
        return self.made

    async def named(self, name: str) -> int | None:
        """The job of that name. A listing shows new jobs late."""
        self._admit()
        now = self.clock.monotonic()
        for job in self.jobs.values():
            if job.name == name and now - job.made >= self.listing_lag:
                return job.id
        return None

    async def states(self, ids: Sequence[int]) -> list[CloudJob | None]:
        self._admit()
        found = [self.jobs.get(id) for id in ids]
        return [CloudJob(job.id, job.name, job.x, job.state) if job is not None else None for job in found]

    async def delete(self, id: int) -> None:
        self._admit()
        if id not in self.jobs:
            raise RemoteNotFound(f"there is no job {id}", where="the cloud")
        del self.jobs[id]

    def _admit(self) -> None:
        second = int(self.clock.monotonic())
        count = self._window[1] + 1 if self._window[0] == second else 1
        self._window = second, count
        if self.per_second and count > self.per_second:
            raise Throttled("too many requests", where="the cloud", retry_after=1.0)

    # --- what the kit calls ---

    def live(self) -> Sequence[str]:
        return [job.name for job in self.jobs.values() if job.state == "running"]

    def finish(self, name: str) -> None:
        self._end(name, "done")

    def fail(self, name: str) -> None:
        self._end(name, "broken")

    def _end(self, name: str, state: str) -> None:
        for job in self.jobs.values():
            if job.name == name:
                job.state = state


@dataclass(frozen=True, slots=True)
class JobKey:
    id: int


class CloudPlugin(WebApiPlugin[JobKey, CloudJob]):
    """Runs tasks of type `cloud_job` in the cloud; finds jobs by their names."""

    info = PluginInfo("cloud", frozenset({"cloud_job"}))
    key_type = JobKey
    limits = Limits(writes_per_second=1_000, reads_per_second=1_000, refresh=timedelta(seconds=10))

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def create(self, task: TaskContext) -> JobKey:
        await task.secret("token")
        inputs = await task.inputs()
        return JobKey(await self.cloud.create(task.name, inputs.literals["x"].scalar.primitive.integer))

    async def find(self, task: TaskContext) -> JobKey | None:
        id = await self.cloud.named(task.name)
        return JobKey(id) if id is not None else None

    async def get(self, keys: Sequence[JobKey]) -> Sequence[CloudJob | RemoteNotFound]:
        found = await self.cloud.states([key.id for key in keys])
        return [job if job is not None else RemoteNotFound("the job is gone") for job in found]

    async def delete(self, key: JobKey) -> None:
        try:
            await self.cloud.delete(key.id)
        except RemoteNotFound:
            return

    def phase(self, task: TaskContext, remote: CloudJob) -> PhaseInfo:
        match remote.state:
            case "running":
                return PhaseInfo(Phase.RUNNING, f"job {remote.id} runs", custom={"job": remote.id})
            case "done":
                return PhaseInfo.succeeded()
        return PhaseInfo.failed("JobFailed", f"job {remote.id} is {remote.state}", recoverable=True)

    async def outputs(self, task: TaskContext, key: JobKey, remote: CloudJob) -> LiteralMap | None:
        return literals.literal_map({"y": literals.integer(2 * remote.x)})

    async def owned(self) -> Sequence[Owned]:
        return [Owned(job.name, f"job {job.id}") for job in self.cloud.jobs.values()]


class KeyedPlugin(CloudPlugin):
    """Of a cloud that takes the name as the key of the creation: nothing need be looked for."""

    idempotent_create = True


class BlindPlugin(CloudPlugin):
    """Of a cloud that can do neither: it can leak."""

    async def find(self, task: TaskContext) -> JobKey | None:
        return None


@dataclass(frozen=True, slots=True)
class Handed:
    """What `CloudCore` remembers of an attempt."""

    intended: bool = True
    id: int = 0


class CloudCore(CorePlugin[Handed]):
    """The same by hand: intend, look, create, look on."""

    info = PluginInfo("cloud_core", frozenset({"cloud_job"}))
    state_type = Handed

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def handle(self, task: TaskContext, state: Handed | None) -> Transition[Handed]:
        soon = timedelta(seconds=1)
        if state is None:
            return Transition(PhaseInfo(Phase.QUEUED), Handed(), timedelta(0))
        if not state.id:
            inputs = await task.inputs()
            id = await self.cloud.create(task.name, inputs.literals["x"].scalar.primitive.integer)
            return Transition(PhaseInfo(Phase.RUNNING), Handed(id=id), soon)
        (job,) = await self.cloud.states([state.id])
        if job is None:
            return Transition(PhaseInfo.failed("JobGone", "the job is gone", recoverable=True), state)
        if job.state == "done":
            outputs = literals.literal_map({"y": literals.integer(2 * job.x)})
            return Transition(PhaseInfo.succeeded(outputs), state)
        if job.state == "broken":
            return Transition(PhaseInfo.failed("JobFailed", "the job broke", recoverable=True), state)
        return Transition(PhaseInfo(Phase.RUNNING), state, soon)

    async def abort(self, task: TaskContext, state: Handed | None, reason: str) -> None:
        await self.finalize(task, state)

    async def finalize(self, task: TaskContext, state: Handed | None) -> None:
        id = state.id if state is not None and state.id else await self.cloud.named(task.name)
        if id is not None:
            try:
                await self.cloud.delete(id)
            except RemoteNotFound:
                return


class Doubler(SyncPlugin):
    """One call, and that was all."""

    info = PluginInfo("doubler", frozenset({"cloud_job"}))

    async def do(self, task: TaskContext) -> PhaseInfo:
        inputs = await task.inputs()
        x = inputs.literals["x"].scalar.primitive.integer
        return PhaseInfo.succeeded(literals.literal_map({"y": literals.integer(2 * x)}))


class CloudHarness(Harness):
    """The scripted cloud, as an author would hand it to the kit."""

    def remote(self) -> Remote:
        return Cloud(self.clock)

    def plugin(self, remote: Cloud) -> CloudPlugin | CloudCore | Doubler:
        return CloudPlugin(remote)

    def cases(self) -> Sequence[Case]:
        return [Case("cloud_job", inputs={"x": x}, outputs={"y": 2 * x}) for x in (21, 4)]


class KeyedHarness(CloudHarness):
    def remote(self) -> Remote:
        return Cloud(self.clock, keyed=True)

    def plugin(self, remote: Cloud) -> CloudPlugin:
        return KeyedPlugin(remote)


class BlindHarness(CloudHarness):
    def plugin(self, remote: Cloud) -> CloudPlugin:
        return BlindPlugin(remote)


class LaggingHarness(CloudHarness):
    """A listing that shows jobs a little late."""

    def remote(self) -> Remote:
        return Cloud(self.clock, listing_lag=0.8)


class BusyHarness(CloudHarness):
    """Two requests a second are all it takes."""

    def remote(self) -> Remote:
        return Cloud(self.clock, per_second=2)


class CoreHarness(CloudHarness):
    def remote(self) -> Remote:
        return Cloud(self.clock, keyed=True)

    def plugin(self, remote: Cloud) -> CloudCore:
        return CloudCore(remote)


class SyncHarness(CloudHarness):
    def remote(self) -> Remote:
        return Nowhere()

    def plugin(self, remote: Remote) -> Doubler:
        return Doubler()
