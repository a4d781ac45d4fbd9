"""The stage of the acceptance tests: the real engine on a store in memory, in virtual time, with a scripted runner.

All that a test asks for goes through the doors that the command line and the client use (`alula.admin`).
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from alula.admin import executions as verbs
from alula.admin import signals
from alula.admin.desk import Desk
from alula.admin.why import Why, why
from alula.config import EngineConfig
from alula.data.stores import Objects
from alula.engine.codec import read_attempt, read_node
from alula.engine.driver import Engine
from alula.engine.observe import Observer
from alula.engine.state import AttemptState, Failure, NodeState, Settings
from alula.idl import CompiledWorkflowClosure, Literal
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.runner import Failed
from alula.store.memory import MemoryStore
from alula.store.records import ExecutionKey, ExecutionRecord
from alula.testing.sim.loop import START, Process, VirtualClock, VirtualLoop
from tests.unit.engine import drive
from tests.unit.engine.drive import FakeRunner

DATA = "memory://data"


def failed(
    code: str = "USER:Boom", kind: FailureKind = FailureKind.USER, *, recoverable: bool = True, closed: bool = True
) -> Failed:
    return Failed(AttemptFailure(code, f"{code} happened", kind, recoverable), closed=closed)


LOST = failed("MachineGone", FailureKind.SYSTEM)


class Scene:
    """One store, one engine at a time, and what a test does with them."""

    def __init__(
        self, runner: FakeRunner, store: Any, config: EngineConfig | None, observers: Sequence[Observer]
    ) -> None:
        self.time: VirtualClock = drive.clock()
        self.truth = MemoryStore(self.time)
        self.store: Any = store(self.truth) if store is not None else self.truth
        self.runner, self.config, self.observers = runner, config, observers
        self.objects = Objects()
        self.desk = Desk(self.truth, self.objects, DATA, self.time, random.Random(1))
        self.engines: list[tuple[Process, Engine]] = []

    # --- engines ---

    def begin(self) -> Engine:
        """One more engine, which lives until `crash` or the end of the scene."""
        name = f"engine-{len(self.engines)}"
        made = drive.engine(
            self.store,
            self.runner,
            owner=name,
            config=self.config,
            objects=self.objects,
            time=self.time,
            observers=self.observers,
        )
        process = Process(name, self.loop)
        self.engines.append((process, made))
        self.running = process.spawn(made.run())
        return made

    @property
    def loop(self) -> VirtualLoop:
        loop = self.running.get_loop() if hasattr(self, "running") else self.time._loop
        assert isinstance(loop, VirtualLoop)
        return loop

    def crash(self) -> Engine:
        """Kill the engine as SIGKILL does, with all that it runs, and begin another one."""
        process, _ = self.engines[-1]
        process.kill()
        process.bury()
        self.runner.live.clear()
        return self.begin()

    @property
    def engine(self) -> Engine:
        return self.engines[-1][1]

    # --- executions ---

    async def start(self, closure: CompiledWorkflowClosure, name: str = "ex", **more: Any) -> ExecutionRecord:
        return await drive.create(self.truth, closure, name=name, **more)

    async def run(self, closure: CompiledWorkflowClosure, name: str = "ex", **more: Any) -> ExecutionRecord:
        """The execution at its end, with nothing of it left open."""
        return await self.ended(await self.start(closure, name, **more))

    async def ended(self, record: ExecutionRecord, *, within: float = 1e6) -> ExecutionRecord:
        return await drive.ended(self.truth, record.id, within=within)

    async def until(self, record: ExecutionRecord, path: str, *phases: str, within: float = 3600) -> NodeState:
        await drive.until(self.truth, record.id, path, *phases, within=within)
        return await self.node(record, path)

    async def abort(self, record: ExecutionRecord, reason: str = "enough") -> None:
        await verbs.abort(self.desk, record.key, reason=reason)

    async def signal(self, record: ExecutionRecord, id: str, value: Literal) -> None:
        await signals.give(self.desk, record.key, id, value)

    async def recover(self, record: ExecutionRecord, name: str = "again") -> ExecutionRecord:
        return await self.ended((await verbs.recover(self.desk, record.key, name=name)).record)

    async def rerun(self, record: ExecutionRecord, *nodes: str, name: str = "anew") -> ExecutionRecord:
        return await self.ended((await verbs.rerun(self.desk, record.key, nodes=nodes, name=name)).record)

    async def why(self, record: ExecutionRecord, path: str = "") -> list[Why]:
        return await why(self.desk, record.key, path)

    # --- what became of them ---

    async def node(self, record: ExecutionRecord, path: str = "") -> NodeState:
        found = await self.truth.node(record.id, path)
        assert found is not None, f"{path} has not begun"
        return read_node(found)

    async def phases(self, record: ExecutionRecord) -> dict[str, str]:
        return {path: phase for path, phase in (await drive.phases(self.truth, record.id)).items() if path}

    async def attempts(self, record: ExecutionRecord, path: str) -> list[AttemptState]:
        return [read_attempt(one) for one in await self.truth.attempts(record.id, path)]

    async def failure(self, record: ExecutionRecord, path: str = "") -> Failure:
        found = (await self.node(record, path)).failure
        assert found is not None
        return found

    def since(self, moment: Any) -> float:
        """Seconds from the beginning of all things to a moment."""
        return float((moment - START).total_seconds())

    @property
    def now(self) -> float:
        return self.time.monotonic()

    async def execution(self, name: str) -> ExecutionRecord:
        return await self.truth.execution(ExecutionKey("p", "d", name))


@asynccontextmanager
async def scene(
    runner: FakeRunner | None = None,
    *,
    store: Any = None,
    config: EngineConfig | None = None,
    observers: Sequence[Observer] = (),
) -> AsyncIterator[Scene]:
    """A scene with an engine that runs. Nothing may still run in the end, nor be left of what was closed."""
    made = Scene(runner or FakeRunner(), store, config, observers)
    made.begin()
    try:
        yield made
    finally:
        if not made.running.done():
            made.engine.stop()
        await made.running
    assert not made.runner.live, f"left running: {list(made.runner.live.values())}"


QUICK = Settings()
"""Retries after 1 s (the user's) and 2 s (the system's)."""
