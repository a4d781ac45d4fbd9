"""The figures of containers: a task in one beside `docker run --rm`, and many beside `xargs -P10 docker run --rm`.

Both use one engine that is started for this, and the same image. Ours is the whole way of a task: its execution created
in a store on the disk, run, its log kept, its container removed, and the end of it committed.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from alula import AsyncClient
from alula.config import Config
from alula.sdk.container import ContainerTask
from alula.sdk.workflow import ImperativeWorkflow
from bench.durable import Table
from tests.servers.docker import BUSYBOX, Docker, NoDocker, docker_engine

PARTS = ("container", "containers")
AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Size:
    """How much is run."""

    one: int
    many: int
    rounds: int


FULL = Size(one=20, many=100, rounds=3)
SHORT = Size(one=6, many=30, rounds=1)

noop = ContainerTask(name="noop", image=BUSYBOX, command=["true"])


def _wide(count: int) -> ImperativeWorkflow:
    """So many tasks that wait for nothing."""
    made = ImperativeWorkflow(name=f"bench.wide{count}")
    for _ in range(count):
        made.add_entity(noop)
    return made


single, few, many = _wide(1), _wide(30), _wide(100)


def measure(parts: Sequence[str], *, short: bool) -> None:
    """Print the figures of these parts."""
    size, table = SHORT if short else FULL, Table()
    try:
        with docker_engine() as engine:
            engine.busybox()
            if "container" in parts:
                ours, theirs = asyncio.run(_one(engine, size))
                said = f"{1000 * (ours - theirs):.0f} ms"
                table.bar("a task over docker run --rm", said, "under 100 ms", met=ours - theirs < 0.1)
                table.note("  the two of them", f"{1000 * ours:.0f} and {1000 * theirs:.0f} ms")
            if "containers" in parts:
                ours, theirs = asyncio.run(_many(engine, size))
                name = f"{size.many} tasks, {AT_ONCE} at a time, over xargs -P{AT_ONCE}"
                table.bar(name, f"{ours / theirs:.2f} of its rate", "at least 0.90", met=ours >= 0.9 * theirs)
                table.note("  the two of them", f"{ours:.1f} and {theirs:.1f} per second")
    except NoDocker as exc:
        table.note("containers", "left out", str(exc))


async def _one(engine: Docker, size: Size) -> tuple[float, float]:
    """Seconds of a task, and of a plain run: medians, taken in turn."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as home:
        async with _client(engine, home) as alula:
            await alula.run(single)
            for _ in range(size.one):
                began = perf_counter()
                run = await alula.run(single)
                ours.append(perf_counter() - began)
                assert run.phase == "succeeded", run
                theirs.append(await asyncio.to_thread(_plain, engine))
    return median(ours), median(theirs)


async def _many(engine: Docker, size: Size) -> tuple[float, float]:
    """Tasks a second, and plain runs a second."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as home:
        async with _client(engine, home) as alula:
            await alula.run(single)
            for _ in range(size.rounds):
                began = perf_counter()
                run = await alula.run(few if size.many == 30 else many)
                ours.append(size.many / (perf_counter() - began))
                assert run.phase == "succeeded", run
                theirs.append(await asyncio.to_thread(_shell, engine, size.many))
    return median(ours), median(theirs)


def _client(engine: Docker, home: str) -> AsyncClient:
    backends = {"docker": {"url": engine.url, "containers": AT_ONCE}}
    return AsyncClient(config=Config(home=Path(home), data=f"{home}/data", backends=backends))


def _plain(engine: Docker) -> float:
    began = perf_counter()
    engine.run("run", "--rm", "--init", BUSYBOX, "true")
    return perf_counter() - began


def _shell(engine: Docker, count: int) -> float:
    command = f"seq {count} | xargs -P{AT_ONCE} -I{{}} docker run --rm --init {BUSYBOX} true"
    began = perf_counter()
    subprocess.run(["sh", "-c", command], env=engine.environ(), check=True, capture_output=True)
    return count / (perf_counter() - began)
