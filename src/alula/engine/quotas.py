"""Units of pools that the attempts of one execution ask for: the store decides, and says when there are some.

Whoever has to wait costs nothing meanwhile: a `granted` command comes into the inbox of the execution, wherever it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from alula.engine.crash import crash_point
from alula.engine.flight import Flight, Key
from alula.engine.means import Means
from alula.errors import FenceLost, StoreUnavailable
from alula.plugin.runner import Asks
from alula.store.records import Claim, LeaseRecord

log = logging.getLogger(__name__)

_PAUSE = 0.25
_LONGEST_PAUSE = 10.0


class _Ask:
    """What one attempt asks of one pool."""

    __slots__ = ("granted", "had", "units")

    def __init__(self, granted: Callable[[], None], units: int) -> None:
        self.granted, self.units = granted, units
        self.had = False


class Quotas:
    """The units of one execution's attempts.

    Args:
        claim: The right to ask for them.
        says: Told what an attempt waits for; an empty text when it waits no more.
        spawn: Runs what takes time, and fails the attempt if that goes wrong.
    """

    def __init__(
        self,
        means: Means,
        claim: Claim,
        *,
        says: Callable[[Flight, str], None],
        spawn: Callable[[Flight, Coroutine[Any, Any, None]], None],
    ) -> None:
        self._means, self._claim, self._says, self._spawn = means, claim, says, spawn
        self._asks: dict[Key, dict[str, _Ask]] = {}
        self.leased: set[Key] = set()
        """Attempts that may have units, or wait for some: to be freed in the commit that closes them."""

    def load(self, leases: Iterable[LeaseRecord]) -> None:
        self.leased.update((lease.path, lease.number) for lease in leases)

    def ask(self, flight: Flight, report: Asks) -> None:
        """An attempt asks; again, if it likes."""
        asks = self._asks.setdefault(flight.key, {})
        known = asks.get(report.pool)
        if known is None:
            known = asks[report.pool] = _Ask(report.granted, report.units)
            self.leased.add(flight.key)
            self._spawn(flight, self._acquire(flight, report, known))
            return
        known.granted = report.granted
        if known.had:
            asyncio.get_running_loop().call_soon(self._give, flight, known)

    def granted(self, flight: Flight, pool: str) -> None:
        """The store says that an attempt has what it waited for."""
        ask = self._asks.get(flight.key, {}).get(pool)
        if ask is not None and not ask.had:
            self._give(flight, ask)

    def drop(self, key: Key) -> None:
        """An attempt is closed, and has given back what it had."""
        self._asks.pop(key, None)
        self.leased.discard(key)

    def forget(self) -> None:
        """The attempts are, or may soon be, another engine's."""
        self._asks.clear()

    async def _acquire(self, flight: Flight, report: Asks, ask: _Ask) -> None:
        pause = _PAUSE
        while not flight.over:
            crash_point("acquire.before")
            try:
                place = await self._means.store.acquire(
                    self._claim,
                    path=flight.id.path,
                    number=flight.id.number,
                    pool=report.pool,
                    units=report.units,
                    priority=report.priority,
                )
            except StoreUnavailable:
                await asyncio.sleep(pause * (0.5 + self._means.rng.random()))
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            except FenceLost:
                return  # the session finds out by itself
            crash_point("acquire.after")
            if place is not None and place.granted:
                self._give(flight, ask)
            elif place is not None and not ask.had and not flight.over:
                self._says(flight, place.text)
            return

    def _give(self, flight: Flight, ask: _Ask) -> None:
        if flight.over:
            return
        if not ask.had:
            ask.had = True
            self._says(flight, "")
        ask.granted()
