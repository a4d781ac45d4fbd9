"""What the arms of a conditional may hold, and what it leaves behind when it is written wrongly."""

from collections import Counter
from datetime import timedelta

import pytest

from alula import approve, conditional, task, workflow
from alula.errors import CallError, CompileError
from alula.sdk.compiler import SerializationSettings
from alula.sdk.serialize import serialize
from alula.testing import gates

RAN: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    RAN.clear()


def ran() -> dict[str, int]:
    found = dict(RAN)
    RAN.clear()
    return found


@task
def a(x: int) -> int:
    RAN["a"] += 1
    return x + 1


@task
def b(x: int) -> int:
    RAN["b"] += 1
    return x + 10


@task
def c(x: int) -> int:
    RAN["c"] += 1
    return x + 100


@workflow
def order(x: int) -> int:
    return conditional("order").if_(x > 10).then(a(x=x)).else_().then(c(x=x))


@workflow
def chained(x: int) -> int:
    return conditional("chained").if_(x > 0).then(a(x=b(x=x))).else_().then(c(x=x))


def test_several_calls_in_a_branch_run_here_and_are_refused_for_a_platform() -> None:
    assert chained(x=1) == 12
    assert ran() == {"a": 1, "b": 1}
    assert chained(x=0) == 100
    assert ran() == {"c": 1}
    with pytest.raises(CompileError, match=r"(?s)chained.*2 calls.*@workflow") as caught:
        serialize(chained, SerializationSettings(version="v"))
    assert "test_conditional_arms.py" in str(caught.value)


def test_a_branch_may_use_outputs_made_before_the_conditional() -> None:
    @workflow
    def wf(x: int) -> int:
        before = a(x=x)
        return conditional("uses").if_(before > 5).then(b(x=before)).else_().then(c(x=before))

    assert (wf(x=5), wf(x=1)) == (16, 102)


def test_a_branch_that_passes_an_earlier_result_through_is_refused() -> None:
    @workflow
    def wf(x: int) -> int:
        before = a(x=x)
        return conditional("through").if_(x > 5).then(before).else_().then(c(x=x))

    with pytest.raises(CompileError, match=r"(?s)through.*call a task in then"):
        wf(x=1)


@task
def use(x: int, y: int) -> int:
    return x * 1000 + y


@workflow
def after(x: int) -> int:
    first = conditional("first").if_(x > 0).then(a(x=x)).else_().then(b(x=x))
    second = conditional("second").if_(first > 5).then(c(x=first)).else_().then(a(x=first))
    return use(x=first, y=second)


def test_conditionals_may_follow_each_other() -> None:
    assert after(x=1) == 2003
    assert ran() == {"a": 2}
    assert after(x=0) == 10110


@workflow
def with_gate(x: int) -> int:
    made = a(x=x)
    return conditional("gate").if_(x > 0).then(approve(made, "ok", timedelta(hours=1))).else_().then(c(x=x))


def test_a_gate_in_a_branch_asks_only_when_the_branch_is_taken() -> None:
    with gates({"ok": True}):
        assert with_gate(x=1) == 2
    assert with_gate(x=0) == 100


def test_an_error_in_a_condition_leaves_the_next_workflow_alone() -> None:
    @workflow
    def bad(x: int) -> int:
        return conditional("bad").if_(x > 0).then(a(y=x)).else_().then(c(x=x))

    with pytest.raises(CallError, match="no input 'y'"):
        bad(x=1)
    assert order(x=11) == 12
    assert a(x=1) == 2


def test_a_conditional_that_never_ends_in_its_arm_leaves_the_next_workflow_alone() -> None:
    @workflow
    def bad(x: int) -> int:
        conditional("open").if_(x > 0)
        return a(x=x)

    with pytest.raises(CompileError, match=r'"open".*else_'):
        bad(x=1)
    assert a(x=1) == 2
    assert order(x=11) == 12
