"""Breaker, fences, what comes before a plugin is open, and what is no answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from alula.errors import NotReady, Rejected, RemoteError, Throttled
from alula.hosting.steps import Rules
from alula.plugin.context import TaskContext
from alula.plugin.core import CorePlugin, PluginInfo
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.phase import Phase, PhaseInfo, Transition
from alula.plugin.runner import Succeeded
from alula.testing.sim.loop import virtual_loop
from tests.acceptance.plugins.recorder import Count
from tests.unit.hosting.stage import CloudPlugin, Stage, cloud_stage


class Scripted(CorePlugin[Count]):
    """Gives whatever the test says."""

    info = PluginInfo("cloud", frozenset({"cloud"}))
    state_type = Count
    answer: Any = None
    opens: Any = None
    calls: int = 0

    async def open(self) -> None:
        if self.opens is not None:
            raise self.opens

    async def handle(self, task: TaskContext, state: Count | None) -> Transition[Count]:
        type(self).calls += 1
        answer = self.answer(task) if callable(self.answer) else self.answer
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]

    async def abort(self, task: TaskContext, state: Count | None, reason: str) -> None: ...

    async def finalize(self, task: TaskContext, state: Count | None) -> None: ...


def scripted(answer: Any, **more: Any) -> tuple[Stage, type[Scripted]]:
    kind = type("This", (Scripted,), {"answer": staticmethod(answer) if callable(answer) else answer, "calls": 0})
    return Stage(kind, loop=virtual_loop(), **more), kind


def _failed(message: Any) -> PhaseInfo:
    return PhaseInfo(Phase.FAILED, "", failure=AttemptFailure("A", message))


GOOD = Transition(PhaseInfo.succeeded(), Count(1))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "cloud.handle gave None, not a Transition"),
        (PhaseInfo(Phase.RUNNING), "not a Transition"),
        (Transition("running", None), "cloud.handle gave 'running': not a PhaseInfo"),  # type: ignore[arg-type]
        (Transition(PhaseInfo("flying"), None), "its phase 'flying' is none"),  # type: ignore[arg-type]
        (Transition(PhaseInfo(Phase.RUNNING, progress=7), None), "its progress 7 is not between 0 and 1"),
        (Transition(PhaseInfo(Phase.RUNNING, custom=[1]), None), "no mapping"),  # type: ignore[arg-type]
        (Transition(PhaseInfo(Phase.RUNNING, links=["x"]), None), "no tuple of LogLink"),  # type: ignore[arg-type]
        (Transition(PhaseInfo(Phase.FAILED), None), "it failed and does not say why"),
        (Transition(PhaseInfo(Phase.RUNNING), {"a": 1}), "the state of cloud cannot be kept"),
        (Transition(PhaseInfo(Phase.RUNNING), None, 5), "whose check_after is 5, not a timedelta; fix: write"),  # type: ignore[arg-type]
        (Transition(PhaseInfo(Phase.RUNNING), Count(1), 5), "whose check_after is 5, not a timedelta; fix: write"),  # type: ignore[arg-type]
        (Transition(PhaseInfo.failed(404, "x"), None), "the code of its failure is 404, not a text"),  # type: ignore[arg-type]
        (Transition(PhaseInfo.failed("", "x"), None), "the code of its failure is '', not a text"),
        (Transition(PhaseInfo.failed("A", "x", kind="mine"), None), "is 'mine', not a FailureKind"),  # type: ignore[arg-type]
        (Transition(PhaseInfo.failed("A", "x", recoverable=None), None), "is None, not True or False"),  # type: ignore[arg-type]
        (Transition(_failed(ValueError("x")), None), "the message of its failure is no text"),
        (Transition(_failed(None), None), "the message of its failure is no text"),
    ],
)
def test_garbage_is_named_with_the_plugin_the_call_and_what_came_back(answer: Any, says: str) -> None:
    stage, _ = scripted(answer)
    told = stage.start()
    stage.advance(1)
    assert says in told.waits
    assert told.end is None
    stage.advance(800)
    assert (told.failure.code, told.failure.kind) == ("PluginFault", FailureKind.SYSTEM)


class Wild(dict[str, Any]):
    """Facts that cannot be looked at."""

    def items(self) -> Any:
        raise RuntimeError("no items")


def test_an_answer_that_nobody_thought_of_ends_the_attempt() -> None:
    stage, _ = scripted(Transition(PhaseInfo(Phase.RUNNING, custom=Wild(a=1)), None))
    told = stage.start()
    stage.advance(1)
    assert (told.failure.code, told.failure.kind) == ("PluginFault", FailureKind.SYSTEM)
    assert told.failure.message == "what cloud said of the attempt cannot be told: RuntimeError: no items"


@pytest.mark.parametrize(
    ("exc", "code", "message"),
    [
        (Rejected(None), "BadTaskFormat", "Rejected, whose text cannot be had: TypeError"),  # type: ignore[arg-type]
        (Rejected("no", code=404), "404", "no"),  # type: ignore[arg-type]
        (Rejected("no \udcff\x00 yes"), "BadTaskFormat", "no \\udcff\\x00 yes"),
    ],
)
def test_a_refusal_of_any_shape_ends_the_attempt(exc: Rejected, code: str, message: str) -> None:
    stage, _ = scripted(exc)
    told = stage.start()
    stage.advance(1)
    assert (told.failure.code, told.failure.message) == (code, message)


@pytest.mark.parametrize(
    ("exc", "calls"),
    [
        (Throttled("slow down", retry_after="5"), 3),  # type: ignore[arg-type]
        (Throttled("slow down", retry_after=-5), 21),
        (Throttled("slow down", retry_after=0), 21),
        (Throttled("slow down", retry_after=float("inf")), 1),
        (NotReady("an image is pulled", after="5"), 3),  # type: ignore[arg-type]
        (NotReady("an image is pulled", after=None), 1),  # type: ignore[arg-type]
        (NotReady("an image is pulled", after=-1), 200),
    ],
)
def test_a_pause_that_a_remote_names_is_taken_in_any_form_and_is_never_none(exc: RemoteError, calls: int) -> None:
    stage, kind = scripted(exc)
    stage.start()
    stage.advance(10.2)
    assert kind.calls == pytest.approx(calls, abs=5 if calls > 100 else 0)


def test_after_its_end_nothing_that_a_plugin_does_counts() -> None:
    stage, kind = scripted(GOOD)
    told = stage.start()
    stage.advance(1)
    stage.host.wake(stage.id())
    stage.advance(10)
    assert isinstance(told.end, Succeeded)
    assert kind.calls == 1


def test_a_plugin_that_fails_for_everybody_is_left_alone_and_tried_now_and_then() -> None:
    down = True
    stage, kind = scripted(lambda task: ConnectionRefusedError("connection refused") if down else GOOD)
    for number in range(10):
        stage.start(number)
    stage.advance(60)
    assert stage.host.trouble.startswith("plugin cloud is disabled: its last ")
    assert "connection refused" in stage.host.trouble
    for number in range(10, 20):
        stage.start(number)
    before = kind.calls
    stage.advance(100)
    assert kind.calls - before < 15, "tried now and then"
    assert "plugin cloud is disabled" in stage.told[stage.id(19)].waits
    down = False
    stage.advance(120)
    assert stage.host.trouble == ""
    assert all(isinstance(told.end, Succeeded) for told in stage.told.values())


def test_who_pauses_after_an_outage_goes_on_soon_after_the_first_call_that_succeeds() -> None:
    down = True
    stage, _ = scripted(lambda task: ConnectionRefusedError("connection refused") if down else GOOD)
    for number in range(2):
        stage.start(number)
    stage.advance(200)  # both sleep for up to 90 s by now
    down = False
    stage.start(2)
    stage.advance(5)
    assert all(isinstance(told.end, Succeeded) for told in stage.told.values())


def test_one_task_that_always_fails_does_not_disable_its_plugin() -> None:
    bad: set[str] = set()
    stage, _ = scripted(lambda task: ValueError("mine") if task.name in bad else GOOD)
    bad.add(stage.id(0).name)
    stage.start(0)
    stage.advance(300)
    assert stage.host.trouble == ""
    told = stage.start(1)
    stage.advance(1)
    assert isinstance(told.end, Succeeded)


def test_failures_in_a_row_are_counted_anew_after_a_success() -> None:
    answers = [OSError("down"), Transition(PhaseInfo(Phase.RUNNING), Count(1))] * 40
    stage, _ = scripted(lambda task: answers.pop(0) if answers else GOOD, rules=Rules())
    told = stage.start()
    stage.advance(2000)
    assert isinstance(told.end, Succeeded)


def test_what_comes_before_the_plugin_is_open_waits_and_is_told_why() -> None:
    stage, kind = scripted(GOOD)
    kind.opens = ConnectionRefusedError("connection refused")
    told = stage.start()
    stage.advance(1)
    assert told.waits == "plugin cloud is disabled: cloud.open: connection refused"
    assert stage.close(0, abort=True) == []
    stage.advance(1)
    assert stage.closed[stage.id()] == [""], "nobody has handled it"
    other = stage.start(1)
    kind.opens = None
    stage.advance(60)
    assert isinstance(other.end, Succeeded)


def test_a_clean_up_of_an_earlier_process_waits_for_the_plugin() -> None:
    stage, kind = scripted(GOOD)
    kind.opens = ConnectionRefusedError("connection refused")
    stage.start(0, fresh=False)
    stage.advance(5)
    answers = stage.close(0, abort=True, job=True)
    stage.advance(1)
    assert answers == ["plugin cloud is disabled: cloud.open: connection refused"]
    kind.opens = None
    stage.advance(60)
    stage.close(0, abort=True, job=True)
    stage.advance(1)
    assert answers[-1] == ""


def test_an_engine_that_is_unsure_of_its_lease_makes_nothing() -> None:
    stage, cloud = cloud_stage()
    stage.host.keep(5)
    stage.start(0)
    stage.advance(1)
    assert cloud.made == 1
    stage.advance(10)
    told = stage.start(1)
    stage.advance(30)
    assert cloud.made == 1
    stage.host.keep(600)
    stage.advance(10)
    assert cloud.made == 2
    assert isinstance(told.end, Succeeded)


def test_what_another_engine_has_is_forgotten_and_left_as_it_is() -> None:
    stage, cloud = cloud_stage()
    told = stage.start(0)
    stage.advance(0.9)
    stage.host.forget(stage.id())
    calls = len(cloud.calls)
    stage.advance(100)
    assert len(cloud.calls) == calls
    assert len(cloud.jobs) == 1
    assert told.end is None
    del stage.told[stage.id()]
    again = stage.start(0, fresh=False, state=told.kept[-1], state_version=1)
    stage.advance(10)
    assert isinstance(again.end, Succeeded)
    assert cloud.made == 1


def test_a_close_waits_for_the_call_that_is_under_way() -> None:
    stage, cloud = cloud_stage()

    class Slow(CloudPlugin):
        async def create(self, task: TaskContext) -> Any:
            await asyncio.sleep(1)
            return await super().create(task)

    other = Stage(lambda: Slow(cloud), loop=stage.loop)
    other.start()
    other.advance(0.5)
    answers = other.close(abort=True)
    other.advance(10)
    assert answers == [""]
    assert cloud.made == 1
    assert not cloud.jobs
    assert cloud.count("find") == 0, "the call told which job it made"
