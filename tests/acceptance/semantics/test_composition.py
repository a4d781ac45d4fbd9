"""Launch plans, imperative workflows, nodes, orders, gates: other ways to write a workflow, with the same semantics."""

import io
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import NamedTuple

import pytest

from alula import (
    CronSchedule,
    FixedRate,
    LaunchPlan,
    Workflow,
    approve,
    conditional,
    create_node,
    sleep,
    task,
    wait_for_input,
    workflow,
)
from alula.errors import AlulaError, CallError, CompileError, Disapproved
from alula.testing import gates

RAN: list[object] = []
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    RAN.clear()


@task
def inc(x: int) -> int:
    RAN.append(("inc", x))
    return x + 1


@task
def say(text: str) -> None:
    RAN.append(text)


class Pair(NamedTuple):
    a: int
    b: str


class Single(NamedTuple):
    only: int


@task
def pair(x: int) -> Pair:
    RAN.append("pair")
    return Pair(x, str(x))


@task
def two(x: int) -> tuple[int, str]:
    RAN.append("two")
    return x, str(x)


@task
def single(x: int) -> Single:
    RAN.append("single")
    return Single(x)


@task
def nothing() -> None:
    RAN.append("nothing")


# launch plans


@workflow
def wf(x: int, y: int = 10) -> tuple[int, int]:
    return inc(x=x), inc(x=y)


def test_defaults_of_a_plan_go_before_those_of_its_workflow() -> None:
    plan = LaunchPlan.create("composition.defaults", wf, default_inputs={"x": 1, "y": 2})
    assert plan() == (2, 3)
    assert plan(x=5) == (6, 3)
    assert LaunchPlan.create("composition.one default", wf, default_inputs={"x": 1})() == (2, 11)
    with pytest.raises(CallError, match="'x' is missing"):
        LaunchPlan.get_or_create(wf)()


def test_fixed_inputs_cannot_be_passed_and_always_count() -> None:
    plan = LaunchPlan.create("composition.fixed", wf, fixed_inputs={"y": 7})
    assert plan(x=1) == (2, 8)
    with pytest.raises(CallError, match=r"(?s)'y' is fixed.*test_composition"):
        plan(x=1, y=2)


def test_a_plan_is_a_step_of_a_workflow() -> None:
    plan = LaunchPlan.create("composition.step", wf, default_inputs={"x": 1}, fixed_inputs={"y": 7})

    @workflow
    def outer() -> tuple[int, int, int]:
        a, b = plan()
        c, _ = plan(x=a)
        return a, b, c

    assert outer() == (2, 8, 3)


def test_a_name_stands_for_one_plan() -> None:
    one = LaunchPlan.create("composition.same", wf, default_inputs={"x": 1})
    assert LaunchPlan.get_or_create(wf, "composition.same", default_inputs={"x": 1}) is one
    with pytest.raises(CallError, match=r"(?s)made twice.*default_inputs"):
        LaunchPlan.create("composition.same", wf, default_inputs={"x": 2})
    assert LaunchPlan.get_or_create(wf) is LaunchPlan.get_or_create(wf)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"default_inputs": {"z": 1}}, "'z' is unknown"),
        ({"default_inputs": {"x": "text"}}, "(?s)'x'.*expected int"),
        ({"fixed_inputs": {"x": 1.5}}, "(?s)'x'.*expected int"),
        ({"schedule": CronSchedule(schedule="* * * * *", kickoff_time_input_arg="when")}, "'when'"),
    ],
)
def test_settings_that_do_not_fit_the_workflow_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(CallError, match=words):
        LaunchPlan.create("composition.bad", wf, **settings)


@workflow
def at(when: datetime, x: int) -> int:
    return inc(x=x)


def test_a_scheduled_plan_still_takes_its_time_by_hand() -> None:
    plan = LaunchPlan.create(
        "composition.scheduled",
        at,
        schedule=CronSchedule(schedule="0 * * * *", kickoff_time_input_arg="when"),
        fixed_inputs={"x": 1},
    )
    assert plan(when=datetime(2020, 1, 1, tzinfo=UTC)) == 2
    with pytest.raises(CallError, match="'when' is missing"):
        plan()
    assert LaunchPlan.create("composition.rate", wf, schedule=FixedRate(HOUR), fixed_inputs={"x": 1})() == (2, 11)


# imperative workflows


