"""Async tasks and eager workflows: real values, inside a running loop or not, errors and contexts kept apart."""

import asyncio
import contextvars
import functools
import gc
import threading
import time

import pytest

from alula import (
    Cache,
    LaunchPlan,
    create_node,
    current_context,
    dynamic,
    eager,
    map_task,
    task,
    workflow,
)
from alula.errors import AlulaError, CallError, ConversionError, SignatureError, TaskTimeout

VAR: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="none")


@task
async def double(x: int) -> int:
    await asyncio.sleep(0.001)
    return x * 2


@task
def inc(x: int) -> int:
    return x + 1


@task
async def fails(x: int) -> int:
    await asyncio.sleep(0)
    raise LookupError(f"no {x}")


@task
async def var() -> str:
    await asyncio.sleep(0)
    return VAR.get()


@task
def sync_var() -> str:
    return VAR.get()


@workflow
def mixed(x: int) -> int:
    return inc(x=double(x=inc(x=x)))


@workflow
def nothing_awaits(x: int) -> int:
    return inc(x=x)


@dynamic
def dyn(n: int) -> list[int]:
    return [double(x=i) for i in range(n)]


@eager
async def eag(n: int) -> int:
    total = 0
    for part in await asyncio.gather(*(double(x=i) for i in range(n))):
        total += inc(x=part)
    return mixed(x=total)


@eager
async def nested_eager(n: int) -> int:
    if n == 0:
        return await eag(n=3)
    return await nested_eager(n=n - 1) + 1


# in which program


def test_async_tasks_run_in_sync_workflows_maps_and_dynamics() -> None:
    assert mixed(x=1) == 5
    assert map_task(double)(x=[1, 2]) == [2, 4]
    assert map_task(double, concurrency=2)(x=[1, 2, 3]) == [2, 4, 6]
    assert dyn(n=3) == [0, 2, 4]


def test_everything_runs_inside_a_running_loop() -> None:
    async def notebook() -> list[object]:
        return [mixed(x=1), map_task(double)(x=[1]), dyn(n=2), await double(x=4), await eag(n=3), nothing_awaits(x=1)]

    assert asyncio.run(notebook()) == [5, [2], [0, 2], 8, 21, 2]


def test_loops_inside_loops_do_not_deadlock() -> None:
    async def deep(n: int) -> int:
        if n == 0:
            return mixed(x=1)
        return await asyncio.to_thread(asyncio.run, deep(n - 1))

    assert asyncio.run(deep(4)) == 5


@task
def runs_a_loop(x: int) -> int:
    return asyncio.run(double(x=x))


@task
async def calls_a_sync_workflow(x: int) -> int:
    return mixed(x=x)


@workflow
def loops_below() -> tuple[int, int]:
    return runs_a_loop(x=1), calls_a_sync_workflow(x=1)


def test_tasks_that_run_loops_and_workflows_of_their_own() -> None:
    assert loops_below() == (2, 5)

    async def notebook() -> int:
        return calls_a_sync_workflow_in_one(x=1)

    assert asyncio.run(notebook()) == 5


@workflow
def calls_a_sync_workflow_in_one(x: int) -> int:
    return calls_a_sync_workflow(x=x)


# eager


def test_eager_gathers_branches_and_calls_everything() -> None:
    assert asyncio.run(eag(n=3)) == 21
    assert asyncio.run(nested_eager(n=3)) == 24


@eager
async def both_at_once() -> float:
    begun = time.monotonic()
    await asyncio.gather(*(naps() for _ in range(5)))
    return time.monotonic() - begun


@task
async def naps() -> None:
    await asyncio.sleep(0.2)


def test_gathered_tasks_run_at_the_same_time() -> None:
    assert asyncio.run(both_at_once()) < 0.9


@eager
async def catches() -> list[str]:
    found = []
    try:
        await fails(x=1)
    except LookupError as exc:
        found.append(str(exc))
    results = await asyncio.gather(fails(x=2), double(x=1), return_exceptions=True)
    found.append(type(results[0]).__name__)
    found.append(str(results[1]))
    return found


def test_eager_code_may_catch_errors_of_its_tasks() -> None:
    assert asyncio.run(catches()) == ["no 1", "LookupError", "2"]


@eager
async def lets_it_fail() -> int:
    return await fails(x=3)


def test_an_error_in_an_eager_task_comes_out_with_both_tasks_noted() -> None:
    with pytest.raises(LookupError, match="no 3") as caught:
        asyncio.run(lets_it_fail())
    notes = "\n".join(caught.value.__notes__)
    assert "fails" in notes
    assert "lets_it_fail" in notes


@workflow
def around_eager(n: int) -> int:
    return inc(x=eag(n=n))


def test_an_eager_task_is_a_step_of_a_workflow() -> None:
    assert around_eager(n=3) == 22


@eager
async def wrong_result() -> int:
    return "text"


def test_results_of_eager_tasks_are_checked() -> None:
    with pytest.raises(ConversionError, match=r"(?s)wrong_result.*'text'"):
        asyncio.run(wrong_result())


def test_wrong_arguments_of_an_async_task_point_at_the_line_of_the_call() -> None:
    async def program() -> None:
        await asyncio.gather(double(y=1))

    with pytest.raises(CallError, match=r"(?s)'double'.*no input 'y'.*test_async\.py"):
        asyncio.run(program())

    async def wrong_type() -> None:
        await double(x="1")

    with pytest.raises(ConversionError, match=r"(?s)'x' of 'double'.*'1'.*test_async\.py"):
        asyncio.run(wrong_type())


@eager
async def plans() -> tuple[int, int]:
    plan = LaunchPlan.get_or_create(mixed)
    return plan(x=1), create_node(inc, x=1).o0


