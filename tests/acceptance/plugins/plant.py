"""The real engine with plugins that tests give it: in virtual time, or on threads and SQLite as in earnest."""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from alula._kits.clock import Clock, SystemClock
from alula.compiler.compile import compile_workflow
from alula.config import CacheConfig, Durability, EngineConfig
from alula.data.stores import Objects
from alula.engine.codec import pack_settings, read_node
from alula.engine.driver import Engine
from alula.engine.memo import Memo
from alula.engine.state import ROOT, Failure, Settings
from alula.hosting.host import Surroundings
from alula.hosting.hosts import Hosts, of_plugins
from alula.hosting.secrets import Secrets
from alula.hosting.steps import Rules
from alula.idl import (
    Identifier,
    LiteralMap,
    Node,
    ResourceType,
    TaskNode,
    TaskTemplate,
    TypedInterface,
    WorkflowTemplate,
)
from alula.plugin.core import Plugin
from alula.plugin.runner import Runner
from alula.store.memory import MemoryStore
from alula.store.opening import open_store
from alula.store.records import ExecutionKey, ExecutionRecord, NewExecution
from alula.store.store import Store
from alula.testing.sim.loop import Process, VirtualClock, VirtualLoop, virtual_loop

T = TypeVar("T")
Make = type[Plugin] | Callable[[], Plugin]
_ENDED = ("succeeded", "failed", "aborted")


def template(type: str, name: str = "job", custom: Mapping[str, Any] | None = None) -> TaskTemplate:
    id = Identifier(resource_type=ResourceType.TASK, project="p", domain="d", name=name, version="v")
    made = TaskTemplate(id=id, type=type, interface=TypedInterface())
    made.custom.update(custom or {})
    return made


def closure(tasks: Sequence[TaskTemplate], *, retries: int = 0) -> bytes:
    """A workflow of tasks side by side."""
    id = Identifier(resource_type=ResourceType.WORKFLOW, project="p", domain="d", name="main", version="v")
    nodes = []
    for number, task in enumerate(tasks):
        node = Node(id=f"n{number}", task_node=TaskNode(reference_id=task.id))
        node.metadata.retries.retries = retries
        nodes.append(node)
    made = WorkflowTemplate(id=id, interface=TypedInterface(), nodes=nodes)
    distinct = {task.id.name: task for task in tasks}
    return compile_workflow(made, (), list(distinct.values())).SerializeToString(deterministic=True)


def engine_of(
    store: Store,
    name: str,
    plugins: Sequence[Make],
    *,
    clock: Clock,
    rng: random.Random,
    data: str,
    inline: bool,
    settings: Mapping[str, Any],
    environ: Mapping[str, str],
    outage: timedelta,
    workers: Runner | None = None,
) -> tuple[Engine, Hosts]:
    objects = Objects()
    around = Surroundings(
        clock=clock,
        rng=rng,
        objects=objects,
        secrets=Secrets(environ),
        rules=Rules(outage=outage),
        section=lambda name: settings.get(name, {}),
    )
    hosts = Hosts(of_plugins(plugins, settings), around, workers=workers, inline=inline)
    engine = Engine(
        store,
        owner=name,
        runners=[hosts] if workers is None else [hosts, workers],
        objects=objects,
        memo=Memo(store, objects, clock, CacheConfig(), data=data),
        data_prefix=data,
        clock=clock,
        rng=rng,
        config=EngineConfig(lease=timedelta(seconds=60)),
    )
    return engine, hosts


async def submit(store: Store, name: str, tasks: Sequence[TaskTemplate], *, retries: int = 0) -> ExecutionRecord:
    new = NewExecution(
        key=ExecutionKey("p", "d", name),
        entity="workflow p:d:main:v",
        closure=closure(tasks, retries=retries),
        inputs=LiteralMap().SerializeToString(),
        fingerprint=name,
        settings=pack_settings(Settings(max_parallelism=0)),
    )
    record, _ = await store.create(new)
    return record


async def failure_of(store: Store, id: int) -> Failure | None:
    rows = {row.path: read_node(row) for row in await store.nodes(id)}
    return rows[ROOT].failure if ROOT in rows else None


