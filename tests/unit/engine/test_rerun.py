"""Nodes that run again though they have ended well, with all that comes after them."""

from __future__ import annotations

import pytest

from alula._kits.records import replace
from alula.engine.events import LookUp, StartAttempt, StoreInCache
from alula.engine.state import NodePhase, Settings
from alula.idl import CompiledWorkflowClosure
from tests.unit.compiler.build import branch_node, compare, plan_node, ref, sub_node, task_node, workflow
from tests.unit.engine.build import made, step
from tests.unit.engine.stage import Stage, fail, plain, succeed, values
from tests.unit.engine.test_nodes import TWO, expanding, mapped, spec
from tests.unit.idl.build import INT

INNER = workflow([step("n0"), step("n1", "n0"), step("n2")], {"o0": (INT, ref("n1", "o0"))}, name="inner")
NODES = [
    step("n0"),
    step("n1", "n0"),
    step("n2"),
    sub_node("n3", "inner", a=ref("n2", "o0")),
    step("n4", "n1", "n3"),
    branch_node("n5", {".a": ref("", "a")}, [(compare(".a", "EQ", 1), step("n6", "n2"))], "no"),
]
CLOSURE = made(NODES, INNER)


def again(closure: CompiledWorkflowClosure, *paths: str, first: Stage | None = None) -> Stage:
    first = first or Stage(closure).run()
    stage = Stage(closure, settings=Settings(rerun=paths), reference=first.as_reference()).run()
    assert stage.phase is NodePhase.SUCCEEDED
    stage.check_end()
    return stage


@pytest.mark.parametrize(
    ("paths", "runs"),
    [
        (["n4"], ["n4"]),
        (["n0"], ["n0", "n1", "n4"]),
        (["n2"], ["n2", "n3/n0", "n3/n1", "n3/n2", "n4", "n5/n5-n6"]),
        (["n3"], ["n3/n0", "n3/n1", "n3/n2", "n4"]),
        (["n3/n1"], ["n3/n1", "n4"]),
        (["n3/n0"], ["n3/n0", "n3/n1", "n4"]),
        (["n3/n2"], ["n3/n2", "n4"]),
        (["n5"], ["n5/n5-n6"]),
        (["n5/n5-n6"], ["n5/n5-n6"]),
        (["n1", "n5"], ["n1", "n4", "n5/n5-n6"]),
    ],
)
def test_what_was_named_and_all_after_it_runs(paths: list[str], runs: list[str]) -> None:
    stage = again(CLOSURE, *paths)
    assert sorted(stage.started()) == runs
    left = [path for path, row in stage.x.nodes.items() if row.phase is NodePhase.RECOVERED]
    assert not set(left) & set(runs)


def test_what_failed_runs_too() -> None:
    first = Stage(made(NODES, INNER, patient=True), backends={"n1": fail()}).run()
    assert first.phase is NodePhase.FAILED
    assert sorted(again(CLOSURE, "n5", first=first).started()) == ["n1", "n4", "n5/n5-n6"]


@pytest.mark.parametrize("crash_at", [0.5, 1.5, 2.5])
def test_a_crash_does_not_change_what_runs(crash_at: float) -> None:
    first = Stage(CLOSURE).run()
    stage = Stage(CLOSURE, settings=Settings(rerun=("n2",)), reference=first.as_reference()).run(until=crash_at)
    stage.crash()
    stage.go_on()
    assert sorted(set(stage.started())) == ["n2", "n3/n0", "n3/n1", "n3/n2", "n4", "n5/n5-n6"]
    stage.check_end()


def test_one_element_of_an_array_runs_again() -> None:
    closure = made([*mapped(4), step("n1")])
    assert again(closure, "n0[2]").started() == ["n0[2]"]
    assert len(again(closure, "n0").started()) == 4


def test_a_dynamic_task_makes_its_workflow_again_only_if_it_was_named() -> None:
    closure = made([step("n0")])
    first = Stage(closure, backends={"n0": expanding(spec(TWO))}).run()
    for path, runs in (("n0/d1", ["n0/d1"]), ("n0", ["n0", "n0/d0", "n0/d1"])):
        stage = Stage(
            closure,
            settings=Settings(rerun=(path,)),
            reference=first.as_reference(),
            backends={"n0": expanding(spec(TWO))},
        ).run()
        assert stage.started() == runs
        assert plain(stage.x.nodes["n0"].outputs) == 14
        stage.check_end()


def test_what_was_named_does_not_ask_the_cache_and_writes_over_what_is_there() -> None:
    closure = made([task_node("n0", "slow", x=ref("", "a")), task_node("n1", "slow", x=ref("n0", "o0"))])
    first = Stage(closure).run()
    stage = Stage(closure, settings=Settings(rerun=("n0",)), reference=first.as_reference())
    stage.cache = first.cache
    stage.run()
    asked = [(type(c), c.path) for c in stage.commands if isinstance(c, LookUp | StartAttempt | StoreInCache)]
    assert asked == [(StartAttempt, "n0"), (StoreInCache, "n0"), (LookUp, "n1")]
    assert [c.overwrite for c in stage.commands if isinstance(c, StoreInCache)] == [True]


def test_a_child_execution_that_was_named_starts_over() -> None:
    closure = made([plan_node("n0", "plan", a=ref("", "a"))])
    first = Stage(closure, default=succeed(values(o0=1))).run()
    stage = Stage(
        closure, settings=Settings(rerun=("n0",)), reference=first.as_reference(), default=succeed(values(o0=1))
    ).run()
    assert [c.recovers for c in stage.commands if isinstance(c, StartAttempt)] == [""]


def test_a_checkpoint_goes_on_in_a_recovery_and_not_where_all_starts_over() -> None:
    closure = made([step("n0")])
    first = Stage(closure, backends={"n0": fail(recoverable=False)}).run()
    reference = first.as_reference()
    nodes = {**reference.nodes, "n0": replace(reference.nodes["n0"], checkpoint="s3://b/0")}
    reference = replace(reference, nodes=nodes)
    given = {}
    for rerun in ((), ("n0",)):
        stage = Stage(closure, settings=Settings(rerun=rerun), reference=reference).run()
        given[rerun] = [c.checkpoint for c in stage.commands if isinstance(c, StartAttempt)]
    assert given == {(): ["s3://b/0"], ("n0",): [""]}
