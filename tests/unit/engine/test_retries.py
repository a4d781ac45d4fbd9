"""Budgets, back-off and deadlines: of the user, the system and interruptions, of attempts and of nodes."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.engine.events import (
    AttemptFailed,
    AttemptProgressed,
    AttemptStarted,
    CancelTimer,
    SetTimer,
    StartAttempt,
    TimerFired,
    TimerKind,
)
from alula.engine.retry import backoff
from alula.engine.state import Failure, FailureKind, NodePhase, NodeState, Settings
from tests.unit.engine.build import made, sleep_node, step
from tests.unit.engine.stage import START, Stage, fail, hang, in_turn, silent, succeed, values

SYSTEM, USER, SPOT = FailureKind.SYSTEM, FailureKind.USER, FailureKind.INTERRUPTED
KINDS = [TimerKind.NODE, TimerKind.QUEUED, TimerKind.ATTEMPT]
QUICK = Settings(user_backoff=timedelta(0), system_backoff=timedelta(0))


def failure_of(stage: Stage) -> Failure:
    assert stage.root.failure is not None
    return stage.root.failure


@pytest.mark.parametrize(("recoverable", "attempts"), [(True, 2), (False, 1)])
def test_m9_only_a_recoverable_error_is_tried_again(recoverable: bool, attempts: int) -> None:
    stage = Stage(made([step("n0", retries=1)]), default=fail(recoverable=recoverable)).run()
    assert len(stage.started()) == attempts
    assert stage.phase is NodePhase.FAILED
    stage.check_end()


def test_m10_user_and_system_failures_are_charged_apart() -> None:
    script = in_turn(*[fail("Infra", kind=SYSTEM)] * 3, fail("USER:Bug"))
    stage = Stage(made([step("n0", retries=2)]), settings=QUICK, default=script).run()
    assert len(stage.started()) == 6
    assert [a.failure.kind for a in stage.attempts("n0") if a.failure] == [SYSTEM] * 3 + [USER] * 3
    assert failure_of(stage).code == "RetriesExhausted|USER:Bug"
    assert failure_of(stage).kind is USER
    stage.check_end()


def test_m10_the_systems_budget_ends_too_and_the_kind_is_kept() -> None:
    stage = Stage(made([step("n0")]), settings=QUICK, default=fail("Infra", kind=SYSTEM)).run()
    assert len(stage.started()) == 4
    assert (failure_of(stage).code, failure_of(stage).kind) == ("RetriesExhausted|Infra", SYSTEM)


def test_a_failure_of_the_user_gives_the_systems_budget_back() -> None:
    infra, bug = fail("Infra", kind=SYSTEM), fail("USER:Bug")
    script = in_turn(*[infra] * 3, bug, *[infra] * 3, succeed(values(o0=1)))
    stage = Stage(made([step("n0", retries=1)]), settings=QUICK, default=script).run()
    assert stage.phase is NodePhase.SUCCEEDED
    assert len(stage.started()) == 8


def test_progress_gives_the_systems_budget_back() -> None:
    def script(start: StartAttempt) -> list[tuple[float, object]]:
        done = start.attempt == 9
        told = [(0.0, AttemptStarted(start.path, start.attempt)), (0.5, AttemptProgressed(start.path, start.attempt))]
        last = succeed(values(o0=1)) if done else fail(kind=SYSTEM)
        return [*told, *last(start)]

    stage = Stage(made([step("n0")]), settings=QUICK, default=script).run()
    assert stage.phase is NodePhase.SUCCEEDED
    assert len(stage.started()) == 10


def test_the_checkpoint_of_an_attempt_goes_to_the_next() -> None:
    def script(start: StartAttempt) -> list[tuple[float, object]]:
        if start.checkpoint:
            return list(succeed(values(o0=1))(start))
        failure = Failure("x", "x", recoverable=True)
        return [(1, AttemptFailed(start.path, start.attempt, failure, checkpoint="s3://b/0", closed=True))]

    stage = Stage(made([step("n0", retries=1)]), default=script).run()
    assert [c.checkpoint for c in stage.commands if isinstance(c, StartAttempt)] == ["", "s3://b/0"]
    assert stage.phase is NodePhase.SUCCEEDED


def starts(stage: Stage) -> list[float]:
    return [(a.since - START).total_seconds() for a in stage.attempts("n0")]


def test_m11_failures_in_a_row_are_spaced_ever_wider() -> None:
    settings = Settings(system_retries=5, system_backoff=timedelta(seconds=2))
    script = in_turn(*[fail(kind=SYSTEM, after=0)] * 5, succeed(values(o0=1)))
    stage = Stage(made([step("n0"), step("n1")]), settings=settings, backends={"n0": script}).run()
    times = starts(stage)
    assert [b - a for a, b in pairwise(times)] == [2, 4, 8, 16, 32]
    assert stage.x.nodes["n1"].phase is NodePhase.SUCCEEDED
    stage.check_end()


@given(st.integers(0, 200), st.floats(0, 1))
def test_m11_a_back_off_is_never_shorter_than_it_should_be(nth: int, jitter: float) -> None:
    base, most = timedelta(seconds=1), timedelta(minutes=5)
    plain = min(base * 2 ** min(nth, 30), most)
    assert plain <= backoff(base, nth, most, jitter) <= plain * 1.5


def test_a_node_in_back_off_takes_no_slot() -> None:
    settings = Settings(max_parallelism=1, user_backoff=timedelta(seconds=50))
    nodes = [step("n0", retries=1), step("n1")]
    stage = Stage(made(nodes), settings=settings, backends={"n0": in_turn(fail(), succeed(values(o0=1)))}).run()
    assert stage.started() == ["n0", "n1", "n0"]
    stage.check_end()


def test_the_next_attempt_waits_until_the_former_is_closed() -> None:
    stage = Stage(made([step("n0", retries=1)]), settings=QUICK, default=fail(closed=False))
    stage.unclosable = {"n0"}
    stage.run(until=1000)
    assert stage.started() == ["n0"]
    assert stage.x.nodes["n0"].phase is NodePhase.CLOSING
    stage.unclosable.clear()
    stage.crash()
    stage.go_on()
    assert stage.started() == ["n0", "n0"]
    assert [c.abort for c in stage.closes("n0")] == [True, True, True]
    stage.check_end()


def test_s5_interruptions_cost_nothing_and_end_on_a_machine_that_stays() -> None:
    settings = Settings(interruptible=True, system_backoff=timedelta(0))
    script = in_turn(*[fail("Spot", kind=SPOT)] * 3, succeed(values(o0=1)))
    stage = Stage(made([step("n0")]), settings=settings, default=script).run()
    assert [c.interruptible for c in stage.commands if isinstance(c, StartAttempt)] == [True, True, True, False]
    row = stage.x.nodes["n0"]
    assert (row.interruptions, row.user_failures, row.system_failures) == (3, 0, 0)
    assert stage.phase is NodePhase.SUCCEEDED


def test_s5_a_threshold_says_when_to_leave_spot_machines() -> None:
    settings = Settings(interruptible=True, interruptible_failures=1, system_backoff=timedelta(0))
    stage = Stage(made([step("n0")]), settings=settings, default=in_turn(fail(kind=SPOT), succeed(values(o0=1)))).run()
    assert [c.interruptible for c in stage.commands if isinstance(c, StartAttempt)] == [True, False]


def test_an_interruption_where_none_should_be_is_the_systems() -> None:
    stage = Stage(made([step("n0")]), settings=QUICK, default=fail(kind=SPOT)).run()
    assert stage.phase is NodePhase.FAILED
    assert len(stage.started()) == 4


def test_m13_an_attempts_time_counts_from_its_start() -> None:
    def late(start: StartAttempt) -> list[tuple[float, object]]:
        return [(10, AttemptStarted(start.path, start.attempt))]

    stage = Stage(made([step("n0", retries=1, timeout=2)]), settings=QUICK, default=late).run()
    assert [round(t) for t in starts(stage)] == [0, 12]
    assert [c.abort for c in stage.closes("n0")] == [True, True]
    assert failure_of(stage).code == "RetriesExhausted|TimeoutExpired"
    stage.check_end()


def test_m13_the_nodes_deadline_ends_it_whatever_the_retries() -> None:
    stage = Stage(made([step("n0", retries=100, timeout=2, total=7)]), settings=QUICK, default=hang).run()
    assert stage.x.nodes["n0"].phase is NodePhase.TIMED_OUT
    assert len(stage.started()) == 4
    assert failure_of(stage).code == "Timeout"
    assert stage.phase is NodePhase.FAILED
    stage.check_end()


def test_m13_a_node_deadline_of_a_workflow_within() -> None:
    stage = Stage(made([step("n0", total=5)]), settings=Settings(max_parallelism=1), default=silent).run()
    assert stage.x.nodes["n0"].phase is NodePhase.TIMED_OUT


def test_m14_an_attempt_that_never_starts_fails_with_a_code_of_its_own() -> None:
    stage = Stage(made([step("n0", queued=30, timeout=5)]), default=silent).run()
    assert failure_of(stage).code == "QueuedTimeout"
    assert stage.phase is NodePhase.FAILED
    stage.check_end()


def test_what_is_being_stopped_holds_its_slot_until_it_is_closed_or_patience_ends() -> None:
    nodes = [step("n0", total=5), step("n1")]
    stage = Stage(made(nodes, patient=True), settings=Settings(max_parallelism=1), backends={"n0": hang})
    stage.unclosable = {"n0"}
    stage.run(until=8)
    assert stage.x.nodes["n0"].phase is NodePhase.STOPPING
    assert stage.started() == ["n0"]
    stage.go_on()
    assert stage.started() == ["n0", "n1"]


def test_a_timeout_whose_abort_fails_ends_the_node_all_the_same() -> None:
    stage = Stage(made([step("n0", timeout=5)]), default=hang)
    stage.unclosable = {"n0"}
    stage.run(until=20)
    assert stage.phase is NodePhase.FAILED
    assert [a.open for a in stage.attempts("n0")] == [True]


def test_late_and_early_timers_are_harmless() -> None:
    stage = Stage(made([step("n0", retries=2, timeout=50)]), default=hang).run(until=1)
    for kind in TimerKind:
        for generation in range(5):
            decision = stage.take(TimerFired(kind, "n0", generation))
            assert decision.changes == ()
    stage.go_on(until=51)
    assert stage.x.nodes["n0"].attempt == 1
    assert stage.take(TimerFired(TimerKind.ATTEMPT, "n0", 0)).changes == ()


def test_deadlines_that_were_kept_are_taken_back() -> None:
    stage = Stage(made([step("n0", queued=9, timeout=50, total=90)])).run()
    timers = [(type(c).__name__, c.kind) for c in stage.commands if isinstance(c, SetTimer | CancelTimer)]
    assert sorted(timers) == sorted((what, kind) for what in ("SetTimer", "CancelTimer") for kind in KINDS)


def test_a_timer_that_fires_too_early_is_set_again() -> None:
    """As it does when the clock was set back in between."""
    stage = Stage(made([step("n0", total=50), sleep_node("n1", 30)]), default=hang).run(until=1)
    for kind, path, generation in ((TimerKind.NODE, "n0", 0), (TimerKind.WAKE, "n1", 1)):
        decision = stage.take(TimerFired(kind, path, generation))
        assert decision.changes == ()
        [again] = decision.commands
        assert isinstance(again, SetTimer)
        assert (again.kind, again.path) == (kind, path)
        assert (again.at - START).total_seconds() == (50 if path == "n0" else 30)


def test_a_clock_that_goes_back_delays_a_timer() -> None:
    stage = Stage(made([step("n0", timeout=50)]), default=hang).run(until=1)
    stage.now -= timedelta(hours=1)
    decision = stage.take(TimerFired(TimerKind.ATTEMPT, "n0", 0))
    assert [type(c).__name__ for c in decision.commands] == ["SetTimer"]


def test_deadlines_outlive_a_crash() -> None:
    stage = Stage(made([step("n0", timeout=5, total=60)]), default=hang).run(until=3)
    stage.crash()
    stage.backends["n0"] = silent
    stage.go_on()
    assert failure_of(stage).code == "TimeoutExpired"
    assert "did not end in time: it had" in failure_of(stage).message
    row = stage.x.nodes["n0"]
    assert isinstance(row, NodeState)
    assert row.ended_at is not None
    assert (row.ended_at - START).total_seconds() < 6
    stage.check_end()
