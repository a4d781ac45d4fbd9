"""Whoever waits for a slot holds no reservation, and whoever waits for a reservation holds no slot."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alula.compiler.compile import compile_workflow
from alula.engine.events import LookUp, Release, ReservationFreed, ReservationHeld, Reserve, Reserved, StoreInCache
from alula.engine.state import CacheStatus, NodePhase, Settings
from alula.engine.why import Reason, waiting
from alula.idl import Node
from alula.store.memory import MemoryStore
from tests.unit.compiler.build import const, plan_node, ref, task_node, workflow
from tests.unit.engine import test_launch as launch
from tests.unit.engine.build import MORE, made, step, tuned
from tests.unit.engine.drive import FakeRunner, adding, clock, create, ended, engine, running, virtual
from tests.unit.engine.stage import fail, hang, in_turn, plain, silent, succeed, values
from tests.unit.engine.test_cache_and_recovery import OneAtATime, singles
from tests.unit.engine.test_nodes import expanding, spec
from tests.unit.idl.build import INT

ONE_SLOT, TWO_SLOTS = Settings(max_parallelism=1), Settings(max_parallelism=2)
CHILD = plan_node("p0", "plan", a=ref("", "a"))
AFTER = [step("n1"), plan_node("p0", "plan", a=ref("n1", "o0"))]
"""A child execution that comes to the queue after n0, and before its second attempt."""


class Elsewhere(OneAtATime):
    """A cache in which somebody else may take and free reservations too."""

    def take_away(self) -> None:
        assert not self.holder, f"{self.holder} has the reservation"
        self.holder = "somebody else"

    def give_back(self, *paths: str) -> None:
        self.holder = ""
        for path in paths:
            self.send(ReservationFreed(path))

    def reserves(self) -> list[str]:
        return [command.path for command in self.commands if isinstance(command, Reserve)]


def alone(id: str = "n0", **settings: float) -> Node:
    return tuned(task_node(id, "single", x=const(7)), **settings)


def test_a_node_that_waits_for_a_slot_holds_no_reservation() -> None:
    stage = Elsewhere(made([alone(), CHILD]), settings=ONE_SLOT, backends={"p0": succeed(values(o0=1), after=60)})
    stage.run(until=5)
    assert stage.phases() == {"n0": "ready", "p0": "running"}
    why = waiting(stage.x, "n0")
    assert why.reason is Reason.PARALLELISM
    stage.take_away()  # the child that has the slot wants it
    stage.go_on(until=30)
    stage.give_back()
    stage.go_on()
    assert stage.phase is NodePhase.SUCCEEDED
    assert stage.most == 1
    stage.check_end()


def test_a_node_that_waits_for_a_reservation_holds_no_slot() -> None:
    stage = Elsewhere(made([alone(), step("n1"), step("n2")]), settings=ONE_SLOT)
    stage.take_away()
    stage.run(until=60)
    assert stage.started() == ["n1", "n2"]
    assert not stage.x.holding
    why = waiting(stage.x, "n0")
    assert why.reason is Reason.RESERVATION
    assert why.until is not None
    stage.give_back("n0")
    stage.go_on(until=100)
    assert stage.started() == ["n1", "n2", "n0"]
    assert stage.phase is NodePhase.SUCCEEDED
    stage.go_on()
    stage.check_end()


def test_to_ask_for_a_reservation_takes_a_slot_that_runs_the_task() -> None:
    stage = Elsewhere(made([alone(), step("n1")]), settings=ONE_SLOT, backends={"n1": succeed(values(o0=1), after=5)})
    stage.run(until=5.05)
    assert stage.x.holding == {"n0"}
    assert waiting(stage.x, "n0").reason is Reason.RESERVATION
    stage.go_on()
    assert stage.started() == ["n1", "n0"]
    stage.check_end()


def test_who_gets_the_reservation_of_one_that_succeeded_takes_what_that_made() -> None:
    stage = Elsewhere(made([alone(), alone("n1")]), settings=ONE_SLOT)
    stage.run()
    assert stage.started() == ["n0"]
    assert stage.x.nodes["n1"].cache is CacheStatus.HIT
    assert not stage.holder
    stage.check_end()


def test_a_retry_keeps_the_reservation_if_it_has_a_slot_at_once() -> None:
    backends = {"n0": in_turn(fail(), succeed(values(o0=3)))}
    stage = Elsewhere(made([alone(retries=1)]), settings=ONE_SLOT, backends=backends)
    stage.run(until=2)
    assert stage.x.nodes["n0"].phase is NodePhase.BACKOFF
    assert stage.holder == "n0"
    stage.go_on()
    assert stage.started("n0") == ["0", "1"]
    assert sum(isinstance(command, Release) for command in stage.commands) == 1
    stage.check_end()


def test_a_retry_that_must_wait_for_a_slot_gives_the_reservation_back_until_then() -> None:
    backends = {"n0": in_turn(fail(), succeed(values(o0=3))), "p0": succeed(values(o0=1), after=60)}
    stage = Elsewhere(made([alone(retries=1), *AFTER]), settings=ONE_SLOT, backends=backends)
    stage.run(until=30)
    assert stage.phases()["n0"] == "ready"
    stage.take_away()
    stage.give_back()
    stage.go_on()
    assert stage.started() == ["n1", "n0", "p0", "n0"]
    assert stage.phase is NodePhase.SUCCEEDED
    stage.check_end()


def test_what_another_made_while_a_retry_waited_is_taken() -> None:
    backends = {"n0": in_turn(fail(), hang), "p0": succeed(values(o0=1), after=60)}
    stage = Elsewhere(made([alone(retries=1), *AFTER]), settings=ONE_SLOT, backends=backends)
    stage.run(until=30)
    [question] = {command.inputs: command for command in stage.commands if isinstance(command, LookUp)}.values()
    stage.ask_cache(StoreInCache("elsewhere", question.node, question.inputs, values(o0=5), False))
    stage.go_on()
    assert stage.started() == ["n1", "n0", "p0"]
    assert plain(stage.x.nodes["n0"].outputs) == 5
    stage.check_end()


def test_elements_with_a_parallelism_of_their_own_take_no_slot_for_it() -> None:
    from_one = singles(3)
    stage = Elsewhere(made(from_one), settings=Settings(max_parallelism=0))
    stage.run()
    assert len(stage.started()) == 1
    stage.check_end()


def test_a_node_that_waits_is_stopped_and_leaves_nothing() -> None:
    stage = Elsewhere(made([alone(), step("n1")]), settings=ONE_SLOT, backends={"n1": hang})
    stage.run(until=5)
    stage.abort()
    stage.go_on()
    assert stage.phase is NodePhase.ABORTED
    assert not stage.holder
    stage.check_end()


@pytest.mark.parametrize("at", [n / 20 for n in range(1, 90, 3)])
def test_a_crash_at_any_moment_leaves_one_run_and_no_more_slots_than_there_are(at: float) -> None:
    nodes = [alone(), alone("n1"), step("n2"), alone("n3", retries=1)]
    failing = {"n0": fail(recoverable=False)}
    stage = Elsewhere(made(nodes, patient=True), settings=TWO_SLOTS, backends=failing)
    stage.run(until=at)
    stage.crash()
    stage.go_on()
    assert stage.most <= 2
    assert {stage.x.nodes[path].phase for path in ("n1", "n2", "n3")} == {NodePhase.SUCCEEDED}
    assert not stage.holder
    stage.check_end()


# --- dynamic tasks keep theirs for the workflow that they made ---

INSIDE = [task_node("d0", "one", x=const(1)), task_node("d1", "one", x=ref("d0", "o0"))]


def test_a_dynamic_task_keeps_its_reservation_for_what_it_made() -> None:
    stage = Elsewhere(made([alone(), step("n1", "n0")]), settings=ONE_SLOT, backends={"n0": expanding(spec(INSIDE))})
    stage.run(until=2.1)
    assert stage.x.nodes["n0/d0"].phase is NodePhase.RUNNING
    assert stage.holder == "n0"
    stage.go_on()
    assert stage.x.nodes["n0"].cache is CacheStatus.POPULATED
    assert not stage.holder
    stage.check_end()


def test_a_dynamic_task_gives_its_reservation_back_when_child_executions_have_all_slots() -> None:
    backends = {"n0": expanding(spec(INSIDE)), "p0": hang}
    stage = Elsewhere(made([alone(), CHILD]), settings=ONE_SLOT, backends=backends)
    stage.run(until=0.5)
    stage.go_on(until=20)
    assert stage.x.holding == {"p0"}
    stage.take_away()  # what the child wants
    stage.crash()
    stage.go_on(until=40)
    stage.abort()
    stage.go_on()
    stage.check_end()


# --- the whole engine ---

BELOW = compile_workflow(
    workflow([alone()], {"o0": (INT, ref("n0", "o0"))}, name="inner", inputs={"a": INT, "b": INT}), [], MORE, []
)


@pytest.mark.parametrize("slots", [1, 2])
def test_children_in_all_slots_get_the_reservation_that_their_parent_wants_too(slots: int) -> None:
    @virtual
    async def test() -> None:
        store, runner = MemoryStore(clock()), FakeRunner(default=adding)
        await launch.registered(store, BELOW)
        nodes = [alone(), *(launch.plan_node(f"p{nth}") for nth in range(slots)), alone("n9")]
        record = await create(store, made(nodes), settings=Settings(max_parallelism=slots))
        async with running(engine(store, runner)):
            record = await ended(store, record.id, within=25)
        assert record.phase == "succeeded"
        assert runner.paths().count("n0") == len(runner.started) == 1
        assert not store.open_reservations()

    test()


def test_reserved_and_held_are_answers_to_the_present_question_only() -> None:
    stage = Elsewhere(made(singles(1)), backends={"n0": silent})
    stage.run(until=5)
    row = stage.x.nodes["n0"]
    late = stage.now + timedelta(seconds=1)
    for event in (Reserved("n0", row.generation), ReservationHeld("n0", row.generation, late)):
        assert stage.take(event).changes == ()
