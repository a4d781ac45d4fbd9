"""What is timed of hosted plugins, one case in one process: `python -m bench.hosts CASE COUNT`. Prints a line of JSON.

The remote lives in this process, on the plugin's own loop, and answers every call after 5 ms. The store is SQLite on
the disk of the temporary directory, durable.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import perf_counter, process_time

from alula._kits.clock import SystemClock
from alula.engine.observe import Committed, Silent
from alula.engine.state import Values
from alula.errors import RemoteNotFound
from alula.hosting.host import Host, Surroundings
from alula.idl import LiteralMap
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo
from alula.plugin.phase import Phase, PhaseInfo
from alula.plugin.runner import AttemptId
from alula.plugin.webapi import Limits, WebApiPlugin
from alula.sdk.workflow import BaseWorkflow
from alula.serve.house import House, furnish
from alula.store.records import ExecutionRecord
from bench import shapes
from bench.engines import OUTPUTS, config_in, integers, listed, new, resident_bytes

_ANSWER_SECONDS = 0.005
_TYPE = "python-task"
_OLD_SECONDS = 900.0
"""Jobs of this age are asked for every `refresh`; younger ones sooner."""
_WARM_SECONDS = 5.0
_LOOK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Key:
    id: int


class Remote:
    """Runs jobs that end when their time comes, or when somebody says so."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.ends: dict[int, float] = {}
        self.names: dict[int, str] = {}
        self.gets = self.asked = 0

    async def create(self, name: str) -> int:
        await asyncio.sleep(_ANSWER_SECONDS)
        id = len(self.ends)
        self.ends[id] = perf_counter() + self.seconds if self.seconds is not None else float("inf")
        self.names[id] = name
        return id

    async def over(self, ids: Sequence[int]) -> list[bool]:
        await asyncio.sleep(_ANSWER_SECONDS)
        self.gets += 1
        self.asked += len(ids)
        now = perf_counter()
        return [self.ends[id] <= now for id in ids]


class BenchPlugin(WebApiPlugin[Key, bool]):
    """Jobs of a remote in memory."""

    info = PluginInfo("bench", frozenset({_TYPE}))
    key_type = Key
    idempotent_create = True
    limits = Limits(
        writes_per_second=100_000, reads_per_second=100, batch=1_000, refresh=timedelta(seconds=30), concurrent=256
    )

    def __init__(self, remote: Remote) -> None:
        self.remote = remote

    async def create(self, task: TaskContext) -> Key:
        return Key(await self.remote.create(task.name))

    async def find(self, task: TaskContext) -> Key | None:
        return None

    async def get(self, keys: Sequence[Key]) -> Sequence[bool | RemoteNotFound]:
        return await self.remote.over([key.id for key in keys])

    async def delete(self, key: Key) -> None:
        await asyncio.sleep(_ANSWER_SECONDS)

    def phase(self, task: TaskContext, remote: bool) -> PhaseInfo:
        return PhaseInfo.succeeded(_RESULT) if remote else PhaseInfo(Phase.RUNNING)


_RESULT = LiteralMap.FromString(OUTPUTS)


class Shifted(SystemClock):
    """A clock that can be put forward: jobs grow old in no time."""

    def __init__(self) -> None:
        self.forward = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.forward)

    def monotonic(self) -> float:
        return super().monotonic() + self.forward


def hosted(remote: Remote, clock: Shifted) -> Host:
    around = Surroundings(clock=clock, rng=random.Random(0))
    return Host("bench", lambda: BenchPlugin(remote), around, task_types=frozenset({_TYPE}))


@dataclass
class Watch(Silent):
    """When executions end, by their names."""

    ends: dict[str, asyncio.Future[float]] = field(default_factory=dict)

    def committed(self, execution: ExecutionRecord, commit: Committed) -> None:
        waiting = self.ends.get(execution.key.name)
        if execution.ended_at is not None and waiting is not None and not waiting.done():
            if execution.phase != "succeeded":
                raise SystemExit(f"bench: {execution.error}")
            waiting.set_result(perf_counter())


