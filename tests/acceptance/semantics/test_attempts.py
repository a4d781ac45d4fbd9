"""Retries and timeouts mean here what they mean on a platform, and what a node says goes before what its task says."""

import asyncio
import signal
import threading
import time
from contextlib import suppress
from datetime import timedelta

import pytest

from alula import Recoverable, current_context, dynamic, eager, map_task, task, workflow
from alula.errors import CallError, ConversionError, SignatureError, TaskTimeout

pytestmark = pytest.mark.timeout(method="thread")  # leaves the alarm clock of the process to the programs under test

TRIED: list[object] = []


@pytest.fixture(autouse=True)
def nothing_tried() -> None:
    TRIED.clear()


def forever() -> None:
    """Sleeps in small steps, so that a time limit can end it in any thread."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        time.sleep(0.005)


# retries


@task(retries=2)
def ordinary(fail: int) -> int:
    TRIED.append(fail)
    if len(TRIED) <= fail:
        raise KeyError("not yet")
    return len(TRIED)


@task
def never_again() -> int:
    TRIED.append(1)
    raise Recoverable("again please")


@task(retries=3)
def final() -> int:
    TRIED.append(1)
    raise SystemExit(3)


@task(retries=3)
def wrong_output() -> int:
    TRIED.append(1)
    return "x"  # type: ignore[return-value]


@task(retries=3)
def typed(x: int) -> int:
    TRIED.append(x)
    return x


@task(retries=1)
async def async_ordinary(fail: int) -> int:
    TRIED.append(fail)
    await asyncio.sleep(0)
    if len(TRIED) <= fail:
        raise KeyError("not yet")
    return len(TRIED)


def test_an_ordinary_exception_is_tried_again_as_often_as_asked() -> None:
    assert ordinary(fail=2) == 3


def test_the_last_exception_comes_out_as_it_was_raised() -> None:
    with pytest.raises(KeyError, match="not yet") as caught:
        ordinary(fail=3)
    assert len(TRIED) == 3
    assert "attempt 3" in "".join(caught.value.__notes__)


def test_without_retries_not_even_a_recoverable_error_is_tried_again() -> None:
    with pytest.raises(Recoverable):
        never_again()
    assert len(TRIED) == 1


def test_what_ends_the_program_is_not_tried_again() -> None:
    with pytest.raises(SystemExit):
        final()
    assert len(TRIED) == 1


def test_a_value_of_the_wrong_type_is_not_tried_again() -> None:
    with pytest.raises(ConversionError, match="wrong_output"):
        wrong_output()
    assert len(TRIED) == 1
    with pytest.raises(ConversionError, match="'x' of 'typed'"):
        typed(x="x")  # type: ignore[arg-type]
    assert len(TRIED) == 1


def test_async_tasks_are_tried_again_in_sync_and_in_async_programs() -> None:
    assert asyncio.run(async_ordinary(fail=1)) == 2  # type: ignore[arg-type]

    @workflow
    def wf() -> int:
        return async_ordinary(fail=1)

    TRIED.clear()
    assert wf() == 2


@task(retries=2)
def once_only(x: int) -> int:
    TRIED.append(x)
    if x == 1 and TRIED.count(1) < 3:
        raise ValueError("flaky item")
    return x


def test_each_item_of_a_map_has_its_own_retries() -> None:
    assert map_task(once_only)(x=[0, 1, 2]) == [0, 1, 2]
    assert TRIED == [0, 1, 1, 1, 2]


@task(retries=2)
def gives_up(x: int) -> int:
    TRIED.append(x)
    raise Recoverable("no")


@task
def calls_by_hand() -> int:
    return gives_up(x=1)


@dynamic(retries=1)
def flaky_dynamic(n: int) -> int:
    TRIED.append("body")
    return ordinary(fail=4)


def test_a_dynamic_is_tried_again_as_a_whole() -> None:
    assert flaky_dynamic(n=1) == 6
    assert TRIED.count("body") == 2


def test_a_task_called_by_another_has_its_own_retries() -> None:
    with pytest.raises(Recoverable):
        calls_by_hand()
    assert len(TRIED) == 3


# timeouts


@task(timeout=timedelta(seconds=0.05))
def slow() -> int:
    TRIED.append(1)
    forever()
    return 1


@task(timeout=0.05, retries=1)  # type: ignore[arg-type]
def slow_first() -> int:
    TRIED.append(1)
    if len(TRIED) == 1:
        forever()
    return len(TRIED)


@task(timeout=timedelta(seconds=0.05))
async def slow_async() -> int:
    await asyncio.sleep(20)
    return 1


@task(timeout=timedelta(seconds=0.05))
def stubborn() -> int:
    try:
        forever()
    except Exception:  # noqa: BLE001 - the habit under test
        TRIED.append("swallowed")
    return 1


@task(timeout=timedelta(seconds=0.05))
def slow_item(x: int) -> int:
    if x == 1:
        forever()
    return x


def in_thread(call: object) -> object:
    found: list[object] = []

    def run() -> None:
        try:
            found.append(call())  # type: ignore[operator]
        except BaseException as exc:  # noqa: BLE001 - carried to the other thread
            found.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def test_a_task_that_takes_too_long_is_stopped() -> None:
    begun = time.monotonic()
    with pytest.raises(TaskTimeout, match=r"(?s)'slow'.*0\.05.*test_attempts"):
        slow()
    assert time.monotonic() - begun < 5


def test_a_timeout_is_a_TimeoutError() -> None:
    with pytest.raises(TimeoutError):
        slow()


def test_a_task_in_another_thread_is_stopped_too() -> None:
    assert isinstance(in_thread(slow), TaskTimeout)


def test_a_timeout_costs_a_retry() -> None:
    assert slow_first() == 2
    TRIED.clear()
    assert in_thread(slow_first) == 2


def test_an_async_task_is_stopped_on_its_loop() -> None:
    with pytest.raises(TaskTimeout, match="slow_async"):
        asyncio.run(slow_async())  # type: ignore[arg-type]

    @workflow
    def wf() -> int:
        return slow_async()

    with pytest.raises(TaskTimeout, match="slow_async"):
        wf()


def test_a_task_that_swallows_every_exception_is_late_all_the_same() -> None:
    with pytest.raises(TaskTimeout, match="stubborn"):
        stubborn()
    assert isinstance(in_thread(stubborn), TaskTimeout)
    assert TRIED == []


def test_a_timeout_in_a_map_is_a_hole() -> None:
    tolerant = map_task(slow_item, min_success_ratio=0.5)
    assert tolerant(x=[0, 1, 2]) == [0, None, 2]
    threaded = map_task(slow_item, concurrency=3, min_success_ratio=0.5)
    assert threaded(x=[0, 1, 2]) == [0, None, 2]


@task(timeout=timedelta(seconds=0.1))
def around_slow() -> int:
    TRIED.append("outer")
    return patient_with_retries()


@task(timeout=timedelta(seconds=10), retries=5)
def patient_with_retries() -> int:
    TRIED.append("inner")
    forever()
    return 1


def test_the_time_limit_of_a_caller_is_no_failure_of_what_it_calls() -> None:
    with pytest.raises(TaskTimeout, match="'around_slow'"):
        around_slow()
    assert TRIED == ["outer", "inner"]
    TRIED.clear()
    late = in_thread(around_slow)
    assert isinstance(late, TaskTimeout)
    assert "'around_slow'" in str(late)
    assert TRIED == ["outer", "inner"]


@task(timeout=timedelta(seconds=5))
def quick(x: int) -> int:
    return x


def timers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)}


def test_no_limit_is_left_behind() -> None:
    theirs = timers()
    before = signal.getsignal(signal.SIGALRM)
    for i in range(20):
        assert quick(x=i) == i
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) == before
    assert in_thread(lambda: [quick(x=i) for i in range(20)]) == list(range(20))
    for timer in timers() - theirs:
        timer.join(1)
    assert timers() == theirs


@task(timeout=timedelta(seconds=0.2))
def inner_is_late() -> str:
    TRIED.append("outer")
    for _ in range(2):
        try:
            sleeps_on()
        except TaskTimeout as exc:
            TRIED.append(exc.what.split("'")[1])
    time.sleep(20)
    return "not reached"


@task(timeout=timedelta(seconds=0.02))
def sleeps_on() -> None:
    time.sleep(20)  # one system call, which only a signal ends


def test_limits_inside_limits_end_system_calls_in_the_main_thread() -> None:
    begun = time.monotonic()
    with pytest.raises(TaskTimeout, match="'inner_is_late'"):
        inner_is_late()
    assert time.monotonic() - begun < 5
    assert TRIED == ["outer", "sleeps_on", "sleeps_on"]


def test_the_alarm_of_somebody_else_rings_when_it_would_have() -> None:
    former = signal.signal(signal.SIGALRM, lambda *_: TRIED.append("theirs"))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.15)
        with pytest.raises(TaskTimeout):
            slow()
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.1
        signal.pause()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert TRIED == [1, "theirs"]


def test_a_timeout_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(SignatureError, match="timeout"):

        @task(timeout=timedelta(seconds=-1))
        def t() -> int:
            return 1


# overrides


def test_overrides_of_a_node_go_before_what_the_task_says() -> None:
    @workflow
    def more() -> int:
        return gives_up_twice().with_overrides(retries=5)

    @workflow
    def fewer() -> int:
        return ordinary(fail=2).with_overrides(retries=0)

    @task
    def gives_up_twice() -> int:
        TRIED.append(1)
        if len(TRIED) < 3:
            raise ValueError("no")
        return len(TRIED)

    assert more() == 3
    TRIED.clear()
    with pytest.raises(KeyError):
        fewer()
    assert len(TRIED) == 1


@pytest.mark.parametrize("limit", [timedelta(seconds=0.05), 0.05, 1])
def test_the_timeout_of_a_node_may_be_given_in_any_form_that_a_task_takes(limit: object) -> None:
    @task
    def slow_here() -> int:
        forever()
        return 1

    @workflow
    def wf() -> int:
        return slow_here().with_overrides(timeout=limit)

    with pytest.raises(TaskTimeout, match="slow_here"):
        wf()


def test_a_node_may_lift_the_timeout_of_its_task() -> None:
    @task(timeout=timedelta(seconds=0.02))
    def a_bit_slow() -> int:
        time.sleep(0.1)
        return 1

    @workflow
    def wf() -> int:
        return a_bit_slow().with_overrides(timeout=timedelta(0))

    assert wf() == 1


def test_overrides_reach_the_items_of_a_map() -> None:
    @task
    def flaky(x: int) -> int:
        TRIED.append(x)
        if TRIED.count(x) < 2:
            raise ValueError("no")
        return x

    @workflow
    def wf(xs: list[int]) -> list[int]:
        return map_task(flaky)(x=xs).with_overrides(retries=1)

    assert wf(xs=[1, 2]) == [1, 2]
    assert TRIED == [1, 1, 2, 2]


def test_an_override_that_cannot_be_meant_is_refused_where_it_is_written() -> None:
    @workflow
    def negative() -> int:
        return ordinary(fail=0).with_overrides(retries=-1)

    @workflow
    def wrong_type() -> int:
        return ordinary(fail=0).with_overrides(timeout="soon")

    for wf, word in ((negative, "retries"), (wrong_type, "timeout")):
        with pytest.raises(CallError, match=f"(?s){word}.*test_attempts"):
            wf()


# eager


@eager
async def catches() -> str:
    with suppress(KeyError):
        ordinary(fail=9)
    try:
        await slow_async()  # type: ignore[misc]
    except TaskTimeout as exc:
        return type(exc).__name__
    return "nothing"


def test_an_eager_task_may_catch_what_its_tasks_raise() -> None:
    assert asyncio.run(catches()) == "TaskTimeout"  # type: ignore[arg-type]
    assert len(TRIED) == 3


@task(retries=2)
def attempt_directories(x: int) -> int:
    TRIED.append(current_context().working_directory)
    if len(TRIED) < 3:
        raise ValueError("again")
    return x


def test_each_attempt_has_a_context_of_its_own() -> None:
    attempt_directories(x=1)
    assert len(set(TRIED)) == 3
