"""Another process at the same store: `python -m tests.integration.admin.process WHAT URL DATA NAME`."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from alula._kits import owners
from alula._kits.clock import SystemClock
from alula.admin.desk import Desk
from alula.admin.retention import Policy, collect
from alula.config import CacheConfig
from alula.data.stores import Objects
from alula.engine.driver import Engine
from alula.engine.memo import Memo
from alula.plugin.runner import Job, Started, Tell
from alula.store.opening import open_store
from tests.unit.admin import office
from tests.unit.compiler.build import const, task_node
from tests.unit.engine.drive import FakeRunner, Script

LEASE = timedelta(seconds=1.5)
ALONE = office.workflow(task_node("n0", "single", x=const(3)), gives="n0")
"""One task, of which only one may run at a time for the same inputs."""


def say(*words: object) -> None:
    print(*words, flush=True)


def engine(at: Desk, script: Script, only: int, name: str = "engine") -> tuple[Engine, FakeRunner]:
    runner = FakeRunner(default=script)
    memo = Memo(at.store, at.objects, at.clock, CacheConfig(lease=LEASE), data=at.data)
    made = Engine(
        at.store,
        owner=owners.of_this_process(name),
        runners=[runner],
        objects=at.objects,
        memo=memo,
        data_prefix=at.data,
        only=[only],
    )
    return made, runner


async def create(at: Desk, name: str) -> None:
    """Create one execution when told to."""
    say("ready")
    sys.stdin.readline()
    made = await office.start(at, name=name)
    say(made.record.id, made.new)


async def hold(at: Desk, name: str) -> None:
    """Begin a task that never ends."""

    def script(job: Job, tell: Tell) -> None:
        tell(Started())
        say("started")

    made = await office.start(at, ALONE, name=name)
    one, _ = engine(at, script, made.record.id)
    await one.run()


class Telling(Objects):
    """Says when it begins with the files of one more execution, and waits to be told to."""

    async def write(self, uri: str, data: bytes) -> None:
        await super().write(uri, data)
        say(uri)
        sys.stdin.readline()


async def collect_all(at: Desk, name: str) -> None:
    """Remove all executions."""
    await collect(Desk(at.store, Telling(), at.data, at.clock), Policy(keep=0))


def main() -> None:
    what, url, data, name = sys.argv[1:]
    at = Desk(open_store(url), Objects(), data, SystemClock())
    asyncio.run({"create": create, "hold": hold, "collect": collect_all}[what](at, name))


if __name__ == "__main__":
    main()
