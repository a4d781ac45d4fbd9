"""An attempt that ends at once is told of once: its outcome says since when it ran."""

from __future__ import annotations

from datetime import timedelta

from alula.engine.events import AttemptFailed, AttemptStarted, AttemptSucceeded, Begin
from alula.engine.state import Failure, NodePhase
from tests.unit.engine.build import made, step
from tests.unit.engine.stage import START, Stage, silent, values

SOON, LATER = START + timedelta(seconds=1), START + timedelta(seconds=3)


def begun() -> Stage:
    stage = Stage(made([step("n0", retries=1)]), default=silent)
    stage.take(Begin())
    stage.now = LATER
    return stage


def test_a_success_says_since_when_it_ran() -> None:
    stage = begun()
    stage.take(AttemptSucceeded("n0", 0, values(o0=1), closed=True, started_at=SOON))
    [attempt] = stage.attempts("n0")
    assert (attempt.started_at, attempt.ended_at) == (SOON, LATER)
    assert stage.x.nodes["n0"].started_at == SOON


def test_a_failure_says_since_when_it_ran_and_the_node_keeps_the_first_time() -> None:
    stage = begun()
    stage.take(AttemptFailed("n0", 0, Failure("USER:Boom", "boom", recoverable=True), closed=True, started_at=SOON))
    [attempt] = stage.attempts("n0")
    assert attempt.started_at == SOON
    stage.go_on()
    stage.take(AttemptSucceeded("n0", 1, values(o0=1), closed=True, started_at=stage.now))
    assert stage.phase is NodePhase.SUCCEEDED
    assert stage.x.nodes["n0"].started_at == SOON


def test_what_was_told_before_counts() -> None:
    stage = begun()
    stage.take(AttemptStarted("n0", 0, SOON))
    stage.take(AttemptSucceeded("n0", 0, values(o0=1), closed=True))
    [attempt] = stage.attempts("n0")
    assert attempt.started_at == stage.x.nodes["n0"].started_at == SOON


def test_who_never_says_has_no_time() -> None:
    stage = begun()
    stage.take(AttemptSucceeded("n0", 0, values(o0=1), closed=True))
    [attempt] = stage.attempts("n0")
    assert attempt.started_at is None
