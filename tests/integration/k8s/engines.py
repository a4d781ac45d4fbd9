"""Engines in processes of their own, which can be killed: `python -m tests.integration.k8s.engines`.

Everything is imported once; for each line of standard input, a JSON list of a directory and a server's URL and token,
an engine is forked and its process id printed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from datetime import timedelta
from pathlib import Path

import kubernetes_asyncio.client
import kubernetes_asyncio.config  # noqa: F401  # ahead of the fork

from alula._kits.clock import SystemClock
from alula.backends.k8s.pod import Pods
from alula.config import CacheConfig, Durability, EngineConfig
from alula.data.stores import Objects
from alula.engine.driver import Engine
from alula.engine.memo import Memo
from alula.hosting.host import Surroundings
from alula.hosting.hosts import Hosts, of_plugins
from alula.store.opening import open_store
from alula.store.store import Store


async def run(directory: Path, url: str, token: str) -> None:
    store, objects, clock, rng = _store(directory), Objects(), SystemClock(), random.Random(1)
    sections = {"k8s": {"url": url, "token": token, "settle": "300ms"}}
    around = Surroundings(clock=clock, rng=rng, objects=objects, section=lambda name: sections.get(name, {}))
    data = str(directory / "data")
    engine = Engine(
        store,
        owner=f"engine-{os.getpid()}",
        runners=[Hosts(of_plugins((Pods,), sections), around)],
        objects=objects,
        memo=Memo(store, objects, clock, CacheConfig(), data=data),
        data_prefix=data,
        clock=clock,
        rng=rng,
        config=EngineConfig(lease=timedelta(seconds=1)),
    )
    await engine.run()


def _store(directory: Path) -> Store:
    return open_store(str(directory / "alula.db"), durability=Durability.RELAXED)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        directory, url, token = json.loads(line)
        pid = os.fork()
        if pid == 0:
            try:
                asyncio.run(run(Path(directory), url, token))
            finally:
                os._exit(0)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