def imperative() -> Workflow:
    made = Workflow(name="composition.imperative")
    x = made.add_workflow_input("x", int)
    first = made.add_entity(inc, x=x)
    both = made.add_entity(pair, x=first.outputs["o0"])
    made.add_workflow_output("a", both.outputs["a"])
    made.add_workflow_output("list", [both.outputs["a"], first.outputs["o0"], 5], list[int])
    made.add_workflow_output("b", both.outputs["b"])
    return made


def test_an_imperative_workflow_runs_and_is_a_step_of_others() -> None:
    made = imperative()
    assert made.ready()
    assert tuple(made(x=1)) == (2, [2, 2, 5], "2")

    @workflow
    def outer(x: int) -> tuple[int, list[int]]:
        got = made(x=x)
        return inc(x=got.a), got.list

    assert outer(x=1) == (3, [2, 2, 5])
    assert LaunchPlan.get_or_create(made, "composition.imperative plan")(x=1)[0] == 2


def test_an_imperative_workflow_may_grow_after_a_run() -> None:
    made = imperative()
    made(x=1)
    RAN.clear()
    made.add_entity(say, text="more")
    made(x=1)
    assert RAN == [("inc", 1), "pair", "more"]


def test_an_imperative_workflow_has_conditionals_and_workflows_in_it() -> None:
    made = Workflow(name="composition.imperative conditional")
    x = made.add_workflow_input("x", int)
    section = made.create_conditional("which")
    got = section.if_(x > 5).then(inc(x=x)).else_().then(single(x=x))
    inner = made.add_subwf(wf, x=x)
    plan = made.add_launch_plan(LaunchPlan.get_or_create(wf), x=inner.outputs["o0"])
    made.add_workflow_output("inner", inner.outputs["o0"])
    made.add_workflow_output("plan", plan.outputs["o0"])
    assert tuple(made(x=6)) == (7, 8)
    assert RAN[0] == ("inc", 6)
    RAN.clear()
    made(x=1)
    assert RAN[0] == "single"
    assert got is not None


def test_an_imperative_workflow_without_outputs_or_inputs_runs() -> None:
    made = Workflow(name="composition.bare")
    assert not made.ready()
    made.add_entity(nothing)
    assert made.ready()
    assert made() is None
    assert RAN == ["nothing"]


def test_mistakes_in_an_imperative_workflow_are_named() -> None:
    made = Workflow(name="composition.wrong")
    x = made.add_workflow_input("x", int)
    with pytest.raises(CallError, match="already"):
        made.add_workflow_input("x", int)
    with pytest.raises(CallError, match="python_type"):
        made.add_workflow_output("list", [x])
    with pytest.raises(CallError, match=r"(?s)'text' of 'say'.*str.*int.*test_composition"):
        made.add_entity(say, text=x)
    with pytest.raises(CallError, match="'text' is missing"):
        made.add_entity(say)
    made.add_entity(inc, x=x)
    assert made(x=1) is None
    assert RAN == [("inc", 1)]
    made.create_conditional("open").if_(x > 5).then(inc(x=x))
    with pytest.raises(CompileError, match="else_"):
        made(x=1)


# nodes and orders


FORMS = {
    "promise": lambda: inc(x=1),
    "void": lambda: nothing(),
    "several": lambda: two(x=1),
    "named": lambda: pair(x=1),
    "single named": lambda: single(x=1),
    "node": lambda: create_node(inc, x=1),
    "void node": lambda: create_node(nothing),
    "sub-workflow": lambda: wf(x=1),
    "plan": lambda: LaunchPlan.get_or_create(wf)(x=1),
    "gate": lambda: sleep(HOUR),
    "conditional": lambda: conditional("c").if_(inc(x=5) > 1).then(inc(x=1)).else_().then(inc(x=2)),
    "void conditional": lambda: conditional("c").if_(inc(x=5) > 1).then(nothing()).else_().then(nothing()),
}


@pytest.mark.parametrize(("first", "second"), list(product(FORMS, FORMS)))
def test_anything_is_ordered_before_anything(first: str, second: str) -> None:
    @task
    def begin() -> None:
        RAN.append("begin")

    @task
    def end() -> None:
        RAN.append("end")

    @workflow
    def ordered() -> None:
        last = end()
        later = FORMS[second]()
        earlier = FORMS[first]()
        earlier >> later >> last
        begin() >> earlier

    ordered()
    assert RAN[-1] == "end"