def test_plans_and_nodes_inside_eager_are_real_runs() -> None:
    assert asyncio.run(plans()) == (5, 2)


def test_a_coroutine_that_nobody_awaits_has_run_nothing() -> None:
    ran = []

    @task
    async def recorded() -> None:
        ran.append(1)

    coroutine = recorded()
    coroutine.close()
    assert ran == []


# contexts


def test_tasks_see_the_context_variables_of_their_caller() -> None:
    token = VAR.set("mine")
    try:

        @workflow
        def wf() -> tuple[str, str]:
            return var(), sync_var()

        assert wf() == ("mine", "mine")
        assert asyncio.run(var()) == "mine"
        assert map_task(echo_var, concurrency=2)(x=[1, 2]) == ["mine", "mine"]
    finally:
        VAR.reset(token)


@task
def echo_var(x: int) -> str:
    return VAR.get()


@task
async def who_am_i(x: int) -> str:
    before = current_context().task_id.name
    await asyncio.sleep(0.01 * (3 - x))
    inner = await inner_name()
    assert inner.endswith("inner_name")
    after = current_context().task_id.name
    assert before == after
    return f"{current_context().working_directory}"


@task
async def inner_name() -> str:
    await asyncio.sleep(0)
    return current_context().task_id.name


@eager
async def contexts() -> list[str]:
    mine = current_context().task_id.name
    found = await asyncio.gather(*(who_am_i(x=i) for i in range(3)))
    assert current_context().task_id.name == mine
    return found


def test_tasks_that_overlap_have_contexts_of_their_own() -> None:
    found = asyncio.run(contexts())
    assert len(set(found)) == 3
    assert current_context().task_id.name == "local"


# threads


def test_several_threads_run_workflows_with_loops_of_their_own() -> None:
    results: list[int] = []

    def run(i: int) -> None:
        results.append(mixed(x=i))
        results.append(asyncio.run(eag(n=2)))

    threads = [threading.Thread(target=run, args=[i]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == sorted([(i + 1) * 2 + 1 for i in range(8)] + [11] * 8)


# the shapes of a coroutine


def wrapped_async(fn):
    @functools.wraps(fn)
    async def wrapper(*args, **kwargs):
        await asyncio.sleep(0)
        return fn(*args, **kwargs) + 100

    return wrapper


def run_it(fn):
    @functools.wraps(fn)
    def wrapper(*args, **kwargs):
        return asyncio.run(fn(*args, **kwargs)) + 1000

    return wrapper


@task
@wrapped_async
def made_async(x: int) -> int:
    return x


def logged(fn):
    @functools.wraps(fn)
    def wrapper(*args, **kwargs):
        return fn(*args, **kwargs)

    return wrapper


@task
@logged
async def handed_on(x: int) -> int:
    await asyncio.sleep(0)
    return x


@task
@run_it
async def made_sync(x: int) -> int:
    return x


def test_decorators_may_make_a_sync_function_async_and_the_reverse() -> None:
    @workflow
    def wf() -> tuple[int, int, int]:
        return made_async(x=1), handed_on(x=1), made_sync(x=1)

    async def program() -> list[int]:
        return await asyncio.gather(made_async(x=1), handed_on(x=1), made_sync(x=1))

    assert wf() == (101, 1, 1001)
    assert asyncio.run(program()) == [101, 1, 1001]


def test_a_body_that_only_collects_calls_cannot_be_async() -> None:
    for decorate in (dynamic, workflow):

        async def body(n: int) -> int:
            return n

        with pytest.raises(SignatureError, match=r"'body'(?s:.*)@eager"):
            decorate(body)


@task
async def length(xs: list[int]) -> int:
    return len(xs)


@task
def hands_on(x: int) -> int:
    return double(x=x)


@eager
async def forgets(x: int) -> int:
    return inc(x=double(x=x))


def test_a_coroutine_that_a_plain_task_returns_is_awaited_for_it() -> None:
    assert hands_on(x=1) == 2


@pytest.mark.filterwarnings("ignore:coroutine 'double' was never awaited")
def test_a_forgotten_await_is_named() -> None:
    with pytest.raises(ConversionError, match=r"(?s)'x' of 'inc'.*`await` before the call of 'double'"):
        asyncio.run(forgets(x=1))
    gc.collect()  # the warnings come now, and not in another test


@task(timeout=0.01)
async def blocks_the_loop() -> int:
    time.sleep(0.05)
    return 1


def test_an_async_task_that_blocks_its_loop_is_late_too() -> None:
    with pytest.raises(TaskTimeout, match="blocks_the_loop"):
        asyncio.run(blocks_the_loop())


def test_a_coroutine_has_the_values_as_they_were_at_the_call() -> None:
    async def program() -> list[int]:
        xs = [1]
        first = length(xs=xs)
        xs.append(2)
        second = length(xs=xs)
        xs.clear()
        return await asyncio.gather(first, second)

    assert asyncio.run(program()) == [1, 2]


@task(cache=Cache(version="1", serialize=True))
async def cached(x: int) -> int:
    CACHED.append(x)
    await asyncio.sleep(0.01)
    return x


CACHED: list[int] = []


def test_gathered_calls_of_a_serialized_cached_task_run_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ALULA_HOME", str(tmp_path))

    @eager
    async def many() -> list[int]:
        return await asyncio.gather(*(cached(x=1) for _ in range(5)))

    assert asyncio.run(many()) == [1] * 5
    assert CACHED == [1]


def test_cancelling_an_async_task_cancels_it() -> None:
    seen = []

    @task
    async def waits() -> None:
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def program() -> None:
        running = asyncio.ensure_future(waits())
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(program())
    assert seen == ["cancelled"]


def test_errors_are_alulas_in_async_code_too() -> None:
    with pytest.raises(AlulaError):
        asyncio.run(double())
