"""Long chains, wide workflows, many threads and other processes: nothing slows down, overflows or mixes up."""

import asyncio
import copy
import gc
import multiprocessing
import pickle
import sys
import threading
import time
import types
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import cloudpickle
import pytest

from alula import Cache, LaunchPlan, conditional, dynamic, eager, map_task, reference_task, task, workflow
from alula.errors import AlulaError


@task
def inc(x: int) -> int:
    return x + 1


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def join(a: str, b: str) -> str:
    return a + b


@task
def nothing() -> None: ...


@workflow
def small(x: int) -> int:
    return inc(x=inc(x=x))


# size


@workflow
def chain_of_5000(x: int) -> int:
    for _ in range(5000):
        x = inc(x=x)
    return x


def test_a_chain_of_5000_tasks_runs() -> None:
    limit = sys.getrecursionlimit()
    assert chain_of_5000(x=0) == 5000
    assert sys.getrecursionlimit() == limit


def test_a_chain_that_is_ordered_backwards_runs() -> None:
    seen = []

    @task
    def note(x: int) -> None:
        seen.append(x)

    @workflow
    def wf() -> None:
        last = None
        for i in range(3000):
            now = note(x=i)
            if last is not None:
                now >> last
            last = now

    wf()
    assert seen == list(reversed(range(3000)))


def compiling(size: int) -> float:
    @workflow
    def wide(x: int) -> int:
        made = [inc(x=x) for _ in range(size)]
        return total(xs=made)

    return seconds(wide.compile)


def seconds(call: Callable[[], object]) -> float:
    """Of this process's CPU, without what the collector spends on the objects of other tests."""
    gc.collect()
    gc.disable()
    try:
        begun = time.process_time()
        call()
        return time.process_time() - begun
    finally:
        gc.enable()


def test_compiling_takes_time_in_proportion_to_the_nodes() -> None:
    compiling(100)
    small_one = min(compiling(1000) for _ in range(3))
    large_one = compiling(10_000)
    assert large_one < 25 * small_one, (small_one, large_one)


def test_fan_in_by_order_takes_time_in_proportion_too() -> None:
    def ordering(size: int) -> float:
        @workflow
        def wide() -> None:
            last = nothing()
            for _ in range(size):
                nothing() >> last

        return seconds(wide.compile)

    ordering(100)
    small_one = min(ordering(1000) for _ in range(3))
    assert ordering(10_000) < 40 * small_one


def test_a_list_of_20000_promises_is_one_input() -> None:
    @workflow
    def wf(x: int) -> int:
        one = inc(x=x)
        return total(xs=[one] * 20_000)

    assert wf(x=0) == 20_000


def test_workflows_nest_a_hundred_deep() -> None:
    def make(inner: Any) -> Any:
        @workflow
        def around(x: int) -> int:
            return inner(x=x)

        return around

    inner = small
    for _ in range(100):
        inner = make(inner)
    assert inner(x=0) == 2


def test_conditionals_nest_fifty_deep() -> None:
    def nest(x: Any, depth: int) -> Any:
        section = conditional(f"c{depth}").if_(x > 1000 + depth).then(inc(x=x)).else_()
        return section.then(nest(x, depth - 1)) if depth else section.then(inc(x=x))

    @workflow
    def wf(x: int) -> int:
        return nest(x, 50)

    assert wf(x=1) == 2


def test_a_map_of_100000_items_is_quick() -> None:
    begun = time.process_time()
    assert map_task(inc)(x=list(range(100_000)))[-1] == 100_000
    assert time.process_time() - begun < 10


def test_a_long_text_and_deep_data_pass() -> None:
    @task
    def echo(x: dict) -> dict:
        return x

    deep: Any = 1
    for _ in range(150):
        deep = [deep]
    assert echo(x={"deep": deep}) == {"deep": deep}
    assert len(join(a="x" * 10_000_000, b="y")) == 10_000_001


# threads


def test_many_threads_compile_and_run_one_workflow_at_once() -> None:
    for _ in range(5):
        ready = threading.Barrier(8)

        @workflow
        def fresh(x: int) -> int:
            return small(x=inc(x=x))

        def run(i: int, wf: Any = fresh, ready: threading.Barrier = ready) -> int:
            ready.wait(10)
            return wf(x=i)

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(run, range(8))) == [i + 3 for i in range(8)]
        assert len(fresh.nodes) == 2


