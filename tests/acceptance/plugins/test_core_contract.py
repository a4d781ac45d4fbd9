"""M1, M2, M5, M6, S20: how a Core plugin is called, whatever happens to the engine."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from alula.engine import crash
from alula.plugin.core import PluginInfo
from alula.plugin.phase import Phase, PhaseInfo, Transition
from alula.testing.sim.loop import Process
from tests.acceptance.plugins.plant import Plant, template
from tests.acceptance.plugins.recorder import Count, Notes, Recorder
from tests.unit.hosting.stage import TASK, Stage


@pytest.fixture
def planted() -> Iterator[Callable[[Notes], Plant]]:
    made: list[Plant] = []

    def plant(notes: Notes) -> Plant:
        made.append(Plant([lambda: Recorder(notes)]))
        return made[-1]

    yield plant
    for one in made:
        one.bury()


Planted = Callable[[Notes], Plant]


def in_order(calls: list[str]) -> bool:
    """handle+ (abort+)? finalize+, and never `handle` after one of the others."""
    order = [call for call, _ in itertools.groupby(calls)]
    return order in (["handle", "finalize"], ["handle", "abort", "finalize"])


@pytest.mark.parametrize(
    ("custom", "phase", "calls"),
    [
        ({}, "succeeded", ["handle", "handle", "finalize"]),
        ({"ends": "failed"}, "failed", ["handle", "handle", "abort", "finalize"]),
    ],
)
def test_a_plugin_is_opened_handled_and_finalized(
    planted: Planted, custom: dict[str, Any], phase: str, calls: list[str]
) -> None:
    notes = Notes()
    here = planted(notes)
    id = here.submit(template("recorded", custom=custom))
    here.advance(30)
    assert here.phase(id) == phase
    assert notes.calls[0] == ("", "open")
    [name] = notes.names
    assert notes.of(name) == calls


def test_an_abort_reaches_the_plugin(planted: Planted) -> None:
    notes = Notes()
    here = planted(notes)
    id = here.submit(template("recorded", custom={"ends": "never"}))
    here.advance(10)
    here.abort(id)
    here.advance(10)
    assert here.phase(id) == "aborted"
    [name] = notes.names
    assert notes.of(name) == ["handle", "handle", "abort", "finalize"]


def test_abort_and_finalize_are_repeated_until_they_return(planted: Planted) -> None:
    notes = Notes(refuse={"abort": 2, "finalize": 3})
    here = planted(notes)
    id = here.submit(template("recorded", custom={"ends": "failed"}))
    here.advance(600)
    assert here.closed(id)
    [name] = notes.names
    assert notes.of(name).count("abort") == 3
    assert notes.of(name).count("finalize") == 4
    assert in_order(notes.of(name))


@pytest.mark.parametrize("custom", [{}, {"ends": "failed"}, {"ends": "never"}])
def test_killed_at_any_labelled_point_every_started_attempt_is_finalized(
    planted: Planted, custom: dict[str, Any]
) -> None:
    points: dict[str, int] = {}

    def run(kill: tuple[str, int] | None) -> None:
        seen: dict[str, int] = {}
        notes = Notes()
        here = planted(notes)

        def reached(label: str) -> None:
            process = Process.current()
            if process is None or process is not here.process:
                return
            seen[label] = seen.get(label, 0) + 1
            if kill is None:
                points[label] = max(points.get(label, 0), seen[label])
            elif kill == (label, seen[label]):
                here.crash()

        away = crash.install(reached)
        try:
            id = here.submit(template("recorded", custom=custom))
            here.advance(5)
            if custom.get("ends") == "never":
                here.abort(id)
            here.advance(60)
        finally:
            away()
        assert here.closed(id), kill
        for name in notes.names:
            calls = notes.of(name)
            assert "finalize" in calls, (kill, calls)
            ended = next(at for at, call in enumerate(calls) if call in ("abort", "finalize"))
            if here.engines == 1:
                assert "handle" not in calls[ended:], (kill, calls)

    run(None)
    tried = [(label, at) for label, times in sorted(points.items()) for at in range(1, min(times, 4) + 1)]
    assert len(tried) > 20
    for kill in tried:
        run(kill)


@dataclass(frozen=True)
class NewCount:
    calls: int
    since: str


class NewRecorder(Recorder):
    """The same plugin in its next version, with one more field in its state."""

    info = PluginInfo("recorder", frozenset({"recorded"}), state_version=2)
    state_type = NewCount  # type: ignore[assignment]

    def upgrade(self, state: dict[str, Any], version: int) -> dict[str, Any]:
        assert version == 1
        return {**state, "since": "long ago"}

    async def handle(self, task: Any, state: Any) -> Any:
        self.notes.enter(task.name, f"handle {state}")
        return Transition(PhaseInfo.succeeded(), state)


def test_a_new_version_reads_the_state_of_the_former_one(planted: Planted) -> None:
    notes = Notes()
    here = planted(notes)
    id = here.submit(template("recorded", custom={"ends": "never"}))
    here.advance(10)
    here.plugins = [lambda: NewRecorder(notes)]
    here.crash()
    here.advance(10)
    assert here.phase(id) == "succeeded"
    [name] = notes.names
    assert "handle NewCount(calls=2, since='long ago')" in notes.of(name)


class Rewritten(Recorder):
    """A version that does not know what the former one kept."""

    state_type = NewCount  # type: ignore[assignment]


def test_a_state_that_cannot_be_read_is_a_failure_that_says_so(planted: Planted) -> None:
    notes = Notes()
    here = planted(notes)
    id = here.submit(template("recorded", custom={"ends": "never"}))
    here.advance(10)
    here.plugins = [lambda: Rewritten(notes)]
    here.crash()
    here.advance(10)
    [attempt] = [row for row in here.do(here.store.attempts(id)) if row.number == 0]
    assert attempt.open, "what nobody can read, nobody can clean up: it stays open, and is shown"
    assert "state.since is missing" in here.said(id)["n0"]


class Chatty(Recorder):
    """Says the same again and again, then something else in the same phase."""

    async def handle(self, task: Any, state: Count | None) -> Transition[Count]:
        now = Count(state.calls + 1 if state else 1)
        reason = "reads" if now.calls < 50 else "writes"
        return Transition(PhaseInfo(Phase.RUNNING, reason) if now.calls < 100 else PhaseInfo.succeeded(), now)


def test_what_is_said_twice_is_shown_once() -> None:
    notes = Notes()
    stage = Stage(lambda: Chatty(notes))
    told = stage.start(template=TASK)
    stage.advance(2000)
    said = [(one["phase"], one.get("reason", "")) for one in told.shown]
    assert said == [("running", "reads"), ("running", "writes"), ("succeeded", "")]
