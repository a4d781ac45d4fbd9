"""Calls that hop onto another event loop, many in one go."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

_AT_ONCE = 256
"""Calls in one turn of the loop; others get theirs in between."""


class Hop:
    """The way onto a loop, in order. `put` may be called from any thread.

    Args:
        here: The loop is the one that `put` is called on: no thread is woken.
    """

    __slots__ = ("_closed", "_context", "_here", "_items", "_loop", "_posted")

    def __init__(self, loop: asyncio.AbstractEventLoop, *, here: bool = False) -> None:
        self._loop, self._here = loop, here
        self._items: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._posted = self._closed = False
        self._context = contextvars.copy_context()

    def put(self, call: Callable[..., object], *args: Any) -> None:
        """Have something called there, soon. Nothing once it is closed."""
        self._items.append((call, args))
        if not self._posted and not self._closed:
            self._post()

    def close(self) -> None:
        """Call nothing more."""
        self._closed = True
        self._items.clear()

    def _post(self) -> None:
        self._posted = True
        if self._here:
            self._loop.call_soon(self._drain, context=self._context)
            return
        try:
            self._loop.call_soon_threadsafe(self._drain, context=self._context)
        except RuntimeError:  # that loop is closed
            self.close()

    def _drain(self) -> None:
        self._posted = False  # before the items are taken: whoever puts one now posts again
        for _ in range(_AT_ONCE):
            if not self._items:
                return
            call, args = self._items.popleft()
            try:
                call(*args)
            except Exception:
                log.exception("hosting.call_failed")
        if self._items and not self._posted:
            self._post()
