"""Launch plans: their inputs, their names, and what they run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from alula import CronSchedule, Email, FixedRate, Labels, LaunchPlan, OnSchedule, Options, task, workflow
from alula.errors import CallError, ConversionError, SignatureError
from alula.sdk.launch_plan import plans


@pytest.fixture(autouse=True)
def no_plans() -> Iterator[None]:
    plans.reset()
    yield
    plans.reset()


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def total(values: list[int]) -> int:
    return sum(values)


@workflow
def wf(a: int, b: int = 3) -> int:
    return add(a=a, b=b)


@workflow
def of_list(values: list[int]) -> int:
    return total(values=values)


def test_a_plan_runs_its_workflow_with_its_defaults_and_fixed_inputs() -> None:
    plan = LaunchPlan.get_or_create(wf, name="p", default_inputs={"a": 5}, fixed_inputs={"b": 10})
    assert plan() == 15
    assert plan(a=1) == 11
    assert plan(2) == 12


def test_the_default_plan_keeps_the_defaults_of_the_workflow() -> None:
    plan = LaunchPlan.get_or_create(wf)
    assert plan.name == wf.name
    assert plan(a=1) == 4
    assert LaunchPlan.get_or_create(wf) is plan
    assert LaunchPlan.get_default_launch_plan(wf) is plan


def test_the_default_plan_takes_labels_from_the_workflow() -> None:
    @workflow(default_options=Options(labels=Labels({"team": "x"})))
    def labelled(a: int) -> int:
        return add(a=a, b=1)

    assert LaunchPlan.get_or_create(labelled).settings.labels == Labels({"team": "x"})


def test_a_plan_is_a_node_of_another_workflow() -> None:
    plan = LaunchPlan.get_or_create(wf, name="p", default_inputs={"a": 5}, fixed_inputs={"b": 10})

    @workflow
    def outer(a: int) -> int:
        return add(a=plan(a=a), b=plan())

    assert outer(a=1) == 26
    assert set(outer.nodes[0].bindings) == {"a"}


def test_a_default_list_of_a_plan_may_be_left_out_in_a_workflow() -> None:
    plan = LaunchPlan.get_or_create(of_list, name="p", default_inputs={"values": [1, 2]})

    @workflow
    def outer() -> int:
        return plan()  # type: ignore[no-any-return]

    assert outer() == 3


def test_a_fixed_input_cannot_be_passed() -> None:
    plan = LaunchPlan.get_or_create(wf, name="p", fixed_inputs={"b": 10})
    with pytest.raises(CallError, match="'b' is fixed and cannot be passed"):
        plan(a=1, b=2)

    @workflow
    def outer(a: int) -> int:
        return plan(a=a, b=a)  # type: ignore[no-any-return]

    with pytest.raises(CallError, match="'b' is fixed"):
        outer.compile()


def test_an_argument_of_a_wrong_type_is_refused() -> None:
    with pytest.raises(ConversionError, match="input 'a' of 'p'"):
        LaunchPlan.get_or_create(wf, name="p")(a="x")


def test_all_faults_of_the_inputs_are_told_at_once() -> None:
    with pytest.raises(CallError, match=r"default input 'c' is unknown; fixed input 'b' does not fit.*got str: 'x'"):
        LaunchPlan.get_or_create(wf, name="p", default_inputs={"c": 1}, fixed_inputs={"b": "x"})


def test_a_schedule_must_name_an_input_that_there_is() -> None:
    with pytest.raises(CallError, match="the start as 'when', and there is no such input"):
        LaunchPlan.create("p", wf, schedule=CronSchedule("@daily", kickoff_time_input_arg="when"))


def test_settings_need_a_name() -> None:
    with pytest.raises(CallError, match=r'given max_parallelism(?s:.)*name="wf_plan"'):
        LaunchPlan.get_or_create(wf, max_parallelism=3)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(SignatureError, match="no setting 'retries'"):
        LaunchPlan.create("p", wf, retries=3)  # type: ignore[call-arg]


def test_the_same_plan_twice_is_one_plan() -> None:
    schedule = FixedRate(timedelta(hours=1))
    one = LaunchPlan.get_or_create(wf, "p", fixed_inputs={"b": 1}, schedule=schedule)
    assert LaunchPlan.get_or_create(wf, "p", fixed_inputs={"b": 1}, schedule=schedule) is one
    assert LaunchPlan.create("p", wf, fixed_inputs={"b": 1}, schedule=schedule) is one
    assert list(plans) == [one]


def test_another_plan_under_a_known_name_is_refused() -> None:
    LaunchPlan.get_or_create(wf, "p", fixed_inputs={"b": 1})
    with pytest.raises(CallError, match=r"made twice, with different fixed_inputs, labels(?s:.)*before at .*\.py:\d+"):
        LaunchPlan.get_or_create(wf, "p", fixed_inputs={"b": 2}, labels=Labels({"a": "b"}))
    with pytest.raises(CallError, match="made twice, with different workflows"):
        LaunchPlan.create("p", of_list)


def test_a_clone_replaces_some_settings_and_takes_no_name_away() -> None:
    mail = Email(phases=[4], recipients_email=["a@example.org"])
    plan = LaunchPlan.create("p", wf, fixed_inputs={"b": 1}, notifications=[mail])
    clone = plan.clone_with("q", fixed_inputs={"b": 2}, trigger=OnSchedule(CronSchedule("@daily")))
    assert (clone(a=1), plan(a=1)) == (3, 2)
    assert clone.settings.notifications == [mail]
    assert clone.schedule == CronSchedule("@daily")
    assert plan.schedule is None
    assert plans.get("q") is None


def test_neither_inputs_nor_arguments_are_changed() -> None:
    values = [1, 2]
    plan = LaunchPlan.get_or_create(of_list, "p", fixed_inputs={"values": values})
    assert plan() == 3
    assert values == [1, 2]
