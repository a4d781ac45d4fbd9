"""`map_task`, through local calls."""

from __future__ import annotations

import functools
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula import Cache, LaunchPlan, conditional, dynamic, map_task, task, workflow
from alula.errors import CallError, ConversionError, Recoverable, SignatureError
from alula.testing import task_mock


@dataclass
class Box:
    side: int


@task
def inc(a: int) -> int:
    return a + 1


@task
def scale(value: int, factor: int, offset: int = 0) -> int:
    return value * factor + offset


@task
def odd_only(a: int) -> int:
    if a % 2 == 0:
        raise RuntimeError(f"{a} is even")
    return a


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def split(a: int) -> tuple[int, int]:
    return a, a


@task
def grow(box: Box) -> Box:
    box.side += 1
    return box


heard: list[str] = []


@task
def hear(text: str) -> None:
    heard.append(text)


@given(st.lists(st.integers(-(2**40), 2**40)), st.sampled_from([None, 0, 1, 3]))
def test_a_map_gives_the_outputs_in_the_order_of_the_items(items: list[int], concurrency: int | None) -> None:
    assert map_task(inc, concurrency=concurrency)(a=items) == [i + 1 for i in items]


def test_a_map_takes_its_lists_by_position_too() -> None:
    assert map_task(scale)([1, 2], [10, 20], [0, 1]) == [10, 41]


def test_bound_inputs_are_the_same_for_every_item() -> None:
    assert map_task(functools.partial(scale, factor=3, offset=1))(value=[1, 2]) == [4, 7]


def test_bound_inputs_may_be_promises() -> None:
    @workflow
    def wf(n: int, factor: int) -> list[int]:
        return map_task(functools.partial(scale, factor=factor, offset=inc(a=n)))(value=numbers(n=n))

    assert wf(n=3, factor=10) == [4, 14, 24]


def test_a_map_of_a_task_without_output_gives_nothing() -> None:
    heard.clear()
    assert map_task(hear)(text=["a", "b"]) is None
    assert heard == ["a", "b"]


def test_a_map_over_a_launch_plan_leaves_its_fixed_inputs_out() -> None:
    @workflow
    def wf(a: int, b: int) -> int:
        return scale(value=a, factor=b)

    plan = LaunchPlan.get_or_create(wf, name="test_map.fixed", fixed_inputs={"b": 5})
    assert map_task(plan, concurrency=2)(a=[1, 2]) == [5, 10]


def test_items_are_private_to_the_task() -> None:
    boxes = [Box(1), Box(2)]
    assert map_task(grow)(box=boxes) == [Box(2), Box(3)]
    assert boxes == [Box(1), Box(2)]


def test_the_error_of_an_item_keeps_its_type_and_names_the_index() -> None:
    with pytest.raises(RuntimeError, match="4 is even") as caught:
        map_task(odd_only)(a=[1, 4, 3])
    assert "in item 1 of map_task(odd_only)" in caught.value.__notes__


def test_an_item_of_a_wrong_type_is_refused_before_anything_runs() -> None:
    heard.clear()
    with pytest.raises(ConversionError, match=r"input 'text' of 'map_task\(hear\)'.*1"):
        map_task(hear)(text=["a", 1])  # type: ignore[list-item]
    assert heard == []


def test_without_tolerance_nothing_runs_after_the_first_failure() -> None:
    with task_mock(inc) as fake:
        fake.side_effect = lambda a: a // (a - 2)
        with pytest.raises(ZeroDivisionError):
            map_task(inc)(a=[1, 2, 3, 4])
        assert fake.call_count == 2


def test_run_all_sub_nodes_runs_the_rest_before_it_fails() -> None:
    with task_mock(inc) as fake:
        fake.side_effect = lambda a: a // (a - 2)
        with pytest.raises(ZeroDivisionError):
            map_task(inc, run_all_sub_nodes=True)(a=[1, 2, 3, 4])
        assert fake.call_count == 4


@pytest.mark.parametrize("concurrency", [None, 2])
def test_a_ratio_below_one_leaves_none_where_an_item_failed(concurrency: int | None) -> None:
    mapped = map_task(odd_only, concurrency=concurrency, min_success_ratio=0.5)
    assert mapped(a=[1, 2, 3, 4]) == [1, None, 3, None]
    with pytest.raises(RuntimeError):
        mapped(a=[1, 2, 4])


def test_min_successes_counts_where_no_ratio_is_given() -> None:
    assert map_task(odd_only, min_successes=1)(a=[2, 3, 4]) == [None, 3, None]
    with pytest.raises(RuntimeError):
        map_task(odd_only, min_successes=1, min_success_ratio=0.9)(a=[2, 3, 4])


def test_of_several_failures_the_first_item_is_told() -> None:
    with pytest.raises(RuntimeError, match="2 is even"):
        map_task(odd_only, min_success_ratio=0.5, run_all_sub_nodes=True)(a=[2, 4, 6, 1])


def test_an_empty_list_is_fine() -> None:
    assert map_task(inc)(a=[]) == []
    assert map_task(inc, min_successes=3, concurrency=2)(a=[]) == []


