"""An engine on a store in memory, in virtual time, with a runner that does as it is told: for tests of the driver."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from alula.config import CacheConfig, EngineConfig
from alula.data.stores import Objects
from alula.engine.codec import pack_settings, read_values
from alula.engine.driver import Engine
from alula.engine.memo import Memo
from alula.engine.observe import Observer
from alula.engine.state import Settings, Values
from alula.idl import CompiledWorkflowClosure, LiteralMap, TaskTemplate, literals
from alula.plugin.runner import AttemptId, Job, Report, Started, Succeeded, Tell
from alula.store.records import ExecutionKey, ExecutionRecord, NewExecution
from alula.store.store import Store
from alula.testing.sim.loop import Process, VirtualClock, VirtualLoop

Script = Callable[[Job, Tell], None]


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test whose seconds take no time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        loop = VirtualLoop()
        loop.run_until_complete(test(*args, **kwargs))
        assert not loop.mishaps

    return run


def clock() -> VirtualClock:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return VirtualClock(loop)


def virtual_process(name: str) -> Process:
    """Something that can be killed without a last word."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop.process(name)


def outputs(**named: int) -> bytes:
    return Values.of({name: literals.integer(value) for name, value in named.items()}).data


def total(inputs: bytes) -> int:
    """The sum of all inputs that are integers."""
    return sum(lit.scalar.primitive.integer for lit in LiteralMap.FromString(inputs).literals.values())


def adding(job: Job, tell: Tell) -> None:
    """Adds up its inputs, at once."""
    tell(Started())
    gives = job.template.interface.outputs.variables
    tell(Succeeded(outputs(o0=total(job.inputs) % 1_000_003) if gives else b""))


def hang(job: Job, tell: Tell) -> None:
    """Starts, and goes on until it is stopped."""
    tell(Started())


def after(seconds: float, *reports: Report) -> Script:
    """Starts, and says the rest so many seconds later."""

    def script(job: Job, tell: Tell) -> None:
        tell(Started())
        asyncio.get_running_loop().call_later(seconds, lambda: [tell(report) for report in reports])

    return script


def in_turn(*scripts: Script) -> Script:
    """One script per attempt; the last one goes on."""

    def script(job: Job, tell: Tell) -> None:
        scripts[min(job.id.number, len(scripts) - 1)](job, tell)

    return script


def says(*reports: Report) -> Script:
    def script(job: Job, tell: Tell) -> None:
        for report in reports:
            tell(report)

    return script


@dataclass
class FakeRunner:
    """Does what a script says, by task name or path."""

    default: Script = adding
    scripts: dict[str, Script] = field(default_factory=dict)
    local: bool = True
    started: list[Job] = field(default_factory=list)
    closed: list[tuple[AttemptId, bool]] = field(default_factory=list)
    tells: dict[tuple[str, int], Tell] = field(default_factory=dict)
    live: dict[str, Job] = field(default_factory=dict)
    broken: int = 0
    """So many clean-ups fail."""
    opened: bool = False

    async def open(self) -> None:
        self.opened = True

    async def aclose(self) -> None:
        self.opened = False
        self.live.clear()

    def keep(self, seconds: float) -> None:
        """They go on."""

    def accepts(self, template: TaskTemplate) -> str:
        return ""

    def start(self, job: Job, tell: Tell) -> None:
        assert job.id.name not in self.live, f"{job.id} runs twice"
        self.started.append(job)
        self.tells[job.id.path, job.id.number] = tell
        self.live[job.id.name] = job

        def told(report: Report) -> None:
            if type(report).__name__ in ("Succeeded", "Failed"):
                self.live.pop(job.id.name, None)
            tell(report)

        self.tells[job.id.path, job.id.number] = told
        script = self.scripts.get(job.id.path) or self.scripts.get(job.template.id.name) or self.default
        script(job, told)

    def wake(self, id: AttemptId) -> None: ...

    def forget(self, id: AttemptId) -> None: ...

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        self.closed.append((id, abort))
        if self.broken:
            self.broken -= 1
            done("the machine says no")
            return
        self.live.pop(id.name, None)
        done("")

    def paths(self) -> list[str]:
        return [job.id.path for job in self.started]


def engine(
    store: Store,
    runner: Any,
    *,
    owner: str = "engine",
    config: EngineConfig | None = None,
    objects: Objects | None = None,
    only: Collection[int] | None = None,
    observers: Sequence[Observer] = (),
    alone: bool = False,
    time: VirtualClock | None = None,
) -> Engine:
    time, objects = time or clock(), objects or Objects()
    return Engine(
        store,
        owner=owner,
        runners=[runner],
        objects=objects,
        memo=Memo(store, objects, time, CacheConfig(), data="memory://data"),
        data_prefix="memory://data",
        clock=time,
        rng=random.Random(1),
        config=config,
        only=only,
        observers=observers,
        alone=alone,
    )


@asynccontextmanager
async def running(made: Engine) -> AsyncIterator[Engine]:
    """An engine that runs inside the block, and stops in good order at its end."""
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        made.stop()
        await asyncio.wait_for(task, 60)


async def create(
    store: Store,
    closure: CompiledWorkflowClosure,
    *,
    name: str = "ex",
    settings: Settings | None = None,
    inputs: bytes | None = None,
    reference: int = 0,
    signals: Mapping[str, bytes] | None = None,
    facts: Mapping[str, str] | None = None,
) -> ExecutionRecord:
    new = NewExecution(
        key=ExecutionKey("p", "d", name),
        entity="workflow p:d:w:v",
        closure=closure.SerializeToString(deterministic=True),
        inputs=outputs(a=1) if inputs is None else inputs,
        fingerprint="same",
        settings=pack_settings(settings or Settings()),
        reference=reference,
        signals=signals or {},
        facts=facts or {},
    )
    record, _ = await store.create(new)
    return record


async def ended(store: Store, execution: int, *, within: float = 3600) -> ExecutionRecord:
    """The execution once it is closed. Looks whenever the store says that something is new."""
    news = asyncio.Event()
    with store.watch(lambda _: news.set()):
        async with asyncio.timeout(within):
            while (record := await store.execution_by_id(execution)).open:
                await news.wait()
                news.clear()
    return record


def result(record: ExecutionRecord, name: str = "o0") -> int:
    lit = read_values(record.outputs).literals()[name]
    return lit.scalar.primitive.integer


async def until(store: Store, execution: int, path: str, *phases: str, within: float = 60) -> None:
    """Wait until a node is in one of some phases. Looks every 10 ms of a time that costs nothing."""
    async with asyncio.timeout(within):
        while (row := await store.node(execution, path)) is None or row.phase not in phases:
            await asyncio.sleep(0.01)


async def phases(store: Store, execution: int) -> dict[str, str]:
    return {row.path: row.phase for row in await store.nodes(execution)}