@workflow
def backwards() -> None:
    a, b, c = say(text="a"), say(text="b"), say(text="c")
    c >> b >> a


def test_orders_go_before_the_order_of_the_program() -> None:
    backwards()
    assert RAN == ["c", "b", "a"]


def test_order_methods_do_the_same() -> None:
    @workflow
    def ordered() -> None:
        a = create_node(say, text="a")
        b = create_node(say, text="b")
        b.runs_before(a)

    ordered()
    assert RAN == ["b", "a"]


def test_what_is_no_node_cannot_be_ordered() -> None:
    @workflow
    def wrong() -> None:
        say(text="a") >> 5

    with pytest.raises(AlulaError, match=r"(?s)`>>`.*5.*test_composition"):
        wrong()


def test_a_cycle_is_found() -> None:
    @workflow
    def circle() -> None:
        a, b, c = say(text="a"), say(text="b"), say(text="c")
        a >> b >> c >> a

    @workflow
    def alone() -> None:
        a = say(text="a")
        a >> a

    for each in (circle, alone):
        with pytest.raises(CompileError, match="cycle"):
            each()
    assert RAN == []


def test_create_node_gives_outputs_by_name() -> None:
    @workflow
    def nodes() -> tuple[int, str, int, int]:
        one = create_node(pair, x=1)
        other = create_node(inc, x=one.a)
        inner = create_node(wf, x=other.o0)
        return one.outputs["a"], one.b, other.o0, inner.o1

    assert nodes() == (1, "1", 2, 11)
    done = create_node(pair, x=1)
    assert (done.a, done.b) == (1, "1")
    with pytest.raises(AttributeError, match=r"no output 'c'.*a, b"):
        _ = done.c


def test_a_named_tuple_of_one_is_a_named_tuple_everywhere() -> None:
    @workflow
    def inner(x: int) -> Single:
        return single(x=x)

    @workflow
    def outer(x: int) -> Single:
        return Single(inc(x=inner(x=x).only))

    @workflow
    def taken_apart(x: int) -> int:
        (only,) = single(x=x)
        return only

    assert single(x=1) == Single(1)
    assert isinstance(single(x=1), Single)
    assert (inner(x=1), outer(x=1), taken_apart(x=1)) == (Single(1), Single(2), 1)


# gates


@workflow
def gated(x: int) -> int:
    made = inc(x=x)
    asked = wait_for_input("how many", HOUR, int)
    approved = approve(inc(x=asked), "good", HOUR)
    sleep(HOUR)
    return inc(x=approved) if made is not None else 0


def test_gates_take_answers_of_a_test() -> None:
    with gates({"how many": 3, "good": True}):
        assert gated(x=1) == 5


def test_a_refusal_ends_the_workflow() -> None:
    with gates({"how many": 3, "good": False}), pytest.raises(Disapproved, match="good"):
        gated(x=1)


def test_an_answer_of_the_wrong_type_is_named() -> None:
    with gates({"how many": "three", "good": True}), pytest.raises(AlulaError, match=r"(?s)how many.*three"):
        gated(x=1)
    with gates({"how many": 3, "good": "yes"}), pytest.raises(AlulaError, match=r"(?s)good.*'yes'"):
        gated(x=1)


def test_answers_nest_and_end_with_their_block() -> None:
    with gates({"how many": 1}):
        with gates({"good": True}):
            assert gated(x=1) == 3
        with pytest.raises(AlulaError, match="good"):
            gated(x=1)


@pytest.mark.parametrize("yes", ["y", "Y", "yes", ""])
def test_gates_ask_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], yes: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"many\n4\nperhaps\n{yes}\n"))
    assert gated(x=1) == 6
    said = capsys.readouterr().out
    assert said.count("how many") >= 2
    assert "approve 5" in said


def test_a_no_on_the_terminal_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("4\nn\n"))
    with pytest.raises(Disapproved):
        gated(x=1)


def test_a_gate_without_an_answer_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(AlulaError, match=r"(?s)how many.*alula\.testing\.gates"):
        gated(x=1)


def test_what_cannot_be_approved_is_refused_when_compiling() -> None:
    @workflow
    def of_input(x: int) -> int:
        return approve(x, "g", HOUR)

    @workflow
    def of_nothing() -> None:
        approve(nothing(), "g", HOUR)

    for each, given in ((of_input, {"x": 1}), (of_nothing, {})):
        with pytest.raises(CallError, match=r"gate 'g'"):
            each(**given)
