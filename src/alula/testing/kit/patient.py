"""Real I/O in a run: the plugin's calls are made on a real loop, and the engine's time stands still meanwhile.

When no call is under way, the engine's time passes `pace` times as fast as ours. So a job that takes half a second on
a real server takes five seconds for an engine at pace 10, and no deadline runs out because a server is slow.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, TypeVarTuple

from alula.plugin.core import Plugin
from alula.testing.kit.faults import calls_of
from alula.testing.kit.tap import CONTRACTS, passed_on
from alula.testing.sim.loop import Stuck, VirtualLoop, _Call

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_PATIENCE = 60.0
"""Seconds of ours that a call may take."""
_LENT = ("inputs", "inputs_uri", "secret", "reserve")
"""What a plugin may ask of us in a call of its own."""


class PatientLoop(VirtualLoop):
    """Virtual time that stands still while somebody is outside, and else passes at a pace."""

    def __init__(self, pace: float) -> None:
        super().__init__()
        self._pace = pace
        self._nobody = contextvars.copy_context()
        self._posted: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self._away = 0
        """Calls under way outside."""
        self.outside = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.outside.run_forever, name="alula-kit", daemon=True)
        self._thread.start()

    def call_soon_threadsafe(self, callback: Callable[[*Ts], object], *args: *Ts, context: Any = None) -> _Call:
        call = _Call(self._now, callback, args, self, context)
        self._posted.put(call)
        return call

    def _jump(self) -> None:
        """On in time, but only while nobody is outside."""
        if self._away:
            try:
                self._ready.append(self._posted.get(timeout=_PATIENCE))
            except queue.Empty:
                raise Stuck(f"a call of the plugin has taken more than {_PATIENCE:g} seconds") from None
        elif self._timers and self._posted.empty():
            time.sleep(min(1.0, max(0.0, self._timers[0][0] - self._now) / self._pace))
        if self._posted.empty() and not self._ready:
            super()._jump()
        while not self._posted.empty():
            self._ready.append(self._posted.get())

    def post(self, call: Callable[[], None]) -> None:
        """Have something called here soon, from any thread, and whichever engine is killed until then."""
        self.call_soon_threadsafe(call, context=self._nobody.copy())

    def _back(self) -> None:
        self._away -= 1

    async def go_outside(self, work: Callable[[], Awaitable[T]]) -> T:
        """What a coroutine gives that runs on the real loop."""

        async def run() -> T:
            return await work()

        self._away += 1
        # In no engine's context: what is under way goes on when its engine is killed.
        under_way = self._nobody.copy().run(asyncio.run_coroutine_threadsafe, run(), self.outside)
        # Also if whoever waits for it is killed.
        under_way.add_done_callback(lambda _: self.post(self._back))
        return await asyncio.wrap_future(under_way, loop=self)

    async def come_in(self, work: Callable[[], Awaitable[T]]) -> T:
        """What a coroutine gives that runs here; called on the real loop."""

        async def run() -> T:
            self._away -= 1
            try:
                return await work()
            finally:
                self._away += 1

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self))

    def close(self) -> None:
        self.outside.call_soon_threadsafe(self.outside.stop)
        self._thread.join()
        self.outside.close()
        super().close()


class _Lent:
    """The context of an attempt, for code that runs on the real loop."""

    def __init__(self, task: Any, loop: PatientLoop) -> None:
        self._task, self._loop = task, loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._task, name)
        if name == "wake":
            return lambda: self._loop.post(found)
        if name in _LENT:
            return lambda *args, **more: self._loop.come_in(lambda: found(*args, **more))
        return found


def outside(plugin: Plugin, loop: PatientLoop) -> Plugin:
    """The plugin, with its calls made on the real loop."""
    contract = next(one for one in CONTRACTS if isinstance(plugin, one))
    body: dict[str, Any] = {"__init__": _init}
    declared = {name for base in contract.__mro__ for name in getattr(base, "__annotations__", {})}
    for name in sorted(declared | set(dir(contract))):
        if not name.startswith("_"):
            body[name] = passed_on(name)
    for name in (*calls_of(plugin), "close"):
        if asyncio.iscoroutinefunction(getattr(type(plugin), name)):
            body[name] = _call(name)
    return type(f"Outside{contract.__name__}", (contract,), body)(plugin, loop)  # type: ignore[no-any-return]


def _init(self: Any, inner: Plugin, loop: PatientLoop) -> None:
    self._inner, self._loop = inner, loop


def _call(name: str) -> Any:
    async def call(self: Any, *args: Any) -> Any:
        loop: PatientLoop = self._loop
        lent = [_Lent(arg, loop) if hasattr(arg, "output_prefix") else arg for arg in args]
        return await loop.go_outside(lambda: getattr(self._inner, name)(*lent))

    call.__name__ = name
    return call
