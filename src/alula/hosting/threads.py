"""The threads of a plugin's loop: which calls go on in them, though whoever made them was cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from alula.plugin.runner import AttemptId

P = ParamSpec("P")
T = TypeVar("T")
_making: ContextVar[tuple[AttemptId, asyncio.Task[Any] | None] | None] = ContextVar("making", default=None)


def making(id: AttemptId) -> None:
    """From now on the task that runs makes a call of an attempt."""
    _making.set((id, asyncio.current_task()))


class Threads(ThreadPoolExecutor):
    """What `asyncio.to_thread` uses. A thread cannot be cancelled: what a `create` does there takes effect later."""

    def __init__(self, plugin: str) -> None:
        super().__init__(thread_name_prefix=f"alula-{plugin}")
        self._of: dict[AttemptId, int] = {}
        """Calls under way."""
        self._lock = Lock()

    def busy(self, id: AttemptId) -> bool:
        """Whether a call of an attempt goes on in a thread."""
        return id in self._of

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        made = _making.get()
        future = super().submit(fn, *args, **kwargs)
        if made is not None and made[1] is asyncio.current_task():  # not what is done for several attempts
            with self._lock:
                self._of[made[0]] = self._of.get(made[0], 0) + 1
            future.add_done_callback(partial(self._done, made[0]))
        return future

    def _done(self, id: AttemptId, future: Future[Any]) -> None:
        with self._lock:
            self._of[id] -= 1
            if not self._of[id]:
                del self._of[id]