@dataclass
class Rig:
    """An engine that runs, with one plugin."""

    house: House
    watch: Watch
    made: int = 0

    async def create(self, workflow: BaseWorkflow, inputs: Values) -> asyncio.Future[float]:
        """Have something run; gives when it has ended."""
        name, self.made = f"x{self.made}", self.made + 1
        ends = self.watch.ends[name] = asyncio.get_running_loop().create_future()
        await self.house.store.create(new(workflow, inputs, name))
        return ends


@asynccontextmanager
async def rig(host: Host) -> AsyncIterator[Rig]:
    with tempfile.TemporaryDirectory() as folder:
        house, watch = furnish(config_in(folder)), Watch()
        try:
            async with house.driving([host], everything=True, observers=[watch]):
                yield Rig(house, watch)
        finally:
            await house.aclose()


async def tracked(count: int) -> dict[str, float]:
    """Memory of each of many jobs that run, and the processor that looking after them needs, once they are old."""
    remote, clock = Remote(None), Shifted()
    host = hosted(remote, clock)
    async with rig(host) as here:
        await here.create(shapes.mapped(1), listed(1))
        await _until(lambda: len(remote.ends) == 1)
        before, began = resident_bytes(), perf_counter()
        await here.create(shapes.mapped(count), listed(count))
        await _until(lambda: len(remote.ends) == count + 1 and host.numbers()["tracked"] == count + 1)
        started = perf_counter() - began
        clock.forward = _OLD_SECONDS
        await asyncio.sleep(_WARM_SECONDS)  # all of them are due at once, the first time
        spent, start, gets, asked = process_time(), perf_counter(), remote.gets, remote.asked
        await asyncio.sleep(_LOOK_SECONDS)
        taken = perf_counter() - start
        return {
            "bytes": (resident_bytes() - before) / count,
            "cores": (process_time() - spent) / taken,
            "started": started,
            "gets": (remote.gets - gets) / taken,
            "refresh": count / max(1e-9, (remote.asked - asked) / taken),
        }


async def noticed(count: int) -> dict[str, float]:
    """Seconds from the end of a job to the commit of its execution's end: young jobs that are polled, old that push."""
    remote, clock = Remote(None), Shifted()
    host, rng = hosted(remote, clock), random.Random(1)
    found: dict[bool, list[float]] = {False: [], True: []}
    async with rig(host) as here:
        for nth in range(2 * count):
            push = nth >= count
            ends = await here.create(shapes.chain(1), integers(a=0))
            await _until(lambda nth=nth: len(remote.ends) > nth)  # type: ignore[misc]
            await asyncio.sleep(0.6 if push else rng.uniform(1, 9))
            if push:
                clock.forward += _OLD_SECONDS
                await asyncio.sleep(1.5)
            ended = remote.ends[nth] = perf_counter()
            if push:
                host.wake(AttemptId("bench", "bench", f"x{nth}", "n0", 0, await here.house.store.tag()))
            found[push].append(await ends - ended)
    return {"polled": max(found[False]), "pushed": max(found[True])}


async def crowd(count: int) -> dict[str, float]:
    """Seconds from the creation of an execution of so many jobs of one second each, all at once, to its end."""
    async with rig(hosted(Remote(1.0), Shifted())) as here:
        await (await here.create(shapes.mapped(2), listed(2)))
        start, spent = perf_counter(), process_time()
        ends = await here.create(shapes.mapped(count), listed(count))
        return {"seconds": await ends - start, "cpu": process_time() - spent}


async def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 300
    while not true():
        if time.monotonic() > until:
            raise SystemExit("bench: it does not get there")
        await asyncio.sleep(0.02)


def main() -> None:
    case, count = sys.argv[1], int(sys.argv[2])
    cases: dict[str, Callable[[int], Awaitable[object]]] = {"tracked": tracked, "noticed": noticed, "crowd": crowd}
    print(json.dumps(asyncio.run(cases[case](count))))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
