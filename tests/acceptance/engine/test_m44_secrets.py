"""M44: a secret is nowhere but in the task that asked for it: not in the store, files, logs or arguments."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CANARY = "c4n4ry-9f8e7d6c5b4a"
LIMIT = 60.0


def start(directory: Path, fail: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "_FSEC_CANARY_TOKEN": CANARY, "ALULA_HOME": str(directory / "home")}
    url = str(directory / "alula.db")
    command = [sys.executable, "-m", "tests.acceptance.engine.process", "secret", url, str(directory), fail]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = [
            child for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()
        ]
    except OSError:  # it has just ended
        return
    for child in children:
        yield from family(int(child))


def command_lines(pid: int) -> list[bytes]:
    found = []
    for one in family(pid):
        try:
            found.append(Path(f"/proc/{one}/cmdline").read_bytes())
        except OSError:
            continue
    return found


def traces(directory: Path) -> list[str]:
    """Files that hold the secret."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert any(path.name.startswith("alula.db") for path in files)
    return [str(path) for path in files if CANARY.encode() in path.read_bytes()]


@pytest.mark.parametrize("fail", ["no", "yes"])
def test_m44_no_trace_is_left_after_a_success_or_a_failure(tmp_path: Path, fail: str) -> None:
    (tmp_path / "marks").mkdir()
    child = start(tmp_path, fail)
    seen, until = set[bytes](), time.monotonic() + LIMIT
    while child.poll() is None:
        seen.update(command_lines(child.pid))
        assert time.monotonic() < until
    out, err = child.communicate()
    assert out.strip() == ("failed" if fail == "yes" else "succeeded"), err
    [mark] = (tmp_path / "marks").iterdir()
    assert mark.read_text() == str(len(CANARY))
    assert not [line for line in seen if CANARY.encode() in line]
    assert len(seen) >= 2
    assert CANARY not in out + err
    assert not traces(tmp_path)


def test_m44_no_trace_is_left_after_a_crash(tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    child = start(tmp_path, "no")
    until = time.monotonic() + LIMIT
    while not list((tmp_path / "marks").iterdir()):
        assert time.monotonic() < until
        assert child.poll() is None, child.communicate()
    os.kill(child.pid, signal.SIGKILL)
    out, err = child.communicate()
    assert CANARY not in out + err
    assert not traces(tmp_path)
