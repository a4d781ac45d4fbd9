"""Work that takes longer than a call may: begun once, and waited for by one call after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from alula.errors import NotReady

_AGAIN_SECONDS = 60.0


class Works:
    """What is under way, by a key. Everything is called on one loop.

    Work must be harmless if nobody waits for it any more: images, files in temporary directories, uploads to a prefix
    that only one attempt has.

    Args:
        patience_seconds: How long one call waits; those who wait for longer are told what for.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience = patience_seconds
        self._of: dict[str, asyncio.Task[Any]] = {}
        self._wakes: dict[str, list[Callable[[], None]]] = {}

    async def result(
        self, key: str, what: str, make: Callable[[], Coroutine[Any, Any, Any]], wake: Callable[[], None]
    ) -> Any:
        """What the work gives or raises, to one call that comes when it is done, and to all that wait then.

        Args:
            what: A sentence for those who must wait for long.
            make: Begins it, unless it is under way.
            wake: Called when it is done.

        Raises:
            NotReady: It goes on.
        """
        work = self._of.get(key)
        if work is None:
            work = self._of[key] = asyncio.get_running_loop().create_task(make())
            work.add_done_callback(lambda _: self._done(key))
        await asyncio.wait([work], timeout=self._patience)
        if not work.done():
            self._wakes.setdefault(key, []).append(wake)
            raise NotReady(what, after=_AGAIN_SECONDS)
        if self._of.get(key) is work:
            del self._of[key]
        return work.result()

    async def drop(self, key: str) -> None:
        """Nobody wants it any more."""
        work = self._of.pop(key, None)
        self._wakes.pop(key, None)
        if work is not None:
            work.cancel()
            await asyncio.wait([work])

    async def aclose(self) -> None:
        for key in list(self._of):
            await self.drop(key)

    def _done(self, key: str) -> None:
        for wake in self._wakes.pop(key, ()):
            wake()
