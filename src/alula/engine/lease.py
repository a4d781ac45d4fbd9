"""The lease by which an engine has its executions: kept alive, and given up before others may take over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from alula.engine.timers import SteadyClock
from alula.errors import StoreUnavailable
from alula.store.store import EngineStore

log = logging.getLogger(__name__)

_HOLDERS_PART = 0.75
"""Of the lease, for its holder. The rest is for stopping what runs."""


class Lease:
    """Whether this engine may still start things: it was heard of by the store lately enough.

    It counts from before the store was spoken to, and ends some time before the others may take over.

    Args:
        owner: The name of the engine.
        span: After so long without a word others may take over.
        kept: Told, when the store has heard us, for how many seconds that is good.
        lost: Told when the lease is lost.
    """

    def __init__(
        self,
        store: EngineStore,
        owner: str,
        span: timedelta,
        clock: SteadyClock,
        *,
        kept: Callable[[float], None],
        lost: Callable[[], None],
    ) -> None:
        self._store, self._owner, self._span, self._clock = store, owner, span, clock
        self._kept, self._lost = kept, lost
        self._until = clock.monotonic()
        self.epoch = 0
        """Goes up when the lease is had again after it was lost: whatever was loaded before must be loaded again."""
        self.had = asyncio.Event()

    @property
    def left(self) -> float:
        """Seconds until it is lost, if nothing comes in between."""
        return self._until - self._clock.monotonic()

    def held(self, epoch: int) -> bool:
        """Whether it was never lost since that epoch."""
        return epoch == self.epoch and self.had.is_set() and self.left > 0

    async def wait(self) -> int:
        """Wait until it is held; gives the epoch."""
        while self.left <= 0 or not self.had.is_set():
            self.had.clear()
            await self.had.wait()
        return self.epoch

    async def keep(self) -> None:
        """Say that this engine lives, three times a lease; more often while the store does not hear it."""
        seconds, unheard = self._span.total_seconds(), False
        while True:
            since = self._clock.monotonic()
            try:
                await self._store.beat(self._owner, lease=self._span)
            except StoreUnavailable as exc:
                if not unheard:
                    log.warning("engine.unheard", extra={"owner": self._owner, "error": str(exc)})
                unheard = True
                await asyncio.sleep(seconds / 20)
                continue
            unheard = False
            if self.had.is_set() and self.left <= 0:
                self._lose()
            self._until = since + _HOLDERS_PART * seconds
            if not self.had.is_set():
                self.epoch += 1
                self.had.set()
            self._kept(self.left + seconds / 10)  # an engine that lives stops what runs before that
            await asyncio.sleep(max(0.0, since + seconds / 3 - self._clock.monotonic()))

    async def watch(self) -> None:
        """See that it is lost before others see it."""
        while True:
            await self.had.wait()
            left = self.left
            if left > 0:
                await asyncio.sleep(left)
            else:
                self._lose()

    def _lose(self) -> None:
        log.warning("engine.lease_lost", extra={"owner": self._owner})
        self.had.clear()
        self._lost()
