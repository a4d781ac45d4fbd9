"""An event loop on a thread of its own, for what must go on between two calls of sync code."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from alula._kits import lazy

if TYPE_CHECKING:
    import asyncio

    from alula._kits import loops
else:
    asyncio = lazy.module("asyncio")
    loops = lazy.module("alula._kits.loops")

T = TypeVar("T")


class Portal:
    """A loop that runs until it is closed. `run` may be called from any thread but its own.

    Beside `_kits.bridge`, whose loops are shared by everybody and hold nothing between two calls: what lives here
    belongs to whoever opened it.
    """

    def __init__(self, name: str) -> None:
        self._loop = loops.Loop()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Nothing runs here any more."""
        return self._closed

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine, waited for. What interrupts the wait cancels it, and leaves once it has ended.

        Raises:
            RuntimeError: It is closed, or this is its thread.
        """
        if self._closed:
            work.close()
            raise RuntimeError("this loop is closed")
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("this thread runs the loop that would be waited for; await the coroutine instead")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                future.cancel()
                self._settle()
            raise

    def each(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """The items of an async generator, each waited for; it is closed when the iteration ends, however it does."""
        try:
            while True:
                try:
                    item = self.run(_next(items))
                except _Over:
                    return
                yield item
        finally:
            if not self._closed:
                self.run(_closed(items))

    def close(self) -> None:
        """Stop the loop and its thread. What still runs on it is cancelled."""
        if self._closed:
            return
        self._closed = True
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _settle(self) -> None:
        """Let the loop come round, so that what was cancelled has begun to clean up."""
        asyncio.run_coroutine_threadsafe(_once(), self._loop).result()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())  # the thread of `close` may have a loop
        self._loop.close()


class _Over(Exception):
    """There are no more items. (`StopAsyncIteration` cannot cross the border of a coroutine.)"""


async def _next(items: AsyncGenerator[T, None]) -> T:
    try:
        return await anext(items)
    except StopAsyncIteration:
        raise _Over from None


async def _closed(items: AsyncGenerator[Any, None]) -> None:
    await items.aclose()


async def _once() -> None:
    await asyncio.sleep(0)


async def _cancel_all() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
