"""The one sync facade over async: `run(awaitable)`, from any thread, inside a running event loop or not.

Coroutines run on a daemon thread with a loop of its own, started by the first call and shared by all. A loop whose
thread is stuck in sync code (which may itself call `run`) is passed over, and a further one is started, so nesting
cannot deadlock. Nothing bound to one loop (`asyncio.Lock`, an open connection) may outlive one call of `run`.

Why no coroutine is driven on the caller's own thread, not even one that never suspends: there is no running loop
there, so `asyncio.get_running_loop()`, `to_thread` and `timeout` would fail halfway, after side effects. The hop costs
some 100 microseconds (a loop on the caller's thread: 40); values that need no I/O do not come this way at all.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Generic, TypeVar

from alula._kits import lazy

if TYPE_CHECKING:
    import asyncio
else:
    asyncio = lazy.module("asyncio")  # half of what `import alula` may cost, and a program of ints never comes here

T = TypeVar("T")

_STALL_SECONDS = 0.1
"""A call that its loop has not begun after this long moves to another loop."""


def run(awaitable: Awaitable[T]) -> T:
    """The result of `awaitable`, waited for.

    The coroutine sees the caller's context variables. Its exceptions come out as they were raised. An exception that
    interrupts the wait (`KeyboardInterrupt`) cancels it, and leaves once its cleanup is over; a second one leaves at
    once.
    """
    call = _Call(awaitable)
    here: _Loop | None = getattr(_thread, "loop", None)
    if here is None:
        call.drive()
    else:
        here.nested += 1
        try:
            call.drive()
        finally:
            here.nested -= 1
    return call.outcome()


class _Loop:
    """An event loop and the daemon thread that runs it, until the process ends."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.nested = 0
        """Calls of `run` that its own thread waits for; written by that thread only."""
        self.stalls: list[None] = []
        """One entry per call that it did not begin in time, until it wakes; `append` and `pop` are atomic."""
        threading.Thread(target=self._serve, name="alula-bridge", daemon=True).start()

    @property
    def free(self) -> bool:
        return not self.nested and not self.stalls

    def _serve(self) -> None:
        _thread.loop = self
        asyncio.set_event_loop(self.loop)
        while True:
            try:
                self.loop.run_forever()
            except (KeyboardInterrupt, SystemExit):
                # A child task of someone's coroutine raised it: asyncio has told the coroutine, and the loop goes on.
                continue


class _Call(Generic[T]):
    """One awaitable on its way through a loop."""

    def __init__(self, awaitable: Awaitable[T]) -> None:
        self._awaitable = awaitable
        self._lock = threading.Lock()
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False
        self._done = threading.Lock()
        self._done.acquire()
        self._results: list[T] = []
        self._error: BaseException | None = None

    def drive(self) -> None:
        """Begin on the first loop that is free, and return when the awaitable has ended."""
        context = contextvars.copy_context()
        try:
            while True:
                at = _free_loop()
                at.loop.call_soon_threadsafe(self._begin, at.loop, context)
                if self._done.acquire(timeout=_STALL_SECONDS):
                    return
                if self._task is not None:
                    self._done.acquire()
                    return
                at.stalls.append(None)
                at.loop.call_soon_threadsafe(at.stalls.pop)
        except BaseException:
            self._cancel()
            raise

    def outcome(self) -> T:
        if self._error is None:
            return self._results[0]
        try:
            raise self._error
        finally:
            self._error = None  # else the traceback holds this frame, and this frame the traceback

    def _begin(self, loop: asyncio.AbstractEventLoop, context: contextvars.Context) -> None:
        with self._lock:
            if self._task is None and not self._cancelled:  # else another loop has it, or nobody wants it
                self._task = loop.create_task(self._finish(), context=context)

    async def _finish(self) -> None:
        try:
            self._results.append(await self._awaitable)
        except BaseException as exc:  # noqa: BLE001 - handed to the caller whole, SystemExit and cancellation included
            self._error = exc
        finally:
            self._done.release()

    def _cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            task = self._task
        if task is not None:
            # Queued behind the task's first step, so `_finish` is inside its `try` when this arrives.
            task.get_loop().call_soon_threadsafe(task.cancel)
            self._done.acquire()
        elif isinstance(self._awaitable, Coroutine):
            self._awaitable.close()


_loops: list[_Loop] = []
_abandoned: list[_Loop] = []
_lock = threading.Lock()
_thread = threading.local()


def _free_loop() -> _Loop:
    with _lock:
        for loop in _loops:
            if loop.free:
                return loop
        _loops.append(_Loop())
        return _loops[-1]


def _forget_loops() -> None:
    """After a fork the threads are gone. Their loops are kept, since closing one would unregister the parent's
    wake-up pipe from the epoll object that both processes share."""
    global _lock, _thread
    _abandoned.extend(_loops)
    _loops.clear()
    _lock, _thread = threading.Lock(), threading.local()


os.register_at_fork(after_in_child=_forget_loops)
