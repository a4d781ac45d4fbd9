"""What is timed of the engine, one case in one process: `python -m bench.engines CASE COUNT [DURABILITY] [REPEATS]`.

Prints one line of JSON. The store is SQLite on the disk of the temporary directory; a bare commit of one small row is
timed on the same disk in the same process, right before each run.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from alula._kits import lazy, loops
from alula.compiler.compile import compile_workflow
from alula.config import Config, Durability, StoreConfig
from alula.engine.codec import pack_settings
from alula.engine.observe import Committed, Silent
from alula.engine.state import Settings, Values
from alula.idl import TaskTemplate, literals
from alula.plugin.runner import AttemptId, Job, Runner, Succeeded, Tell
from alula.sdk.serialize import SerializationSettings, serialize
from alula.sdk.workflow import BaseWorkflow
from alula.serve import crews
from alula.serve.code import Code
from alula.serve.house import House, furnish
from alula.store.records import ExecutionKey, ExecutionRecord, NewExecution
from bench import shapes

OUTPUTS = Values.of({"o0": literals.integer(1)}).data
UNLIMITED = pack_settings(Settings(max_parallelism=0))


class Instant:
    """A runner in memory that answers at once."""

    local = False

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def aclose(self) -> None: ...

    def keep(self, seconds: float) -> None: ...

    def accepts(self, template: TaskTemplate) -> str:
        return ""

    def start(self, job: Job, tell: Tell) -> None:
        self._loop.call_soon(tell, Succeeded(OUTPUTS))

    def wake(self, id: AttemptId) -> None: ...

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        done("")


class Held(Instant):
    """A runner in memory that answers when it is told to: its attempts wait."""

    def __init__(self) -> None:
        self.waiting: dict[AttemptId, tuple[Job, Tell]] = {}
        self._more = asyncio.Event()

    def start(self, job: Job, tell: Tell) -> None:
        self.waiting[job.id] = job, tell
        self._more.set()

    async def has(self, count: int) -> None:
        """Wait until so many wait."""
        while len(self.waiting) < count:
            self._more.clear()
            await self._more.wait()

    def answer(self) -> None:
        """End the one that waits for longest."""
        _, tell = self.waiting.pop(next(iter(self.waiting)))
        tell(Succeeded(OUTPUTS))


@dataclass
class Watch(Silent):
    """Tells when an execution ends, and when something is committed."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)
    wrote: asyncio.Event = field(default_factory=asyncio.Event)

    def committed(self, execution: ExecutionRecord, commit: Committed) -> None:
        self.wrote.set()
        if execution.ended_at is not None:
            if execution.phase != "succeeded":
                print(execution.error, file=sys.stderr)
                os._exit(1)
            self.ended.set()


@dataclass
class Rig:
    """An engine that runs, and what runs on it."""

    house: House
    watch: Watch
    made: int = 0

    async def create(self, workflow: BaseWorkflow, inputs: Values) -> int:
        record, _ = await self.house.store.create(new(workflow, inputs, f"x{self.made}"))
        self.made += 1
        return record.id

    async def run(self, workflow: BaseWorkflow, inputs: Values) -> tuple[float, float]:
        """Seconds, and processor seconds of this process, from the creation of an execution to its end."""
        wanted = new(workflow, inputs, f"x{self.made}")
        self.made += 1
        self.watch.ended.clear()
        start, spent = perf_counter(), process_time()
        await self.house.store.create(wanted)
        await self.house.unless_lost(self.watch.ended.wait())
        return perf_counter() - start, process_time() - spent


def new(workflow: BaseWorkflow, inputs: Values, name: str) -> NewExecution:
    made = serialize(workflow, SerializationSettings(project="bench", domain="bench", version="1"))
    tasks = [spec.template for spec in made.tasks.values()]
    closure = compile_workflow(made.workflows[workflow.name].template, (), tasks)
    return NewExecution(
        ExecutionKey("bench", "bench", name),
        workflow.name,
        closure.SerializeToString(),
        inputs.data,
        name,
        settings=UNLIMITED,
        facts=CODE.facts(),
    )


CODE = Code.loaded("bench.shapes")


def config_in(folder: str, durability: str = "full") -> Config:
    return Config(home=Path(folder), store=StoreConfig(durability=Durability(durability)))


@asynccontextmanager
async def rig(config: Config, *runners: Runner) -> AsyncIterator[Rig]:
    house, watch = furnish(config), Watch()
    try:
        observers = [watch, *(one for one in runners if isinstance(one, Silent))]
        async with house.driving(runners, everything=True, observers=observers):
            lazy.settle()  # as `alula serve` does
            yield Rig(house, watch)
    finally:
        await house.aclose()


