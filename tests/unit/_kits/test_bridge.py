"""The sync facade: threads, running loops, nesting, interruption, forks."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from alula._kits import bridge
from alula._kits.bridge import run

pytestmark = pytest.mark.timeout(30)
who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


async def double(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


async def loop_thread() -> int:
    asyncio.get_running_loop()
    return threading.get_ident()


def test_result_of_a_coroutine_comes_back() -> None:
    assert run(double(21)) == 42


def test_a_coroutine_that_never_suspends_has_a_running_loop() -> None:
    assert run(loop_thread()) != threading.get_ident()


def test_calls_share_one_loop_thread() -> None:
    assert any(run(loop_thread()) == run(loop_thread()) for _ in range(100))  # the one that stood still serves again


def test_any_awaitable_will_do() -> None:
    class Later:
        def __await__(self):  # type: ignore[no-untyped-def]
            return double(4).__await__()

    assert run(Later()) == 8


def test_it_works_inside_a_running_loop() -> None:
    async def notebook_cell() -> int:
        return run(double(5))

    assert asyncio.run(notebook_cell()) == 10


def test_many_threads_may_call_at_once() -> None:
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda i: run(double(i)), range(400))) == [2 * i for i in range(400)]


def test_nested_calls_do_not_deadlock() -> None:
    async def nest(depth: int) -> int:
        return run(nest(depth - 1)) + 1 if depth else 0

    assert run(nest(6)) == 6


def test_nested_calls_of_many_threads_do_not_deadlock() -> None:
    async def nest(depth: int) -> int:
        await asyncio.sleep(0)
        return run(nest(depth - 1)) + 1 if depth else 0

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: run(nest(3)), range(40))) == [3] * 40


def test_a_thread_started_by_a_nested_call_does_not_deadlock() -> None:
    async def inner() -> int:
        return await asyncio.to_thread(lambda: run(double(3)))

    async def outer() -> int:
        return run(inner())

    assert run(outer()) == 6


def test_sync_code_on_the_loop_that_waits_for_a_thread_that_calls_back_does_not_deadlock() -> None:
    async def outer() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: run(double(3))).result()

    assert run(outer()) == 6
    assert any(run(loop_thread()) == run(loop_thread()) for _ in range(100))  # the one that stood still serves again


def test_the_coroutine_sees_the_callers_context_and_keeps_its_own_changes() -> None:
    async def rename() -> str:
        seen = who.get()
        who.set("someone else")
        await asyncio.sleep(0)
        return f"{seen}, {who.get()}, {await asyncio.to_thread(who.get)}"

    token = who.set("me")
    try:
        assert run(rename()) == "me, someone else, someone else"
        assert who.get() == "me"
    finally:
        who.reset(token)


def test_an_exception_keeps_its_identity_and_traceback() -> None:
    error = KeyError("gone")

    async def deep() -> None:
        raise error

    async def fail() -> None:
        await deep()

    with pytest.raises(KeyError) as caught:
        run(fail())
    assert caught.value is error
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[0].startswith("test_an_exception")
    assert names[-2:] == ["fail", "deep"]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, StopAsyncIteration])
def test_exceptions_that_loops_treat_specially_reach_the_caller(kind: type[BaseException]) -> None:
    async def leave() -> None:
        raise kind("bye")

    with pytest.raises(kind):
        run(leave())
    assert run(double(1)) == 2


def test_a_child_task_that_exits_does_not_take_the_loop_down() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    async def parent() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(leave())

    with pytest.raises(SystemExit):
        run(parent())
    assert run(double(1)) == 2


def script(body: str, *, expect: int = 0) -> str:
    ended = subprocess.run([sys.executable, "-X", "dev", "-c", body], capture_output=True, text=True, timeout=25)
    assert ended.returncode == expect, ended.stderr
    assert ended.stderr == ""
    return ended.stdout


def test_ctrl_c_in_the_caller_cancels_the_coroutine_and_waits_for_its_cleanup() -> None:
    printed = script("""
import asyncio, os, signal
from alula._kits import bridge
from alula._kits.bridge import run
async def work():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0)
        print("cleaned up")
try:
    run(work())
except KeyboardInterrupt:
    print("interrupted")
async def two():
    return 2
print(run(two()))
""")
    assert printed.split("\n") == ["cleaned up", "interrupted", "2", ""]


def test_a_timeout_raised_by_a_signal_handler_cancels_the_coroutine() -> None:
    def expire(*_: object) -> None:
        raise TimeoutError("too long")

    cancelled = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    before = signal.signal(signal.SIGALRM, expire)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(TimeoutError, match="too long"):
            run(work())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert cancelled == [True]


FORK = """
import os, threading
from alula._kits import bridge
from alula._kits.bridge import run
async def name(): return os.getpid()
async def fork_here():
    child = os.fork()
    if child == 0:
        os._exit(0 if run(name()) == os.getpid() else 1)
    return child
assert run(name()) == os.getpid()
child = {fork}
if child == 0:
    import gc; gc.collect()
    os._exit(0 if run(name()) == os.getpid() else 1)
assert os.waitpid(child, 0)[1] == 0
assert run(name()) == os.getpid()
print("both live")
"""


@pytest.mark.parametrize("fork", ["os.fork()", "run(fork_here())"], ids=["from a thread", "from the loop"])
def test_both_processes_can_call_after_a_fork(fork: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK.format(fork=fork)], capture_output=True, text=True, timeout=25
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "both live\n", "")


def test_the_process_ends_quietly_with_a_loop_still_alive() -> None:
    assert (
        script("""
from alula._kits import bridge
from alula._kits.bridge import run
async def one():
    return 1
print(run(one()))
""")
        == "1\n"
    )


def test_importing_the_bridge_does_not_import_asyncio() -> None:
    assert script("import sys, alula._kits.bridge; print('asyncio' in sys.modules)") == "False\n"


def test_a_call_goes_round_a_loop_that_someone_blocks() -> None:
    blocking, release = threading.Event(), threading.Event()

    async def block() -> bool:
        blocking.set()
        return release.wait(20)

    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(lambda: run(block()))
        assert blocking.wait(20)
        assert run(double(8)) == 16
        release.set()
        assert blocked.result() is True


def test_a_call_that_is_late_on_one_loop_is_not_disturbed_there(monkeypatch: pytest.MonkeyPatch) -> None:
    run(double(1))
    [first, *_] = bridge._loops
    begin = bridge._Call._begin

    def slow(call: Any, loop: asyncio.AbstractEventLoop, context: contextvars.Context) -> None:
        begin(call, loop, context)
        if loop is first.loop:
            time.sleep(0.02)  # stands for a switch of threads

    async def long() -> int:
        for _ in range(200):
            await asyncio.sleep(0.001)
        return 7

    monkeypatch.setattr(bridge._Call, "_begin", slow)
    first.loop.call_soon_threadsafe(time.sleep, 3 * bridge._STALL_SECONDS)  # so a second loop takes the call
    with ThreadPoolExecutor() as threads:
        assert threads.submit(run, long()).result(10) == 7
