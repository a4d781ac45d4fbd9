"""Another process, to be killed: `python -m tests.acceptance.engine.process WHAT URL DIRECTORY ...`."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from alula.admin.desk import Desk
from alula.client.asynchronous import AsyncClient
from alula.config import Config, WorkersConfig
from alula.data.stores import Objects
from alula.store.opening import open_store
from tests.acceptance.engine import flows
from tests.unit.admin import office


def config(directory: Path, cpus: float = 0) -> Config:
    made = Config(home=directory / "home", data=str(directory / "data"))
    return replace(made, workers=WorkersConfig(cpus=cpus))


async def create(url: str, directory: Path, prefix: str) -> None:
    """Create executions for ever, and say each name once it is acknowledged."""
    at = Desk(open_store(url), Objects(), str(directory / "data"))
    for nth in range(100_000):
        made = await office.start(at, name=f"{prefix}-{nth}")
        print(made.record.key.name, flush=True)


async def submit(url: str, directory: Path, count: str, cpus: str) -> None:
    """Have many executions driven, for ever."""
    async with AsyncClient(url, config=config(directory, float(cpus))) as client:
        for nth in range(int(count)):
            run = await client.run(flows.waiting, name=f"ex{nth}", wait=False, path=str(directory / "go"), x=nth)
            print(run.name, flush=True)
        await asyncio.Event().wait()


async def finish(url: str, directory: Path, count: str, cpus: str) -> None:
    """Drive the same executions to their end, and say how they ended."""
    async with AsyncClient(url, config=config(directory, float(cpus))) as client:
        runs = [
            await client.run(flows.waiting, name=f"ex{nth}", wait=False, path=str(directory / "go"), x=nth)
            for nth in range(int(count))
        ]
        said = []
        for run in runs:
            await run.wait(120)
            attempts = await run.attempts()
            said.append((run.name, run.phase, sorted(one.number for one in attempts), run.new, await run.outputs()))
        print(json.dumps(said), flush=True)


async def secret(url: str, directory: Path, fail: str) -> None:
    """Run the task that has a secret; to be killed, or not."""
    async with AsyncClient(url, config=config(directory)) as client:
        run = await client.run(
            flows.with_secret, name=f"secret-{fail}", fail=fail == "yes", marks=str(directory / "marks")
        )
        print(run.phase, flush=True)


if __name__ == "__main__":
    what, url, directory, *more = sys.argv[1:]
    asyncio.run(globals()[what](url, Path(directory), *more))
