"""Coroutines from sync code."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from alula._kits import bridge
from alula.compat.names import mirror

T = TypeVar("T")


class _LoopManager:
    """Runs coroutines wherever one is."""

    def run_sync(self, coro_func: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        return bridge.run(coro_func(*args, **kwargs))

    def synced(self, coro_func: Callable[..., Awaitable[T]]) -> Callable[..., T]:
        """The function without `await`."""

        @functools.wraps(coro_func)
        def called(*args: Any, **kwargs: Any) -> T:
            return self.run_sync(coro_func, *args, **kwargs)

        return called


loop_manager = _LoopManager()
run_sync = loop_manager.run_sync
__getattr__, __dir__ = mirror(__name__, {})
