"""Bounded, structured concurrency, and threads; asyncio is imported when one of them is first used."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from alula._kits import lazy

if TYPE_CHECKING:
    import asyncio
else:
    asyncio = lazy.module("asyncio")

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


async def to_thread(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `call` returns, run in a thread of the loop's pool. Cancelled, it leaves the thread to finish alone."""
    return await asyncio.to_thread(call, *args, **kwargs)


async def answered(call: Coroutine[Any, Any, T]) -> T:
    """What `call` gives. Cancelled, it waits until `call` has ended, so that what it makes can be undone."""
    calling = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(calling)
    except asyncio.CancelledError:
        await asyncio.wait([calling])
        if not calling.cancelled():
            calling.exception()  # nobody else looks at it
        raise


async def gather(call: Callable[[T], Awaitable[R]], items: Iterable[T] | AsyncIterable[T], *, limit: int) -> list[R]:
    """The results of `call(item)` for each item, in the order of the items, with at most `limit` calls at a time.

    Items are drawn only when there is room for them, so a long iterator is never held whole. The first failure cancels
    the calls under way, waits for their cleanup, and comes out as it was raised; no further item is drawn.
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}, and must be at least 1")
    results: dict[int, R] = {}
    room = asyncio.Semaphore(limit)

    async def one(index: int, item: T) -> None:
        results[index] = await call(item)
        room.release()

    count = 0
    try:
        async with aclosing(_drawn(items, room)) as drawn, asyncio.TaskGroup() as group:
            async for item in drawn:
                group.create_task(one(count, item))
                count += 1
    except BaseExceptionGroup as failures:
        first = failures.exceptions[0]
    else:
        return [results[index] for index in range(count)]
    raise first  # outside of `except`, so that its own context stays as it was


async def _drawn(items: Iterable[T] | AsyncIterable[T], room: asyncio.Semaphore) -> AsyncGenerator[T, None]:
    """The items, each once there is room for it."""
    await room.acquire()
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
            await room.acquire()
    else:
        for item in items:
            yield item
            await room.acquire()
