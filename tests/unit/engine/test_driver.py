"""Whole executions through the engine's door, on a store in memory."""

from __future__ import annotations

from alula.store.memory import MemoryStore
from tests.unit.compiler.build import ref
from tests.unit.engine.build import made, step
from tests.unit.engine.drive import FakeRunner, create, ended, engine, result, running
from tests.unit.idl.build import INT


async def test_a_chain_runs_to_its_end() -> None:
    store, runner = MemoryStore(), FakeRunner()
    nodes = [step("n0"), *(step(f"n{nth}", f"n{nth - 1}") for nth in range(1, 10))]
    record = await create(store, made(nodes, outputs={"o0": (INT, ref("n9", "o0"))}))
    async with running(engine(store, runner)):
        record = await ended(store, record.id)
    assert (record.phase, result(record)) == ("succeeded", 2**10)
    assert runner.paths() == [f"n{nth}" for nth in range(10)]
    assert not runner.opened
