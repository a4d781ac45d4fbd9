"""Workflows from begin to end: order, failure policies, failure nodes, sub-workflows, parallelism, abort."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alula.engine.events import AttemptClosed, AttemptFailed, AttemptStarted, AttemptSucceeded, Begin, StartAttempt
from alula.engine.machine import BUDGET
from alula.engine.state import ROOT, AttemptPhase, Failure, NodePhase, Settings, execution_phase
from alula.idl import Literal, WorkflowExecution
from tests.unit.compiler.build import const, plan_node, ref, sub_node, task_node, workflow
from tests.unit.engine.build import made, sleep_node, step
from tests.unit.engine.stage import START, Stage, fail, hang, in_turn, plain, silent, succeed, values
from tests.unit.idl.build import INT


def test_a_node_starts_when_all_that_it_waits_for_has_ended() -> None:
    stage = Stage(made([step("n0"), step("n1"), step("n2", "n0", "n1")], outputs={"o0": (INT, ref("n2", "o0"))})).run()
    assert stage.phase is NodePhase.SUCCEEDED
    assert stage.started() == ["n0", "n1", "n2"]
    assert plain(stage.root.outputs) == 4
    stage.check_end()


def test_a_workflow_without_nodes_passes_its_inputs_on() -> None:
    stage = Stage(made([], outputs={"o0": (INT, ref("", "a"))})).run()
    assert plain(stage.root.outputs) == 1
    assert execution_phase(stage.root) == WorkflowExecution.SUCCEEDED


def test_an_execution_is_queued_before_it_begins() -> None:
    assert execution_phase(None) == WorkflowExecution.QUEUED


def test_m6_any_event_again_changes_nothing() -> None:
    stage = Stage(
        made([step("n0", retries=1), step("n1", "n0")]), backends={"n0": in_turn(fail(), succeed(values(o0=1)))}
    )
    events = []
    take = stage.take
    stage.take = lambda event: (events.append(event), take(event))[1]  # type: ignore[method-assign]
    stage.run()
    assert stage.phase is NodePhase.SUCCEEDED
    again = [take(event) for event in [*events, Begin()]]
    assert all(decision.changes == () and decision.commands == () for decision in again)


def test_an_outcome_may_come_before_the_start_is_told() -> None:
    stage = Stage(made([step("n0")]), default=silent).run()
    stage.take(AttemptSucceeded("n0", 0, values(o0=1), closed=True))
    stage.take(AttemptStarted("n0", 0))
    assert stage.phase is NodePhase.SUCCEEDED


def test_events_of_unknown_nodes_and_attempts_are_ignored() -> None:
    stage = Stage(made([step("n0")]), default=hang).run()
    for path, attempt in [("n7", 0), ("n0", 3), ("n0/n1", 0), ("n0[2]", 0)]:
        assert stage.take(AttemptSucceeded(path, attempt, values())).changes == ()
        assert stage.take(AttemptClosed(path, attempt)).changes == ()


def test_a_success_counts_before_its_attempt_is_closed() -> None:
    stage = Stage(made([step("n0"), step("n1", "n0")]), default=succeed(values(o0=1), closed=False))
    stage.unclosable = {"n0"}
    stage.run()
    assert stage.phase is NodePhase.SUCCEEDED
    assert [a.open for a in stage.attempts("n0")] == [True]
    assert [c.abort for c in stage.closes("n0")] == [False]
    stage.take(AttemptClosed("n0", 0))
    stage.check_end()


def test_m15_a_failure_stops_the_siblings_before_the_workflow_fails() -> None:
    stage = Stage(made([step("n0"), step("n1"), step("n2", "n1")]), backends={"n0": fail(), "n1": hang}).run(until=1.05)
    assert stage.phase is NodePhase.FAILING
    assert [c.abort for c in stage.closes("n1")] == [True]
    stage.go_on()
    assert stage.phase is NodePhase.FAILED
    assert stage.phases() == {"n0": "failed", "n1": "aborted"}
    assert stage.root.failure is not None
    assert (stage.root.failure.code, stage.root.failure.path) == ("USER:Boom", "n0")
    stage.check_end()


def test_m16_a_patient_workflow_ends_what_does_not_depend_on_the_failure() -> None:
    nodes = [step("n0"), step("n1"), step("n2", "n0"), step("n3", "n1"), step("n4", "n2", "n3")]
    stage = Stage(made(nodes, patient=True), backends={"n0": fail()}).run()
    assert stage.phase is NodePhase.FAILED
    assert stage.phases() == {
        "n0": "failed",
        "n1": "succeeded",
        "n2": "skipped",
        "n3": "succeeded",
        "n4": "skipped",
    }
    stage.check_end()


def test_m16_of_several_failures_the_first_one_counts() -> None:
    nodes = [step("n0"), step("n1"), step("n2")]
    backends = {"n0": fail("late", after=9), "n1": fail("first", after=1), "n2": fail("later", after=5)}
    stage = Stage(made(nodes, patient=True), backends=backends).run()
    assert stage.root.failure is not None
    assert (stage.root.failure.code, stage.root.failure.path) == ("first", "n1")
    stage.check_end()


def test_m19_the_failure_node_runs_once_and_gets_the_error() -> None:
    handler = task_node("fn0", "clean_up", a=ref("", "a"))
    backends = {"n0": fail("USER:Boom", closed=False), "n1": hang}
    stage = Stage(made([step("n0"), step("n1")], on_failure=handler), backends=backends).run()
    assert stage.phase is NodePhase.FAILED
    assert stage.started() == ["n0", "n1", "fn0"]
    [start] = [c for c in stage.commands if isinstance(c, StartAttempt) and c.path == "fn0"]
    given = start.inputs.get("err")
    assert isinstance(given, Literal)
    error = given.scalar.union.value.scalar.error
    assert (error.failed_node_id, error.message) == ("n0", "USER:Boom in n0")
    assert stage.root.failure is not None
    assert stage.root.failure.code == "USER:Boom"
    assert stage.root.failure.secondary is None
    stage.check_end()


def test_m19_a_node_that_failed_is_called_as_its_workflow_calls_it() -> None:
    handler = task_node("fn0", "clean_up", a=ref("", "a"))
    inner = workflow([step("n0")], {"o0": (INT, ref("n0", "o0"))}, name="inner", on_failure=handler)
    closure = made([sub_node("n7", "inner", a=const(2))], inner, on_failure=handler)
    stage = Stage(closure, backends={"n7/n0": fail()}).run()
    named = {}
    for start in stage.commands:
        if isinstance(start, StartAttempt) and start.path.endswith("fn0"):
            given = start.inputs.get("err")
            assert isinstance(given, Literal)
            named[start.path] = given.scalar.union.value.scalar.error.failed_node_id
    assert named == {"n7/fn0": "n0", "fn0": "n7/n0"}
    stage.check_end()


def test_m19_a_failure_node_that_fails_does_not_hide_why() -> None:
    handler = task_node("fn0", "clean_up", a=ref("", "a"))
    stage = Stage(made([step("n0")], on_failure=handler), backends={"n0": fail("first"), "fn0": fail("second")}).run()
    assert stage.root.failure is not None
    assert stage.root.failure.code == "first"
    assert stage.root.failure.secondary is not None
    assert stage.root.failure.secondary.code == "second"
    stage.check_end()


INNER = workflow([step("n0"), step("n1", "n0"), step("n2")], {"o0": (INT, ref("n1", "o0"))}, name="inner")


def test_m20_a_sub_workflow_gets_inputs_and_gives_outputs() -> None:
    nodes = [step("n0"), sub_node("n1", "inner", a=ref("n0", "o0")), step("n2", "n1")]
    stage = Stage(made(nodes, INNER, outputs={"o0": (INT, ref("n2", "o0"))})).run()
    assert stage.phase is NodePhase.SUCCEEDED
    assert stage.started() == ["n0", "n1/n0", "n1/n2", "n1/n1", "n2"]
    assert plain(stage.root.outputs) == 16
    stage.check_end()


def test_m20_a_failure_inside_stops_the_siblings_inside_and_keeps_its_path() -> None:
    stage = Stage(
        made([sub_node("n0", "inner", a=ref("", "a")), step("n1", "n0")], INNER),
        backends={"n0/n1": fail("deep"), "n0/n2": hang},
    ).run()
    assert stage.phases() == {"n0": "failed", "n0/n0": "succeeded", "n0/n1": "failed", "n0/n2": "aborted"}
    assert stage.root.failure is not None
    assert (stage.root.failure.code, stage.root.failure.path) == ("deep", "n0/n1")
    stage.check_end()


def test_a_sub_workflow_has_a_failure_node_of_its_own() -> None:
    handler = task_node("fn0", "clean_up", a=ref("", "a"))
    inner = workflow([step("n0")], {"o0": (INT, ref("n0", "o0"))}, name="inner", on_failure=handler)
    outer = task_node("fn0", "clean_up", a=ref("", "a"))
    stage = Stage(
        made([sub_node("n0", "inner", a=const(2))], inner, on_failure=outer), backends={"n0/n0": fail()}
    ).run()
    assert stage.started() == ["n0/n0", "n0/fn0", "fn0"]
    stage.check_end()


def test_m22_a_child_execution_has_one_name_and_is_retried() -> None:
    node = plan_node("n0", "plan", a=ref("", "a"))
    node.metadata.retries.retries = 1
    stage = Stage(made([node]), backends={"n0": in_turn(fail("RemoteChildFailed"), succeed(values(o0=1)))}).run()
    names = [c.child for c in stage.commands if isinstance(c, StartAttempt)]
    assert stage.phase is NodePhase.SUCCEEDED
    assert len(set(names)) == 2
    assert all(name[0] == "f" and len(name) == 40 for name in names)
    again = Stage(made([node]), default=hang).run()
    again.crash()
    assert [c.child for c in again.commands if isinstance(c, StartAttempt)] == [names[0], names[0]]


def test_m22_aborting_the_parent_closes_the_child() -> None:
    stage = Stage(made([plan_node("n0", "plan", a=ref("", "a"))]), default=hang).run(until=1)
    stage.abort().go_on()
    assert [c.abort for c in stage.closes("n0")] == [True]
    assert stage.phase is NodePhase.ABORTED
    stage.check_end()


@pytest.mark.parametrize("limit", [1, 2, 3, 0])
def test_m29_parallelism_is_used_and_never_exceeded(limit: int) -> None:
    nodes = [step(f"n{i}") for i in range(6)] + [sub_node("n6", "inner", a=const(1))]
    stage = Stage(made(nodes, INNER), settings=Settings(max_parallelism=limit)).run()
    assert stage.phase is NodePhase.SUCCEEDED
    assert stage.most == (limit or 8)
    stage.check_end()


def test_those_that_wait_for_a_slot_are_served_in_their_order_after_a_crash_too() -> None:
    nodes = [step(f"n{i}") for i in range(5)]
    stage = Stage(made(nodes), settings=Settings(max_parallelism=1)).run(until=1.5)
    stage.crash()
    stage.go_on()
    assert list(dict.fromkeys(stage.started())) == ["n0", "n1", "n2", "n3", "n4"]
    stage.check_end()


def test_one_that_is_tried_again_waits_behind_the_others_after_a_crash_too() -> None:
    nodes = [step("n0", retries=1), *(step(f"n{i}") for i in range(1, 5))]
    settings = Settings(max_parallelism=1, user_backoff=timedelta(0))
    backends = {"n0": in_turn(fail(), succeed(values(o0=1)))}
    for crash in (False, True):
        stage = Stage(made(nodes), settings=settings, backends=backends).run(until=1.5)
        if crash:
            stage.crash()
        stage.go_on()
        assert list(dict.fromkeys(stage.started()))[-1] == "n4"
        assert stage.started()[-1] == "n0"


def test_m30_abort_reaches_its_end_though_a_clean_up_never_does() -> None:
    stage = Stage(made([step("n0"), sub_node("n1", "inner", a=const(1))], INNER), default=hang)
    stage.unclosable = {"n0", "n1/n0"}
    stage.run(until=1)
    stage.abort("not needed").go_on(until=6)
    assert stage.phase is NodePhase.ABORTED
    assert execution_phase(stage.root) == WorkflowExecution.ABORTED
    assert stage.root.failure is not None
    assert stage.root.failure.message == "not needed"
    assert [a.open for a in stage.attempts("n0") + stage.attempts("n1/n2")] == [True, False]
    stage.crash()
    assert len(stage.closes("n0")) == 2
    stage.unclosable.clear()
    stage.crash()
    stage.go_on()
    assert stage.attempts("n0")[0].phase is AttemptPhase.ABORTED
    stage.check_end()


def test_aborting_twice_or_after_the_end_changes_nothing() -> None:
    stage = Stage(made([step("n0")]), default=hang).run(until=1)
    stage.abort().abort().go_on()
    assert stage.phase is NodePhase.ABORTED
    assert len(stage.closes("n0")) == 1
    done = Stage(made([step("n0")])).run()
    done.abort()
    assert done.phase is NodePhase.SUCCEEDED


def test_an_abort_while_the_failure_node_runs_ends_that_too() -> None:
    handler = task_node("fn0", "clean_up", a=ref("", "a"))
    stage = Stage(made([step("n0")], on_failure=handler), backends={"n0": fail(), "fn0": hang}).run(until=3)
    assert stage.phase is NodePhase.HANDLING
    stage.abort().go_on()
    assert stage.phase is NodePhase.ABORTED
    assert stage.phases()["fn0"] == "aborted"
    stage.check_end()


def test_an_abort_while_it_fails_keeps_why_it_failed() -> None:
    stage = Stage(made([step("n0"), step("n1")]), backends={"n0": fail("first"), "n1": hang})
    stage.unclosable = {"n1"}
    stage.run(until=2)
    assert stage.phase is NodePhase.FAILING
    stage.abort().go_on(until=30)
    assert stage.phase is NodePhase.ABORTED
    assert stage.root.failure is not None
    assert stage.root.failure.code == "first"


def test_an_abort_while_an_attempt_is_being_closed_ends_its_retries() -> None:
    stage = Stage(made([step("n0", retries=5)]), default=fail(closed=False))
    stage.unclosable = {"n0"}
    stage.run(until=30)
    assert stage.phases() == {"n0": "closing"}
    stage.abort().go_on(until=40)
    assert stage.phase is NodePhase.ABORTED
    stage.take(AttemptClosed("n0", 0))
    assert stage.started() == ["n0"]
    stage.check_end()


def test_a_late_result_of_an_aborted_attempt_does_not_count() -> None:
    stage = Stage(made([step("n0")]), default=hang)
    stage.unclosable = {"n0"}
    stage.run(until=1)
    stage.abort()
    stage.take(AttemptSucceeded("n0", 0, values(o0=1)))
    stage.take(AttemptFailed("n0", 0, Failure("late", "too late", recoverable=True), closed=True))
    assert stage.phase is NodePhase.ABORTED
    assert stage.x.nodes["n0"].outputs is None
    stage.go_on()
    stage.check_end()


def test_m45_a_restart_takes_up_attempts_and_raises_no_counter() -> None:
    nodes = [step(f"n{i}") for i in range(4)] + [step("n4", "n0", "n1")]
    stage = Stage(made(nodes)).run(until=0.5)
    for _ in range(3):
        stage.crash()
    stage.go_on()
    assert stage.phase is NodePhase.SUCCEEDED
    assert {row.attempt for row in stage.x.nodes.values()} == {0}
    stage.check_end()


@pytest.mark.parametrize("size", [100, 4000])
def test_m47_a_transition_touches_as_many_rows_whatever_the_size(size: int) -> None:
    chain = [step("n0"), *(step(f"n{i}", f"n{i - 1}") for i in range(1, size))]
    stage = Stage(made(chain))
    stage.careful = False
    stage.run()
    assert stage.phase is NodePhase.SUCCEEDED
    assert max(stage.touched) == 4  # the attempt and the node that ended, the next node and its attempt
    assert sum(stage.touched) <= 6 * size + 2


@pytest.mark.parametrize("size", [100, 2000])
def test_m47_a_fan_out_and_a_join_touch_a_few_rows_per_node(size: int) -> None:
    wide = [step("n0"), *(step(f"w{i}", "n0") for i in range(size)), step("end", "w0", *(f"w{i}" for i in range(size)))]
    stage = Stage(made(wide), settings=Settings(max_parallelism=10))
    stage.careful = False
    stage.run()
    assert stage.phase is NodePhase.SUCCEEDED
    assert sum(stage.touched) <= 8 * size + 10
    assert max(stage.touched) <= BUDGET + 8  # the fan-out, in portions
    assert sum(touched > 4 for touched in stage.touched) <= 2 + size // 200


def test_a_workflow_may_name_its_own_deadline_and_settings_another() -> None:
    inner = workflow([step("n0")], {"o0": (INT, ref("n0", "o0"))}, name="inner")
    inner.metadata.tags["timeout_seconds"] = "10"
    nodes = [sub_node("n0", "inner", a=const(1)), sleep_node("n1", 30)]
    stage = Stage(made(nodes, inner, patient=True), backends={"n0/n0": hang}).run()
    assert stage.phases() == {"n0": "timed_out", "n0/n0": "aborted", "n1": "succeeded"}
    closure = made([step("n0")])
    closure.primary.template.metadata.tags["timeout_seconds"] = "7"
    for settings, ends in ((Settings(), 7), (Settings(workflow_timeout=timedelta(seconds=3)), 3)):
        alone = Stage(closure, default=hang, settings=settings).run()
        assert alone.phase is NodePhase.TIMED_OUT
        assert alone.root.ended_at is not None
        assert ends <= (alone.root.ended_at - START).total_seconds() < ends + 1


def test_a_workflow_deadline_ends_everything() -> None:
    handler = task_node("fn0", "clean_up", a=ref("", "a"))
    settings = Settings(workflow_timeout=timedelta(seconds=10))
    stage = Stage(made([step("n0")], on_failure=handler), settings=settings, backends={"n0": hang}).run(until=20)
    assert stage.phase is NodePhase.TIMED_OUT
    assert stage.started() == ["n0", "fn0"]
    assert stage.root.failure is not None
    assert stage.root.failure.code == "Timeout"
    assert stage.x.nodes[ROOT].ended_at is not None
    stage.check_end()
