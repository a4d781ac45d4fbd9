"""`create_node` and the order of nodes."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from alula import create_node, task, workflow
from alula.errors import CallError

order: list[str] = []


class Two(NamedTuple):
    low: int
    high: int


@task
def note(text: str) -> None:
    order.append(text)


@task
def inc(a: int) -> int:
    order.append(f"inc {a}")
    return a + 1


@task
def two(a: int) -> Two:
    return Two(a, a + 1)


def test_a_node_gives_its_outputs_by_name() -> None:
    @workflow
    def wf(a: int) -> tuple[int, int]:
        first = create_node(inc, a=a)
        second = create_node(two, a=first.o0)
        return second.low, second.outputs["high"]

    assert wf(a=1) == (2, 3)


def test_outside_of_a_workflow_the_entity_runs() -> None:
    assert create_node(inc, a=1).o0 == 2
    done = create_node(two, a=1)
    assert (done.low, done.high) == (1, 2)
    assert done.outputs == {"low": 1, "high": 2}
    assert create_node(note, text="x").outputs == {}
    other = create_node(inc, a=1)
    assert (done >> other) is other
    with pytest.raises(AttributeError, match="'two' has no output 'middle'; it has low, high"):
        _ = done.middle


def test_everything_that_stands_for_a_node_can_be_ordered() -> None:
    @workflow
    def wf(a: int) -> int:
        last = create_node(note, text="last")
        promise = inc(a=a)
        void = note(text="void")  # type: ignore[func-returns-value]
        many = two(a=a)
        node = create_node(inc, a=5)
        node >> void  # type: ignore[operator]
        void >> many  # type: ignore[operator]
        many >> promise  # type: ignore[operator]
        promise >> last
        node.runs_before(last)
        return promise

    order.clear()
    wf(a=1)
    assert order == ["inc 5", "void", "inc 1", "last"]


def test_inputs_by_position_are_refused() -> None:
    with pytest.raises(CallError, match=r"given 1 input\(s\) by position"):
        create_node(inc, 1)


def test_what_is_no_entity_is_refused() -> None:
    with pytest.raises(CallError, match="which is no task"):
        create_node(len, obj=[])  # type: ignore[arg-type]
