"""An engine with what flytekit registered, and what one asks of it in tests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alula import Client
from alula.admin import entities
from alula.admin.entities import Specs
from alula.admin.options import Options
from alula.client.synchronous import Run
from alula.config import Config, WorkersConfig
from alula.idl.admin import LaunchPlan, TaskSpec, WorkflowSpec
from alula.serve.house import furnish

VERSION = "v1"


def specs_of(directory: Path) -> Specs:
    """The files that `register.py` wrote."""

    def read(kind: str, message: Any) -> list[Any]:
        return [message.FromString(path.read_bytes()) for path in sorted(directory.glob(f"*.{kind}"))]

    return Specs.of(read("task", TaskSpec), read("workflow", WorkflowSpec), read("launch_plan", LaunchPlan))


@dataclass
class Engine:
    """An engine, and the client that asks it."""

    client: Client
    config: Config

    def run(self, name: str, /, *, wait: bool = True, options: Options | None = None, **inputs: Any) -> Run:
        """Run what the programs call `name`."""
        return self.client.run(f"jobs.{name}", version=VERSION, wait=wait, options=options, inputs=inputs)

    def outputs(self, name: str, /, **inputs: Any) -> dict[str, Any]:
        run = self.run(name, **inputs)
        assert run.phase == "succeeded", run.error
        return run.outputs

    def error(self, name: str, /, **inputs: Any) -> str:
        run = self.run(name, **inputs)
        assert run.phase == "failed", run.phase
        return str(run.error)


@contextmanager
def engine(home: Path, python: Path, specs: Specs, *, data: str = "", **workers: Any) -> Iterator[Engine]:
    """An engine of its own, on SQLite."""
    config = Config(
        home=home,
        data=data,
        project="p",
        domain="d",
        workers=WorkersConfig(**{"python": str(python), "cpus": 4, **workers}),
    )

    async def register() -> None:
        house = furnish(config)
        try:
            await entities.register(house.store, specs, now=house.clock.now())
        finally:
            await house.aclose()

    asyncio.run(register())
    with Client(config=config) as client:
        yield Engine(client, config)


def ends_everything(engine: Engine, home: Path) -> None:
    """Abort a task that has a child in a session of its own, and see that nothing of it is left."""
    run = engine.run("waits_for", home=str(home), wait=False)
    until_there(home / "own.pid", home / "child.pid")
    run.abort("the test says so")
    assert run.wait(60).phase == "aborted"
    pids = [int((home / name).read_text()) for name in ("own.pid", "child.pid")]
    assert not [pid for pid in pids if alive(pid)]


def until_there(*paths: Path) -> None:
    """Wait until files are there and have something in them."""
    deadline = time.monotonic() + 60
    while not all(path.exists() and path.read_text() for path in paths):
        assert time.monotonic() < deadline, f"{paths} did not come"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
