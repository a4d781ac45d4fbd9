"""Kinds of node: branches, gates, arrays, dynamic tasks; and values that lie elsewhere."""

from __future__ import annotations

import pytest

from alula.engine.events import (
    AttemptStarted,
    AttemptSucceeded,
    Event,
    Fetch,
    Gather,
    RefuseSignal,
    SignalSet,
    StartAttempt,
)
from alula.engine.state import NodePhase, Ref, Settings, Values
from alula.idl import (
    BooleanExpression,
    ConjunctionExpression,
    DynamicJobSpec,
    Literal,
    LiteralOffloadedMetadata,
    Node,
    WorkflowTemplate,
    literals,
)
from tests.unit.compiler.build import TASKS, bind, branch_node, compare, const, ref, sub_node, task_node, workflow
from tests.unit.engine.build import MORE, approve_node, array_node, made, signal_node, sleep_node, step, tuned
from tests.unit.engine.stage import START, Script, Stage, fail, hang, in_turn, plain, succeed, values
from tests.unit.idl.build import INT, NONE, list_of, union_of

# --- branches ---


def either(left: BooleanExpression, right: BooleanExpression) -> BooleanExpression:
    joined = ConjunctionExpression(operator=ConjunctionExpression.OR, left_expression=left, right_expression=right)
    return BooleanExpression(conjunction=joined)


def both(left: BooleanExpression, right: BooleanExpression) -> BooleanExpression:
    joined = ConjunctionExpression(operator=ConjunctionExpression.AND, left_expression=left, right_expression=right)
    return BooleanExpression(conjunction=joined)


def branching(condition: BooleanExpression, otherwise: Node | str | None = None) -> list[Node]:
    fallback = step("n2") if otherwise is None else otherwise
    return [branch_node("n0", {".a": ref("", "a")}, [(condition, step("n1"))], fallback), step("after", "n0")]


def test_m17_the_arm_that_is_not_taken_is_skipped_and_never_starts() -> None:
    stage = Stage(made(branching(compare(".a", "EQ", 1)), outputs={"o0": (INT, ref("n0", "o0"))})).run()
    assert stage.phases() == {
        "n0": "succeeded",
        "n0/n0-n1": "succeeded",
        "n0/n0-n2": "skipped",
        "after": "succeeded",
    }
    assert stage.started() == ["n0/n0-n1", "after"]
    assert plain(stage.root.outputs) == 2
    stage.check_end()


@pytest.mark.parametrize(
    ("op", "than", "holds"),
    [
        ("EQ", 5, True),
        ("NEQ", 5, False),
        ("GT", 4, True),
        ("GTE", 5, True),
        ("LT", 5, False),
        ("LTE", 5.5, True),
        ("EQ", None, False),
        ("NEQ", None, True),
    ],
)
def test_m18_comparisons_with_primitives_and_scalars(op: str, than: float | None, holds: bool) -> None:
    stage = Stage(made(branching(compare(".a", op, than))), values(a=5)).run()
    assert stage.started()[0] == ("n0/n0-n1" if holds else "n0/n0-n2")


YES, NO = compare(".a", "EQ", 1), compare(".a", "NEQ", 1)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (both(YES, NO), False),
        (both(YES, YES), True),
        (either(NO, YES), True),
        (either(NO, NO), False),
        (both(either(NO, YES), either(YES, NO)), True),
    ],
)
def test_m18_conjunctions(condition: BooleanExpression, holds: bool) -> None:
    stage = Stage(made(branching(condition))).run()
    assert stage.started()[0] == ("n0/n0-n1" if holds else "n0/n0-n2")


def test_m18_the_first_condition_that_holds_counts() -> None:
    cases = [(NO, step("n1")), (YES, step("n2")), (YES, step("n3"))]
    stage = Stage(made([branch_node("n0", {".a": ref("", "a")}, cases, "no")])).run()
    assert stage.started() == ["n0/n0-n2"]


def test_m18_no_match_fails_with_the_users_message() -> None:
    stage = Stage(made(branching(NO, "a must be 1"))).run()
    assert stage.phase is NodePhase.FAILED
    assert stage.root.failure is not None
    assert (stage.root.failure.code, stage.root.failure.message) == ("BranchFailed", "a must be 1")
    stage.check_end()


def test_m18_an_arm_that_times_out_fails_the_workflow() -> None:
    arm = tuned(step("n1"), total=3)
    stage = Stage(made([branch_node("n0", {".a": ref("", "a")}, [(YES, arm)], "no")]), default=hang).run()
    assert stage.phases() == {"n0": "failed", "n0/n0-n1": "timed_out"}
    assert stage.root.failure is not None
    assert stage.root.failure.code == "Timeout"
    stage.check_end()


