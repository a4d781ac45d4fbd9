"""What dynamic tasks, sub-workflows, plans, eager tasks, nodes and the cache hand out belongs to one party alone."""

import asyncio
from pathlib import Path
from typing import NamedTuple

import pytest

from alula import Cache, LaunchPlan, Workflow, create_node, current_context, dynamic, eager, task, workflow

SEEN: list[object] = []
"""What tasks held, to compare identities afterwards."""


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()


@task
def spoil(xs: list[int]) -> list[int]:
    SEEN.append(xs)
    xs.append(99)
    return xs


@task
def look(xs: list[int]) -> list[int]:
    SEEN.append(xs)
    return xs


@task
def size(xs: list[int]) -> int:
    return len(xs)


@task
def make() -> list[int]:
    made = [1, 2]
    SEEN.append(made)
    return made


@dynamic
def spoils_its_input(xs: list[int]) -> tuple[list[int], list[int]]:
    first = spoil(xs=xs)
    xs.append(5)
    second = look(xs=xs)
    xs.append(6)
    return first, second


@workflow
def around_dynamic() -> tuple[list[int], list[int], list[int]]:
    made = make()
    a, b = spoils_its_input(xs=made)
    return a, b, made


def test_a_dynamic_body_may_spoil_its_input_and_nobody_else_sees_it() -> None:
    mine = [1]
    assert spoils_its_input(xs=mine) == ([1, 99], [1, 5])
    assert mine == [1]
    assert around_dynamic() == ([1, 2, 99], [1, 2, 5], [1, 2])


@dynamic
def gives_its_input(xs: list[int]) -> list[int]:
    SEEN.append(xs)
    return xs


def test_a_dynamic_that_returns_its_input_returns_a_copy() -> None:
    got = gives_its_input(xs=[1])
    assert got == [1]
    assert got is not SEEN[0]


@workflow
def inner_wf(xs: list[int]) -> tuple[list[int], list[int]]:
    return spoil(xs=xs), xs


@workflow
def outer_wf(xs: list[int]) -> tuple[list[int], list[int], list[int], list[int]]:
    a, b = inner_wf(xs=xs)
    return a, b, spoil(xs=b), xs


def test_sub_workflows_share_nothing_with_those_around_them() -> None:
    mine = [1]
    assert outer_wf(xs=mine) == ([1, 99], [1], [1, 99], [1])
    assert mine == [1]


@workflow
def passes_through(xs: list[int]) -> tuple[list[int], list[int]]:
    size(xs=xs)
    return xs, xs


def test_a_workflow_that_passes_its_input_through_returns_copies() -> None:
    mine = [1]
    first, second = passes_through(xs=mine)
    first.append(2)
    second.append(3)
    assert (mine, first, second) == ([1], [1, 2], [1, 3])


def test_a_launch_plan_keeps_its_inputs_to_itself() -> None:
    given, fixed = {"xs": [1]}, {"xs": [5]}
    defaulted = LaunchPlan.create("aliasing.defaulted", inner_wf, default_inputs=given)
    pinned = LaunchPlan.create("aliasing.pinned", inner_wf, fixed_inputs=fixed)
    given["xs"].append(2)
    fixed["xs"].append(6)
    fixed["ys"] = []
    for _ in range(2):
        assert defaulted() == ([1, 99], [1])
        assert pinned() == ([5, 99], [5])
        defaulted()[1].append(7)


def test_an_imperative_workflow_shares_nothing() -> None:
    constant = [3]
    wf = Workflow(name="aliasing.imperative")
    wf.add_workflow_input("xs", list[int])
    one = wf.add_entity(spoil, xs=wf.inputs["xs"])
    two = wf.add_entity(spoil, xs=constant)
    constant.append(4)
    wf.add_workflow_output("a", one.outputs["o0"])
    wf.add_workflow_output("b", two.outputs["o0"])
    wf.add_workflow_output("c", wf.inputs["xs"])
    mine = [1]
    assert tuple(wf(xs=mine)) == ([1, 99], [3, 99], [1])
    assert mine == [1]


@eager
async def eager_spoils() -> tuple[list[int], list[int]]:
    mine = make()
    other = spoil(xs=mine)
    return mine, other


def test_eager_tasks_hand_out_values_that_nobody_else_holds() -> None:
    assert asyncio.run(eager_spoils()) == ([1, 2], [1, 2, 99])


class Named(NamedTuple):
    a: list[int]
    b: list[int]


@task
def same_twice() -> Named:
    xs = [1]
    return Named(xs, xs)


@workflow
def named_wf() -> Named:
    made = same_twice()
    return Named(spoil(xs=made.a), made.b)


def test_one_list_returned_twice_is_two_lists() -> None:
    direct = same_twice()
    direct.a.append(2)
    assert direct.b == [1]
    assert named_wf() == Named([1, 99], [1])


def test_create_node_outside_of_a_workflow_gives_copies() -> None:
    done = create_node(look, xs=[1])
    done.o0.append(2)
    assert SEEN == [[1]]


# the cache


@task(cache=Cache(version="1"))
def cached_list(n: int) -> list[int]:
    return list(range(n))


@workflow
def cached_twice(n: int) -> tuple[list[int], list[int]]:
    made = cached_list(n=n)
    return spoil(xs=made), made


def test_a_cached_result_cannot_be_changed_by_its_consumers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA_HOME", str(tmp_path))
    for _ in range(3):
        got = cached_list(n=2)
        assert got == [0, 1]
        got.append(7)
        assert cached_twice(n=2) == ([0, 1, 99], [0, 1])


@task(retries=2)
def spoils_then_fails(xs: list[int]) -> list[int]:
    SEEN.append(list(xs))
    xs.append(1)
    if len(SEEN) < 3:
        raise ValueError("again")
    return xs


def test_each_attempt_gets_the_inputs_as_they_were() -> None:
    assert spoils_then_fails(xs=[0]) == [0, 1]
    assert SEEN == [[0], [0], [0]]


def test_current_context_is_not_left_behind() -> None:
    before = current_context().task_id.name
    spoil(xs=[1])
    assert current_context().task_id.name == before
