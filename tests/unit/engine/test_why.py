"""Why a node does not run: one reason for every phase, and a sentence that says what to do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alula.engine.state import ROOT, Ref, Settings, Values
from alula.engine.why import Reason, waiting
from tests.unit.compiler.build import const, ref, sub_node, task_node, workflow
from tests.unit.engine.build import approve_node, made, signal_node, sleep_node, step
from tests.unit.engine.stage import START, Stage, fail, hang, silent, succeed, values
from tests.unit.engine.test_cache_and_recovery import OneAtATime, singles
from tests.unit.engine.test_nodes import mapped
from tests.unit.idl.build import INT

INNER = workflow([step("n0"), step("n1", "n0")], {"o0": (INT, ref("n1", "o0"))}, name="inner")


def test_one_that_has_not_begun_waits_for_those_before_it() -> None:
    stage = Stage(made([step("n0"), step("n1"), step("n2", "n0", "n1")]), backends={"n0": hang}).run(until=5)
    why = waiting(stage.x, "n2")
    assert (why.reason, why.on) == (Reason.UPSTREAM, ("n0",))
    assert why.text == "it comes after n0 (running)"
    assert waiting(stage.x, "n0").reason is Reason.RUNNING
    assert waiting(stage.x, ROOT).on == ("n0",)
    assert waiting(stage.x, "n1").reason is Reason.ENDED


def test_what_is_inside_of_one_that_has_not_begun_waits_for_that() -> None:
    stage = Stage(made([step("n0"), sub_node("n1", "inner", a=ref("n0", "o0"))], INNER), default=hang).run(until=5)
    why = waiting(stage.x, "n1/n1")
    assert (why.reason, why.on) == (Reason.UPSTREAM, ("n0",))
    assert "node n1 has not begun" in why.text


def test_before_an_engine_has_it_nothing_has_begun() -> None:
    stage = Stage(made([step("n0")]))
    assert waiting(stage.x, ROOT).reason is waiting(stage.x, "n0").reason is Reason.NOT_BEGUN


def test_one_that_waits_for_a_slot_knows_how_many_are_before_it() -> None:
    stage = Stage(made([step(f"n{i}") for i in range(5)]), settings=Settings(max_parallelism=2), default=hang)
    why = waiting(stage.run(until=5).x, "n4")
    assert why.reason is Reason.PARALLELISM
    assert why.text == "2 tasks run, as many as may (max parallelism), and 2 others are before it"


def test_an_element_waits_for_the_window_of_its_array() -> None:
    stage = Stage(made(mapped(9, parallelism=2)), default=hang).run(until=5)
    assert waiting(stage.x, "n0[7]").reason is Reason.PARALLELISM
    assert waiting(stage.x, "n0").on == ("n0[0]", "n0[1]")


def test_a_back_off_says_until_when() -> None:
    settings = Settings(user_backoff=timedelta(seconds=60))
    stage = Stage(made([step("n0", retries=1)]), settings=settings, default=fail()).run(until=5)
    why = waiting(stage.x, "n0")
    assert (why.reason, why.until) == (Reason.BACKOFF, START + timedelta(seconds=61))
    assert "attempt 2 is not due before 2030-01-01 00:01:01 UTC" in why.text


def test_gates_say_how_to_answer_them() -> None:
    nodes = [step("n0"), approve_node("n1", "ok?", "n0", timeout=90), signal_node("n2", "size"), sleep_node("n3", 50)]
    stage = Stage(made(nodes)).run(until=5)
    approve, signal, sleep = (waiting(stage.x, path) for path in ("n1", "n2", "n3"))
    assert (approve.reason, approve.on) == (Reason.GATE, ("ok?",))
    assert approve.text == "somebody must approve: alula approve ex ok?"
    assert approve.until == START + timedelta(seconds=91)
    assert signal.text == "somebody must give a value of type int: alula signal ex size VALUE"
    assert (sleep.reason, sleep.until) == (Reason.SLEEP, START + timedelta(seconds=50))


def test_a_backend_says_why_an_attempt_has_not_started() -> None:
    stage = Stage(made([step("n0")]), default=silent).run(until=5)
    assert waiting(stage.x, "n0").reason is Reason.BACKEND
    said = waiting(stage.x, "n0", {("n0", 0): "8 cores are asked for, and 2 are free", ("n0", 1): "no"})
    assert said.text == "8 cores are asked for, and 2 are free"


def test_a_reservation_of_somebody_else_is_waited_for() -> None:
    stage = OneAtATime(made(singles(1)))
    stage.holder = "somebody else"
    why = waiting(stage.run(until=1).x, "n0")
    assert why.reason is Reason.RESERVATION
    assert why.until is not None
    assert f"asks again at {why.until:%Y-%m-%d %H:%M:%S} UTC, should the engine of that one be gone" in why.text


def test_a_cache_that_does_not_answer_is_waited_for() -> None:
    stage = Stage(made([task_node("n0", "slow", x=ref("", "a"))]))
    stage.ask_cache = lambda command: None  # type: ignore[method-assign]
    assert waiting(stage.run(until=1).x, "n0").reason is Reason.CACHE


def test_bytes_that_are_being_read_are_named() -> None:
    nodes = [task_node("n0", "layers", x=const(1)), task_node("n1", "one", x=ref("n0", "o0", "deep", 1))]
    far = Values(refs=(Ref("o0", "s3://b/out.pb", "o0"),))
    stage = Stage(made(nodes), backends={"n0": succeed(far)}).run(until=1.05)
    why = waiting(stage.x, "n1")
    assert (why.reason, why.on) == (Reason.FETCHING, ("s3://b/out.pb",))


def test_what_is_being_stopped_waits_for_its_clean_up() -> None:
    stage = Stage(made([step("n0"), step("n1")]), default=hang)
    stage.unclosable = {"n0"}
    stage.run(until=1)
    stage.abort()
    assert waiting(stage.x, "n0").reason is Reason.CLEANUP
    assert waiting(stage.x, ROOT).text.startswith("it is being stopped, and with it n0")
    stage.go_on(until=20)
    assert waiting(stage.x, ROOT).text == "it has ended: it is aborted: Aborted: enough"


def test_nothing_runs_after_a_failure() -> None:
    handler = task_node("fn0", "clean_up", a=ref("", "a"))
    stage = Stage(made([step("n0"), step("n1", "n0")], on_failure=handler), backends={"n0": fail(), "fn0": hang}).run(
        until=5
    )
    assert waiting(stage.x, ROOT).text == "it failed, and runs its failure node fn0"
    assert waiting(stage.x, "fn0").reason is Reason.RUNNING


def test_a_node_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        waiting(Stage(made([step("n0")]), values(a=1)).x, "n7")
    with pytest.raises(KeyError):
        waiting(Stage(made(mapped(3)), default=hang).run(until=5).x, "n0[3]")
