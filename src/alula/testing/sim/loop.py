"""An event loop with a time of its own: nothing waits, and time jumps to whatever comes next.

Callbacks run in the order in which they were asked for, timers in the order of their times, so what runs on it runs the
same way every time. It belongs to one thread. Code that runs here may use all of asyncio but sockets, pipes and
subprocesses; threads are refused their freedom: what is given to an executor runs at once, on the loop.

A `Process` is a part of what runs here that can be paused, and killed between any two callbacks: as a machine would,
without a `finally` of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import heapq
import warnings
from asyncio import events
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

from alula.errors import AlulaError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START = datetime(2030, 1, 1, tzinfo=UTC)
"""The wall clock at second 0 of every simulation."""

_PATIENCE = 200_000
"""So many callbacks at one and the same time are a loop that goes round without getting anywhere."""

_FINALLYS = 100
"""What is buried may await so often on its way out."""
_process: contextvars.ContextVar[Process | None] = contextvars.ContextVar("alula_sim_process", default=None)


class Stuck(AlulaError):
    """Nothing more can happen, or the same goes on for ever."""


class Killed(BaseException):
    """Unwinds what a killed process was just doing. Nothing that it does on the way has an effect outside of it."""


class Process:
    """What lives and dies together. Give it work with `spawn`; whatever that starts belongs to it as well."""

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name, self._loop = name, loop
        self.alive = True
        self.paused = False
        self._held: list[_Call] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._context = contextvars.copy_context()
        self._context.run(_process.set, self)

    @staticmethod
    def current() -> Process | None:
        """The process that runs now, if any."""
        return _process.get()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return self._loop.create_task(work, context=self._context.copy())

    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        """Run a callback inside the process; nothing if it is dead."""
        self._loop.call_soon(callback, *args, context=self._context.copy())

    def kill(self) -> None:
        """End it between two callbacks, or here and now if it is what runs: then this raises `Killed`."""
        self.alive = False
        self._held.clear()
        if _process.get() is self:
            raise Killed(self.name)

    def pause(self) -> None:
        """Let nothing of it run until `resume`. Its timers that come due in the meantime are late."""
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        held, self._held = self._held, []
        self._loop.put_back(held)

    def born(self, task: asyncio.Task[Any]) -> None:
        self._tasks.append(task)
        if len(self._tasks) > 200:
            self._tasks = [task for task in self._tasks if not task.done()]

    def bury(self) -> None:
        """Let go of what a killed process never ended, without a word about it."""
        self.alive = False
        left = [task for task in self._tasks if not task.done()]
        self._tasks.clear()
        if not left:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # what was to be awaited never will be
            for task in left:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                for _ in range(_FINALLYS):  # it may await in a `finally`, and does not get to it
                    with contextlib.suppress(Killed):
                        try:
                            task.get_coro().close()
                        except RuntimeError:
                            continue
                    break


class _Call(asyncio.TimerHandle):
    """Something to be called, and in which process."""

    __slots__ = ("process",)

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: VirtualLoop,
        context: contextvars.Context | None,
    ) -> None:
        context = contextvars.copy_context() if context is None else context
        super().__init__(when, callback, args, loop, context)
        self.process: Process | None = context.get(_process)


class VirtualLoop(asyncio.AbstractEventLoop):
    """An event loop for one thread, whose seconds take no time."""

    def __init__(self) -> None:
        self._now = 0.0
        self._ready: deque[_Call] = deque()
        self._timers: list[tuple[float, int, _Call]] = []
        self._count = 0
        self._running = self._stopping = self._closed = False
        self._handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None
        self.mishaps: list[str] = []
        """What was raised where nobody waits for it, dead processes apart."""

    # --- time ---

    def time(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let so much time pass, with all that happens in it."""
        self.call_at(self._now + seconds, self.stop)
        self.run_forever()

    def process(self, name: str) -> Process:
        return Process(name, self)

    # --- calls ---

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> _Call:
        call = _Call(self._now, callback, args, self, context)
        self._ready.append(call)
        return call

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> _Call:
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> _Call:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> _Call:
        call = _Call(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, call))
        return call

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Asyncio tells when a timer is of no use; it stays in its place, and is passed over when its time comes."""

    def put_back(self, calls: list[_Call]) -> None:
        """What a paused process missed comes first, in its old order."""
        self._ready.extendleft(reversed(calls))

    # --- running ---

    def run_forever(self) -> None:
        if self._running:
            raise Stuck("the loop of a simulation runs already", fix="do not call a simulation from inside of itself")
        former = events._get_running_loop()
        if former is not None:
            raise Stuck(
                "a simulation cannot run inside of another event loop",
                fix="call it from a plain function, or in a thread of its own",
            )
        self._running = True
        events._set_running_loop(self)
        try:
            while not self._stopping:
                self._turn()
        finally:
            self._running = self._stopping = False
            events._set_running_loop(None)

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        task: asyncio.Future[T] = asyncio.ensure_future(future, loop=self)  # type: ignore[arg-type]
        task.add_done_callback(self._stop_for)
        try:
            self.run_forever()
        finally:
            task.remove_done_callback(self._stop_for)
        return task.result()

    def _stop_for(self, _: object) -> None:
        self.stop()

    def _turn(self) -> None:
        """All that can be done at this time; then on to the next."""
        self._drain()
        if not self._stopping:
            self._jump()

    def _drain(self) -> None:
        ready = self._ready
        patience = _PATIENCE
        while ready:
            call = ready.popleft()
            if call._cancelled:
                continue
            process = call.process
            if process is not None:
                if not process.alive:
                    continue
                if process.paused:
                    process._held.append(call)
                    continue
            call._run()
            if self._stopping:
                return
            patience -= 1
            if not patience:
                raise Stuck(
                    f"{_PATIENCE} callbacks ran at second {self._now}, and there are still more",
                    where=f"the next one is {call!r}",
                    fix="find what wakes itself again and again without waiting",
                )

    def _jump(self) -> None:
        """To the time of the next timer."""
        timers, ready = self._timers, self._ready
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not timers:
            raise Stuck(f"nothing can happen any more at second {self._now}, and somebody still waits")
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            ready.append(heapq.heappop(timers)[2])

    def stop(self) -> None:
        self._stopping = True

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """There is nothing to debug: no callback takes any time."""

    # --- tasks, futures, and what would be threads ---

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Any,
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **more: Any,
    ) -> asyncio.Task[Any]:
        self._count += 1
        task: asyncio.Task[Any] = asyncio.Task(
            coro, loop=self, name=name or f"task-{self._count}", context=context, **more
        )
        process = (context or contextvars.copy_context()).get(_process)
        if process is not None:
            process.born(task)
        return task

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Runs it now, here: a thread would end when it likes."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as exc:  # noqa: BLE001 - handed to whoever waits, as a thread's is
            future.set_exception(exc)
        return future

    async def shutdown_asyncgens(self) -> None:
        """Nothing is kept of them."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's
        """There is none."""

    # --- mishaps ---

    def set_exception_handler(
        self, handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None
    ) -> None:
        self._handler = handler

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        exc = context.get("exception")
        if isinstance(exc, Killed):
            return
        if self._handler is not None:
            self._handler(self, context)
            return
        process = _process.get()
        if process is None or process.alive:
            self.mishaps.append(f"{context.get('message')}: {exc!r}")


def virtual_loop() -> VirtualLoop:
    """A new loop, at second 0."""
    return VirtualLoop()  # type: ignore[abstract] # sockets and pipes are left out, and raise NotImplementedError


class VirtualClock:
    """The clocks of one machine in a simulation. Its wall clock can be set, by `jump`."""

    def __init__(self, loop: VirtualLoop, offset: timedelta = timedelta(0)) -> None:
        self._loop, self.offset = loop, offset

    def now(self) -> datetime:
        return START + timedelta(seconds=self._loop.time()) + self.offset

    def monotonic(self) -> float:
        return self._loop.time()

    def jump(self, by: timedelta) -> None:
        """Set the wall clock forward or back. What is monotonic does not notice."""
        self.offset += by
