"""Nothing outlives its attempt, and nothing outlives the engine: subprocesses, sessions of their own, daemons."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from alula.plugin.failure import FailureKind
from alula.plugin.runner import AttemptId, Started
from alula.runtime import zygote
from tests.integration.workers import programs
from tests.integration.workers.bench import ROOT, Bench, Watched, alive, bench, descendants, parent, pids, until

SHORT = timedelta(milliseconds=100)
MEMBERS = {"worker", "child", "session", "daemon"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A directory for the pids of a family; what lives at the end of the test is killed, so that one failure is one."""
    path = tmp_path / "family"
    path.mkdir()
    yield path
    for file in tmp_path.rglob("*.pid"):
        if file.read_text() and alive(int(file.read_text())):
            os.kill(int(file.read_text()), signal.SIGKILL)


async def family(here: Bench, home: Path, how: str) -> Watched:
    watched = here.run(programs.family, directory=str(home), how=how)
    await until((home / "ready").exists)
    assert set(pids(home)) == MEMBERS
    return watched


def living(home: Path) -> set[str]:
    return {name for name, pid in pids(home).items() if alive(pid)}


@pytest.mark.parametrize("how", ["hang", "ignore", "block", "stopped"])
async def test_closing_an_attempt_ends_all_that_it_started(tmp_path: Path, home: Path, how: str) -> None:
    async with bench(tmp_path, stop_grace=SHORT) as here:
        watched = await family(here, home, how)
        assert living(home) == MEMBERS
        assert await here.close(watched) == ""
        assert living(home) == set()
        assert watched.events == [Started()]
        assert await here.run(programs.add, a=1).value() == 3


@pytest.mark.parametrize("how", ["return", "raise", "crash"])
async def test_an_attempt_is_over_when_all_that_it_started_has_ended(tmp_path: Path, home: Path, how: str) -> None:
    async with bench(tmp_path, stop_grace=SHORT) as here:
        watched = await family(here, home, how)
        await watched.end()
        assert living(home) == set()
        assert await here.run(programs.add, a=1).value() == 3


