"""A pool with real processes, and what one asks of it in tests."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alula._kits.clock import Clock, SystemClock
from alula.backends.pool import Pool, Start
from alula.config import WorkersConfig
from alula.data.layout import Attempt
from alula.idl import LiteralMap, TaskTemplate
from alula.plugin.runner import AttemptId, Failed, Job, Report, Started, Succeeded, Waits
from alula.sdk import templates
from alula.sdk.compiler import Compilation, SerializationSettings
from alula.sdk.image import ImageConfig
from alula.types.registry import default

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 60
SETTINGS = SerializationSettings("p", "d", "v1", ImageConfig.auto("example.org/image:1"))


def template(task: Any) -> TaskTemplate:
    """The template of a task, as it is registered."""
    return templates.python_task(Compilation(SETTINGS), task).template


def literal_map(task: Any, values: dict[str, Any]) -> bytes:
    """Inputs on the wire."""
    run = {name: default.converter(task.interface.inputs[name].type) for name in values}
    made = {name: run[name].to_literal(value, None) for name, value in values.items()}  # type: ignore[arg-type]
    return LiteralMap(literals=made).SerializeToString()


@dataclass
class Watched:
    """One attempt, and all that its runner told."""

    job: Job
    reports: list[Report] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, report: Report) -> None:
        assert not self.over.is_set(), f"{report} after the end"
        self.reports.append(report)
        self.changed.set()
        if isinstance(report, Succeeded | Failed):
            self.over.set()

    @property
    def log(self) -> Path:
        return Path(Attempt(self.job.prefix).log)

    @property
    def events(self) -> list[Report]:
        """What was told, but for reasons to wait."""
        return [one for one in self.reports if not isinstance(one, Waits)]

    def told(self, kind: type[Report]) -> list[Any]:
        return [one for one in self.reports if isinstance(one, kind)]

    async def end(self) -> Succeeded | Failed:
        await asyncio.wait_for(self.over.wait(), PATIENCE_SECONDS)
        last = self.reports[-1]
        assert isinstance(last, Succeeded | Failed)
        assert [type(one) for one in self.reports].count(Started) <= 1
        return last

    async def values(self) -> dict[str, Any]:
        """What the attempt gave, as plain values."""
        end = await self.end()
        assert isinstance(end, Succeeded), end
        if end.written:
            end = Succeeded(Path(Attempt(self.job.prefix).outputs).read_bytes())
        return {name: plain(lit) for name, lit in LiteralMap.FromString(end.outputs).literals.items()}

    async def value(self) -> Any:
        [value] = (await self.values()).values()
        return value

    async def failure(self) -> Any:
        end = await self.end()
        assert isinstance(end, Failed), end
        return end.failure

    async def until(self, true: Callable[[], object]) -> None:
        await until(true)


def plain(lit: Any) -> Any:
    match lit.WhichOneof("value"):
        case "collection":
            return [plain(one) for one in lit.collection.literals]
        case "scalar" if lit.scalar.HasField("primitive"):
            primitive = lit.scalar.primitive
            return getattr(primitive, primitive.WhichOneof("value"))
    return lit


async def until(true: Callable[[], object]) -> None:
    """Wait until something is so; fail if it does not come about."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.005)


class Bench:
    """A pool, and jobs for it."""

    def __init__(self, pool: Pool, directory: Path) -> None:
        self.pool, self.directory = pool, directory
        self._numbers = itertools.count()
        self._templates: dict[Any, TaskTemplate] = {}

    def job(self, task: Any, **values: Any) -> Job:
        name = f"n{next(self._numbers)}"
        if task not in self._templates:
            self._templates[task] = task if isinstance(task, TaskTemplate) else template(task)
        return Job(
            AttemptId("p", "d", "e1", name, 0),
            self._templates[task],
            literal_map(task, values) if values else b"",
            str(self.directory / "data" / name / "0"),
        )

    def start(self, job: Job) -> Watched:
        watched = Watched(job)
        self.pool.start(job, watched.tell)
        return watched

    def run(self, task: Any, **values: Any) -> Watched:
        return self.start(self.job(task, **values))

    async def close(self, watched: Watched) -> str:
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.pool.close(watched.job.id, abort=True, reason="the test says so", done=done.set_result)
        return await asyncio.wait_for(done, PATIENCE_SECONDS)


@asynccontextmanager
async def bench(
    directory: Path, *, start: Start | None = None, clock: Clock | None = None, **more: Any
) -> AsyncIterator[Bench]:
    """A pool of fresh interpreters that have the tasks of `programs`."""
    settings = {key: more.pop(key) for key in list(more) if key in WorkersConfig.__dataclass_fields__}
    start = start or Start(paths=(str(ROOT),), modules=("tests.integration.workers.programs",))
    pool = Pool(
        WorkersConfig(**{"cpus": 2, **settings}),
        clock=clock or SystemClock(),
        start=start,
        spool=directory / "spool",
        **more,
    )
    await pool.open()
    try:
        yield Bench(pool, directory)
    finally:
        await pool.aclose()
        assert not (directory / "spool").exists()


def alive(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody has waited for does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def pids(directory: Path) -> dict[str, int]:
    """The processes that a family has told of."""
    return {path.stem: int(path.read_text()) for path in directory.glob("*.pid")}


def parent(pid: int) -> int:
    """The parent of a process; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def descendants(pid: int) -> list[int]:
    """All processes below one, sorted."""
    parents = {int(name): parent(int(name)) for name in os.listdir("/proc") if name.isdecimal()}
    found, more = set[int](), {pid}
    while more:
        more = {child for child, above in parents.items() if above in more} - found
        found |= more
    return sorted(found)
