"""Stores that are away, engines that lose their lease, and several engines at one store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from alula.config import EngineConfig
from alula.data.stores import Objects
from alula.engine.codec import read_attempt
from alula.engine.state import Settings, Values
from alula.errors import DataError, StoreUnavailable
from alula.plugin.runner import Started, Succeeded
from alula.store.memory import MemoryStore
from alula.store.records import Changes, Claim
from alula.store.store import Wake
from tests.unit.compiler.build import ref, task_node
from tests.unit.engine.build import made, step
from tests.unit.engine.drive import (
    FakeRunner,
    after,
    clock,
    create,
    ended,
    engine,
    hang,
    outputs,
    phases,
    result,
    running,
    says,
    until,
    virtual,
)
from tests.unit.engine.test_driver import SMALL, chain, listed
from tests.unit.engine.test_nodes import mapped
from tests.unit.idl.build import INT

_SLOW = {"beat", "retire", "claim", "load", "commit", "release", "commands", "create", "ask", "execution", "node"}


class Line:
    """A store, and a line to it that may be cut."""

    def __init__(self, store: MemoryStore) -> None:
        self.store, self.cut = store, False
        self.refuse = 0
        """So many commits more fail in a way that nobody expected; half of them after they were written."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        if name == "commit":
            return self.commit
        if name not in _SLOW:
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0.001)
            if self.cut:
                raise StoreUnavailable("the line is cut")
            return await found(*args, **kwargs)

        return call

    async def commit(self, claim: Claim, changes: Changes) -> None:
        await asyncio.sleep(0.001)
        if self.cut:
            raise StoreUnavailable("the line is cut")
        if self.refuse:
            self.refuse -= 1
            if self.refuse % 2:
                await self.store.commit(claim, changes)
            raise RuntimeError("something odd")
        await self.store.commit(claim, changes)


def line_to(store: MemoryStore) -> Any:
    return Line(store)


@virtual
async def test_an_outage_of_the_store_costs_nobody_a_retry() -> None:
    for alone in (True, False):
        time = clock()
        store = MemoryStore(time)
        line = line_to(store)
        runner = FakeRunner(default=after(20, Succeeded(outputs(o0=1))))
        record = await create(store, made([step(f"n{nth}") for nth in range(50)]))
        async with running(engine(line, runner, time=time, alone=alone)):
            await asyncio.sleep(5)
            line.cut = True
            await asyncio.sleep(300)
            line.cut = False
            record = await ended(store, record.id)
        assert record.phase == "succeeded"
        attempts = [read_attempt(one) for one in await store.attempts(record.id)]
        assert {one.number for one in attempts} == {0}
        assert not any(one.failure for one in attempts)
        assert len(runner.started) == (50 if alone else 75)


@virtual
async def test_a_commit_that_fails_strangely_is_found_out_about_by_loading_again() -> None:
    for refuse in (1, 2, 3):
        store = MemoryStore(clock())
        line, runner = line_to(store), FakeRunner(default=after(2, Succeeded(outputs(o0=1))))
        record = await create(store, made(chain(3), outputs={"o0": (INT, ref("n2", "o0"))}))
        async with running(engine(line, runner)):
            await until(store, record.id, "n0", "running")
            line.refuse = refuse
            record = await ended(store, record.id)
        assert result(record) == 1
        assert runner.paths() == ["n0", "n1", "n2"]


@virtual
async def test_an_engine_that_is_cut_off_stops_its_attempts_before_another_one_starts_them() -> None:
    time = clock()
    store = MemoryStore(time)
    line, first, second = line_to(store), FakeRunner(default=hang), FakeRunner()
    lived: list[int] = []

    def look(*_: object) -> None:
        lived.append(len(first.live))

    record = await create(store, made(chain(2)))
    async with running(engine(line, first, time=time)):
        await until(store, record.id, "n0", "running")
        async with running(engine(store, second, owner="second", time=time)):
            second.default = lambda job, tell: (look(), says(Started(), Succeeded(outputs(o0=1)))(job, tell))
            line.cut = True
            record = await ended(store, record.id)
        assert lived == [0, 0]
        line.cut = False
    assert record.phase == "succeeded"
    assert {one.number for one in await store.attempts(record.id)} == {0}


