"""Servers remove what is old by themselves, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from alula.admin.desk import Desk
from alula.data.stores import Objects
from alula.errors import DataError
from alula.sections import RetentionConfig
from alula.services.sweeps import Sweeps
from tests.unit.admin import office
from tests.unit.engine.drive import clock, virtual

HOUR = timedelta(hours=1)
OLD = RetentionConfig(executions=timedelta(hours=3), every=HOUR)


class Broken(Objects):
    async def list(self, prefix: str) -> AsyncIterator[str]:
        raise DataError("the bucket does not answer")
        yield ""


@asynccontextmanager
async def sweeping(desk: Desk, *owners: str, config: RetentionConfig = OLD) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(Sweeps(desk, config, 1 << 30, owner=owner).run()) for owner in owners]
    try:
        yield
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.wait(tasks)


async def left(desk: Desk) -> list[str]:
    return sorted(record.key.name for record in await desk.store.executions())


async def hours(count: float) -> None:
    await asyncio.sleep(count * 3_600)


@virtual
async def test_what_is_old_goes_by_itself_and_with_it_nothing_else() -> None:
    desk = office.desk(clock=clock())
    async with sweeping(desk, "one"):
        await office.run(desk, await office.start(desk, name="first"))
        await hours(2)
        await office.run(desk, await office.start(desk, name="second"))
        await office.start(desk, name="open")
        await hours(0.9)
        assert await left(desk) == ["first", "open", "second"]
        await hours(1.2)
        assert await left(desk) == ["open", "second"]
        await hours(24)
        assert await left(desk) == ["open"]


@virtual
async def test_the_newest_stay() -> None:
    desk = office.desk(clock=clock())
    async with sweeping(desk, "one", config=RetentionConfig(keep=1, every=HOUR)):
        for name in ("first", "second"):
            await office.run(desk, await office.start(desk, name=name))
        await hours(1.1)
        assert await left(desk) == ["second"]


@virtual
async def test_one_of_several_servers_sweeps_and_another_one_when_it_is_gone() -> None:
    desk = office.desk(clock=clock())
    one, other = (Sweeps(desk, OLD, 1 << 30, owner=owner) for owner in ("one", "other"))
    assert await one.round() == HOUR
    await office.run(desk, await office.start(desk, name="first"))
    await hours(0.5)
    wait = await other.round()
    assert HOUR / 3 < wait <= HOUR / 2
    await hours(4)
    assert await other.round() == HOUR
    assert await left(desk) == []


@virtual
async def test_trouble_puts_it_off_for_a_minute() -> None:
    desk = office.desk(clock=clock())
    await office.run(desk, await office.start(desk, name="first"))
    await hours(4)
    broken = Sweeps(replace(desk, objects=Broken()), OLD, 1 << 30, owner="one")
    assert await broken.round() == timedelta(minutes=1)
    assert await left(desk) == ["first"]
    await Sweeps(desk, OLD, 1 << 30, owner="one").round()
    assert await left(desk) == []
