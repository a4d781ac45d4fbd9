"""Plugins that raise what nobody expects, at each call of their contract: attempts go on, and the reason is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from alula.hosting.steps import Rules
from alula.idl import LiteralMap
from alula.plugin.context import TaskContext
from alula.plugin.core import CorePlugin, PluginInfo, SyncPlugin
from alula.plugin.phase import PhaseInfo, Transition
from alula.plugin.runner import Succeeded
from alula.testing.sim.loop import virtual_loop
from tests.unit.hosting.stage import Cloud, CloudPlugin, Key, RemoteJob, Stage


class Odd(BaseException):
    """No Exception: most handlers let it pass."""


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


class Strange(Exception):
    def __str__(self) -> str:
        return 7  # type: ignore[return-value]


class Unseen:
    """An answer that cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no picture either")


KINDS: Sequence[Callable[[], BaseException]] = (
    lambda: NameError("name 'lines' is not defined"),
    lambda: KeyboardInterrupt(),
    lambda: SystemExit(3),
    lambda: RecursionError("maximum recursion depth exceeded"),
    lambda: MemoryError(),
    lambda: Odd("out of line"),
    lambda: GeneratorExit(),
    lambda: asyncio.CancelledError("by nobody"),
    lambda: BaseExceptionGroup("two", [Odd("one"), KeyboardInterrupt()]),
    Mute,
    Strange,
    lambda: StopIteration(4),
)
CALLS = ("open", "pool", "create", "find", "get", "phase", "outputs", "delete")


class Unkind(CloudPlugin):
    def _meet(self, call: str) -> None:
        self.cloud.enter(call)

    async def open(self) -> None:
        self._meet("open")

    def pool(self, task: TaskContext) -> str | None:
        self._meet("pool")
        return None

    def phase(self, task: TaskContext, remote: RemoteJob) -> PhaseInfo:
        self._meet("phase")
        return super().phase(task, remote)

    async def outputs(self, task: TaskContext, key: Key, remote: RemoteJob) -> LiteralMap | None:
        self._meet("outputs")
        return LiteralMap()


def stage_of(**more: Any) -> tuple[Stage, Cloud]:
    loop = virtual_loop()
    cloud = Cloud(loop)
    return Stage(lambda: Unkind(cloud), loop=loop, **more), cloud


def raised(kind: Callable[[], BaseException]) -> str:
    return "it was cancelled" if isinstance(kind(), asyncio.CancelledError) else type(kind()).__name__


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", KINDS, ids=raised)
def test_a_call_that_raises_anything_is_made_again(call: str, kind: Callable[[], BaseException]) -> None:
    loop = virtual_loop()
    cloud = Cloud(loop)
    cloud.before[call] = [kind(), kind()]
    stage = Stage(lambda: Unkind(cloud), loop=loop)
    told = stage.start(fresh=call != "find")
    stage.advance(60)
    assert isinstance(told.end, Succeeded), (told.waits, told.shown)
    answers = stage.close(abort=False)
    stage.advance(60)
    while answers[-1]:  # as the engine does, later and later
        stage.close(abort=False)
        stage.advance(60)
    assert not cloud.before[call]
    assert (cloud.made, cloud.jobs) == (1, {})
    assert raised(kind) in " ".join(answers if call == "delete" else map(str, told.reports))
    stage.end()


@pytest.mark.parametrize("call", [call for call in CALLS if call not in ("open", "delete", "find")])
@pytest.mark.parametrize("kind", KINDS, ids=raised)
def test_a_call_that_raises_for_ever_fails_its_attempt_with_the_reason(
    call: str, kind: Callable[[], BaseException]
) -> None:
    stage, cloud = stage_of(rules=Rules(outage=timedelta(minutes=2)))
    cloud.before[call] = [kind() for _ in range(10_000)]
    told = stage.start()
    stage.advance(1_000)
    assert (told.failure.code, told.failure.kind) == ("RemoteUnavailable", "system")
    assert raised(kind) in told.failure.message
    stage.close(abort=False)
    stage.advance(60)
    assert (stage.closed[stage.id()], cloud.jobs) == ([""], {})
    stage.end()


class Direct(CorePlugin[Key]):
    info = PluginInfo("cloud", frozenset({"cloud"}))
    state_type = Key

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def handle(self, task: TaskContext, state: Key | None) -> Transition[Key]:
        self.cloud.enter("handle")
        if state is None:
            return Transition(PhaseInfo.succeeded(), Key(1), None)
        return Transition(PhaseInfo.succeeded(), state, None)

    async def abort(self, task: TaskContext, state: Key | None, reason: str) -> None:
        self.cloud.enter("abort")

    async def finalize(self, task: TaskContext, state: Key | None) -> None:
        self.cloud.enter("finalize")


class Once(SyncPlugin):
    info = PluginInfo("cloud", frozenset({"cloud"}))

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def do(self, task: TaskContext) -> PhaseInfo:
        self.cloud.enter("do")
        return PhaseInfo.succeeded()


@pytest.mark.parametrize("call", ["handle", "abort", "finalize", "do"])
@pytest.mark.parametrize("kind", KINDS, ids=raised)
def test_so_it_is_with_plugins_of_the_other_kinds(call: str, kind: Callable[[], BaseException]) -> None:
    loop = virtual_loop()
    cloud = Cloud(loop)
    cloud.before[call] = [kind()]
    stage = Stage(lambda: (Once if call == "do" else Direct)(cloud), loop=loop)
    told = stage.start()
    stage.advance(60)
    assert isinstance(told.end, Succeeded), told.waits
    answers = stage.close(abort=True)
    stage.advance(10)
    if call in ("abort", "finalize"):
        assert raised(kind) in answers[0]
        answers = stage.close(abort=True)
        stage.advance(10)
    assert answers[-1] == ""
    if call in ("handle", "do"):
        assert raised(kind) in " ".join(map(str, told.reports))
    stage.end()


@pytest.mark.parametrize("call", ["create", "find", "get", "phase", "outputs"])
def test_an_answer_that_cannot_be_shown_is_garbage_like_any_other(call: str) -> None:
    class Wrong(Unkind):
        pass

    async def answer(*given: object) -> Any:
        return Unseen()

    setattr(Wrong, call, (lambda *given: Unseen()) if call == "phase" else answer)
    loop = virtual_loop()
    cloud = Cloud(loop)
    stage = Stage(lambda: Wrong(cloud), loop=loop, rules=Rules(outage=timedelta(minutes=2)))
    told = stage.start(fresh=call != "find")
    stage.advance(1_000)
    assert told.failure.code == "PluginFault"
    assert "an Unseen" in told.failure.message
    stage.end()


def test_a_job_whose_state_is_an_exception_that_cannot_be_shown_is_asked_for_again() -> None:
    class Wrong(Unkind):
        async def get(self, keys: Sequence[Key]) -> Sequence[Any]:
            given = await super().get(keys)
            return [Mute() if self.cloud.count("get") < 3 else one for one in given]

    loop = virtual_loop()
    cloud = Cloud(loop)
    stage = Stage(lambda: Wrong(cloud), loop=loop)
    told = stage.start()
    stage.advance(60)
    assert isinstance(told.end, Succeeded), told.waits
    stage.end()