@virtual
async def test_an_engine_that_lost_an_execution_lets_go_of_it() -> None:
    time = clock()
    store = MemoryStore(time)
    line, first, config = line_to(store), FakeRunner(default=hang), EngineConfig()
    record = await create(store, made(chain(2)))
    cut_off = engine(line, first, time=time, alone=True)
    async with running(cut_off):
        await until(store, record.id, "n0", "running")
        line.cut = True
        await asyncio.sleep(config.lease.total_seconds() + 1)
        await store.beat("second", lease=timedelta(hours=1))
        assert len(await store.claim("second", limit=1)) == 1
        line.cut = False
        await asyncio.sleep(5)
        assert not cut_off.sessions
        assert not first.live
    assert (await store.execution_by_id(record.id)).owner == "second"


@virtual
async def test_two_engines_share_the_work_and_one_dies() -> None:
    time = clock()
    store = MemoryStore(time)
    slow = after(3, Succeeded(outputs(o0=1)))
    runners = [FakeRunner(default=slow), FakeRunner(default=slow)]
    config = EngineConfig(executions=5)
    ids = [(await create(store, made(chain(3)), name=f"ex{nth}")).id for nth in range(10)]
    engines = [engine(store, runner, owner=f"e{nth}", config=config, time=time) for nth, runner in enumerate(runners)]
    victim = asyncio.create_task(engines[0].run())
    async with running(engines[1]):
        await asyncio.sleep(4)
        assert [len(one.sessions) for one in engines] == [5, 5]
        victim.cancel()
        await asyncio.wait([victim])
        for id in ids:
            assert (await ended(store, id)).phase == "succeeded"


@virtual
async def test_objects_that_cannot_be_read_for_a_while_cost_nobody_a_retry() -> None:
    class Flaky(Objects):
        down = False

        async def read(self, uri: str, *, start: int = 0, length: int | None = None) -> bytes:
            if self.down:
                raise DataError("the object store does not answer")
            return await super().read(uri, start=start, length=length)

    store, objects = MemoryStore(clock()), Flaky()
    objects.down = True
    many = Values.of({"o0": listed(100)}).data
    runner = FakeRunner(scripts={"numbers": says(Started(), Succeeded(many))})
    record = await create(store, made([task_node("n0", "numbers"), task_node("n1", "total", xs=ref("n0", "o0"))]))
    async with running(engine(store, runner, config=SMALL, objects=objects)):
        await until(store, record.id, "n1", "queued")
        await asyncio.sleep(300)
        assert (await phases(store, record.id))["n1"] == "queued"
        objects.down = False
        record = await ended(store, record.id)
    assert record.phase == "succeeded"
    assert runner.paths() == ["n0", "n1"]


@virtual
async def test_an_array_whose_outputs_cannot_be_written_fails_for_the_system() -> None:
    class Full(Objects):
        async def write(self, uri: str, data: bytes) -> None:
            raise DataError("the disk is full")

    store = MemoryStore(clock())
    record = await create(store, made(mapped(30)), settings=Settings(inline_limit_bytes=100))
    async with running(engine(store, FakeRunner(), config=SMALL, objects=Full())):
        record = await ended(store, record.id)
    assert (record.phase, record.error) == ("failed", "OutputsNotGathered (node n0): the disk is full")


@virtual
async def test_objects_that_stay_away_fail_the_attempt_for_the_system() -> None:
    class Away(Objects):
        async def read(self, uri: str, *, start: int = 0, length: int | None = None) -> bytes:
            raise DataError("the object store does not answer")

    store = MemoryStore(clock())
    many = Values.of({"o0": listed(100)}).data
    runner = FakeRunner(scripts={"numbers": says(Started(), Succeeded(many))})
    record = await create(store, made([task_node("n0", "numbers"), task_node("n1", "total", xs=ref("n0", "o0"))]))
    async with running(engine(store, runner, config=SMALL, objects=Away())):
        record = await ended(store, record.id, within=10_000)
    assert "RetriesExhausted|InputsUnreadable" in record.error
    assert len(await store.attempts(record.id, "n1")) == 4


@virtual
async def test_a_command_is_heard_of_though_the_word_of_it_was_lost() -> None:
    class Mute(MemoryStore):
        @contextmanager
        def watch(self, wake: Wake) -> Iterator[None]:
            yield

    time = clock()
    store = Mute(time)
    record = await create(store, made(chain(1)))
    async with running(engine(store, FakeRunner(default=hang), time=time)):
        await until(store, record.id, "n0", "running")
        await store.ask(record.id, "abort", body=b"enough")
        await until(store, record.id, "", "aborted", within=6)
