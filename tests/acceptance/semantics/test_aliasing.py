"""No two parties of a local run hold the same mutable value: caller, task, task, caller, default, constant, cache."""

import copy
import dataclasses
import functools
from typing import Annotated, Any

import pytest

from alula import HashMethod, map_task, task, workflow

SEEN: list[object] = []
"""What tasks held, to compare identities afterwards."""


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()


@dataclasses.dataclass
class Inner:
    tags: list[str]


@dataclasses.dataclass
class Outer:
    inner: Inner
    table: dict[str, list[int]]
    maybe: Inner | None = None


@dataclasses.dataclass(frozen=True)
class Frozen:
    items: list[int]


def outer() -> Outer:
    return Outer(Inner(["a"]), {"k": [1, 2]}, Inner(["m"]))


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
def spoil_outer(o: Outer) -> Outer:
    SEEN.append(o)
    o.inner.tags.append("spoilt")
    o.table["k"].append(99)
    o.table["new"] = []
    assert o.maybe is not None
    o.maybe.tags.clear()
    return o


@task
def make() -> list[int]:
    made = [1, 2]
    SEEN.append(made)
    return made


@task
def make_nested() -> dict[str, list[list[int]]]:
    return {"a": [[1], [2]]}


@task
def spoil_nested(d: dict[str, list[list[int]]]) -> int:
    d["a"][0].append(5)
    d["b"] = []
    return sum(map(len, d["a"]))


# the caller and a task


def test_a_task_cannot_change_what_its_caller_passed() -> None:
    mine = [1]
    assert spoil(xs=mine) == [1, 99]
    assert mine == [1]


def test_a_caller_cannot_change_what_a_task_holds() -> None:
    got = look(xs=[1])
    got.append(2)
    assert SEEN == [[1]]
    assert got is not SEEN[0]


@pytest.mark.parametrize("value", [outer()])
def test_a_nested_dataclass_is_copied_to_the_bottom(value: Outer) -> None:
    before = copy.deepcopy(value)
    result = spoil_outer(o=value)
    assert value == before
    assert result.inner.tags == ["a", "spoilt"]
    assert result.inner is not SEEN[0].inner
    assert result.table["k"] is not SEEN[0].table["k"]


@task
def spoil_frozen(f: Frozen) -> Frozen:
    f.items.append(3)
    return f


def test_a_frozen_dataclass_that_holds_a_list_is_not_taken_for_immutable() -> None:
    mine = Frozen([1])
    assert spoil_frozen(f=mine) == Frozen([1, 3])
    assert mine == Frozen([1])


@task
def spoil_bag(bag: dict) -> dict:
    bag["deep"]["list"].append(2)
    return bag


def test_an_untyped_dict_is_copied_to_the_bottom() -> None:
    mine: dict[str, Any] = {"deep": {"list": [1]}}
    assert spoil_bag(bag=mine)["deep"]["list"] == [1, 2]
    assert mine == {"deep": {"list": [1]}}


@task
def spoil_union(x: list[int] | dict[str, list[int]] | None) -> int:
    if isinstance(x, dict):
        x["a"].append(1)
        return len(x["a"])
    if x is not None:
        x.append(1)
        return len(x)
    return 0


@pytest.mark.parametrize("value", [[1], {"a": [1]}])
def test_a_value_inside_a_union_is_copied(value: Any) -> None:
    before = copy.deepcopy(value)
    assert spoil_union(x=value) == 2
    assert value == before


@task
def spoil_tuple(x: tuple[list[int], int]) -> int:
    x[0].append(1)
    return len(x[0])


def test_a_list_inside_a_tuple_is_copied() -> None:
    mine = ([1], 2)
    assert spoil_tuple(x=mine) == 2
    assert mine == ([1], 2)


@task
def spoil_hashed(xs: Annotated[list[int], HashMethod(lambda v: str(len(v)))]) -> int:
    xs.append(1)
    return len(xs)


def test_an_annotated_list_is_copied() -> None:
    mine = [1]
    assert spoil_hashed(xs=mine) == 2
    assert mine == [1]


class SubList(list[int]):
    pass


def test_a_list_subclass_that_a_caller_passes_is_not_handed_over() -> None:
    mine = SubList([1])
    assert spoil(xs=mine) == [1, 99]
    assert mine == [1]


# defaults


@task
def keeps(xs: list[int] = [1]) -> list[int]:  # noqa: B006 - the trap under test
    xs.append(2)
    return xs


def test_a_mutable_default_is_new_in_each_call() -> None:
    assert keeps() == [1, 2]
    assert keeps() == [1, 2]
    keeps().append(3)
    assert keeps() == [1, 2]


@workflow
def defaults(xs: list[int] = [7]) -> tuple[list[int], list[int]]:  # noqa: B006 - the trap under test
    return spoil(xs=xs), xs