def test_concurrency_is_an_upper_bound_and_is_used() -> None:
    most, now, lock = 0, 0, threading.Lock()
    together = threading.Barrier(3, timeout=20)

    def busy(a: int) -> int:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        together.wait()
        with lock:
            now -= 1
        return a

    with task_mock(inc) as fake:
        fake.side_effect = busy
        assert map_task(inc, concurrency=3)(a=list(range(9))) == list(range(9))
    assert most == 3


def test_without_concurrency_the_items_run_in_the_callers_thread() -> None:
    threads = set()
    with task_mock(inc) as fake:
        fake.side_effect = lambda a: threads.add(threading.get_ident()) or a
        map_task(inc, concurrency=0)(a=[1, 2, 3])
    assert threads == {threading.get_ident()}


def test_each_item_has_the_retries_of_the_mapped_task() -> None:
    tried: dict[int, int] = {}

    @task(retries=2)
    def flaky(a: int) -> int:
        tried[a] = tried.get(a, 0) + 1
        if tried[a] <= a:
            raise Recoverable("again")
        return a

    assert map_task(flaky)(a=[0, 1, 2]) == [0, 1, 2]
    assert tried == {0: 1, 1: 2, 2: 3}
    with pytest.raises(Recoverable, match="again"):
        map_task(flaky)(a=[9])


def test_overrides_of_the_map_node_hold_for_each_item() -> None:
    tried: list[int] = []

    @task
    def flaky(a: int) -> int:
        tried.append(a)
        if tried.count(a) == 1:
            raise Recoverable("again")
        return a

    @workflow
    def wf() -> list[int]:
        return map_task(flaky)(a=[1, 2]).with_overrides(retries=1)  # type: ignore[attr-defined]

    assert wf() == [1, 2]
    assert tried == [1, 1, 2, 2]


def test_async_tasks_can_be_mapped() -> None:
    @task
    async def later(a: int) -> int:
        return a * 2

    assert map_task(later, concurrency=2)(a=[1, 2, 3]) == [2, 4, 6]


@workflow
def some_workflow(a: int) -> int:
    return inc(a=a)


@dynamic
def some_dynamic(a: int) -> int:
    return inc(a=a)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (map_task(inc), "it is a map itself"),
        (some_workflow, r"it is a workflow.*(?s:.)*LaunchPlan.get_or_create\(some_workflow\)"),
        (some_dynamic, "it runs other tasks"),
        (len, "it is no task"),
        (functools.partial(inc, 1), "bound by position"),
        (functools.partial(inc, a=1), "no input is left to map over"),
        (functools.partial(inc, b=1), "has no input 'b' to bind; its inputs are a"),
        (split, r"it has 2 outputs \(o0, o1\)"),
    ],
)
def test_what_cannot_be_mapped_is_refused_with_the_reason(target: object, why: str) -> None:
    with pytest.raises(SignatureError, match=why):
        map_task(target)  # type: ignore[call-overload]


@pytest.mark.parametrize("setting", [{"concurrency": -1}, {"min_successes": -1}, {"min_success_ratio": 1.5}])
def test_settings_out_of_range_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(SignatureError, match=next(iter(setting))):
        map_task(inc, **setting)  # type: ignore[call-overload]


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(CallError, match="'value' has 2, 'factor' has 1"):
        map_task(functools.partial(scale, offset=0))(value=[1, 2], factor=[3])


def test_a_missing_list_is_told_with_the_types() -> None:
    with pytest.raises(CallError, match=r"input 'factor', 'offset' is missing"):
        map_task(scale)(value=[1])


def test_maps_work_in_conditionals() -> None:
    @workflow
    def wf(n: int) -> list[int]:
        return conditional("c").if_(n > 1).then(map_task(inc)(a=[n])).else_().then(numbers(n=n))

    assert wf(n=5) == [6]
    assert wf(n=1) == [0]


def test_the_name_has_the_digest_that_flytekit_gives_it() -> None:
    module = inc.module
    assert map_task(inc).name == f"{module}.map_inc_6b3bd0353da5de6e84d7982921ead2b3-arraynode"
    assert map_task(inc, min_success_ratio=0.75).name == f"{module}.map_inc_326c0cba8373510ae31dc6d9cecf601a-arraynode"


def test_two_thousand_items_take_less_than_a_fifth_of_a_second() -> None:
    mapped, items = map_task(inc), list(range(2000))
    mapped(a=items[:10])
    best = min(_seconds(lambda: mapped(a=items)) for _ in range(3))
    assert best < 0.2


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def test_each_item_is_cached_on_its_own() -> None:
    ran: list[int] = []

    @task(cache=Cache(version=str(uuid.uuid4())))
    def slow(a: int) -> int:
        ran.append(a)
        return a * 2

    assert map_task(slow)(a=[1, 2, 1]) == [2, 4, 2]
    assert map_task(slow)(a=[3, 2]) == [6, 4]
    assert ran == [1, 2, 3]