def test_a_branch_in_a_branch_reads_from_the_nodes_around() -> None:
    inner = branch_node("n2", {"n1.o0": ref("n1", "o0")}, [(compare("n1.o0", "GT", 1), step("n3", "n1"))], "no")
    outer = branch_node("n0", {".a": ref("", "a")}, [(YES, inner)], "no")
    stage = Stage(made([step("n1"), outer], outputs={"o0": (INT, ref("n0", "o0"))})).run()
    assert plain(stage.root.outputs) == 4
    assert stage.started() == ["n1", "n0/n0-n2/n0-n2-n3"]
    stage.check_end()


def test_aborting_a_branch_aborts_its_arm() -> None:
    stage = Stage(made(branching(YES)), default=hang).run(until=1)
    stage.abort().go_on()
    assert stage.phases()["n0/n0-n1"] == "aborted"
    assert stage.phase is NodePhase.ABORTED
    stage.check_end()


# --- gates ---


def signal(id: str, value: int | str | bool) -> SignalSet:
    lit = next(iter(values(v=value).literals().values()))
    return SignalSet(id, lit.SerializeToString())


@pytest.mark.parametrize("crash", [False, True])
def test_m23_an_approval_lets_the_value_through(crash: bool) -> None:
    nodes = [step("n0"), approve_node("n1", "ok?", "n0"), step("n2", "n1")]
    stage = Stage(made(nodes, outputs={"o0": (INT, ref("n2", "o0"))})).run(until=50)
    assert stage.phases()["n1"] == "running"
    if crash:
        stage.crash()
    stage.take(signal("ok?", True))
    stage.go_on()
    assert plain(stage.root.outputs) == 4
    stage.check_end()


def test_m23_a_no_fails_the_workflow() -> None:
    stage = Stage(made([step("n0"), approve_node("n1", "ok?", "n0")])).run(until=5)
    stage.take(signal("ok?", False))
    assert stage.root.failure is not None
    assert stage.root.failure.code == "ReceivedRejectSignal"
    stage.check_end()


def test_m23_a_signal_may_come_before_its_gate() -> None:
    nodes = [step("n0"), signal_node("n1", "x"), step("n2", "n1", "n0")]
    nodes[1].upstream_node_ids.append("n0")
    stage = Stage(made(nodes))
    stage.send(signal("x", 40), after=0.5)
    stage.run()
    assert plain(stage.x.nodes["n2"].outputs) == 42
    assert stage.take(signal("x", 7)).changes == ()
    stage.check_end()


def test_m23_a_signal_of_the_wrong_type_is_refused_and_may_be_set_again() -> None:
    stage = Stage(made([signal_node("n0", "x")])).run()
    decision = stage.take(signal("x", "seven"))
    [refused] = decision.commands
    assert isinstance(refused, RefuseSignal)
    assert decision.changes == ()
    stage.take(signal("x", 7))
    assert stage.phase is NodePhase.SUCCEEDED


def test_m23_a_sleep_ends_in_time_and_outlives_a_crash() -> None:
    stage = Stage(made([sleep_node("n0", 3600), step("n1"), sleep_node("n2", 10, ["n1"])])).run(until=100)
    stage.crash()
    stage.go_on()
    ended = stage.x.nodes["n0"].ended_at
    assert ended is not None
    assert (ended - START).total_seconds() == 3600
    assert stage.phase is NodePhase.SUCCEEDED
    stage.check_end()


def test_a_gate_that_nobody_answers_times_out() -> None:
    stage = Stage(made([step("n0"), approve_node("n1", "ok?", "n0", timeout=60)])).run()
    assert stage.phases()["n1"] == "timed_out"
    assert stage.root.failure is not None
    assert stage.root.failure.message == "gate 'ok?' got no answer in time (node n1)"
    assert stage.phase is NodePhase.FAILED
    stage.check_end()


def test_aborting_ends_a_gate_at_once() -> None:
    stage = Stage(made([signal_node("n0", "x"), sleep_node("n1", 50)])).run(until=1)
    stage.abort()
    assert stage.phase is NodePhase.ABORTED
    stage.go_on()
    stage.check_end()


# --- arrays ---


def mapped(size: int, **settings: object) -> list[Node]:
    items = literals.collection(map(literals.integer, range(size)))
    listed = const(0)
    listed.Clear()
    for lit in items.collection.literals:
        listed.collection.bindings.add().scalar.CopyFrom(lit.scalar)
    if not size:
        listed.collection.SetInParent()
    node = array_node("n0", "one", x=listed, **settings)  # type: ignore[arg-type]
    return [node]


