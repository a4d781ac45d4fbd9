"""The engine on a real SQLite file, in a process that is killed and started again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from alula.engine.codec import read_values
from alula.engine.crash import VARIABLE
from alula.store.opening import open_store
from alula.store.records import ExecutionKey

LENGTH = 12

PROGRAM = f"""
import asyncio, random, sys
from alula._kits.clock import SystemClock
from alula.config import CacheConfig
from alula.data.stores import Objects
from alula.engine.driver import Engine
from alula.engine.memo import Memo
from alula._kits import owners
from alula.store.opening import open_store
from tests.unit.compiler.build import ref
from tests.unit.engine.build import made, step
from tests.unit.engine.drive import FakeRunner, create, ended, running
from tests.unit.idl.build import INT

NODES = [step("n0"), *(step(f"n{{nth}}", f"n{{nth - 1}}") for nth in range(1, {LENGTH}))]

async def main(store, data):
    record = await create(store, made(NODES, outputs={{"o0": (INT, ref("n{LENGTH - 1}", "o0"))}}))
    clock, objects = SystemClock(), Objects()
    engine = Engine(
        store,
        owner=owners.of_this_process("t"),
        runners=[FakeRunner()],
        objects=objects,
        memo=Memo(store, objects, clock, CacheConfig(), data=data),
        data_prefix=data,
        alone=True,
    )
    async with running(engine):
        await ended(store, record.id, within=60)

asyncio.run(main(open_store(sys.argv[1]), sys.argv[2]))
"""


def run(at: Path, crash: str = "") -> int:
    """Run the program, or the rest of it; gives its exit code."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    if crash:
        env[VARIABLE] = crash
    command = [sys.executable, "-c", PROGRAM, str(at / "alula.db"), str(at / "data")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode


async def look(at: Path) -> tuple[str, int, set[int]]:
    """Phase and result of the execution, and the numbers of all attempts."""
    store = open_store(str(at / "alula.db"))
    try:
        record = await store.execution(ExecutionKey("p", "d", "ex"))
        attempts = await store.attempts(record.id)
    finally:
        await store.aclose()
    assert not any(one.open for one in attempts)
    value = read_values(record.outputs).literals()["o0"].scalar.primitive.integer
    return record.phase, value, {one.number for one in attempts}


@pytest.mark.parametrize("crash", ["claim.after", "load.after", "commit.before:7", "commit.after:7", "start.after:5"])
def test_m45_a_process_that_is_killed_goes_on_where_it_was_without_a_retry(tmp_path: Path, crash: str) -> None:
    assert run(tmp_path, crash) == -9
    assert run(tmp_path) == 0
    assert asyncio.run(look(tmp_path)) == ("succeeded", 2**LENGTH, {0})


def test_a_process_that_is_killed_again_and_again_gets_there_in_the_end(tmp_path: Path) -> None:
    killed = 0
    while run(tmp_path, "commit.after:4"):
        killed += 1
    assert 2 <= killed <= LENGTH
    assert asyncio.run(look(tmp_path)) == ("succeeded", 2**LENGTH, {0})
