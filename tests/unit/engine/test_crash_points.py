"""An engine that dies at each of its crash points, and another one that ends what it began."""

from __future__ import annotations

import asyncio

import pytest

from alula.data.stores import Objects
from alula.engine import crash
from alula.engine.state import Settings
from alula.idl import LiteralMap
from alula.plugin.runner import Asks, Failed, Job, Keeps, Started, Succeeded, Tell
from alula.store.memory import MemoryStore
from alula.store.records import PoolRecord
from alula.testing.sim.loop import VirtualLoop
from tests.unit.compiler.build import const, ref, task_node
from tests.unit.engine.build import made, step
from tests.unit.engine.drive import FakeRunner, adding, clock, create, ended, engine, hang, result, running, virtual
from tests.unit.engine.test_driver import BOOM, SMALL, listed
from tests.unit.engine.test_launch import plan_node, registered
from tests.unit.engine.test_nodes import mapped
from tests.unit.idl.build import INT

ABORTS = {"child.abort.before", "child.abort.after", "close.before", "close.after"}
ENDS = {"retire.before", "retire.after"}
EVERYTHING = made(
    [
        task_node("big", "numbers"),
        task_node("sum", "total", xs=ref("big", "o0")),
        task_node("kept", "single", x=const(4)),
        plan_node("child"),
        *mapped(40),
        step("last", "child", "sum", "kept", retries=1),
    ],
    outputs={"o0": (INT, ref("last", "o0"))},
)


def doing(job: Job, tell: Tell) -> None:
    """Adds up; gives a long list where one is asked for; fails once, with something left to clean up.

    Elements of the array need a unit of a pool, and keep something before they begin."""
    if job.template.id.name == "numbers":
        tell(Started())
        tell(Succeeded(_long()))
    elif job.id.path == "last" and job.id.number == 0:
        tell(Failed(BOOM.failure, closed=False))
    elif job.id.path.endswith("]"):
        tell(Asks("q", 1, lambda: tell(Keeps(b"intended", 1, lambda: adding(job, tell)))))
    else:
        adding(job, tell)


def with_a_child_that_hangs(job: Job, tell: Tell) -> None:
    (doing if job.id.execution == "ex" else hang)(job, tell)


def _long() -> bytes:
    message = LiteralMap()
    message.literals["o0"].CopyFrom(listed(100))
    return message.SerializeToString()


async def dies_at(label: str, nth: int, store: MemoryStore, objects: Objects, execution: int) -> bool:
    """Run an engine until it dies; gives whether it came there."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    process = loop.process("first")
    left = nth

    def kill(at: str) -> None:
        nonlocal left
        left -= at == label
        if not left and process.alive:
            process.kill()

    take_away = crash.install(kill)
    script = with_a_child_that_hangs if label in ABORTS else doing
    first = engine(store, FakeRunner(default=script), owner="first", config=SMALL, objects=objects)
    process.spawn(first.run())
    try:
        for _ in range(600):
            await asyncio.sleep(0.1)
            if not process.alive:
                return True
            if label in ABORTS and await store.node(execution, "child") is not None and not store.open_commands():
                await store.ask(execution, "abort", body=b"enough")
            if not (await store.execution_by_id(execution)).open:
                first.stop()
        return False
    finally:
        take_away()
        process.bury()


@pytest.mark.parametrize("nth", [1, 2, 5])
@pytest.mark.parametrize("label", crash.POINTS)
def test_an_engine_that_dies_anywhere_loses_nothing(label: str, nth: int) -> None:
    if nth > 1 and label in ENDS | ABORTS:
        return

    @virtual
    async def play() -> None:
        time = clock()
        store, objects = MemoryStore(time), Objects()
        await registered(store)
        await store.set_pool(PoolRecord("q", 3))
        record = await create(store, EVERYTHING, settings=Settings(inline_limit_bytes=100))
        died = await dies_at(label, nth, store, objects, record.id)
        assert died or nth > 1, f"the engine never came to {label}"
        second = FakeRunner(default=doing)
        async with running(engine(store, second, owner="second", config=SMALL, objects=objects)):
            record = await ended(store, record.id)
        if label in ABORTS:
            assert record.phase in ("aborted", "succeeded", "failed")
        else:
            assert (record.phase, result(record)) == ("succeeded", 11)
        assert not store.open_commands()
        assert not store.open_leases()
        assert not any(one.open for one in await store.executions())
        assert not any(one.open for one in await store.attempts(record.id))

    play()