OUT = {"o0": (list_of(INT), ref("n0", "o0"))}
HOLES = {"o0": (list_of(union_of(INT, NONE)), ref("n0", "o0"))}


@pytest.mark.parametrize("size", [0, 1, 7])
def test_m24_an_array_maps_its_list(size: int) -> None:
    stage = Stage(made(mapped(size), outputs=OUT)).run()
    assert plain(stage.root.outputs) == list(range(size))
    assert [c.index for c in stage.commands if isinstance(c, StartAttempt)] == list(range(size))
    stage.check_end()


@pytest.mark.parametrize(("parallelism", "most"), [(1, 1), (3, 3), (0, 10)])
def test_m24_no_more_elements_at_a_time_than_asked_for(parallelism: int, most: int) -> None:
    seen = []
    stage = Stage(made(mapped(10, parallelism=parallelism)), settings=Settings(max_parallelism=2))

    def watch(start: StartAttempt) -> list[tuple[float, Event]]:
        seen.append(sum(a.phase.live for a in stage.x.attempts.values()))
        return list(succeed(values(o0=1))(start))

    stage.default = watch
    stage.run()
    assert max(seen) == most
    assert stage.phase is NodePhase.SUCCEEDED
    stage.check_end()


def test_m24_an_array_that_does_not_say_shares_the_slots_of_the_workflow() -> None:
    stage = Stage(made([*mapped(10), step("n1"), step("n2")]), settings=Settings(max_parallelism=3)).run()
    assert stage.most == 3
    assert stage.phase is NodePhase.SUCCEEDED
    stage.check_end()


@pytest.mark.parametrize(("settings", "good"), [({"needed": 2}, True), ({"ratio": 0.5}, True), ({"ratio": 0.6}, False)])
def test_m24_so_many_must_succeed_and_the_others_are_none(settings: dict[str, float], good: bool) -> None:
    backends = {"n0[1]": fail(), "n0[2]": fail()}
    stage = Stage(made(mapped(4, **settings), outputs=HOLES if "ratio" in settings else OUT), backends=backends).run()
    assert stage.phase is (NodePhase.SUCCEEDED if good else NodePhase.FAILED)
    if good:
        assert plain(stage.root.outputs) == [0, None, None, 3]
    stage.check_end()


def test_m24_a_ratio_counts_up() -> None:
    backends = {f"n0[{i}]": fail() for i in range(3)}
    enough = Stage(made(mapped(10, ratio=0.7)), backends=backends).run()
    assert enough.phase is NodePhase.SUCCEEDED
    too_few = Stage(made(mapped(10, ratio=0.71)), backends=backends).run()
    assert too_few.phase is NodePhase.FAILED


def test_m24_a_hopeless_array_stops_what_runs_and_keeps_the_first_error() -> None:
    stage = Stage(made(mapped(5, parallelism=3)), backends={"n0[1]": fail("Bad")}, default=hang).run()
    assert stage.phases() == {"n0": "failed", "n0[0]": "aborted", "n0[1]": "failed", "n0[2]": "aborted"}
    assert stage.root.failure is not None
    assert (stage.root.failure.code, stage.root.failure.path) == ("Bad", "n0[1]")
    stage.check_end()


def test_m24_elements_that_are_to_run_in_any_case_do() -> None:
    stage = Stage(made(mapped(4, parallelism=1, run_all=True)), backends={"n0[0]": fail()}).run()
    assert len(stage.started()) == 4
    assert stage.phase is NodePhase.FAILED
    stage.check_end()


def test_m24_elements_are_retried_one_by_one() -> None:
    backends = {"n0[1]": in_turn(fail(), fail(), succeed(values(o0=9)))}
    stage = Stage(made(mapped(3, retries=2), outputs=OUT), backends=backends).run()
    assert plain(stage.root.outputs) == [0, 9, 2]
    assert stage.started("n0[1]") == ["0", "1", "2"]
    stage.check_end()


def test_m24_lists_of_unequal_length_fail() -> None:
    node = array_node("n1", "add", x=ref("n0", "o0"), y=ref("n2", "o0"))
    nodes = [task_node("n0", "numbers"), task_node("n2", "numbers"), node]
    backends = {
        "n0": succeed(Values.of({"o0": literals.collection_of_integers([1, 2])})),
        "n2": succeed(Values.of({"o0": literals.collection_of_integers([1])})),
    }
    stage = Stage(made(nodes), backends=backends).run()
    assert stage.root.failure is not None
    assert stage.root.failure.code == "InvalidArrayLength"
    stage.check_end()


