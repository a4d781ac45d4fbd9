"""How attempts end that do not return: each says what happened, and hurts nobody else."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from alula._kits.records import replace
from alula.plugin.failure import FailureKind
from alula.plugin.runner import Failed, Succeeded
from tests.integration.workers import programs
from tests.integration.workers.bench import PATIENCE_SECONDS, bench, descendants, parent, until

USER, SYSTEM = FailureKind.USER, FailureKind.SYSTEM


@pytest.mark.parametrize(
    ("how", "code", "kind", "message"),
    [
        ("exit", "USER:Exited", USER, "exit code 7"),
        ("exit 0", "USER:Exited", USER, "exit code 0"),
        ("segfault", "USER:SIGSEGV", USER, "SIGSEGV: it touched memory that is not its own"),
        ("abort", "USER:SIGABRT", USER, "SIGABRT"),
        ("socket", "USER:ConnectionClosed", USER, "closed the file descriptor"),
        ("nonsense", "USER:ConnectionClosed", USER, "closed the file descriptor"),
        ("exec", "USER:ConnectionClosed", USER, "replaced its process by another program"),
        ("SIGKILL", "Killed", SYSTEM, "SIGKILL, and not by Alula"),
        ("SIGTERM", "Killed", SYSTEM, "SIGTERM, and not by Alula"),
        ("SIGUSR2", "USER:SIGUSR2", USER, "SIGUSR2"),
    ],
)
async def test_a_death_says_what_happened(tmp_path: Path, how: str, code: str, kind: FailureKind, message: str) -> None:
    async with bench(tmp_path) as here:
        other = here.run(programs.wait_for, path=str(tmp_path / "go on"))
        await until((tmp_path / "go on.pid").exists)
        failure = await here.run(programs.ends, how=how).failure()
        assert (failure.code, failure.kind, failure.recoverable) == (code, kind, True)
        assert message in failure.message
        assert await here.run(programs.add, a=1).value() == 3
        (tmp_path / "go on").touch()
        await other.value()


async def test_the_child_of_a_task_that_forks_and_returns_twice_answers_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, cpus=1) as here:
        first = await here.run(programs.whoami).values()
        assert await here.run(programs.forks_twice).value() == first["o0"]
        assert await here.run(programs.add, a=1).value() == 3


async def test_children_that_a_task_ends_are_silent(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        watched = here.run(programs.ends_children)
        assert await watched.value() == 3
        assert not watched.log.exists()


async def test_a_child_that_a_task_ends_is_gone_at_whatever_moment(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        assert await here.run(programs.ends_forks, count=1_000).value() == 1_000


async def test_a_task_cannot_leave_its_session(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        assert await here.run(programs.leaves_group).value() == 1


@pytest.mark.parametrize("in_child", [False, True])
async def test_a_task_beyond_its_memory_limit_fails_for_that(tmp_path: Path, in_child: bool) -> None:
    async with bench(tmp_path) as here:
        assert await here.run(programs.allocates, mebibytes=10, in_child=False).value() == 10 << 20
        failure = await here.run(programs.allocates, mebibytes=400, in_child=in_child).failure()
        assert (failure.code, failure.kind, failure.recoverable) == ("OutOfMemory", USER, True)
        assert "their limit is 200 MiB" in failure.message
        assert await here.run(programs.add, a=1).value() == 3


async def test_a_worker_that_grew_is_replaced(tmp_path: Path) -> None:
    async with bench(tmp_path, cpus=1) as here:
        first = await here.run(programs.grows, mebibytes=10).value()
        assert await here.run(programs.grows, mebibytes=600).value() == first
        assert await here.run(programs.grows, mebibytes=10).value() != first


@pytest.mark.parametrize(
    "how", ["handler", "mask", "thread", "process", "gone cwd", "nice", "descriptors", "reused", *programs.LIMITS]
)
async def test_what_cannot_be_put_back_costs_the_worker_and_not_the_result(tmp_path: Path, how: str) -> None:
    async with bench(tmp_path, cpus=1) as here:
        before = await here.run(programs.state).value()
        assert await here.run(programs.messes, how=how).value() == int(before[0])
        after = await here.run(programs.state).value()
        assert after[0] != before[0]
        assert after[1:] == before[1:]


@pytest.mark.parametrize("how", ["environ", "cwd", "umask", "path", "alarm", "recursion"])
async def test_what_can_be_put_back_is_put_back(tmp_path: Path, how: str) -> None:
    async with bench(tmp_path, cpus=1) as here:
        before = await here.run(programs.state).value()
        assert await here.run(programs.messes, how=how).value() == int(before[0])
        assert await here.run(programs.state).value() == before


async def test_the_last_words_of_a_worker_count_even_if_its_death_is_heard_of_before_them(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        leaves = here.run(programs.family, directory=str(tmp_path), how="return")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
            pass  # the engine is busy, and hears of the fork and of the death at once
        worker = int((tmp_path / "worker.pid").read_text())
        while os.path.exists(f"/proc/{worker}") and time.monotonic() < deadline:
            pass
        assert isinstance(await leaves.end(), Succeeded), leaves.reports


async def test_a_zygote_that_dies_takes_its_workers_along_and_another_one_begins(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        first = here.run(programs.wait_for, path=str(tmp_path / "never"))
        await until((tmp_path / "never.pid").exists)
        worker = int((tmp_path / "never.pid").read_text())
        zygote = parent(worker)
        os.kill(zygote, signal.SIGKILL)
        failure = await first.failure()
        assert (failure.code, failure.kind, failure.recoverable) == ("WorkersLost", SYSTEM, True)
        assert "SIGKILL" in failure.message
        assert await here.run(programs.add, a=1).value() == 3


async def test_a_keeper_that_dies_takes_everything_along_and_another_one_begins(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        first = here.run(programs.wait_for, path=str(tmp_path / "never"))
        await until((tmp_path / "never.pid").exists)
        worker = int((tmp_path / "never.pid").read_text())
        os.kill(parent(parent(worker)), signal.SIGKILL)
        failure = await first.failure()
        assert (failure.code, failure.kind, failure.recoverable) == ("WorkersLost", SYSTEM, True)
        assert await here.run(programs.add, a=1).value() == 3


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_killed_each_attempt_ends_once(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    async with bench(tmp_path, cpus=3) as here:
        keeper = parent(parent((await here.run(programs.whoami).values())["o0"]))
        watched = [here.run(programs.add, a=n, b=0) for n in range(300)]
        while not all(one.over.is_set() for one in watched):
            ended = sum(one.over.is_set() for one in watched) + random.randrange(1, 8)
            await until(lambda least=ended: sum(one.over.is_set() for one in watched) >= min(least, len(watched)))
            zygotes = random.random() < 0.1
            below = [pid for pid in descendants(keeper) if (parent(pid) == keeper) == zygotes]
            if below:
                with suppress(ProcessLookupError):
                    os.kill(random.choice(below), random.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV]))
        for n, one in enumerate(watched):
            end = await one.end()
            if isinstance(end, Succeeded):
                assert await one.value() == n
            else:
                assert end.failure.code in ("Killed", "WorkersLost", "USER:SIGSEGV")
        assert sum(isinstance(one.reports[-1], Succeeded) for one in watched) > 150
        after = here.run(programs.add, a=1)
        if isinstance(await after.end(), Failed):  # what was killed last was not dead yet
            assert (await after.failure()).code in ("Killed", "WorkersLost", "USER:SIGSEGV")
            after = here.run(programs.add, a=1)
        assert await after.value() == 3


async def test_inputs_that_are_no_literal_map_are_the_engines_fault(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        job = replace(here.job(programs.add, a=1), inputs=b"\xff\xff\xff")
        failure = await here.start(job).failure()
        assert (failure.code, failure.kind) == ("SYSTEM:DamagedData", SYSTEM)


async def test_a_worker_that_cannot_be_begun_fails_its_attempt_and_no_other(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        (tmp_path / "spool" / "worker-2").mkdir()  # as a full disk would, it is in the way
        failure = await here.run(programs.add, a=1).failure()
        assert (failure.code, failure.kind, failure.recoverable) == ("WorkersBroken", SYSTEM, True)
        assert "FileExistsError" in failure.message
        assert await here.run(programs.add, a=1).value() == 3