def test_a_thread_that_runs_while_another_compiles_is_not_caught_in_its_workflow() -> None:
    inside, done = threading.Event(), threading.Event()
    found: list[object] = []

    @workflow
    def slow_to_read(x: int) -> int:
        inside.set()
        done.wait(10)
        return inc(x=x)

    thread = threading.Thread(target=lambda: found.append(slow_to_read(x=1)))
    thread.start()
    inside.wait(10)
    found.append(inc(x=1))
    done.set()
    thread.join()
    assert found == [2, 2]


def test_a_task_called_in_a_thread_of_a_workflows_body_is_a_real_call() -> None:
    @workflow
    def wf(x: int) -> int:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(inc, x=1).result() == 2
        return inc(x=x)

    assert wf(x=5) == 6


# copies, pickles, processes


@dynamic
def dyn(n: int) -> list[int]:
    return [inc(x=i) for i in range(n)]


@eager
async def eag(n: int) -> int:
    return inc(x=n)


@task(cache=Cache(version="1"), retries=2)
def settled(x: int) -> int:
    return x


@reference_task(project="p", domain="d", name="n", version="v")
def elsewhere(x: int) -> int: ...


plan = LaunchPlan.get_or_create(small, "scale.plan")
ENTITIES = [inc, small, dyn, eag, settled, elsewhere, plan]


@pytest.mark.parametrize("entity", ENTITIES, ids=repr)
def test_entities_of_a_module_are_pickled_by_name(entity: Any) -> None:
    for dumps in (pickle.dumps, cloudpickle.dumps):
        assert pickle.loads(dumps(entity)) is entity


@pytest.mark.parametrize("entity", ENTITIES, ids=repr)
def test_a_copy_of_an_entity_is_the_entity(entity: Any) -> None:
    assert copy.copy(entity) is entity
    assert copy.deepcopy({"k": [entity]})["k"][0] is entity


def test_entities_that_have_no_name_are_pickled_whole_by_cloudpickle() -> None:
    def make(n: int) -> Any:
        @task
        def local(x: int) -> int:
            return x + n

        @workflow
        def around(x: int) -> int:
            return local(x=x)

        return local, around

    local, around = cloudpickle.loads(cloudpickle.dumps(make(5)))
    assert (local(x=1), around(x=1)) == (6, 6)


def test_tasks_go_to_other_processes() -> None:
    for method in ("fork", "spawn"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
            assert list(pool.map(call_inc, [1, 2])) == [2, 3]
            assert pool.submit(call_small, 1).result() == 3


def call_inc(x: int) -> int:
    return inc(x=x)


def call_small(x: int) -> int:
    return small(x=x)


@task
async def awaited(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


@workflow
def with_await(x: int) -> int:
    return awaited(x=x)


def run_after_fork(x: int) -> int:
    return with_await(x=x)


def test_a_forked_process_has_loops_of_its_own() -> None:
    assert with_await(x=1) == 2
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(run_after_fork, [1]).get(20) == 2


def test_a_copy_of_a_promise_is_the_promise() -> None:
    @workflow
    def wf(x: int) -> int:
        given = {"xs": [inc(x=x), inc(x=x)]}
        return total(**copy.deepcopy(given))

    assert wf(x=1) == 4


# names


def test_functions_of_one_name_in_two_modules_are_two_tasks() -> None:
    made = []
    for n in (1, 2):
        module = types.ModuleType(f"test_module_{n}")
        exec(f"from alula import task\n@task\ndef same(x: int) -> int:\n    return x + {n}\n", module.__dict__)
        made.append(module.same)
    one, other = made
    assert (one.name, other.name) == ("test_module_1.same", "test_module_2.same")

    @workflow
    def wf(x: int) -> list[int]:
        return [one(x=x), other(x=x), one(x=x)]

    assert wf(x=0) == [1, 2, 1]


def test_errors_inside_a_deep_chain_are_not_repeated_for_each_step() -> None:
    @task
    def fails(x: int) -> int:
        raise ValueError("deep")

    @workflow
    def wf(x: int) -> int:
        for _ in range(300):
            x = inc(x=x)
        return fails(x=x)

    with pytest.raises(ValueError, match="deep") as caught:
        wf(x=0)
    assert len(caught.value.__notes__) <= 2
    with pytest.raises(AlulaError):
        wf(y=0)
