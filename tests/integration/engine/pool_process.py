"""An engine whose attempts need a unit of a pool, in a process of its own: `python -m ... URL LOG`."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta

from alula._kits import owners
from alula._kits.clock import SystemClock
from alula.config import CacheConfig, EngineConfig
from alula.data.stores import Objects
from alula.engine.driver import Engine
from alula.engine.memo import Memo
from alula.plugin.runner import Asks, Job, Keeps, Started, Succeeded, Tell
from alula.store.opening import open_store
from alula.store.store import Store
from tests.unit.engine.drive import FakeRunner, outputs

RUNS_SECONDS = 0.15


class Runner(FakeRunner):
    """Says in a log when an attempt begins and ends; both are one write, which nothing divides."""

    def __init__(self, store: Store, log: str) -> None:
        super().__init__()
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._store, self._tasks = store, set[asyncio.Task[None]]()
        self.default = self.queue

    def queue(self, job: Job, tell: Tell) -> None:
        tell(Keeps(b"asks", 1, lambda: tell(Asks("q", 1, lambda: self._spawn(job, tell)))))

    def _spawn(self, job: Job, tell: Tell) -> None:
        task = asyncio.get_running_loop().create_task(self._run(job, tell))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job, tell: Tell) -> None:
        [record] = await self._store.executions(limit=1, before=int(job.id.execution[1:]) + 1)
        [(lease, _)] = [one for one in await self._store.leases(record.id) if one[0].path == job.id.path]
        assert lease.granted
        self._write("begins", lease.id)
        tell(Started())
        await asyncio.sleep(RUNS_SECONDS)
        self._write("ends", lease.id)
        tell(Succeeded(outputs(o0=1)))

    def _write(self, what: str, lease: int) -> None:
        os.write(self._log, f"{what} {lease}\n".encode())


async def main(url: str, log: str) -> None:
    store, clock, objects = open_store(url), SystemClock(), Objects()
    engine = Engine(
        store,
        owner=owners.of_this_process("t"),
        runners=[Runner(store, log)],
        objects=objects,
        memo=Memo(store, objects, clock, CacheConfig(), data="memory://data"),
        data_prefix="memory://data",
        config=EngineConfig(lease=timedelta(seconds=3)),
    )
    print("ready", flush=True)
    await engine.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
