"""A process that is an engine in so far as it has a pool: `engine.py DIRECTORY MODE`, to be killed.

It runs families that hang, and says `ready` when their members live. Mode `fork` forks the zygote off this process;
mode `exec` starts a fresh interpreter.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from alula.runtime import zygote
from tests.integration.workers import programs

DIRECTORY, MODE = Path(sys.argv[1]), sys.argv[2]
ROOT = zygote.fork() if MODE == "fork" else None

from tests.integration.workers.bench import bench, until  # noqa: E402 - what it imports must not be forked


async def main() -> None:
    async with bench(DIRECTORY, root=ROOT) as here:
        homes = []
        for how in ("hang", "ignore"):
            homes.append(DIRECTORY / how)
            homes[-1].mkdir()
            here.run(programs.family, directory=str(homes[-1]), how=how)
        await until(lambda: all((home / "ready").exists() for home in homes))
        print("ready", flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
