"""Maps give one result for each item, in order, with holes where failures are allowed; dynamics are what they build."""

import functools
import threading
import time
from typing import NamedTuple

import pytest

from alula import LaunchPlan, conditional, dynamic, map_task, task, workflow
from alula.errors import AlulaError, CallError, ConversionError, SignatureError

RAN: list[object] = []


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    RAN.clear()


@task
def inc(x: int) -> int:
    RAN.append(x)
    return x + 1


@task
def odd_fails(x: int) -> int:
    RAN.append(x)
    if x % 2:
        raise ValueError(f"odd {x}")
    return x


@task
def scale(x: float, by: float, plus: float = 0.5) -> float:
    return x * by + plus


@task
def maybe(x: int) -> int | None:
    return None if x == 1 else x


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def say(x: int) -> None:
    RAN.append(x)


# maps


def test_results_come_in_the_order_of_the_items() -> None:
    @task
    def later_first(x: int) -> int:
        time.sleep(0.002 * (10 - x))
        return x

    assert map_task(inc)(x=[3, 1, 2]) == [4, 2, 3]
    assert map_task(later_first, concurrency=5)(x=list(range(10))) == list(range(10))


@pytest.mark.parametrize("concurrency", [None, 0, 1, 3])
def test_an_empty_list_gives_an_empty_list(concurrency: int | None) -> None:
    assert map_task(inc, concurrency=concurrency)(x=[]) == []
    assert map_task(inc, concurrency=concurrency, min_success_ratio=0.5)(x=[]) == []
    assert map_task(inc, concurrency=concurrency, min_successes=3)(x=[]) == []


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_at_most_so_many_items_run_at_a_time(limit: int) -> None:
    lock, now, most = threading.Lock(), 0, 0

    @task
    def busy(x: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1
        return x

    assert map_task(busy, concurrency=limit)(x=list(range(12))) == list(range(12))
    assert most == limit


@pytest.mark.parametrize("concurrency", [None, 4])
def test_items_that_may_fail_are_none(concurrency: int | None) -> None:
    assert map_task(odd_fails, concurrency=concurrency, min_success_ratio=0.5)(x=[0, 1, 2, 3]) == [0, None, 2, None]
    assert map_task(odd_fails, concurrency=concurrency, min_successes=2)(x=[0, 1, 2, 3]) == [0, None, 2, None]
    assert map_task(odd_fails, concurrency=concurrency, min_success_ratio=0.0)(x=[1]) == [None]


def test_a_none_that_is_a_result_is_no_failure() -> None:
    assert map_task(maybe)(x=[0, 1]) == [0, None]
    assert map_task(maybe, min_success_ratio=1.0)(x=[0, 1]) == [0, None]
    assert map_task(maybe, min_success_ratio=0.9)(x=[0, 1]) == [0, None]


@pytest.mark.parametrize("setting", [{}, {"min_success_ratio": 0.75}, {"min_successes": 3}])
def test_too_many_failures_raise_the_error_of_an_item_with_its_index(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"odd [13]") as caught:
        map_task(odd_fails, **setting)(x=[0, 1, 2, 3])
    notes = "\n".join(caught.value.__notes__)
    index = str(caught.value)[-1]
    assert f"item {index} of map_task(odd_fails)" in notes


def test_no_item_begins_once_too_many_have_failed_unless_all_shall_run() -> None:
    with pytest.raises(ValueError, match="odd 1"):
        map_task(odd_fails)(x=[0, 1, 2, 3])
    assert RAN == [0, 1]
    RAN.clear()
    with pytest.raises(ValueError, match="odd 1"):
        map_task(odd_fails, run_all_sub_nodes=True)(x=[0, 1, 2, 3])
    assert RAN == [0, 1, 2, 3]


def test_a_wrong_item_is_named_with_its_index() -> None:
    with pytest.raises(ConversionError, match=r"(?s)'x' of 'map_task\(inc\)' at \[1\].*'b'"):
        map_task(inc)(x=[1, "b"])
    assert RAN == []


@task
def wrong_for_two(x: int) -> int:
    return "two" if x == 2 else x


def test_a_wrong_result_is_an_error_of_its_item() -> None:
    with pytest.raises(ConversionError, match="wrong_for_two") as caught:
        map_task(wrong_for_two)(x=[1, 2])
    assert "item 1" in str(caught.value) + "\n".join(caught.value.__notes__)
    assert map_task(wrong_for_two, min_success_ratio=0.5)(x=[1, 2]) == [1, None]


def test_what_is_bound_is_checked_and_may_be_a_promise_or_left_to_its_default() -> None:
    assert map_task(functools.partial(scale, by=2.0))(x=[1.0, 2.0], plus=[0.0, 1.0]) == [2.0, 5.0]
    assert map_task(functools.partial(scale, by=2.0, plus=0.0))(x=[1.0]) == [2.0]
    with pytest.raises(AlulaError, match=r"(?s)'by'.*'much'"):
        map_task(functools.partial(scale, by="much", plus=0.0))(x=[1.0])

    @task
    def half() -> float:
        return 0.5

    @workflow
    def wf(xs: list[float]) -> list[float]:
        return map_task(functools.partial(scale, by=half(), plus=0.0))(x=xs)

    assert wf(xs=[1.0, 2.0]) == [0.5, 1.0]


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(CallError, match=r"(?s)'x' has 2.*'by' has 1"):
        map_task(functools.partial(scale, plus=0.0))(x=[1.0, 2.0], by=[1.0])


@workflow
def mapped(n: int) -> int:
    return total(xs=map_task(inc)(x=numbers(n=n)))


@workflow
def map_of_constants() -> list[int]:
    return map_task(inc)(x=[1, inc(x=1), 3])


@workflow
def map_of_map(xs: list[int]) -> list[int]:
    return map_task(inc)(x=map_task(inc)(x=xs))


def test_maps_inside_workflows() -> None:
    assert mapped(n=3) == 6
    assert map_of_constants() == [2, 3, 4]
    assert map_of_map(xs=[1]) == [3]
    assert mapped(n=0) == 0


@workflow
def one_item(x: int) -> int:
    return inc(x=inc(x=x))


def test_a_launch_plan_is_mapped() -> None:
    plan = LaunchPlan.get_or_create(one_item, "maps.one_item")
    assert map_task(plan)(x=[1, 2]) == [3, 4]


def test_a_map_without_outputs_runs_everything() -> None:
    assert map_task(say)(x=[1, 2]) is None
    assert RAN == [1, 2]


class Pair(NamedTuple):
    a: int
    b: int


@task
def pair(x: int) -> Pair:
    return Pair(x, x)


class Single(NamedTuple):
    only: int


@task
def single(x: int) -> Single:
    return Single(x)


@task
def no_inputs() -> int:
    return 1


def test_what_cannot_be_mapped_is_refused_when_it_is_written() -> None:
    for target, words in (
        (pair, "2 outputs"),
        (no_inputs, "no input"),
        (mapped, "workflow"),
        (map_task(inc), "map itself"),
        (len, "no task"),
    ):
        with pytest.raises(SignatureError, match=words):
            map_task(target)


def test_a_named_output_is_mapped_too() -> None:
    @workflow
    def wf(xs: list[int]) -> list[int]:
        return map_task(single)(x=xs)

    assert map_task(single)(x=[1, 2]) == [1, 2]
    assert wf(xs=[1, 2]) == [1, 2]


@task
def nested(x: list[int]) -> list[int]:
    return x[::-1]


def test_lists_of_lists_are_mapped_by_their_outer_list() -> None:
    assert map_task(nested)(x=[[1, 2], []]) == [[2, 1], []]


def test_a_map_runs_in_several_threads_at_once() -> None:
    shared = map_task(inc, concurrency=2)
    found: list[list[int]] = []
    threads = [threading.Thread(target=lambda i=i: found.append(shared(x=[i, i + 1]))) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [[i + 1, i + 2] for i in range(6)]


# dynamics


@dynamic
def no_nodes(x: int) -> int:
    return x * 2


@dynamic
def constants_and_promises(n: int) -> tuple[list[int], dict[str, int], int, str]:
    made = [inc(x=i) for i in range(n)]
    return [*made, 100], {"first": inc(x=n), "const": 5}, n, "text"


@dynamic
def fib(n: int) -> int:
    if n < 2:
        return n
    return total(xs=[fib(n=n - 1), fib(n=n - 2)])


@dynamic
def nothing(n: int) -> None:
    for i in range(n):
        say(x=i)


@dynamic
def fails_inside(n: int) -> int:
    say(x=n)
    return odd_fails(x=n)


@dynamic
def fails_itself(n: int) -> int:
    inc(x=n)
    raise KeyError("in the body")


@dynamic
def chooses(xs: list[int]) -> int:
    if not xs:
        return 0
    first = inc(x=xs[0])
    return conditional("first").if_(first > 3).then(total(xs=xs)).else_().then(odd_fails(x=first))


@workflow
def in_workflow(n: int) -> tuple[int, list[int], int]:
    xs, named, m, _ = constants_and_promises(n=n)
    return inc(x=no_nodes(x=n)), xs, total(xs=[named["first"], m])


def test_a_dynamic_without_calls_gives_its_value() -> None:
    assert no_nodes(x=2) == 4


def test_a_dynamic_mixes_promises_and_values_in_its_outputs() -> None:
    assert constants_and_promises(n=2) == ([1, 2, 100], {"first": 3, "const": 5}, 2, "text")
    assert constants_and_promises(n=0) == ([100], {"first": 1, "const": 5}, 0, "text")


def test_dynamics_call_themselves() -> None:
    assert fib(n=7) == 13


def test_a_dynamic_without_outputs_runs_its_calls() -> None:
    assert nothing(n=2) is None
    assert RAN == [0, 1]


def test_dynamics_inside_workflows() -> None:
    assert in_workflow(n=1) == (3, [1, 100], 3)


def test_nothing_of_a_dynamic_runs_when_its_body_fails() -> None:
    with pytest.raises(KeyError, match="in the body"):
        fails_itself(n=1)
    assert RAN == []


def test_a_failure_inside_a_dynamic_names_both() -> None:
    with pytest.raises(ValueError, match="odd 1") as caught:
        fails_inside(n=1)
    notes = "\n".join(caught.value.__notes__)
    assert "odd_fails" in notes
    assert "fails_inside" in notes
    assert RAN == [1, 1]


def test_a_conditional_inside_a_dynamic_takes_one_branch() -> None:
    assert chooses(xs=[]) == 0
    assert chooses(xs=[3, 1]) == 4
    assert chooses(xs=[1, 1]) == 2


@dynamic
def misuses(n: int) -> int:
    made = inc(x=n)
    if made > 3:
        return made
    return n


@dynamic
def returns_wrong(n: int) -> int:
    return "text"


@dynamic
def calls_wrong(n: int) -> int:
    return inc(x="text")


def test_mistakes_in_a_dynamic_are_named() -> None:
    with pytest.raises(AlulaError, match=r"(?s)comparison.*test_maps_and_dynamics"):
        misuses(n=1)
    with pytest.raises(AlulaError, match=r"(?s)'returns_wrong'.*'text'"):
        returns_wrong(n=1)
    with pytest.raises(AlulaError, match=r"(?s)'x' of 'inc'.*'text'.*test_maps_and_dynamics"):
        calls_wrong(n=1)


@dynamic
def maps_inside(n: int) -> list[int]:
    return map_task(inc)(x=[inc(x=i) for i in range(n)])


@dynamic
def ordered(n: int) -> None:
    last = None
    for i in reversed(range(n)):
        now = say(x=i)
        if last is not None:
            now >> last
        last = now


def test_maps_and_orders_inside_dynamics() -> None:
    assert maps_inside(n=2) == [2, 3]
    RAN.clear()
    ordered(n=3)
    assert RAN == [0, 1, 2]
