"""A loop on a thread of its own."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncGenerator, Iterator

import pytest

from alula._kits.portal import Portal


@pytest.fixture
def portal() -> Iterator[Portal]:
    made = Portal("test-portal")
    yield made
    made.close()


async def numbers(closed: list[str], count: int = 3) -> AsyncGenerator[int, None]:
    try:
        for number in range(count):
            await asyncio.sleep(0)
            yield number
    finally:
        closed.append("closed")


def test_what_lives_on_the_loop_goes_on_between_calls(portal: Portal) -> None:
    async def begin() -> asyncio.Task[str]:
        async def work() -> str:
            await asyncio.sleep(0)
            return threading.current_thread().name

        return asyncio.create_task(work())

    async def end(task: asyncio.Task[str]) -> str:
        return await task

    assert portal.run(end(portal.run(begin()))) == "test-portal"


def test_errors_come_out_as_they_were_raised(portal: Portal) -> None:
    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        portal.run(fail())


def test_an_async_generator_is_walked_and_closed(portal: Portal) -> None:
    closed: list[str] = []
    assert list(portal.each(numbers(closed))) == [0, 1, 2]
    for number in portal.each(numbers(closed)):
        assert number == 0
        break
    assert closed == ["closed"] * 2


def test_closing_cancels_what_still_runs_and_may_be_repeated() -> None:
    made = Portal("test-portal")
    ended: list[str] = []

    async def begin() -> None:
        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("ended")

        made_task.append(asyncio.create_task(forever()))
        await asyncio.sleep(0)

    made_task: list[asyncio.Task[None]] = []
    made.run(begin())
    made.close()
    made.close()
    assert ended == ["ended"]
    assert not [one for one in threading.enumerate() if one.name == "test-portal"]


def test_it_can_be_closed_where_another_loop_runs_as_in_a_notebook() -> None:
    async def look() -> str:
        return await asyncio.to_thread(lambda: "done")

    async def cell() -> str:
        made = Portal("test-portal")
        answer = made.run(look())
        made.close()
        return answer

    assert asyncio.run(cell()) == "done"
    assert not [one for one in threading.enumerate() if one.name == "test-portal"]


def test_the_loop_cannot_wait_for_itself(portal: Portal) -> None:
    async def ask() -> None:
        async def nothing() -> None: ...

        portal.run(nothing())

    with pytest.raises(RuntimeError, match="await the coroutine"):
        portal.run(ask())


@pytest.mark.filterwarnings("error")
def test_one_that_is_closed_says_so_and_leaves_no_coroutine_behind() -> None:
    made = Portal("test-portal")
    items = made.each(numbers([]))
    assert next(items) == 0
    made.close()
    assert made.closed
    with pytest.raises(RuntimeError, match="closed"):
        made.run(asyncio.sleep(0))
    with pytest.raises(RuntimeError, match="closed"):
        next(items)
    gc.collect()
