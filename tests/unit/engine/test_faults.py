"""Faults of the engine's own, or of what it stands on: something fails, and nothing waits for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from alula.engine import outcomes
from alula.engine import session as sessions
from alula.engine.events import AttemptFailed, AttemptSucceeded, Begin
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.runner import Failed, Succeeded
from alula.store.memory import MemoryStore
from tests.unit.compiler.build import const, task_node
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
    running,
    until,
    virtual,
)
from tests.unit.engine.test_driver import FAST


@virtual
async def test_what_comes_behind_an_event_that_fails_while_an_execution_is_loaded_is_not_lost() -> None:
    store, runner = MemoryStore(clock()), FakeRunner(default=hang)
    record = await create(store, made([step("n0"), step("n1")]), settings=FAST)
    real, left = sessions.decide, 2

    def decide(x: Any, event: Any, now: Any) -> Any:
        nonlocal left
        if isinstance(event, AttemptSucceeded | AttemptFailed) and event.path == "n0" and left:
            left -= 1
            raise RuntimeError("a fault of the machine")
        return real(x, event, now)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sessions, "decide", decide)
        async with running(engine(store, runner)):
            await until(store, record.id, "n0", "running")
            await until(store, record.id, "n1", "running")
            runner.tells["n0", 0](Succeeded(outputs(o0=1)))
            await asyncio.sleep(0.05)
            await store.ask(record.id, "abort", body=b"enough")
            runner.tells["n1", 0](Failed(AttemptFailure("X", "x", FailureKind.USER, False), closed=False))
            assert (await ended(store, record.id)).phase in ("aborted", "failed")


@virtual
async def test_a_report_that_cannot_be_taken_in_fails_its_attempt() -> None:
    store, runner = MemoryStore(clock()), FakeRunner(default=hang)
    record = await create(store, made([step("n0", retries=3)]), settings=FAST)

    def broken(*_: object) -> str:
        raise RecursionError("it is deep")

    async with running(engine(store, runner)):
        await until(store, record.id, "n0", "running")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(outcomes, "misfit", broken)
            runner.tells["n0", 0](Succeeded(outputs(o0=1)))
        await until(store, record.id, "n0", "running")
        while ("n0", 1) not in runner.tells:
            await asyncio.sleep(0.1)
        runner.tells["n0", 1](Succeeded(outputs(o0=1)))
        assert (await ended(store, record.id)).phase == "succeeded"


@virtual
async def test_an_execution_whose_beginning_cannot_be_decided_fails_in_the_end() -> None:
    store, runner = MemoryStore(clock()), FakeRunner()
    record = await create(store, made([step("n0")]), settings=FAST)
    real = sessions.decide

    def decide(x: Any, event: Any, now: Any) -> Any:
        if isinstance(event, Begin):
            raise RuntimeError("a fault of the machine")
        return real(x, event, now)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sessions, "decide", decide)
        async with running(engine(store, runner)):
            over = await ended(store, record.id)
    assert (over.phase, over.open) == ("failed", False)
    assert "it cannot be begun; the engine's log says why" in over.error


@virtual
async def test_a_cache_that_raises_anything_is_a_miss_and_logged_whole(caplog: pytest.LogCaptureFixture) -> None:
    store, runner = MemoryStore(clock()), FakeRunner()

    async def broken(key: str) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "find", broken)
        record = await create(store, made([task_node("n0", "slow", x=const(3))]))
        async with running(engine(store, runner)):
            assert (await ended(store, record.id)).phase == "succeeded"
    assert "can't start new thread" in caplog.text
    assert "memo.failed" in caplog.text


@virtual
async def test_who_waits_for_a_reservation_is_told_that_it_is_free_by_the_next_engine_too() -> None:
    store, loop = MemoryStore(clock()), asyncio.get_running_loop()
    closure = made([task_node("n0", "single", x=const(3))])
    holds = await create(store, closure, name="holds")
    async with running(engine(store, FakeRunner(default=hang))):
        await until(store, holds.id, "n0", "running")
        waits = await create(store, closure, name="waits")
        await until(store, waits.id, "n0", "reserving")
        await asyncio.sleep(1)
    began = loop.time()
    second = FakeRunner(default=after(1, Succeeded(outputs(o0=9))))
    async with running(engine(store, second, owner="second")):
        await ended(store, holds.id)
        await ended(store, waits.id)
    assert loop.time() - began < 5
