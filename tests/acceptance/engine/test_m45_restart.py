"""M45: a hundred running executions, their engine killed, another one begun: all end, and no attempt was charged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

COUNT, CPUS = 100, 12
LIMIT = 120.0


def start(what: str, directory: Path) -> subprocess.Popen[str]:
    url = str(directory / "alula.db")
    command = [
        sys.executable,
        "-m",
        "tests.acceptance.engine.process",
        what,
        url,
        str(directory),
        str(COUNT),
        str(CPUS),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def until(directory: Path, begun: int) -> list[int]:
    """The processes of the tasks that have begun, once so many have."""
    end = time.monotonic() + LIMIT
    while True:
        marks = [path for path in directory.glob("go.*") if path.stat().st_size]
        if len(marks) >= begun:
            return [int(path.read_text()) for path in marks]
        assert time.monotonic() < end, f"{len(marks)} of {begun} tasks have begun"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_m45_killed_and_begun_again_all_executions_end_and_nothing_is_charged(tmp_path: Path) -> None:
    first = start("submit", tmp_path)
    assert first.stdout is not None
    for nth in range(COUNT):
        assert first.stdout.readline().strip() == f"ex{nth}"
    tasks = until(tmp_path, CPUS)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    first.stdout.close()
    end = time.monotonic() + 10
    while any(map(alive, tasks)):  # workers end with their engine
        assert time.monotonic() < end, "tasks outlive their engine"
    (tmp_path / "go").write_text("")
    second = start("finish", tmp_path)
    out, _ = second.communicate(timeout=LIMIT)
    said = json.loads(out)
    assert said == [[f"ex{nth}", "succeeded", [0, 0], False, {"o0": nth + 1}] for nth in range(COUNT)]