def commit_seconds(folder: str, count: int = 300) -> float:
    """The median of bare commits: one small row in WAL, FULL."""
    path = Path(folder, "bare.db")
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("PRAGMA journal_mode = WAL")
    raw.execute("PRAGMA synchronous = FULL")
    raw.execute("CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, body BLOB)")
    taken = []
    for _ in range(count):
        start = perf_counter()
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("INSERT INTO bare (body) VALUES (?)", (b"x" * 50,))
        raw.execute("COMMIT")
        taken.append(perf_counter() - start)
    raw.close()
    return median(taken)


def integers(**named: int) -> Values:
    return Values.of({name: literals.integer(value) for name, value in named.items()})


def listed(count: int) -> Values:
    return Values.of({"values": literals.collection(literals.integer(value) for value in range(count))})


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def written_bytes() -> int:
    """What this process has handed to the kernel to write so far."""
    return int(Path("/proc/self/io").read_text().split("wchar:")[1].split()[0])


# --- cases ----------------------------------------------------------------------------------------------------------


async def steps(config: Config, runner: Runner, workflow: Callable[[int], BaseWorkflow], count: int, repeats: int):  # type: ignore[no-untyped-def]
    """Seconds per task, processor seconds per task, and the bare commit beside each."""
    found = []
    async with rig(config, runner) as here:
        await here.run(workflow(min(count, 200)), integers(a=0))
        for _ in range(repeats):
            unit = commit_seconds(str(config.home))
            taken, spent = await here.run(workflow(count), integers(a=0))
            found.append({"seconds": taken / count, "cpu": spent / count, "commit": unit})
    return found


async def waiting(config: Config, count: int) -> dict[str, float]:
    """Bytes of each of many waiting tasks, and the processor that they need while nothing happens."""
    held = Held()
    async with rig(config, held) as here:
        await here.create(shapes.mapped(1), listed(1))
        await held.has(1)
        before = resident_bytes()
        await here.create(shapes.mapped(count), listed(count))
        await held.has(count + 1)
        await asyncio.sleep(1)
        grown, spent, start = resident_bytes() - before, process_time(), perf_counter()
        await asyncio.sleep(3)
        return {"bytes": grown / count, "cores": (process_time() - spent) / (perf_counter() - start)}


async def mapping(config: Config, runner: Runner, count: int) -> dict[str, float]:
    """The most memory that the engine's process had while one execution mapped over a long list."""
    async with rig(config, runner) as here:
        await here.run(shapes.mapped(2), listed(2))
        taken, _ = await here.run(shapes.mapped(count), listed(count))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"bytes": peak, "seconds": taken / count}


async def transition(config: Config, count: int, repeats: int) -> dict[str, float]:
    """Bytes written and seconds for the end of one task in an execution with so many that are open."""
    held = Held()
    async with rig(config, held) as here:
        await here.create(shapes.mapped(count), listed(count))
        await held.has(count)
        await asyncio.sleep(0.5)
        taken = []
        wrote = written_bytes()
        for _ in range(repeats):
            here.watch.wrote.clear()
            start = perf_counter()
            held.answer()
            await here.watch.wrote.wait()
            taken.append(perf_counter() - start)
        return {"bytes": (written_bytes() - wrote) / repeats, "seconds": median(taken)}


async def hold(config: Config, count: int) -> None:
    """Open so many tasks, say so, and wait to be killed."""
    held = Held()
    async with rig(config, held) as here:
        await here.create(shapes.mapped(count), listed(count))
        await held.has(count)
        print("open", flush=True)
        await asyncio.Event().wait()


async def resume(config: Config) -> None:
    """Go on with what is open, and say when the first thing has got further."""
    async with rig(config, Instant()) as here:
        await here.watch.wrote.wait()
        print("progress", flush=True)
        os._exit(0)


def main() -> None:
    case, count, *more = sys.argv[1:]
    durability, repeats = (more or ["full"])[0], int((more[1:] or ["1"])[0])
    forked = crews.fork(CODE) if case in ("chain", "wide", "map") else None
    with tempfile.TemporaryDirectory() as folder:
        if case in ("hold", "resume"):
            folder = more[0]
            durability = "full"
        config = config_in(folder, durability)
        runner: Runner = crews.programs(config, forked=forked) if forked is not None else Instant()
        cases: dict[str, Callable[[], Awaitable[object]]] = {
            "chain": lambda: steps(config, runner, shapes.chain, int(count), repeats),
            "wide": lambda: steps(config, runner, shapes.wide, int(count), repeats),
            "alone": lambda: steps(config, runner, shapes.wide, int(count), repeats),
            "waiting": lambda: waiting(config, int(count)),
            "map": lambda: mapping(config, runner, int(count)),
            "map-alone": lambda: mapping(config, runner, int(count)),
            "transition": lambda: transition(config, int(count), repeats),
            "hold": lambda: hold(config, int(count)),
            "resume": lambda: resume(config),
        }
        print(json.dumps(loops.run(cases[case]())))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
