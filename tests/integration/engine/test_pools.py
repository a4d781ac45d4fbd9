"""M36: units of a pool on real databases, with engines that are killed at random."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alula.store.opening import open_store
from alula.store.records import PoolRecord
from alula.store.store import Store
from tests.unit.engine.build import made, step
from tests.unit.engine.drive import create

ROOT = Path(__file__).parents[3]
UNITS, EXECUTIONS, EACH, KILLS = 3, 5, 4, 4
Process = subprocess.Popen[str]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "store.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")


class Fleet:
    """Engines in processes of their own."""

    def __init__(self, url: str, log: Path) -> None:
        self._command = [sys.executable, "-m", "tests.integration.engine.pool_process", url, str(log)]
        self.alive: list[Process] = []

    def start(self) -> None:
        self.alive.append(subprocess.Popen(self._command, cwd=ROOT, text=True, stdout=subprocess.PIPE))

    def kill(self, nth: int) -> None:
        process = self.alive.pop(nth)
        process.kill()
        process.communicate()

    def close(self) -> None:
        while self.alive:
            self.kill(0)


@pytest.fixture
def fleet(url: str, tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(url, tmp_path / "log")
    yield made
    made.close()


def lines(log: Path) -> list[tuple[str, int]]:
    found = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return [(what, int(lease)) for what, lease in found]


async def news(store: Store, seconds: float) -> None:
    """Wait until something is new in the store, or for so long."""
    event = asyncio.Event()
    with store.watch(lambda _: event.set()):
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return


async def test_m36_never_more_than_three_all_finish_in_their_order_and_nothing_is_left(
    url: str, fleet: Fleet, tmp_path: Path
) -> None:
    store, log, rng = open_store(url), tmp_path / "log", random.Random(36)
    await store.set_pool(PoolRecord("q", UNITS))
    records = [
        await create(store, made([step(f"n{i}") for i in range(EACH)]), name=f"x{nth}")
        for nth in range(1, EXECUTIONS + 1)
    ]
    for _ in range(3):
        fleet.start()
    killed = 0
    async with asyncio.timeout(100):
        while any([(await store.execution_by_id(record.id)).open for record in records]):
            [use] = await store.pools()
            assert use.used <= UNITS
            begun = sum(what == "begins" for what, _ in lines(log))
            if killed < KILLS and begun > 4 * killed:
                fleet.kill(rng.randrange(len(fleet.alive)))
                fleet.start()
                killed += 1
            await news(store, 0.2)
    assert killed == KILLS
    [use] = await store.pools()
    assert (use.used, use.waiting) == (0, 0)
    assert all([(await store.execution_by_id(record.id)).phase == "succeeded" for record in records])
    running: set[int] = set()
    order: list[int] = []
    for what, lease in lines(log):
        if what == "ends":
            running.discard(lease)
            continue
        running.add(lease)  # begun anew by another engine it has the unit that it had
        assert len(running) <= UNITS
        if lease not in order:
            order.append(lease)
    asked = sorted(order)
    assert len(asked) == EXECUTIONS * EACH
    assert all(abs(order.index(lease) - nth) <= UNITS for nth, lease in enumerate(asked))
    await store.aclose()
