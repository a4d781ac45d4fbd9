"""`python -m tests.chaos`: kill real engines on SQLite and Postgres, and check what is left of it all."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import jobs, schedules
from tests.chaos.arena import Arena
from tests.chaos.cycles import WORKERS, again, labels, storm
from tests.servers.postgres import NoPostgres, postgres_server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=200, help="kills in all, at random moments")
    parser.add_argument("--seed", type=int, default=0, help="what the random moments follow from")
    parser.add_argument("--short", action="store_true", help="about a minute: few cycles, and each sixth label")
    parser.add_argument("--only", choices=["sqlite", "postgres", "jobs"], help="one of the parts")
    given = parser.parse_args()
    if given.short:
        given.cycles = 12
    faults = []
    wanted = WORKERS[::6] if given.short else WORKERS
    if given.only in (None, "jobs"):
        faults += _jobs(given.short)
    if given.only in (None, "sqlite"):
        faults += asyncio.run(_sqlite(given.cycles, wanted, random.Random(given.seed)))
    if given.only in (None, "postgres"):
        try:
            with postgres_server() as server:
                faults += asyncio.run(_postgres(server.database, given.cycles, wanted, random.Random(given.seed)))
        except NoPostgres as exc:
            print(f"left out: chaos on Postgres needs a server: {exc}")
    for fault in faults:
        print(f"FAULT {fault}")
    print("nothing lost, nothing doubled, nothing left" if not faults else f"{len(faults)} faults")
    sys.exit(bool(faults))


async def _sqlite(cycles: int, wanted: tuple[str, ...], rng: random.Random) -> list[str]:
    faults = []
    with tempfile.TemporaryDirectory(prefix="alula-chaos-") as home:
        began = time.monotonic()
        faults += await storm(Arena(_made(home, "storm")), cycles // 4, 1, rng)
        _say(f"sqlite: {cycles // 4} engines killed at random moments", began)
        found, kills = await again(Arena(_made(home, "again")), max(1, cycles // 40), rng)
        faults += found
        _say(f"sqlite: {kills} runs of a command line killed and begun again", began)
        faults += await labels(Arena(_made(home, "labels")), wanted)
        _say(f"sqlite: {len(wanted)} labelled points", began)
    return faults


def _jobs(short: bool) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="alula-chaos-") as home:
        began = time.monotonic()
        labels, aborted = (jobs.ALL[::6], jobs.ABORTED[:2]) if short else (jobs.ALL, jobs.ABORTED)
        faults = jobs.runs(Arena(_made(home, "runs")), labels)
        _say(f"jobs in a cloud: alula run killed at {len(labels)} labelled points", began)
        faults += asyncio.run(jobs.aborts(Arena(_made(home, "aborts")), aborted))
        _say(f"jobs in a cloud: engines killed at {len(aborted)} labelled points while somebody aborts", began)
    return faults


async def _postgres(database: object, cycles: int, wanted: tuple[str, ...], rng: random.Random) -> list[str]:
    faults = []
    assert callable(database)
    with tempfile.TemporaryDirectory(prefix="alula-chaos-") as home:
        began = time.monotonic()
        for replicas in (2, 3):
            arena = Arena(_made(home, f"storm{replicas}"), database())
            faults += await storm(arena, cycles // 4, replicas, rng)
            _say(f"postgres: {cycles // 4} of {replicas} engines killed at random moments", began)
        faults += await labels(Arena(_made(home, "labels"), database()), wanted)
        _say(f"postgres: {len(wanted)} labelled points", began)
        faults += await schedules.missed(Arena(_made(home, "schedules"), database()), max(4, cycles // 10), rng)
        _say(f"postgres: {max(4, cycles // 10)} of 3 replicas killed while they make up for starts", began)
    return faults


def _made(home: str, name: str) -> Path:
    path = Path(home) / name
    path.mkdir()
    return path


def _say(what: str, began: float) -> None:
    print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)


if __name__ == "__main__":
    main()
