"""The loop of the simulation: its time, its processes, what is asyncio's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from alula.testing.sim.loop import START, Killed, Process, Stuck, VirtualClock, VirtualLoop


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    assert loop.mishaps == []
    loop.close()


async def ticks(seen: list[float], every: float = 1.0) -> None:
    while True:
        await asyncio.sleep(every)
        seen.append(asyncio.get_running_loop().time())


def test_days_pass_in_no_time(loop: VirtualLoop) -> None:
    began = time.monotonic()
    loop.run_until_complete(asyncio.sleep(3 * 86_400))
    assert loop.time() == 3 * 86_400
    assert time.monotonic() - began < 1


def test_advance_runs_what_is_due_and_nothing_else(loop: VirtualLoop) -> None:
    seen: list[float] = []
    task = loop.create_task(ticks(seen))
    loop.advance(2.5)
    assert seen == [1.0, 2.0]
    loop.advance(1)
    assert seen == [1.0, 2.0, 3.0]
    task.cancel()
    loop.advance(0)
    assert task.cancelled()


def test_timers_of_one_moment_keep_their_order(loop: VirtualLoop) -> None:
    seen: list[int] = []
    for nth in range(5):
        loop.call_at(3.0, seen.append, nth)
    loop.call_at(2.0, seen.append, 99)
    loop.advance(3)
    assert seen == [99, 0, 1, 2, 3, 4]


def test_groups_timeouts_and_queues_of_asyncio_work(loop: VirtualLoop) -> None:
    async def main() -> list[str]:
        queue: asyncio.Queue[str] = asyncio.Queue()
        seen: list[str] = []

        async def put() -> None:
            await asyncio.sleep(5)
            await queue.put("late")

        async with asyncio.TaskGroup() as group:
            group.create_task(put())
            try:
                async with asyncio.timeout(2):
                    await queue.get()
            except TimeoutError:
                seen.append("timeout")
            seen.append(await queue.get())
        seen.append(await asyncio.to_thread(lambda: "thread"))
        return seen

    assert loop.run_until_complete(main()) == ["timeout", "late", "thread"]


def test_waiting_for_what_never_comes_is_an_error(loop: VirtualLoop) -> None:
    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck, match="nothing can happen"):
        loop.run_until_complete(forever())


def test_going_round_without_getting_anywhere_is_an_error(loop: VirtualLoop) -> None:
    def again() -> None:
        loop.call_soon(again)

    again()
    with pytest.raises(Stuck, match="200000 callbacks"):
        loop.advance(1)


def test_a_killed_process_stops_between_two_callbacks(loop: VirtualLoop) -> None:
    seen: list[object] = []

    async def main() -> None:
        try:
            await ticks(seen)  # type: ignore[arg-type]
        finally:
            seen.append("a finally that a machine would not run")

    process = Process("a", loop)
    process.spawn(main())
    loop.advance(2.5)
    process.kill()
    loop.advance(5)
    assert seen == [1.0, 2.0]
    process.bury()


def test_a_process_may_die_where_it_stands(loop: VirtualLoop) -> None:
    seen: list[str] = []
    process = Process("a", loop)

    async def helper() -> None:
        await asyncio.sleep(1)
        seen.append("helper")

    async def main() -> None:
        child = asyncio.create_task(helper())
        await asyncio.sleep(0.5)
        seen.append("before")
        process.kill()
        seen.append("after")
        await child

    process.spawn(main())
    loop.advance(5)
    assert seen == ["before"]
    process.bury()


def test_a_paused_process_is_late_and_keeps_its_order(loop: VirtualLoop) -> None:
    seen: list[float] = []
    process = Process("a", loop)
    process.spawn(ticks(seen))
    loop.advance(1.5)
    process.pause()
    loop.advance(10)
    assert seen == [1.0]
    process.resume()
    loop.advance(2)
    assert seen == [1.0, 11.5, 12.5]


def test_an_error_that_nobody_waits_for_is_kept() -> None:
    loop = VirtualLoop()

    def boom() -> None:
        raise ValueError("boom")

    loop.call_soon(boom)
    loop.advance(1)
    assert "boom" in loop.mishaps[0]
    dead = Process("a", loop)

    async def die() -> None:
        raise Killed("a")

    dead.spawn(die())
    loop.advance(1)
    assert len(loop.mishaps) == 1


def test_it_refuses_to_run_inside_of_another_loop(loop: VirtualLoop) -> None:
    async def main() -> None:
        with pytest.raises(Stuck, match="inside of another"):
            loop.advance(1)

    asyncio.run(main())


def test_a_wall_clock_can_be_set_and_the_monotonic_one_cannot(loop: VirtualLoop) -> None:
    clock = VirtualClock(loop)
    loop.advance(60)
    assert clock.now() == START + timedelta(seconds=60)
    clock.jump(timedelta(hours=-1))
    assert clock.now() == START + timedelta(seconds=60) - timedelta(hours=1)
    assert clock.monotonic() == 60
