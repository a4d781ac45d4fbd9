"""M37: what a plugin may call in a second, and how many calls at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from alula._kits.limits import WINDOW
from alula.errors import Throttled
from alula.hosting.limits import Gate, Slots
from alula.plugin.context import TaskContext
from alula.plugin.runner import Succeeded
from alula.plugin.webapi import Limits
from alula.testing.sim.loop import VirtualClock, VirtualLoop, virtual_loop
from tests.unit.hosting.stage import Cloud, CloudPlugin, Key, Stage


def stage_of(own: Limits, plugin: type[CloudPlugin] = CloudPlugin, **around: Any) -> tuple[Stage, Cloud]:
    loop = virtual_loop()
    cloud = Cloud(loop)
    made = type("Limited", (plugin,), {"limits": own})
    return Stage(lambda: made(cloud), loop=loop, **around), cloud


def most(cloud: Cloud, *calls: str) -> int:
    """The most calls in any ten seconds."""
    times = [at for at, call in cloud.calls if call in calls]
    return max(sum(start <= at < start + WINDOW for at in times) for start in times)


@pytest.mark.parametrize("rate", [2.0, 5.0, 20.0])
def test_writes_and_reads_keep_to_their_rates_over_any_ten_seconds(rate: float) -> None:
    stage, cloud = stage_of(Limits(writes_per_second=rate, reads_per_second=rate / 2, batch=3))
    for number in range(100):
        stage.start(number)
    for _ in range(200):
        stage.advance(2)
        for number in range(100):
            if stage.told[stage.id(number)].end is not None and stage.id(number) not in stage.closed:
                stage.close(number, abort=False)
    assert all(isinstance(told.end, Succeeded) for told in stage.told.values())
    assert not cloud.jobs
    assert most(cloud, "create", "find", "delete") <= rate * WINDOW
    assert most(cloud, "get") <= rate / 2 * WINDOW
    assert most(cloud, "create") >= min(100, rate * WINDOW * 0.8)


def test_who_waits_for_a_turn_is_told_so_and_comes_in_order() -> None:
    stage, cloud = stage_of(Limits(writes_per_second=1, reads_per_second=100))
    for number in range(10):
        stage.start(number)
    stage.advance(0.1)
    assert stage.told[stage.id(9)].waits == "waits for its turn: cloud takes 1 writes per second"
    stage.advance(30)
    names = [job.name for _, job in sorted(cloud.jobs.items())]
    assert names == [stage.id(number).name for number in range(10)]


def test_limits_change_while_they_are_used() -> None:
    factor = 1.0

    def changed(plugin: str, limits: Limits) -> Limits:
        return replace(limits, writes_per_second=limits.writes_per_second * factor)

    stage, cloud = stage_of(Limits(writes_per_second=1, reads_per_second=100), limits=changed)
    for number in range(100):
        stage.start(number)
    stage.advance(10)
    assert cloud.made <= 10
    factor = 100.0
    stage.advance(5)
    assert cloud.made == 100


def test_throttling_slows_all_calls_down_and_wears_off() -> None:
    stage, cloud = stage_of(Limits(writes_per_second=10, reads_per_second=100))
    cloud.before["create"] = [Throttled("slow down")] * 3
    for number in range(100):
        stage.start(number)
    stage.advance(6)
    slow = cloud.made
    stage.advance(60)
    assert cloud.made == 100
    assert slow < 45
    assert all(told.end is None or isinstance(told.end, Succeeded) for told in stage.told.values())


class Slow(CloudPlugin):
    """Each `get` and `create` takes a second; counts how many are under way."""

    under_way = 0
    most = 0

    async def _slowly(self) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(1)
        self.under_way -= 1

    async def create(self, task: TaskContext) -> Key:
        await self._slowly()
        return await super().create(task)

    async def get(self, keys: Sequence[Key]) -> Any:
        await self._slowly()
        return await super().get(keys)


def test_no_more_calls_are_under_way_than_may_be() -> None:
    made: list[Slow] = []
    loop = virtual_loop()
    cloud = Cloud(loop)

    def make() -> Slow:
        kind = type("Limited", (Slow,), {"limits": Limits(1000, 1000, batch=2, concurrent=4)})
        made.append(kind(cloud))
        return made[-1]

    stage = Stage(make, loop=loop)
    for number in range(40):
        stage.start(number)
    stage.advance(120)
    assert all(isinstance(told.end, Succeeded) for told in stage.told.values())
    assert made[0].most == 4


def run(loop: VirtualLoop, work: Any) -> Any:
    return loop.run_until_complete(work)


def test_who_gives_up_its_turn_gives_back_its_slot() -> None:
    loop = virtual_loop()

    async def play() -> list[str]:
        gate, turns = Gate(VirtualClock(loop), 1000, Slots(1)), list[str]()
        assert gate.enter("a", lambda: None)
        assert not gate.enter("b", lambda: turns.append("b"))
        assert not gate.enter("c", lambda: turns.append("c"))
        gate.leave()
        assert turns == ["b"]
        gate.forget("b")
        assert turns == ["b", "c"]
        assert gate.enter("c", lambda: None)
        return turns

    run(loop, play())


def test_a_turn_that_is_cancelled_is_nobodys() -> None:
    loop = virtual_loop()

    async def play() -> None:
        gate = Gate(VirtualClock(loop), 1000, Slots(1))
        await gate.turn("a")
        waiting = asyncio.ensure_future(gate.turn("b"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        gate.leave()
        await gate.turn("c")

    run(loop, play())