def test_a_mutable_default_of_a_workflow_is_new_in_each_call() -> None:
    for _ in range(2):
        first, second = defaults()
        assert (first, second) == ([7, 99], [7])
        second.append(1)


@dataclasses.dataclass
class WithDefaults:
    xs: list[int] = dataclasses.field(default_factory=list)


@task
def keeps_object(o: WithDefaults = WithDefaults()) -> WithDefaults:
    o.xs.append(1)
    return o


def test_a_default_object_is_new_in_each_call() -> None:
    assert keeps_object().xs == [1]
    assert keeps_object().xs == [1]


# task to task


@workflow
def consumed_twice() -> tuple[list[int], list[int], int]:
    made = make()
    return spoil(xs=made), spoil(xs=made), size(xs=made)


def test_an_output_consumed_twice_is_two_values() -> None:
    assert consumed_twice() == ([1, 2, 99], [1, 2, 99], 2)
    assert consumed_twice() == ([1, 2, 99], [1, 2, 99], 2)


@workflow
def handed_on() -> list[int]:
    return look(xs=look(xs=make()))


def test_no_task_holds_what_another_holds() -> None:
    result = handed_on()
    ids = [id(value) for value in [*SEEN, result]]
    assert len(ids) == 4
    assert len(set(ids)) == 4


@workflow
def nested_twice() -> tuple[int, int]:
    made = make_nested()
    return spoil_nested(d=made), spoil_nested(d=made)


def test_nested_containers_between_tasks_are_not_shared() -> None:
    assert nested_twice() == (3, 3)


@task
def make_outer() -> Outer:
    return outer()


@task
def tags(xs: list[str]) -> list[str]:
    xs.append("x")
    return xs


@workflow
def parts() -> tuple[list[str], list[str], Outer]:
    made = make_outer()
    return tags(xs=made.inner.tags), tags(xs=made.inner.tags), made


def test_parts_of_an_output_are_not_shared() -> None:
    assert parts() == (["a", "x"], ["a", "x"], outer())


# constants, lists of promises


@workflow
def constants() -> tuple[list[int], list[int]]:
    shared = [1]
    first = spoil(xs=shared)
    shared.append(2)
    return first, spoil(xs=shared)


def test_a_constant_is_the_value_at_the_time_of_the_call() -> None:
    for _ in range(2):
        assert constants() == ([1, 99], [1, 2, 99])


@task
def sum_all(xss: list[list[int]]) -> int:
    total = sum(map(sum, xss))
    for xs in xss:
        xs.append(100)
    xss.clear()
    return total


@workflow
def list_of_promises() -> tuple[int, int, list[int]]:
    made = make()
    given = [made, made, [5]]
    first = sum_all(xss=given)
    assert given[0] is made  # the body's own list is as it was
    assert len(given) == 3
    return first, sum_all(xss=given), made


def test_a_list_of_promises_is_left_alone_and_shares_nothing() -> None:
    for _ in range(2):
        assert list_of_promises() == (11, 11, [1, 2])


@task
def join(d: dict[str, Outer]) -> list[str]:
    found = [each.inner.tags[-1] for each in d.values()]
    for each in d.values():
        each.inner.tags.append("joined")
    return found


@workflow
def dict_of_promises() -> tuple[list[str], list[str]]:
    made = make_outer()
    given = {"a": made, "b": made}
    first = join(d=given)
    assert given["a"] is made
    return first, join(d=given)


def test_a_dict_of_promises_of_dataclasses_shares_nothing() -> None:
    assert dict_of_promises() == (["a", "a"], ["a", "a"])


# maps


@task
def spoil_row(row: list[int], shared: list[int]) -> int:
    SEEN.append(shared)
    shared.append(1)
    row.append(1)
    return len(shared) * 10 + len(row)


def test_items_of_a_map_do_not_share_what_is_bound() -> None:
    bound, rows = [0], [[1], [1, 2]]
    mapped = map_task(functools.partial(spoil_row, shared=bound))
    assert mapped(row=rows) == [22, 23]
    assert (bound, rows) == ([0], [[1], [1, 2]])
    assert mapped(row=rows) == [22, 23]


@workflow
def mapped_twice(rows: list[list[int]]) -> tuple[list[int], list[int]]:
    shared = make()
    same = [0]
    return map_task(functools.partial(spoil_row, shared=shared))(row=rows), map_task(
        functools.partial(spoil_row, shared=same), concurrency=2
    )(row=rows)


def test_a_promise_bound_to_a_map_is_not_shared_by_its_items() -> None:
    rows = [[1], [1]]
    assert mapped_twice(rows=rows) == ([32, 32], [22, 22])
    assert rows == [[1], [1]]


@task
def echo_row(row: list[int]) -> list[int]:
    SEEN.append(row)
    return row


def test_the_results_of_a_map_belong_to_the_caller_alone() -> None:
    result = map_task(echo_row)(row=[[1], [2]])
    for each in result:
        each.append(0)
    assert SEEN == [[1], [2]]