@dataclass
class Plant:
    """An engine in virtual time, whose plugins are called on its own loop; it can be killed and comes back."""

    plugins: Sequence[Make]
    settings: Mapping[str, Any] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    outage: timedelta = timedelta(minutes=10)
    loop: VirtualLoop = field(default_factory=virtual_loop)
    workers: Runner | None = None

    def __post_init__(self) -> None:
        self.clock = VirtualClock(self.loop)
        self.store = MemoryStore(self.clock)
        self.process: Process | None = None
        self._processes: list[Process] = []
        self._outside = contextvars.copy_context()
        self.engines = 0
        self.hosts: Hosts
        self.begin()

    def bury(self) -> None:
        """Let go of all engines."""
        for process in self._processes:
            process.bury()
        self.loop.close()

    def begin(self) -> None:
        """Start an engine."""
        self.engines += 1
        name = f"engine{self.engines}"
        self.process = self.loop.process(name)
        self._processes.append(self.process)
        engine, self.hosts = engine_of(
            self.store,
            name,
            self.plugins,
            clock=self.clock,
            rng=random.Random(name),
            data="memory://plant",
            inline=True,
            settings=self.settings,
            environ=self.environ,
            outage=self.outage,
            workers=self.workers,
        )
        self.process.spawn(engine.run())

    def crash(self) -> None:
        """Kill the engine as SIGKILL does, and start another one."""
        assert self.process is not None
        self.store.bury(f"engine{self.engines}")
        self.loop.call_soon(self.begin, context=self._outside.copy())
        self.process.kill()  # does not return if it is what runs now

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def submit(self, *tasks: TaskTemplate, name: str = "e", retries: int = 0) -> int:
        return self.do(submit(self.store, name, tasks, retries=retries)).id

    def abort(self, id: int) -> None:
        self.do(self.store.ask(id, "abort", body=b"the test says so"))

    def advance(self, seconds: float) -> None:
        self.loop.advance(seconds)

    def record(self, id: int) -> ExecutionRecord:
        return self.do(self.store.execution_by_id(id))

    def phase(self, id: int) -> str:
        return self.record(id).phase

    def failure(self, id: int) -> Failure:
        found = self.do(failure_of(self.store, id))
        assert found is not None, self.record(id)
        return found

    def said(self, id: int) -> dict[str, str]:
        """What each attempt says of itself, by path."""
        return {one.path: one.message for one in self.do(self.store.progress(id))}

    def closed(self, id: int) -> bool:
        """Whether nothing is left of any attempt."""
        return all(not row.open for row in self.do(self.store.attempts(id)))


@dataclass
class Works:
    """An engine in real time, with plugins on threads of their own."""

    store: Store
    engine: Engine
    hosts: Hosts

    async def run(self, *tasks: TaskTemplate, name: str = "e", retries: int = 0) -> ExecutionRecord:
        return await submit(self.store, name, tasks, retries=retries)

    async def ended(self, id: int, *, within: float = 20.0) -> ExecutionRecord:
        until = time.monotonic() + within
        while time.monotonic() < until:
            record = await self.store.execution_by_id(id)
            if record.phase in _ENDED:
                return record
            await asyncio.sleep(0.01)
        raise AssertionError(f"{record.phase} after {within} s: {await self.store.progress(id)}")


@asynccontextmanager
async def works(
    plugins: Sequence[Make],
    *,
    directory: Path | None = None,
    environ: Mapping[str, str] | None = None,
    outage: timedelta = timedelta(minutes=10),
) -> AsyncIterator[Works]:
    """An engine on SQLite in a directory, or in memory."""
    store: Store = MemoryStore()
    data = "memory://works"
    if directory is not None:
        store = await asyncio.to_thread(open_store, str(directory / "alula.db"), durability=Durability.RELAXED)
        data = str(directory / "data")
    engine, hosts = engine_of(
        store,
        f"engine-{time.monotonic_ns()}",
        plugins,
        clock=SystemClock(),
        rng=random.Random(1),
        data=data,
        inline=False,
        settings={},
        environ=environ or {},
        outage=outage,
    )
    running = asyncio.create_task(engine.run())
    try:
        yield Works(store, engine, hosts)
    finally:
        engine.stop()
        await running
        await store.aclose()
