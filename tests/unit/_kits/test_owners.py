"""Names of engines, and whether their processes are gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from alula._kits import owners


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


def named(pid: int, start: int | None = None) -> str:
    return owners.name(host=owners.machine(), pid=pid, start=start or owners.started(pid) or 0, token="t")


def test_this_process_is_not_gone() -> None:
    name = owners.of_this_process("token")
    assert name.split(":")[1::2] == [str(os.getpid()), "token"]
    assert not owners.gone(name)


def test_a_killed_process_is_gone_before_and_after_it_was_waited_for(process: subprocess.Popen[bytes]) -> None:
    name = named(process.pid)
    assert not owners.gone(name)
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert owners.gone(name)
    process.wait()
    assert owners.gone(name)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: elsewhere a process id is all that is known")
def test_another_process_under_the_same_number_is_another_one(process: subprocess.Popen[bytes]) -> None:
    assert owners.gone(named(process.pid, (owners.started(process.pid) or 0) - 1))


def test_nothing_is_said_of_other_machines_and_other_names() -> None:
    assert not owners.gone(owners.name(host="0" * 16, pid=2**22 + 1, start=1, token="t"))
    for name in ("", "a", "a:b:c:d", f"{owners.machine()}:-1:0:t", f"{owners.machine()}:1:2"):
        assert not owners.gone(name)


def test_a_process_of_someone_else_is_there() -> None:
    assert not owners.gone(named(1))
