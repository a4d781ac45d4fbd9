"""What goes wrong between an engine and its workers: no job is lost by it, and none waits for ever."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alula._kits.records import replace
from alula.backends.pool import Start
from alula.backends.pool import pool as pools
from alula.backends.pool.keeper import FD
from tests.integration.workers import programs
from tests.integration.workers.bench import ROOT, Bench, Watched, bench, template, until
from tests.integration.workers.test_code import job_of

SOON = 20.0


async def waiting(here: Bench, path: Path) -> tuple[Watched, int]:
    """A task that waits for a file, and its process."""
    run = here.run(programs.wait_for, path=str(path))
    pid = path.with_name(f"{path.name}.pid")
    await until(pid.exists)
    return run, int(pid.read_text())


async def test_a_module_that_hangs_while_it_is_imported_later_holds_nothing_up(tmp_path: Path) -> None:
    (tmp_path / "hanging_module.py").write_text("import time; time.sleep(600)")
    start = Start(paths=(str(ROOT), str(tmp_path)), modules=("tests.integration.workers.programs",), prepare_seconds=5)
    async with bench(tmp_path, start=start) as here:
        busy, _ = await waiting(here, tmp_path / "go")  # all others are forked from now on
        made = template(programs.add)
        made.container.args[-3] = "hanging_module"
        hangs = here.start(job_of(here, made, a=1))
        failure = await asyncio.wait_for(hangs.failure(), SOON)
        assert failure.code == "WorkersLost"
        assert "imported for longer" in failure.message
        assert (await asyncio.wait_for(busy.failure(), SOON)).recoverable
        assert await here.run(programs.add, a=5).value() == 7


async def test_a_task_that_dies_of_a_signal_without_a_name_dies_alone(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        busy, _ = await waiting(here, tmp_path / "go")
        victim, pid = await waiting(here, tmp_path / "other")
        os.kill(pid, signal.SIGRTMIN + 6)
        failure = await asyncio.wait_for(victim.failure(), SOON)
        assert failure.code == "USER:SIGRTMIN+6"
        (tmp_path / "go").write_text("")
        await asyncio.wait_for(busy.values(), SOON)


def no_log(patched: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> str:
        raise RuntimeError("can't start new thread")

    patched.setattr(pools, "publish", broken)


def no_removal(patched: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    real = loop.run_in_executor

    def broken(pool: Any, call: Callable[..., object], *given: Any) -> asyncio.Future[Any]:
        if call is shutil.rmtree:
            raise RuntimeError("can't start new thread")
        return real(pool, call, *given)

    patched.setattr(loop, "run_in_executor", broken)


@pytest.mark.parametrize("fault", [no_log, no_removal])
async def test_a_death_is_told_when_what_comes_with_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[pytest.MonkeyPatch], None]
) -> None:
    async with bench(tmp_path) as here:
        victim, pid = await waiting(here, tmp_path / "go")
        fault(monkeypatch)
        os.kill(pid, signal.SIGKILL)
        assert (await asyncio.wait_for(victim.failure(), SOON)).code == "Killed"
        monkeypatch.undo()


async def test_a_death_is_told_when_nobody_can_look_for_a_checkpoint(tmp_path: Path) -> None:
    keeper = (sys.executable, "-P", "-m", "alula.runtime.keeper", FD)  # as flytekit's, whose tasks save without a word
    start = Start(paths=(str(ROOT),), modules=("tests.integration.workers.programs",), keeper=keeper)
    async with bench(tmp_path, start=start) as here:
        job = here.job(programs.ends, how="exit")
        victim = here.start(replace(job, prefix=str(tmp_path / ("a" * 300))))
        assert (await asyncio.wait_for(victim.failure(), SOON)).code == "USER:Exited"
        assert here.pool.numbers()["workers_busy"] == 0


async def test_a_worker_is_asked_for_again_when_the_kernel_is_short_of_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: object) -> int:
        monkeypatch.undo()
        raise OSError(errno.ETOOMANYREFS, "Too many references: cannot splice")

    async with bench(tmp_path) as here:
        busy, _ = await waiting(here, tmp_path / "go")
        monkeypatch.setattr(socket, "send_fds", short)
        assert await asyncio.wait_for(here.run(programs.add, a=7).value(), SOON) == 9
        (tmp_path / "go").write_text("")
        await busy.values()


async def test_no_job_is_given_to_an_idle_worker_that_died_while_its_stream_is_held_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    real = socket.send_fds

    def holding(channel: socket.socket, data: Any, fds: Any) -> int:
        held.append(os.dup(fds[0]))
        return real(channel, data, fds)

    async with bench(tmp_path, cpus=1) as here:
        monkeypatch.setattr(socket, "send_fds", holding)
        pid = next(iter((await here.run(programs.whoami).values()).values()))
        monkeypatch.undo()
        os.kill(pid, signal.SIGKILL)
        await until(lambda: here.pool.numbers()["workers_idle"] == 0)
        assert await asyncio.wait_for(here.run(programs.add, a=1).value(), SOON) == 3
    for fd in held:
        os.close(fd)
