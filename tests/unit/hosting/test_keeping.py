"""Keys of jobs that cannot be kept: no second job is made for that, and none is left."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from alula.hosting.secrets import Secrets
from alula.plugin.context import TaskContext
from alula.plugin.core import CorePlugin, PluginInfo
from alula.plugin.phase import Phase, PhaseInfo, Transition
from alula.testing.sim.loop import virtual_loop
from tests.unit.hosting.stage import Cloud, CloudPlugin, Key, Stage

SECRET = "hunter22-hunter22"
SECRETS = Secrets({"ALULA_SECRET_TOKEN": SECRET})


@dataclass(frozen=True)
class Session(Key):
    """A key of another shape than a `Key`."""

    more: Any = None


class Careless(CloudPlugin):
    """Its keys hold what `more` gives."""

    key_type = Session
    finds = True

    async def more(self, task: TaskContext) -> Any:
        raise NotImplementedError

    async def create(self, task: TaskContext) -> Key:
        return Session((await super().create(task)).number, await self.more(task))

    async def find(self, task: TaskContext) -> Key | None:
        found = await super().find(task)
        return Session(found.number, await self.more(task)) if found is not None and self.finds else None


class Leaky(Careless):
    async def more(self, task: TaskContext) -> Any:
        return f"https://cloud/jobs?token={await task.secret('token')}"


class Dated(Careless):
    async def more(self, task: TaskContext) -> Any:
        return {"at": datetime(2026, 1, 31, tzinfo=UTC)}


class Textual(CloudPlugin):
    """Its numbers are text."""

    finds = True

    async def create(self, task: TaskContext) -> Key:
        return Key(str((await super().create(task)).number))  # type: ignore[arg-type]

    async def find(self, task: TaskContext) -> Key | None:
        found = await super().find(task)
        return Key(str(found.number)) if found is not None and self.finds else None  # type: ignore[arg-type]

    async def delete(self, key: Key) -> None:
        await super().delete(Key(int(key.number)))


def _stage(kind: type[CloudPlugin], *, finds: bool = True) -> tuple[Stage, Cloud]:
    loop = virtual_loop()
    cloud = Cloud(loop, runs=10_000)
    made = type(kind.__name__, (kind,), {"finds": finds})
    return Stage(lambda: made(cloud), loop=loop, secrets=SECRETS), cloud


@pytest.mark.parametrize("finds", [True, False])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Leaky, "the state of cloud holds a secret"),
        (Dated, "the state of cloud cannot be kept: Object of type datetime is not JSON serializable"),
        (Textual, "cloud.create gave Key(number='1'), not a Key: the key.number is '1', and must be a whole number"),
    ],
)
def test_a_job_whose_key_cannot_be_kept_is_made_once_and_deleted(
    kind: type[CloudPlugin], said: str, finds: bool
) -> None:
    stage, cloud = _stage(kind, finds=finds)
    told = stage.start()
    stage.advance(60)
    assert cloud.made == 1
    assert said in told.waits
    stage.advance(1000)
    assert cloud.made == 1
    assert (told.failure.code, SECRET in str(told.reports)) == ("PluginFault", False)
    stage.close(abort=True)
    stage.advance(10)
    assert stage.closed[stage.id()] == [""]
    assert not cloud.jobs
    stage.end()


@pytest.mark.parametrize("kind", [Leaky, Dated, Textual])
def test_such_a_job_is_deleted_after_a_crash_too(kind: type[CloudPlugin]) -> None:
    stage, cloud = _stage(kind)
    stage.start()
    stage.advance(5)
    other = stage.again(lambda: kind(cloud), secrets=SECRETS)
    other.start()
    other.advance(60)
    assert cloud.made == 1
    other.close(abort=True, job=True)
    other.advance(10)
    assert other.closed[other.id()] == [""]
    assert not cloud.jobs
    other.end()
    stage.host._censor.close()


@dataclass(frozen=True)
class Unique:
    id: uuid.UUID


@dataclass(frozen=True)
class Nested:
    inner: Mapping[str, Unique]


@pytest.mark.parametrize("kind", [Unique, Nested, uuid.UUID])
def test_a_kind_of_key_that_json_cannot_hold_is_told_before_there_is_a_job(kind: type) -> None:
    loop = virtual_loop()
    cloud = Cloud(loop)
    made = type("Unkept", (CloudPlugin,), {"key_type": kind})
    stage = Stage(lambda: made(cloud), loop=loop)
    told = stage.start()
    stage.advance(10)
    what = f"plugin cloud is disabled: PluginError: Unkept.key_type, {kind.__name__}: <class 'uuid.UUID'> is no type"
    assert told.waits.startswith(what)
    assert not cloud.calls


class Stateless(CorePlugin[Unique]):
    info = PluginInfo("cloud", frozenset({"cloud"}))

    async def handle(self, task: TaskContext, state: Unique | None) -> Transition[Unique]:
        return Transition(PhaseInfo(Phase.RUNNING), Unique(uuid.uuid4()))

    async def abort(self, task: TaskContext, state: Unique | None, reason: str) -> None: ...

    async def finalize(self, task: TaskContext, state: Unique | None) -> None: ...


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "Stateless.state_type is missing; fix: name a frozen dataclass of plain values"),
        ({"state_type": Unique}, "Stateless.state_type, Unique: <class 'uuid.UUID'> is no type for a config; fix: use"),
    ],
)
def test_the_same_of_the_state_of_a_core_plugin(more: Mapping[str, Any], said: str) -> None:
    stage = Stage(type("Stateless", (Stateless,), dict(more)))
    told = stage.start()
    stage.advance(1)
    assert said in told.waits