async def test_ending_one_attempt_hurts_no_other(tmp_path: Path, home: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    async with bench(tmp_path, stop_grace=SHORT) as here:
        first = await family(here, home, "hang")
        second = await family(here, other, "hang")
        await here.close(first)
        assert living(home) == set()
        assert living(other) == MEMBERS
        await here.close(second)
        assert living(other) == set()


async def test_a_stopped_task_has_time_to_clean_up(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        watched = here.run(programs.cleans_up, directory=str(tmp_path))
        await until((tmp_path / "ready").exists)
        await here.close(watched)
        assert (tmp_path / "cleaned").exists()


async def test_closing_twice_is_told_twice(tmp_path: Path, home: Path) -> None:
    async with bench(tmp_path, stop_grace=SHORT) as here:
        watched = await family(here, home, "ignore")
        said: list[str] = []
        here.pool.close(watched.job.id, abort=True, reason="", done=said.append)
        assert await here.close(watched) == ""
        assert said == [""]


async def test_an_attempt_that_is_being_closed_begins_anew_only_when_nothing_is_left(
    tmp_path: Path, home: Path
) -> None:
    async with bench(tmp_path, stop_grace=SHORT) as here:
        watched = await family(here, home, "ignore")
        before = pids(home)
        closed = asyncio.ensure_future(here.close(watched))
        await asyncio.sleep(0)
        for name in before:
            (home / f"{name}.pid").unlink()
        (home / "ready").unlink()
        again = here.start(watched.job)
        assert again.events == []
        assert await closed == ""
        assert not any(alive(pid) for pid in before.values())
        await until((home / "ready").exists)
        assert again.events == [Started()]
        await here.close(again)


async def test_a_worker_is_ended_before_its_pid_is_known(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        watched = here.run(programs.wait_for, path=str(tmp_path / "never"))
        assert await here.close(watched) == ""
        assert not (tmp_path / "never.pid").exists() or not alive(int((tmp_path / "never.pid").read_text()))


async def test_a_job_that_waits_is_cancelled_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path, cpus=1) as here:
        first = here.run(programs.wait_for, path=str(tmp_path / "go on"))
        second = here.run(programs.add, a=1)
        said: list[str] = []
        here.pool.close(second.job.id, abort=True, reason="", done=said.append)
        assert said == [""]
        await until((tmp_path / "go on.pid").exists)
        (tmp_path / "go on").touch()
        await first.end()
        assert second.reports == []


async def test_closing_the_pool_ends_everything_without_a_word(tmp_path: Path, home: Path) -> None:
    async with bench(tmp_path, stop_grace=SHORT) as here:
        watched = await family(here, home, "ignore")
        idle = (await here.run(programs.whoami).values())["o0"]
    assert living(home) == set()
    assert not alive(idle)
    assert watched.events == [Started()]
    here.pool.close(AttemptId("p", "d", "e", "n", 0), abort=True, reason="", done=[].append)


async def test_what_an_engine_does_not_keep_ends_even_if_the_engine_does_not_run(tmp_path: Path, home: Path) -> None:
    async with bench(tmp_path) as here:
        watched = await family(here, home, "ignore")
        here.pool.keep(3600)
        assert await here.run(programs.add, a=1).value() == 3
        assert living(home) == MEMBERS
        here.pool.keep(0.05)
        while living(home):
            time.sleep(0.01)  # this loop does not run, as that of an engine which is stopped
        failure = await watched.failure()
        assert (failure.code, failure.kind) == ("WorkersLost", FailureKind.SYSTEM)
        here.pool.keep(3600)
        assert await here.run(programs.add, a=1).value() == 3


@pytest.mark.parametrize("root", [None, "fork"])
async def test_nothing_survives_a_keeper_that_is_killed_alone(tmp_path: Path, home: Path, root: str | None) -> None:
    if root and threading.active_count() > 1:  # what other tests have left here cannot be forked; a fresh process can
        here_again = f"{Path(__file__).resolve()}::test_nothing_survives_a_keeper_that_is_killed_alone[fork]"
        alone = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", here_again]
        done = subprocess.run(alone, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        return
    async with bench(tmp_path, root=zygote.fork() if root else None) as here:
        with stranger(tmp_path) as ours:
            watched = await family(here, home, "ignore")
            worker = pids(home)["worker"]
            said: list[str] = []
            os.kill(parent(parent(worker)), signal.SIGKILL)
            here.pool.close(AttemptId("p", "d", "e", "n", 0), abort=True, reason="", done=said.append)
            failure = await watched.failure()
            assert living(home) == set(), "they are gone before another attempt may begin"
            assert (failure.code, failure.kind) == ("WorkersLost", FailureKind.SYSTEM)
            assert said == [""]
            assert await here.run(programs.add, a=1).value() == 3
            assert alive(ours), "it is none of the engine's"


async def test_an_attempt_that_is_closed_as_its_keeper_is_killed_is_over_when_nothing_is_left(
    tmp_path: Path, home: Path
) -> None:
    async with bench(tmp_path) as here:
        watched = await family(here, home, "ignore")
        os.kill(parent(parent(pids(home)["worker"])), signal.SIGKILL)
        assert await here.close(watched) == ""
        assert living(home) == set()


async def test_a_guard_that_is_killed_alone_is_not_missed(tmp_path: Path, home: Path) -> None:
    async with bench(tmp_path, stop_grace=SHORT) as here:
        watched = await family(here, home, "ignore")
        os.kill(parent(parent(parent(pids(home)["worker"]))), signal.SIGKILL)
        assert await here.run(programs.add, a=1).value() == 3
        assert await here.close(watched) == ""
        assert living(home) == set()


@contextmanager
def stranger(directory: Path) -> Iterator[int]:
    """A daemon that this process has started, and no task."""
    file = directory / "stranger.pid"
    subprocess.run([sys.executable, "-c", programs.DAEMON, str(file)], check=True)
    while not (file.exists() and file.read_text()):
        time.sleep(0.005)
    pid = int(file.read_text())
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("mode", ["fork", "exec"])
async def test_nothing_survives_an_engine_that_is_killed(tmp_path: Path, home: Path, mode: str) -> None:
    words = [sys.executable, "-m", "tests.integration.workers.engine", str(home), mode]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "ready\n"
        family = descendants(engine.pid)
        told = {pid for how in ("hang", "ignore") for pid in pids(home / how).values()}
        assert len(told) == 2 * len(MEMBERS)
        assert told < set(family)
        engine.kill()
    await until(lambda: not any(alive(pid) for pid in family))
    await until(lambda: not (home / "spool").exists())
