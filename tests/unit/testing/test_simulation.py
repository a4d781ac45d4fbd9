"""The simulation that users get: time, faults, gates, and the same log for the same seed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alula import approve, dynamic, map_task, task, wait_for_input, workflow
from alula.errors import CallError, ConversionError, RequestError, TaskFailure, Unknown
from alula.testing import STORM, Simulation

CALLS: list[int] = []


@task(retries=2)
def train(rounds: int) -> float:
    CALLS.append(rounds)
    return rounds / 10


@task
def square(x: int) -> int:
    return x * x


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def broken(x: int) -> int:
    raise ValueError(f"{x} is no good")


@dynamic
def squares(n: int) -> int:
    return total(xs=map_task(square)(x=list(range(n))))


@workflow
def pipeline(rounds: int = 3) -> tuple[float, int]:
    accuracy = train(rounds=rounds)
    return approve(accuracy, "sure", timeout=timedelta(days=7)), squares(n=rounds)


@workflow
def asking() -> int:
    return square(x=wait_for_input("how-many", timeout=timedelta(days=1), expected_type=int))


def test_days_pass_and_tasks_run_for_real() -> None:
    with Simulation() as sim:
        sim.takes(train, "2 days")
        run = sim.submit(pipeline)
        sim.advance("1 day")
        assert run.phase == "running"
        assert run.nodes["n0"] == "running"
        sim.advance("2 days")
        assert run.gates == {"sure": True}
        run.approve("sure")
        sim.advance("1 min")
        assert run.result() == (0.3, 5)


def test_a_killed_engine_costs_no_retry_and_its_attempts_begin_again() -> None:
    CALLS.clear()
    with Simulation() as sim:
        sim.takes(train, "1 day")
        run = sim.submit(train, rounds=7)
        sim.advance("12h")
        sim.kill(again_after="1h")
        sim.advance("2 days")
        assert run.result() == 0.7
        assert run.attempts("n0") == 1
    assert CALLS == [7, 7]


def test_failures_are_told_and_retried() -> None:
    with Simulation() as sim:
        sim.fails(train, times=2)
        run = sim.submit(train, rounds=1)
        bad = sim.submit(broken, x=3)
        sim.advance("1h")
        assert (run.result(), run.attempts("n0")) == (0.1, 3)
        assert bad.phase == "failed"
        assert bad.failure is not None
        assert "3 is no good" in bad.failure.message
        with pytest.raises(TaskFailure, match="no good"):
            bad.result()
        again = bad.recover()
        sim.returns(broken, 4)
        sim.advance("1h")
        assert again.result() == 4


def test_gates_take_values_that_fit() -> None:
    with Simulation() as sim:
        run = sim.submit(asking)
        sim.advance("1h")
        with pytest.raises(Unknown, match="how-mny"):
            run.signal("how-mny", 3)
        run.signal("how-many", 3)
        sim.advance("1h")
        assert run.result() == 9
        late = sim.submit(asking)
        sim.advance("2 days")
        assert late.phase == "failed"
        with pytest.raises(RequestError, match="too late"):
            late.signal("how-many", 3)


def test_what_is_asked_wrongly_is_refused() -> None:
    with Simulation() as sim:
        with pytest.raises(CallError, match="no input 'round'"):
            sim.submit(train, round=3)
        with pytest.raises(RequestError, match="rounds"):
            sim.submit(train)


def test_what_does_not_fit_a_task_is_refused_where_it_is_said() -> None:
    with Simulation() as sim:
        with pytest.raises(ConversionError, match=r"(?s)'square' is to return: o0: expected int.*test_simulation\.py"):
            sim.returns(square, "text")
        with pytest.raises(CallError, match=r"returns? 2 value.*1 output"):
            sim.returns(square, 1, 2)
        with pytest.raises(CallError, match=r"pipeline.*no task"):
            sim.takes(pipeline, "1h")
        run = sim.submit(square, x=3)
        sim.advance("1h")
        assert run.result() == 9


def test_a_mapped_task_goes_as_the_simulation_is_told() -> None:
    with Simulation() as sim:
        sim.takes(square, "2h")
        sim.returns(square, 7)
        run = sim.submit(squares, n=3)
        sim.advance("1h")
        assert run.phase == "running"
        sim.advance("2h")
        assert run.result() == 21
    with Simulation() as sim:
        sim.fails(square)
        run = sim.submit(squares, n=3)
        sim.advance("1h")
        assert run.phase == "failed"


def test_an_abort_ends_a_run_and_its_tasks() -> None:
    with Simulation() as sim:
        sim.takes(train, "2 days")
        run = sim.submit(train, rounds=3)
        sim.advance("1 day")
        run.abort()
        sim.advance("1 min")
        assert run.phase == "aborted"
        assert any("and abort it" in line for line in sim.log)


def stormy(seed: int) -> list[str]:
    with Simulation(seed, engines=2, weather=STORM) as sim:
        run = sim.submit(pipeline, rounds=2)
        sim.advance("1 h")
        sim.pause(lasts="30 min")
        sim.cut_off(1, lasts="20 min")
        sim.advance("3 h")
        run.approve("sure")
        sim.advance("3 h")
        assert run.result() == (0.2, 1)
        return sim.log


def test_the_same_seed_gives_the_same_log() -> None:
    assert stormy(1) == stormy(1)
    assert stormy(1) != stormy(2)
