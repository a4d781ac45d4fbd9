"""A wide fan-out in portions: decisions stay small, crashes between them lose nothing, and each costs the same."""

from __future__ import annotations

import cProfile

import pytest

from alula.engine.events import Begin, Continue, SignalSet
from alula.engine.machine import BUDGET, decide, redrive
from alula.engine.state import NodePhase, Ref, Settings, Values
from alula.idl import CompiledWorkflowClosure, literals
from tests.unit.compiler.build import const, ref, task_node
from tests.unit.engine.build import made, signal_node, step
from tests.unit.engine.stage import Stage, fail, hang, succeed, values
from tests.unit.engine.test_nodes import mapped

SIZE = 1200


def fan(size: int = SIZE, **settings: bool) -> CompiledWorkflowClosure:
    wide = [step(f"w{i}", "n0") for i in range(size)]
    return made([step("n0"), *wide, step("end", *(node.id for node in wide))], **settings)


def quick(closure: CompiledWorkflowClosure, **more: object) -> Stage:
    stage = Stage(closure, settings=Settings(max_parallelism=0), **more)  # type: ignore[arg-type]
    stage.careful = False
    return stage


@pytest.mark.parametrize("closure", [fan(), made(mapped(SIZE, parallelism=0))], ids=["fan", "array"])
def test_no_decision_is_large(closure: CompiledWorkflowClosure) -> None:
    stage = quick(closure).run()
    assert stage.phase is NodePhase.SUCCEEDED
    assert max(stage.touched) <= BUDGET + 8
    stage.check_end()


def test_an_array_puts_its_elements_on_the_agenda_in_portions() -> None:
    stage = quick(made(mapped(SIZE, parallelism=0)), default=hang)
    stage.take(Begin())
    assert 0 < len(stage.x.agenda.bulk) < SIZE // 2
    stage.run()
    assert len(stage.started()) == SIZE


def test_what_follows_says_so_until_nothing_does() -> None:
    stage = quick(made(mapped(SIZE, parallelism=0)), default=hang)
    decision, portions = stage.take(Begin()), 1
    while decision.more:
        assert len(decision.changes) + len(decision.commands) <= BUDGET + 8
        decision, portions = stage.take(Continue()), portions + 1
    assert portions >= SIZE * 3 // BUDGET
    assert len(stage.started()) == SIZE
    assert stage.take(Continue()).changes == ()


@pytest.mark.parametrize("closure", [fan(60), fan(60, patient=True), made(mapped(60, parallelism=0))])
@pytest.mark.parametrize("failing", [False, True])
def test_a_crash_after_any_portion_loses_nothing(closure: CompiledWorkflowClosure, failing: bool) -> None:
    name = "w7" if closure.primary.template.nodes[-1].id == "end" else "n0[7]"
    script = fail(recoverable=False, after=0.5) if failing else succeed(values(o0=1))
    for at in range(1, 120, 3):
        stage = quick(closure, backends={name: script}, default=succeed(values(o0=1)))
        stage.budget = 5
        stage.send(Begin())
        for _ in range(at):
            if stage.queue:
                stage.next()
        stage.crash()
        stage.go_on()
        assert stage.phase is (NodePhase.FAILED if failing else NodePhase.SUCCEEDED)
        stage.check_end()


@pytest.mark.parametrize("ends", ["failed", "aborted"])
def test_a_crash_while_many_are_being_stopped_stops_the_rest(ends: str) -> None:
    for at in range(1, 12):
        script = fail(recoverable=False, after=2) if ends == "failed" else hang
        stage = quick(fan(40), default=hang, backends={"n0": succeed(values(o0=1)), "w7": script}).run(until=2.5)
        assert len(stage.started()) == 41
        stage.budget = 5
        if ends == "aborted":
            stage.abort()
        for _ in range(at):
            stage.next()
        stage.crash()
        stage.go_on()
        assert stage.phase is NodePhase(ends)
        stage.check_end()


