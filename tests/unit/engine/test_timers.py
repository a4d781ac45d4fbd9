"""Times to come, on a virtual loop."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from alula.engine.events import TimerKind
from alula.engine.timers import SteadyClock, TimerKey, Timers
from alula.testing.sim.loop import VirtualClock
from tests.unit.engine.drive import clock, virtual

WAKE, NODE = TimerKind.WAKE, TimerKind.NODE


class Fired:
    def __init__(self, time: VirtualClock) -> None:
        self.time, self.all = time, list[tuple[TimerKey, int, float]]()
        self.steady = SteadyClock(time)
        self.timers = Timers(self.steady, self.fire)

    def fire(self, key: TimerKey, generation: int) -> None:
        self.all.append((key, generation, self.time.monotonic()))

    def set(self, seconds: float, path: str = "n", generation: int = 0, kind: TimerKind = WAKE) -> None:
        self.timers.set((1, kind, path), generation, self.steady.now() + timedelta(seconds=seconds))


@virtual
async def test_timers_fire_in_the_order_of_their_times() -> None:
    fired = Fired(clock())
    for seconds, path in ((3, "c"), (1, "a"), (2, "b"), (100, "d")):
        fired.set(seconds, path)
    await asyncio.sleep(200)
    assert [(key[2], at) for key, _, at in fired.all] == [("a", 1), ("b", 2), ("c", 3), ("d", 100)]


@virtual
async def test_a_timer_takes_the_place_of_the_one_before_it() -> None:
    fired = Fired(clock())
    fired.set(5, generation=1)
    fired.set(2, generation=2)
    fired.set(9, generation=3)
    fired.set(4, kind=NODE)
    await asyncio.sleep(20)
    assert [(generation, at) for _, generation, at in fired.all] == [(0, 4), (3, 9)]


@virtual
async def test_what_is_cancelled_or_dropped_does_not_fire() -> None:
    fired = Fired(clock())
    for nth in range(500):
        fired.set(5, f"n{nth}")
    for nth in range(499):
        fired.timers.cancel((1, WAKE, f"n{nth}"))
    fired.timers.cancel((1, WAKE, "never set"))
    fired.timers.set((2, WAKE, "other"), 0, fired.steady.now() + timedelta(seconds=5))
    fired.timers.drop(2)
    assert len(fired.timers) == 1
    assert len(fired.timers._heap) < 200
    await asyncio.sleep(20)
    assert [key[2] for key, _, _ in fired.all] == ["n499"]


@virtual
async def test_a_timer_set_while_one_fires_is_not_forgotten() -> None:
    fired = Fired(clock())

    def again(key: TimerKey, generation: int) -> None:
        fired.fire(key, generation)
        if generation < 3:
            fired.set(generation, generation=generation + 1)

    fired.timers = Timers(fired.steady, again)
    fired.set(1)
    await asyncio.sleep(20)
    assert [at for _, _, at in fired.all] == [1, 1, 2, 4]


@virtual
async def test_a_clock_that_is_set_back_delays_nothing() -> None:
    time = clock()
    fired = Fired(time)
    fired.set(50)
    time.jump(timedelta(days=-3))
    await asyncio.sleep(60)
    assert [at for _, _, at in fired.all] == [50]


@virtual
async def test_a_clock_that_is_set_forward_is_noticed_within_half_a_minute() -> None:
    time = clock()
    fired = Fired(time)
    fired.set(3600)
    await asyncio.sleep(10)
    time.jump(timedelta(hours=2))
    await asyncio.sleep(30)
    assert len(fired.all) == 1


@virtual
async def test_a_steady_clock_follows_the_wall_and_never_goes_back() -> None:
    time = clock()
    steady, start = SteadyClock(time), time.now()
    time.jump(timedelta(hours=1))
    assert steady.now() - start == timedelta(hours=1)
    time.jump(timedelta(hours=-2))
    await asyncio.sleep(60)
    assert steady.now() - start == timedelta(hours=1, seconds=60)
