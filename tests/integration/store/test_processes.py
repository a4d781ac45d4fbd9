"""Several processes share a store: none takes what another has, and none keeps what it may not have."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from alula.store.opening import open_store
from alula.store.store import Store
from tests.integration.store.rows import LONG, new, paths, step

ROOT = Path(__file__).parents[3]
Engine = subprocess.Popen[str]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "store.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)


@pytest.fixture
def engine(url: str) -> Iterator[Callable[[str], Engine]]:
    """Starts an engine in a process of its own."""
    started: list[Engine] = []

    def start(what: str) -> Engine:
        command = [sys.executable, "-m", "tests.integration.store.engine_process", what, url]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        started.append(subprocess.Popen(command, cwd=ROOT, text=True, **pipes))  # type: ignore[call-overload]
        return started[-1]

    yield start
    for process in started:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


def line(process: Engine) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(process: Engine, say: str = "go") -> None:
    assert process.stdin is not None
    process.stdin.write(f"{say}\n")
    process.stdin.flush()


async def test_of_three_engines_one_gets_each_execution(store: Store, engine: Callable[[str], Engine]) -> None:
    ids = [(await store.create(new(str(i))))[0].id for i in range(60)]
    engines = [engine("take_all") for _ in range(3)]
    assert [line(one) for one in engines] == ["ready"] * 3
    for one in engines:
        go(one)
    taken = [int(id) for one in engines for id in one.communicate()[0].split()]
    assert sorted(taken) == ids
    for id in ids:
        assert not (await store.execution_by_id(id)).open
    await store.aclose()


async def test_three_engines_write_at_once(store: Store, engine: Callable[[str], Engine]) -> None:
    for name in "xyz":
        await store.create(new(name))
    engines = [engine("write_much") for _ in range(3)]
    assert [line(one) for one in engines] == ["ready"] * 3
    for one in engines:
        go(one)
    for one in engines:
        id = int(one.communicate()[0])
        assert len(await store.nodes(id)) == 100
    await store.aclose()


async def test_a_killed_engine_is_followed_at_once_and_loses_nothing_that_it_was_told_is_kept(
    store: Store, engine: Callable[[str], Engine]
) -> None:
    record, _ = await store.create(new("x"))
    await store.beat("b", lease=LONG)
    process = engine("write_on")
    owner = line(process)
    while (said := line(process)) != "20":
        assert said
    assert await store.claim("b", limit=1) == []
    assert [lives for name, _, lives in await store.owners() if name == owner] == [True]
    process.kill()
    told = [20, *map(int, process.communicate()[0].split())]
    (claim,) = await store.claim("b", limit=1)  # its lease lasts an hour, but its process is known to be gone
    assert claim.fence == 2
    kept = await paths(store, record.id)
    assert kept[: told[-1] + 1] == [f"n{i:06}" for i in range(told[-1] + 1)]
    assert len(kept) <= told[-1] + 2  # what was durable when the process died, before it could say so
    await store.commit(claim, step("n0"))
    await store.aclose()


async def test_an_engine_that_was_paused_finds_that_another_has_its_execution(
    store: Store, engine: Callable[[str], Engine]
) -> None:
    record, _ = await store.create(new("x"))
    process = engine("write_when_told")
    owner = line(process)
    go(process, "n0")
    assert line(process) == "kept"
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    go(process, "n1")  # it waits for the process to go on
    await store.beat("b", lease=LONG)
    assert await store.claim("b", limit=1) == []
    await store.beat(owner, lease=timedelta(0))  # as if it had not been heard of for the length of its lease
    (claim,) = await store.claim("b", limit=1)
    await store.commit(claim, step("n2"))
    process.send_signal(signal.SIGCONT)
    assert process.communicate()[0].split() == ["lost"]
    assert await paths(store, record.id) == ["n0", "n2"]
    await store.aclose()
