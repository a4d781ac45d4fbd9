"""The cache as commands and answers, and executions that recover earlier ones."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alula.engine.events import (
    CacheHit,
    CacheMiss,
    Command,
    LookUp,
    Release,
    ReservationFreed,
    ReservationHeld,
    Reserve,
    Reserved,
    StartAttempt,
    StoreInCache,
)
from alula.engine.state import CacheStatus, NodePhase, Settings
from alula.idl import Node
from tests.unit.compiler.build import const, plan_node, ref, sub_node, task_node, workflow
from tests.unit.engine.build import array_node, made, step
from tests.unit.engine.stage import Stage, fail, hang, plain, succeed, values
from tests.unit.engine.test_nodes import TWO, expanding, mapped, spec
from tests.unit.idl.build import INT

SLOW = [task_node("n0", "slow", x=ref("", "a"))]


def kinds(stage: Stage) -> list[str]:
    shown = (LookUp, Reserve, StartAttempt, StoreInCache, Release)
    return [type(c).__name__ for c in stage.commands if isinstance(c, shown)]


def test_m26_a_miss_runs_and_stores_and_a_hit_does_not_run() -> None:
    first = Stage(made(SLOW)).run()
    assert kinds(first) == ["LookUp", "StartAttempt", "StoreInCache"]
    assert [c.overwrite for c in first.commands if isinstance(c, StoreInCache)] == [False]
    assert first.x.nodes["n0"].cache is CacheStatus.POPULATED
    second = Stage(made(SLOW))
    second.cache = first.cache
    second.run()
    assert kinds(second) == ["LookUp"]
    assert second.x.nodes["n0"].cache is CacheStatus.HIT
    assert plain(second.x.nodes["n0"].outputs) == 1
    second.check_end()


def test_m26_overwriting_looks_nothing_up() -> None:
    stage = Stage(made(SLOW), settings=Settings(overwrite_cache=True))
    stage.run()
    [stored] = [c for c in stage.commands if isinstance(c, StoreInCache)]
    assert stored.overwrite
    assert kinds(stage) == ["StartAttempt", "StoreInCache"]
    stage.check_end()


@pytest.mark.parametrize("crash_at", [None, 1.5])
def test_m26_what_a_dynamic_task_came_to_is_kept_when_its_workflow_has_ended(crash_at: float | None) -> None:
    first = Stage(made(SLOW), backends={"n0": expanding(spec(TWO))})
    if crash_at is None:
        first.run()
    else:
        first.run(until=crash_at)
        first.crash()
        first.go_on()
    assert kinds(first)[-1] == "StoreInCache"
    assert first.x.nodes["n0"].cache is CacheStatus.POPULATED
    first.check_end()
    second = Stage(made(SLOW))
    second.cache = first.cache
    assert kinds(second.run()) == ["LookUp"]
    assert plain(second.x.nodes["n0"].outputs) == 14


def test_without_the_cache_nothing_is_looked_up_or_kept() -> None:
    stage = Stage(made(SLOW), settings=Settings(cache=False)).run()
    assert kinds(stage) == ["StartAttempt"]
    assert stage.x.nodes["n0"].cache is CacheStatus.DISABLED
    stage.check_end()


def test_m26_a_cache_that_is_down_is_a_miss_on_record() -> None:
    stage = Stage(made(SLOW))
    stage.cache_down = True
    stage.run(until=0.5)
    assert stage.x.nodes["n0"].cache is CacheStatus.LOOKUP_FAILURE
    stage.go_on()
    assert stage.phase is NodePhase.SUCCEEDED
    stage.check_end()


def test_m26_nobody_waits_for_a_reservation_of_a_cache_that_is_down() -> None:
    stage = Stage(made([task_node("n0", "single", x=ref("", "a"))]))
    stage.cache_down = True
    stage.run()
    assert kinds(stage) == ["LookUp", "StartAttempt", "StoreInCache"]
    assert stage.phase is NodePhase.SUCCEEDED


def test_a_lookup_takes_no_slot() -> None:
    stage = Stage(made([*SLOW, step("n1")]), settings=Settings(max_parallelism=1))
    stage.ask_cache = lambda command: None  # type: ignore[method-assign]
    stage.run(until=5)
    assert stage.started() == ["n1"]
    stage.abort()
    assert stage.phase is NodePhase.ABORTED
    stage.check_end()


def test_the_answer_of_a_store_may_get_lost_in_a_crash() -> None:
    stage = Stage(made(SLOW)).run(until=1.15)
    assert stage.x.nodes["n0"].cache is CacheStatus.PENDING
    stage.crash()
    stage.go_on()
    assert kinds(stage).count("StoreInCache") == 2
    assert stage.x.nodes["n0"].cache is CacheStatus.POPULATED
    stage.check_end()


def singles(count: int) -> list[Node]:
    return [task_node(f"n{i}", "single", x=const(7)) for i in range(count)]


class OneAtATime(Stage):
    """A cache whose reservations have one holder."""

    holder = ""

    def ask_cache(self, command: LookUp | Reserve | StoreInCache) -> None:
        if isinstance(command, Reserve):
            if self.holder in ("", command.path):
                self.holder = command.path
                self.send(Reserved(command.path, command.generation), 0.1)
            else:
                retry = self.now + timedelta(seconds=3600)
                self.send(ReservationHeld(command.path, command.generation, retry), 0.1)
        else:
            super().ask_cache(command)

    def perform(self, command: Command) -> None:
        super().perform(command)
        if isinstance(command, Release):
            self.holder = ""
            for path in list(self.x.nodes):
                self.send(ReservationFreed(path), 0.1)


def test_m27_of_ten_alike_one_runs() -> None:
    stage = OneAtATime(made(singles(10)), values(a=1)).run(until=100)
    assert stage.phase is NodePhase.SUCCEEDED
    assert len(stage.started()) == 1
    assert sum(row.cache is CacheStatus.HIT for row in stage.x.nodes.values()) == 9
    stage.go_on()
    stage.check_end()


def test_m27_a_failure_gives_the_reservation_back_at_once() -> None:
    nodes = singles(2)
    stage = OneAtATime(made(nodes, patient=True), backends={"n0": fail(recoverable=False)}).run(until=100)
    assert stage.started() == ["n0", "n1"]
    assert kinds(stage).count("Release") == 2
    stage.check_end()


def test_m27_a_reservation_that_was_lost_is_asked_for_again() -> None:
    stage = OneAtATime(made(singles(1)))
    stage.holder = "somebody else"
    stage.run(until=1)
    stage.crash()
    stage.holder = ""
    stage.go_on()
    assert kinds(stage)[-3:] == ["StartAttempt", "StoreInCache", "Release"]
    stage.check_end()


def test_answers_to_an_earlier_question_do_not_count() -> None:
    stage = OneAtATime(made(singles(1)))
    stage.holder = "somebody else"
    stage.run(until=1)
    assert stage.x.nodes["n0"].phase is NodePhase.RESERVING
    for event in (CacheHit("n0", 1, values(o0=0)), CacheMiss("n0", 1), Reserved("n0", 2), ReservationFreed("n9")):
        assert stage.take(event).changes == ()


# --- recovery ---


def test_m28_only_what_did_not_succeed_runs_again() -> None:
    nodes = [step("n0"), step("n1", "n0"), step("n2"), step("n3", "n1", "n2"), step("n4", "n3")]
    first = Stage(made(nodes), backends={"n3": fail()}).run()
    assert first.phase is NodePhase.FAILED
    second = Stage(made(nodes), reference=first.as_reference()).run()
    assert second.started() == ["n3", "n4"]
    assert second.phases() == {
        "n0": "recovered",
        "n1": "recovered",
        "n2": "recovered",
        "n3": "succeeded",
        "n4": "succeeded",
    }
    assert plain(second.x.nodes["n3"].outputs) == 6
    second.check_end()


def test_m28_sub_workflows_and_arrays_are_recovered_in_part() -> None:
    inner = workflow([step("n0"), step("n1", "n0")], {"o0": (INT, ref("n1", "o0"))}, name="inner")
    nodes = [*mapped(4), sub_node("n1", "inner", a=ref("", "a")), plan_node("n2", "plan", a=ref("", "a"))]
    backends = {"n0[2]": fail(), "n1/n1": fail(), "n2": fail()}
    first = Stage(made(nodes, inner, patient=True), backends=backends).run()
    second = Stage(made(nodes, inner, patient=True), reference=first.as_reference()).run()
    assert second.phase is NodePhase.SUCCEEDED
    assert set(second.started()) == {"n0[2]", "n0[3]", "n1/n1", "n2"} - ({"n0[3]"} & set(_good(first)))
    [child] = [c for c in second.commands if isinstance(c, StartAttempt) and c.path == "n2"]
    [former] = [c for c in first.commands if isinstance(c, StartAttempt) and c.path == "n2"]
    assert child.recovers == former.child
    second.check_end()


def _good(stage: Stage) -> list[str]:
    return [path for path, row in stage.x.nodes.items() if row.phase.good]


def test_m28_a_dynamic_task_keeps_the_workflow_it_made() -> None:
    first = Stage(made([step("n0")]), backends={"n0": expanding(spec(TWO)), "n0/d1": fail()}).run()
    second = Stage(made([step("n0")]), reference=first.as_reference()).run()
    assert second.started() == ["n0/d1"]
    assert plain(second.x.nodes["n0"].outputs) == 14
    second.check_end()


def test_m28_a_recovery_outlives_a_crash() -> None:
    nodes = [step("n0"), step("n1", "n0"), *mapped(0)[:0], array_node("n2", "one", x=mapped(3)[0].inputs[0].binding)]
    first = Stage(made(nodes), backends={"n1": fail(), "n2[1]": hang}).run()
    second = Stage(made(nodes), reference=first.as_reference(), default=succeed(values(o0=1))).run(until=0.5)
    second.crash()
    second.go_on()
    assert second.phase is NodePhase.SUCCEEDED
    assert set(second.started()) == {"n1", "n2[1]"}
    second.check_end()