def test_m24_a_task_that_picks_its_item_gets_lists_of_that_one() -> None:
    node = array_node("n1", "picks", x=ref("n0", "o0"), y=ref("", "a"))
    node.array_node.bound_inputs.append("y")
    node.array_node.is_original_sub_node_interface.value = False
    backends = {"n0": succeed(Values.of({"o0": literals.collection_of_integers([4, 5])}))}
    stage = Stage(made([task_node("n0", "numbers"), node]), backends=backends, default=hang).run(until=3)
    starts = [c for c in stage.commands if isinstance(c, StartAttempt) and c.path != "n0"]
    assert [(c.index, plain(c.inputs, "x"), plain(c.inputs, "y")) for c in starts] == [(0, [4], 1), (1, [5], 1)]


def test_m24_bound_inputs_are_the_same_for_all() -> None:
    node = array_node("n1", "add", x=ref("n0", "o0"), y=ref("", "a"))
    node.array_node.bound_inputs.append("y")
    backends = {"n0": succeed(Values.of({"o0": literals.collection_of_integers([1, 2])}))}
    nodes = [task_node("n0", "numbers"), node]
    stage = Stage(made(nodes, outputs={"o0": (list_of(INT), ref("n1", "o0"))}), values(a=10), backends=backends).run()
    assert plain(stage.root.outputs) == [11, 12]


def test_m24_an_array_of_workflows() -> None:
    inner = workflow([step("n0"), step("n1", "n0")], {"o0": (INT, ref("n1", "o0"))}, name="inner")
    array = array_node("n0", "one", parallelism=2, a=mapped(5)[0].inputs[0].binding)
    array.array_node.node.CopyFrom(sub_node("", "inner"))
    stage = Stage(made([array], inner, outputs=OUT)).run()
    assert plain(stage.root.outputs) == [0, 4, 8, 12, 16]
    stage.check_end()


def test_an_array_takes_up_where_it_was_after_a_crash() -> None:
    stage = Stage(made(mapped(9, parallelism=2), outputs=OUT)).run(until=2.5)
    stage.crash()
    stage.go_on(until=4.2)
    stage.crash()
    stage.go_on()
    assert plain(stage.root.outputs) == list(range(9))
    stage.check_end()


def test_outputs_too_large_for_a_row_are_gathered_elsewhere() -> None:
    stage = Stage(made(mapped(3), outputs=OUT), settings=Settings(inline_limit_bytes=4)).run()
    assert [type(c) for c in stage.commands if isinstance(c, Gather)] == [Gather]
    assert plain(stage.root.outputs) == [0, 1, 2]
    stage.check_end()


# --- dynamic tasks ---


def spec(nodes: list[Node], *subs: WorkflowTemplate) -> bytes:
    outputs = bind(o0=ref(nodes[-1].id, "o0"))
    return DynamicJobSpec(nodes=nodes, outputs=outputs, subworkflows=subs, tasks=[*TASKS, *MORE]).SerializeToString()


def expanding(made: bytes) -> Script:
    def script(start: StartAttempt) -> list[tuple[float, Event]]:
        return [
            (0, AttemptStarted(start.path, start.attempt)),
            (1, AttemptSucceeded(start.path, start.attempt, Values(), expansion=made)),
        ]

    return script


TWO = [task_node("d0", "add", x=const(3), y=const(4)), step("d1", "d0")]


@pytest.mark.parametrize("crash_at", [None, 0.5, 1.05, 1.5, 2.5])
def test_m20_a_dynamic_task_goes_on_as_the_workflow_it_made(crash_at: float | None) -> None:
    stage = Stage(made([step("n0"), step("n1", "n0")]), backends={"n0": expanding(spec(TWO))})
    if crash_at is not None:
        stage.run(until=crash_at)
        stage.crash()
        stage.go_on()
    else:
        stage.run()
    assert stage.phase is NodePhase.SUCCEEDED
    assert plain(stage.x.nodes["n0"].outputs) == 14
    assert sorted(set(stage.started())) == ["n0", "n0/d0", "n0/d1", "n1"]
    stage.check_end()


def test_m21_a_dynamic_task_within_a_dynamic_task() -> None:
    outer = spec([task_node("d0", "one", x=const(1))])
    stage = Stage(made([step("n0")]), backends={"n0": expanding(outer), "n0/d0": expanding(spec(TWO))}).run()
    assert plain(stage.x.nodes["n0"].outputs) == 14
    assert stage.started()[-1] == "n0/d0/d1"
    stage.check_end()


