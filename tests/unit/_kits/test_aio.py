"""Bounded gather."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula._kits.aio import answered, gather


@given(delays=st.lists(st.integers(0, 4), max_size=20), limit=st.integers(1, 7))
def test_results_keep_the_order_and_no_more_than_the_limit_run(delays: list[int], limit: int) -> None:
    running = most = 0

    async def call(item: tuple[int, int]) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(item[1]):
            await asyncio.sleep(0)
        running -= 1
        return item[0]

    assert asyncio.run(gather(call, list(enumerate(delays)), limit=limit)) == list(range(len(delays)))
    assert most <= limit
    assert most == min(limit, len(delays)) or 0 in delays


def test_the_first_failure_cancels_its_siblings_and_comes_out_as_it_was_raised() -> None:
    cleaned: list[int] = []
    error = ValueError("three")

    async def call(item: int) -> None:
        try:
            if item == 3:
                await asyncio.sleep(0)
                raise error
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(item)

    with pytest.raises(ValueError) as caught:
        asyncio.run(gather(call, range(100), limit=5))
    assert caught.value is error
    assert caught.value.__context__ is None
    assert sorted(cleaned) == [0, 1, 2, 3, 4]


def test_items_are_drawn_only_when_there_is_room() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for item in range(1000):
            drawn.append(item)
            yield item

    async def call(item: int) -> int:
        assert len(drawn) <= item + 2
        await asyncio.sleep(0)
        return item

    assert len(asyncio.run(gather(call, items(), limit=2))) == 1000


def test_async_items_will_do_and_their_failure_stops_the_calls() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        yield 2
        raise OSError("no more")

    async def call(item: int) -> int:
        await asyncio.sleep(60)
        return item

    with pytest.raises(OSError, match="no more"):
        asyncio.run(gather(call, items(), limit=9))


def test_cancelling_the_gather_cancels_its_calls() -> None:
    cancelled: list[int] = []

    async def call(item: int) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(item)
            raise

    async def main() -> None:
        task = asyncio.create_task(gather(call, range(9), limit=3))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert len(cancelled) == 3


def test_a_limit_below_one_is_refused() -> None:
    async def call(item: int) -> int:
        return item

    with pytest.raises(ValueError, match="limit is 0"):
        asyncio.run(gather(call, [1], limit=0))


def test_a_call_that_makes_something_is_answered_before_its_caller_is_cancelled() -> None:
    made: list[str] = []

    async def make(go: asyncio.Event) -> str:
        await go.wait()
        made.append("made")
        return "made"

    async def main() -> None:
        go = asyncio.Event()
        go.set()
        assert await answered(make(go)) == "made"
        go.clear()
        asking = asyncio.create_task(answered(make(go)))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.sleep(0)
        assert not asking.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert made == ["made", "made"]

    asyncio.run(main())
