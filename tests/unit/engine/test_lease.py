"""The lease of an engine, on a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from alula.engine.lease import Lease
from alula.engine.timers import SteadyClock
from alula.errors import StoreUnavailable
from alula.store.memory import MemoryStore
from alula.testing.sim.loop import VirtualClock
from tests.unit.engine.drive import clock, virtual

SPAN = timedelta(seconds=10)


class Line(MemoryStore):
    """A store that may be out of reach, or slow to answer."""

    def __init__(self, time: VirtualClock) -> None:
        super().__init__(time)
        self.cut, self.slow, self.beats = False, 0.0, list[float]()

    async def beat(self, owner: str, *, lease: timedelta) -> None:
        if self.cut:
            raise StoreUnavailable("the line is cut")
        self.beats.append(self.clock.monotonic())
        await super().beat(owner, lease=lease)
        await asyncio.sleep(self.slow)


class Held:
    def __init__(self) -> None:
        self.time = clock()
        self.store = Line(self.time)
        self.good_for: list[float] = []
        self.lost: list[float] = []
        self.lease = Lease(
            self.store,
            "engine",
            SPAN,
            SteadyClock(self.time),
            kept=self.good_for.append,
            lost=lambda: self.lost.append(self.time.monotonic()),
        )


@asynccontextmanager
async def held() -> AsyncIterator[Held]:
    made = Held()
    loops = [asyncio.create_task(loop) for loop in (made.lease.keep(), made.lease.watch())]
    try:
        yield made
    finally:
        for loop in loops:
            loop.cancel()


@virtual
async def test_an_engine_speaks_three_times_a_lease_and_keeps_it() -> None:
    async with held() as it:
        assert await it.lease.wait() == 1
        await asyncio.sleep(100)
        assert it.lease.held(1)
        assert 30 <= len(it.store.beats) <= 31
        assert {round(seconds, 6) for seconds in it.good_for} == {8.5}
        assert not it.lost


@virtual
async def test_a_lease_ends_for_its_holder_before_it_does_for_others() -> None:
    async with held() as it:
        await it.lease.wait()
        await asyncio.sleep(1)
        it.store.cut = True
        await asyncio.sleep(20)
        assert it.lost == [7.5]
        assert not it.lease.held(1)
        [(_, ends, _)] = await it.store.owners()
        assert (ends - it.time.now()).total_seconds() == -11


@virtual
async def test_a_lease_that_is_had_again_is_another_one() -> None:
    async with held() as it:
        epoch = await it.lease.wait()
        it.store.cut = True
        await asyncio.sleep(20)
        it.store.cut = False
        again = await it.lease.wait()
        assert (epoch, again) == (1, 2)
        assert it.lease.held(again)
        assert not it.lease.held(epoch)


@virtual
async def test_an_answer_that_takes_too_long_is_no_lease() -> None:
    """It counts from before the store was spoken to."""
    async with held() as it:
        await it.lease.wait()
        it.store.slow = 9.0
        await asyncio.sleep(30)
        assert len(it.lost) >= 2
        it.store.slow = 0.0
        await asyncio.sleep(20)
        assert it.lease.held(it.lease.epoch)