def test_what_was_about_to_begin_does_not_once_something_has_failed() -> None:
    handler = task_node("fn0", "clean_up", a=ref("", "a"))
    wide = [step(f"w{i}", "n0") for i in range(40)]
    backends = {"n0": succeed(values(o0=1)), "w0": fail(recoverable=False, after=0)}
    stage = Stage(made([step("n0"), *wide], on_failure=handler), default=hang, backends=backends)
    stage.backends["clean_up"] = succeed(after=5)
    stage.budget = 2
    stage.run()
    assert stage.phase is NodePhase.FAILED
    assert stage.started()[-1] == "fn0"
    assert len(stage.started()) < 20
    stage.check_end()


def test_what_was_about_to_be_skipped_is_not_touched_once_all_is_aborted() -> None:
    after = [step(f"w{i}", "n0") for i in range(40)]
    stage = Stage(made([step("n0"), step("n1"), *after], patient=True), default=hang, backends={"n0": fail()})
    stage.unclosable = {"n1"}
    stage.budget = 2
    stage.run(until=0.5)
    while "w3" not in stage.x.nodes:
        stage.next()
    stage.abort()
    skipped = sum(row.phase is NodePhase.SKIPPED for row in stage.x.nodes.values())
    stage.go_on(until=30)
    assert stage.phase is NodePhase.ABORTED
    assert sum(row.phase is NodePhase.SKIPPED for row in stage.x.nodes.values()) == skipped < 40


def test_a_restart_with_many_open_attempts_comes_in_portions_too() -> None:
    stage = quick(fan(), default=hang, backends={"n0": succeed(values(o0=1))}).run(until=5)
    again = stage.loaded()
    decision, count = redrive(again, stage.now), 0
    while True:
        assert len(decision.changes) + len(decision.commands) <= BUDGET + 8
        count += len(decision.commands)
        if not decision.more:
            break
        decision = decide(again, Continue(), stage.now)
    assert count == SIZE


def test_an_abort_of_many_comes_in_portions_and_starts_nothing_more() -> None:
    stage = Stage(fan(), settings=Settings(max_parallelism=700), default=hang, backends={"n0": succeed(values(o0=1))})
    stage.careful = False
    stage.run(until=5)
    begun = len(stage.started())
    assert begun == 701
    stage.abort().go_on()
    assert stage.phase is NodePhase.ABORTED
    assert len(stage.started()) == begun
    assert max(stage.touched) <= BUDGET + 8
    stage.check_end()


def test_one_answer_for_many_gates_comes_in_portions() -> None:
    stage = quick(made([signal_node(f"n{i}", "go") for i in range(SIZE)])).run()
    stage.budget = 50
    stage.take(SignalSet("go", literals.integer(5).SerializeToString()))
    assert 40 < sum(row.phase.good for row in stage.x.nodes.values()) <= 50
    stage.crash()
    stage.go_on()
    assert stage.phase is NodePhase.SUCCEEDED
    assert max(stage.touched[1:]) <= BUDGET + 8
    stage.check_end()


def test_bytes_that_many_wait_for_are_read_once() -> None:
    far = Values(refs=(Ref("o0", "s3://b/out.pb", "o0"),))
    wide = [task_node(f"w{i}", "one", x=ref("n0", "o0", "deep", 1)) for i in range(200)]
    layers = literals.mapping({"deep": literals.collection_of_integers([5, 6])})
    for there in (True, False):
        stage = quick(made([task_node("n0", "layers", x=const(1)), *wide]), backends={"n0": succeed(far)})
        stage.budget = 20
        if there:
            stage.objects["s3://b/out.pb"] = literals.literal_map({"o0": layers}).SerializeToString()
        stage.run()
        assert stage.phase is (NodePhase.SUCCEEDED if there else NodePhase.FAILED)
        assert sum(type(c).__name__ == "Fetch" for c in stage.commands) == 1
        assert max(stage.touched) <= 30
        stage.check_end()


def test_work_grows_with_the_nodes_and_no_faster() -> None:
    """Twice the nodes, twice the calls: a quadratic step anywhere gives four times."""

    def calls(size: int) -> int:
        stage = quick(fan(size), default=succeed(values(o0=1)))
        counted = cProfile.Profile()
        counted.runcall(stage.run)
        return sum(one.callcount for one in counted.getstats())

    assert calls(4000) < 2.2 * calls(2000)
