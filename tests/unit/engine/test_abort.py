"""An abort at every moment of an execution that has everything in it: it ends ABORTED, and nothing is left."""

from __future__ import annotations

import pytest

from alula.engine.events import AttemptClosed, Begin
from alula.engine.state import AttemptPhase, NodePhase, Settings, Values
from alula.idl import CompiledWorkflowClosure
from tests.unit.compiler.build import branch_node, compare, const, plan_node, ref, sub_node, task_node, workflow
from tests.unit.engine.build import array_node, made, signal_node, sleep_node, step
from tests.unit.engine.stage import Stage, fail, in_turn, succeed, values
from tests.unit.engine.test_nodes import expanding, mapped, spec
from tests.unit.idl.build import INT

HANDLER = task_node("fn0", "clean_up", a=ref("", "a"))


def everything(*, failing: bool) -> CompiledWorkflowClosure:
    inner = workflow([step("n0"), step("n1", "n0")], {"o0": (INT, ref("n1", "o0"))}, name="inner", on_failure=HANDLER)
    nodes = [
        step("retried", retries=2, timeout=50, total=500),
        sub_node("sub", "inner", a=ref("retried", "o0")),
        branch_node("way", {".a": ref("", "a")}, [(compare(".a", "EQ", 1), step("t", "retried"))], "no"),
        array_node("each", "one", parallelism=2, x=mapped(4)[0].inputs[0].binding),
        plan_node("child", "plan", a=ref("", "a")),
        task_node("slow", "single", x=ref("", "a")),
        sleep_node("sleep", 6),
        signal_node("gate", "go"),
        step("dyn"),
        step("last", "retried", "sub"),
    ]
    if failing:
        nodes.append(step("bad", "last"))
    return made(nodes, inner, on_failure=HANDLER)


def staged(failing: bool) -> Stage:
    two = [task_node("d0", "add", x=const(3), y=const(4)), step("d1", "d0")]
    backends = {
        "retried": in_turn(fail(closed=False), succeed(values(o0=1), closed=False)),
        "dyn": expanding(spec(two)),
        "child": succeed(values(o0=1), closed=False),
        "bad": fail(closed=False),
    }
    return Stage(everything(failing=failing), settings=Settings(max_parallelism=3), backends=backends)


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize("stuck", [False, True])
@pytest.mark.parametrize("budget", [1, 512])
def test_an_abort_at_any_moment_ends_aborted(failing: bool, stuck: bool, budget: int) -> None:
    whole = staged(failing)
    whole.budget = budget
    whole.send(Begin())
    moments = 0
    while whole.queue and whole.phase is not NodePhase.FAILED:
        whole.next()
        moments += 1
    assert moments > 40
    for moment in range(1, moments, 1 if budget > 1 else 7):
        stage = staged(failing)
        stage.budget = budget
        if stuck:
            stage.unclosable = {"retried", "child", "slow", "dyn/d0", "each[1]", "sub/n0", "last", "bad", "fn0"}
        stage.send(Begin())
        for _ in range(moment):
            if stage.queue:
                stage.next()
        if stage.phase is not None and stage.phase.terminal:
            continue
        before = stage.now
        stage.abort()
        while stage.phase is not NodePhase.ABORTED:
            stage.next()
        assert (stage.now - before).total_seconds() <= 5
        for attempt in list(stage.x.attempts.values()):
            stage.take(AttemptClosed(attempt.path, attempt.number))
        stage.queue.clear()
        assert {a.phase for a in stage.rows.values() if hasattr(a, "open")} <= {
            AttemptPhase.ABORTED,
            AttemptPhase.SUCCEEDED,
            AttemptPhase.FAILED,
        }
        stage.check_end()


def test_an_abort_before_the_beginning_is_kept() -> None:
    stage = Stage(made([step("n0")]))
    stage.abort()
    stage.run()
    assert stage.phase is NodePhase.ABORTED
    assert stage.started() == []
    assert stage.root.failure is not None
    assert stage.root.failure.message == "enough"


def test_what_a_node_gave_before_the_abort_stays() -> None:
    stage = Stage(made([step("n0"), step("n1", "n0")]), backends={"n1": lambda start: []}).run(until=5)
    stage.abort().go_on()
    assert stage.x.nodes["n0"].outputs == Values(values(o0=2).data)
    assert stage.x.nodes["n1"].outputs is None
