"""Observers: told of everything, and unable to do harm."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from alula.engine.observe import Committed, Observers, Silent
from alula.plugin.runner import Progressed
from alula.store.memory import MemoryStore
from alula.store.records import ExecutionKey, ExecutionRecord
from tests.unit.compiler.build import ref
from tests.unit.engine.build import made, step
from tests.unit.engine.drive import FakeRunner, clock, create, ended, engine, running, virtual
from tests.unit.idl.build import INT

NOW = datetime(2030, 1, 1, tzinfo=UTC)
RECORD = ExecutionRecord(7, ExecutionKey("p", "d", "ex"), "e", "f", "running", True, NOW)


class Broken(Silent):
    def reported(self, *_: object) -> None:
        raise RuntimeError("oops")


class Counting(Silent):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def taken(self, execution: ExecutionRecord, plan_of: object) -> None:
        self.seen.append("taken")

    def committed(self, execution: ExecutionRecord, commit: Committed) -> None:
        self.seen.append(execution.phase)

    def reported(self, *_: object) -> None:
        self.seen.append("reported")

    def left(self, execution: ExecutionRecord, why: str) -> None:
        self.seen.append(f"left {why}".strip())


def test_an_observer_that_raises_is_logged_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    last = Counting()
    observers = Observers([Broken(), last])
    with caplog.at_level(logging.WARNING):
        observers.reported(RECORD, "n0", 0, Progressed(0.5))
    assert last.seen == ["reported"]
    assert "observer.failed" in caplog.text


def test_observers_come_and_go() -> None:
    observers, one = Observers(), Counting()
    assert not observers
    observers.add(one)
    observers.left(RECORD, "")
    observers.remove(one)
    observers.left(RECORD, "")
    assert one.seen == ["left"]


@virtual
async def test_an_execution_is_told_from_its_beginning_to_its_end() -> None:
    store, watching = MemoryStore(clock()), Counting()
    record = await create(store, made([step("n0")], outputs={"o0": (INT, ref("n0", "o0"))}))
    async with running(engine(store, FakeRunner(), observers=[watching])):
        await ended(store, record.id)
    assert watching.seen == ["taken", "running", "succeeded", "left"]