def test_m20_a_dynamic_workflow_that_does_not_hold_together_fails_for_good() -> None:
    bad = spec([task_node("d0", "add", x=const(3))])
    for made_of in (bad, b"\xff\xff"):
        stage = Stage(made([step("n0", retries=3)]), backends={"n0": expanding(made_of)}).run()
        assert stage.root.failure is not None
        assert stage.root.failure.code == "DynamicWorkflowBuildFailed"
        assert stage.started() == ["n0"]
        stage.check_end()


def test_m20_a_failure_in_a_dynamic_workflow_aborts_the_rest() -> None:
    two = [task_node("d0", "add", x=const(3), y=const(4)), task_node("d1", "add", x=const(3), y=const(4))]
    backends = {"n0": expanding(spec(two)), "n0/d0": fail("Inner"), "n0/d1": hang}
    stage = Stage(made([step("n0")]), backends=backends).run()
    assert stage.phases() == {"n0": "failed", "n0/d0": "failed", "n0/d1": "aborted"}
    stage.check_end()


# --- values ---


def test_m25_what_nobody_looks_into_goes_by_reference() -> None:
    far = Values(refs=(Ref("o0", "s3://b/out.pb", "o0"),))
    nodes = [step("n0"), step("n1", "n0")]
    stage = Stage(made(nodes, outputs={"o0": (INT, ref("n0", "o0"))}), backends={"n0": succeed(far)}).run()
    [start] = [c for c in stage.commands if isinstance(c, StartAttempt) and c.path == "n1"]
    assert start.inputs.refs == (Ref("x", "s3://b/out.pb", "o0"), Ref("y", "s3://b/out.pb", "o0"))
    assert stage.root.outputs == far
    assert not [c for c in stage.commands if isinstance(c, Fetch)]


LAYERS = literals.mapping({"deep": literals.collection_of_integers([5, 6])})


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("where", ["here", "far", "offloaded"])
def test_m25_an_attribute_is_read_wherever_the_value_lies(where: str, crash: bool) -> None:
    given = Values.of({"o0": LAYERS, "o1": literals.none()})
    if where == "far":
        given = Values(refs=(Ref("o0", "s3://b/out.pb", "o0"),))
    elif where == "offloaded":
        given = Values.of({"o0": Literal(offloaded_metadata=LiteralOffloadedMetadata(uri="s3://b/out.pb"))})
    nodes = [task_node("n0", "layers", x=const(1)), task_node("n1", "one", x=ref("n0", "o0", "deep", 1))]
    stage = Stage(made(nodes), backends={"n0": succeed(given)})
    stored = LAYERS if where == "offloaded" else literals.literal_map({"o0": LAYERS})
    stage.objects["s3://b/out.pb"] = stored.SerializeToString()
    stage.run(until=1.05)
    if crash:
        stage.crash()
    stage.go_on()
    assert plain(stage.x.nodes["n1"].outputs) == 6
    assert not stage.x.fetched
    stage.check_end()


def test_m25_a_missing_key_fails_for_good_and_is_named() -> None:
    nodes = [
        task_node("n0", "layers", x=const(1)),
        tuned(task_node("n1", "one", x=ref("n0", "o0", "no", 1)), retries=3),
    ]
    stage = Stage(made(nodes), backends={"n0": succeed(Values.of({"o0": LAYERS}))}).run()
    assert stage.root.failure is not None
    assert stage.root.failure.code == "BindingResolutionFailure"
    assert "'no'" in stage.root.failure.message or ".no" in stage.root.failure.message
    assert "n1" not in stage.started()
    stage.check_end()


def test_m25_bytes_that_cannot_be_read_are_the_systems_failure() -> None:
    far = Values(refs=(Ref("o0", "s3://b/gone.pb", "o0"),))
    nodes = [task_node("n0", "layers", x=const(1)), task_node("n1", "one", x=ref("n0", "o0", "deep", 1))]
    stage = Stage(made(nodes), backends={"n0": succeed(far)}).run()
    assert stage.root.failure is not None
    assert stage.root.failure.code == "InputsUnreadable"
    stage.check_end()


def test_a_branch_looks_into_what_lies_elsewhere() -> None:
    far = Values(refs=(Ref("o0", "s3://b/out.pb", "o0"),))
    branch = branch_node("n1", {"n0.o0": ref("n0", "o0")}, [(compare("n0.o0", "EQ", 5), step("n2"))], "no")
    stage = Stage(made([step("n0"), branch]), backends={"n0": succeed(far)})
    stage.objects["s3://b/out.pb"] = literals.literal_map({"o0": literals.integer(5)}).SerializeToString()
    stage.run()
    assert stage.phase is NodePhase.SUCCEEDED
    stage.check_end()
