"""Plugins with one defect each, planted on purpose: the kit must grade every one of them F."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from alula.errors import RemoteError, RemoteNotFound
from alula.idl import LiteralMap, literals
from alula.plugin.context import TaskContext
from alula.plugin.phase import Phase, PhaseInfo
from alula.testing.kit.clouds import (
    Cloud,
    CloudCore,
    CloudHarness,
    CloudJob,
    CloudPlugin,
    CoreHarness,
    Handed,
    JobKey,
    KeyedHarness,
    KeyedPlugin,
)


@dataclass(frozen=True, slots=True)
class TokenKey:
    id: int
    token: str = ""


class FindsAnything(CloudPlugin):
    """`find` gives whatever job there is, whoever it belongs to."""

    async def find(self, task: TaskContext) -> JobKey | None:
        return JobKey(next(iter(self.cloud.jobs))) if self.cloud.jobs else None


class FindsOnlyWhatRuns(CloudPlugin):
    """`find` does not see jobs that have ended, so that they are made again."""

    async def find(self, task: TaskContext) -> JobKey | None:
        for job in self.cloud.jobs.values():
            if job.name == task.name and job.state == "running":
                return JobKey(job.id)
        return None


class ChangesNames(CloudPlugin):
    """Every creation has a name of its own."""

    numbers = count()

    async def create(self, task: TaskContext) -> JobKey:
        inputs = await task.inputs()
        x = inputs.literals["x"].scalar.primitive.integer
        return JobKey(await self.cloud.create(f"{task.name}-{next(self.numbers)}", x))


class SaysItIsIdempotent(CloudPlugin):
    """It claims that a second creation is harmless, and it is not."""

    idempotent_create = True


class DeletesNothing(CloudPlugin):
    """`delete` returns, and the job goes on."""

    async def delete(self, key: JobKey) -> None:
        return


class DeletesOnlyOnce(CloudPlugin):
    """`delete` of what is gone already raises, for ever."""

    async def delete(self, key: JobKey) -> None:
        try:
            await self.cloud.delete(key.id)
        except RemoteNotFound as exc:
            raise RemoteError(f"job {key.id} is in no state to be deleted") from exc


class PutsSecretsIntoNames(CloudPlugin):
    """The name of a job holds a password."""

    async def create(self, task: TaskContext) -> JobKey:
        inputs = await task.inputs()
        x = inputs.literals["x"].scalar.primitive.integer
        return JobKey(await self.cloud.create(f"{task.name}?token={await task.secret('token')}", x))


class PutsSecretsIntoKeys(CloudPlugin):
    """The key of a job, which is kept in the store, holds a password; and it says so in its log."""

    key_type = TokenKey  # type: ignore[assignment]

    async def create(self, task: TaskContext) -> TokenKey:  # type: ignore[override]
        key = await super().create(task)
        return TokenKey(key.id, await task.secret("token"))


class BlamesTheUser(CloudPlugin):
    """What goes wrong in transport is a failure of the task."""

    def phase(self, task: TaskContext, remote: CloudJob) -> PhaseInfo:
        return super().phase(task, remote)

    async def get(self, keys: Sequence[JobKey]) -> Sequence[CloudJob | RemoteNotFound]:
        found = await super().get(keys)
        return [CloudJob(0, "", 0, "gone") if isinstance(one, RemoteNotFound) else one for one in found]

    async def create(self, task: TaskContext) -> JobKey:
        key = await super().create(task)
        job = self.cloud.jobs.get(key.id)
        if not task.fresh and job is not None:
            job.state = "restarted"
        return key

    async def find(self, task: TaskContext) -> JobKey | None:
        key = await super().find(task)
        job = self.cloud.jobs.get(key.id) if key is not None else None
        if job is not None and job.state == "running":
            job.state = "lost contact"
        return key


class GivesWrongOutputs(CloudPlugin):
    """The results of another job."""

    async def outputs(self, task: TaskContext, key: JobKey, remote: CloudJob) -> LiteralMap | None:
        return literals.literal_map({"y": literals.integer(2 * remote.x + len(self.cloud.jobs) - 1)})


class MixesUpAnswers(CloudPlugin):
    """The answers of a batch are not in the order of the keys."""

    async def get(self, keys: Sequence[JobKey]) -> Sequence[CloudJob | RemoteNotFound]:
        found = await super().get(keys)
        return [*found[1:], *found[:1]]

    async def outputs(self, task: TaskContext, key: JobKey, remote: CloudJob) -> LiteralMap | None:
        if remote.id != key.id:
            return literals.literal_map({"y": literals.integer(-1)})
        return await super().outputs(task, key, remote)


class RunsForEver(CloudPlugin):
    """A job that is gone counts as one that runs."""

    async def get(self, keys: Sequence[JobKey]) -> Sequence[CloudJob | RemoteNotFound]:
        found = await super().get(keys)
        return [CloudJob(0, "", 0) if not isinstance(one, CloudJob) or one.state != "running" else one for one in found]


class SucceedsTooSoon(CloudPlugin):
    """What runs counts as done, so that it is deleted before it is."""

    def phase(self, task: TaskContext, remote: CloudJob) -> PhaseInfo:
        info = super().phase(task, remote)
        return PhaseInfo.succeeded() if info.phase is Phase.FAILED else info


class ForgetsToAbort(CloudCore):
    """A Core plugin that cleans up only what has ended by itself."""

    async def finalize(self, task: TaskContext, state: Handed | None) -> None:
        job = self.cloud.jobs.get(state.id) if state is not None else None
        if job is not None and job.state != "running":
            await super().finalize(task, state)


class TrustsItsMemory(CloudCore):
    """A Core plugin that cleans up only what this object has made."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.made: dict[str, int] = {}

    async def finalize(self, task: TaskContext, state: Handed | None) -> None:
        if state is not None and state.id:
            self.made[task.name] = state.id
        await super().finalize(task, Handed(id=self.made[task.name])) if task.name in self.made else None


class LeavesTheFailed(KeyedPlugin):
    """D3 of the field, in a plugin: what has not succeeded is left as it is."""

    async def delete(self, key: JobKey) -> None:
        job = self.cloud.jobs.get(key.id)
        if job is None or job.state == "done":
            await super().delete(key)


@dataclass(frozen=True, slots=True)
class Planted:
    """A defect, and the cloud that it is tried in."""

    plugin: type[CloudPlugin] | type[CloudCore]
    harness: type[CloudHarness] = CloudHarness


PLANTED = (
    Planted(FindsAnything),
    Planted(FindsOnlyWhatRuns),
    Planted(ChangesNames),
    Planted(SaysItIsIdempotent),
    Planted(DeletesNothing),
    Planted(DeletesOnlyOnce),
    Planted(PutsSecretsIntoNames),
    Planted(PutsSecretsIntoKeys),
    Planted(BlamesTheUser),
    Planted(GivesWrongOutputs),
    Planted(MixesUpAnswers),
    Planted(RunsForEver),
    Planted(SucceedsTooSoon),
    Planted(ForgetsToAbort, CoreHarness),
    Planted(TrustsItsMemory, CoreHarness),
    Planted(LeavesTheFailed, KeyedHarness),
)


def harness_of(planted: Planted) -> CloudHarness:
    """The harness of a plugin with a defect."""

    class Defective(planted.harness):  # type: ignore[name-defined,misc]
        def plugin(self, remote: Cloud) -> CloudPlugin | CloudCore:
            return planted.plugin(remote)

    return Defective()
