"""The real flytekit client sends programs to `alula serve`, and its tasks run there in workers with flytekit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.flytekit_tasks.conftest import PROGRAMS
from tests.integration.flytekit_tasks.theirs import until_there
from tests.integration.services.client import in_flytekit
from tests.integration.workers.bench import alive, descendants
from tests.servers.control_plane import ControlPlane
from tests.servers.control_plane import control_plane as served

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROGRAMS, tmp_path / "programs", ignore=shutil.ignore_patterns("__pycache__")))


def pyflyte_run(python: Path, server: ControlPlane, programs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    config = server.flytekit_config(programs.parent)
    command = [str(python.with_name("pyflyte")), "--config", str(config), "run", "--remote", *words]
    return subprocess.run(command, cwd=programs, capture_output=True, text=True, check=False)


def test_pyflyte_runs_a_program_remotely_and_says_how_it_ended(
    control_plane: ControlPlane, flytekit_python: Path, programs: Path, tmp_path: Path
) -> None:
    place = ["-p", "ran", "-d", "development", "--wait", "--poll-interval", "1"]
    mine = ["--name", "elsewhere", "--raw-output-data-prefix", str(tmp_path / "mine")]
    done = pyflyte_run(flytekit_python, control_plane, programs, *place, *mine, "jobs.py", "data", "--rows", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "has succeeded" in done.stdout
    assert len(set((tmp_path / "mine").glob("*/elsewhere-*"))) == 3, "a frame, a file, a directory"
    assert not list(control_plane.home.rglob("elsewhere/**/raw"))
    failed = pyflyte_run(flytekit_python, control_plane, programs, *place, "jobs.py", "fails", "--text", "bread")
    assert failed.returncode != 0
    assert "ValueError: no bread" in failed.stdout + failed.stderr


def test_dynamic_and_mapped_tasks_launch_plans_and_eager_workflows_run_remotely(
    control_plane: ControlPlane, flytekit_python: Path, programs: Path
) -> None:
    said = in_flytekit(
        flytekit_python,
        control_plane,
        programs,
        """
        from datetime import timedelta
        import calls

        client, made, begun = remote(), {}, {}
        for entity, inputs in ((calls.everything, {"n": 3}), (calls.stepwise, {"x": 4})):
            sent = client.register_script(entity, source_path=str(Path.cwd()), copy_all=True, version="v1")
            begun[entity.name] = client.execute(sent, inputs=inputs)
        for name, execution in begun.items():
            ended = client.wait(execution, timeout=timedelta(seconds=90), poll_interval=timedelta(seconds=0.5))
            outputs = ended.outputs
            made[name] = [{key: outputs.get(key) for key in outputs.literals}, ended.closure.phase]
        answer(**made)
        """,
        project="calls",
    )
    everything, stepwise = said["calls.everything"], said["calls.stepwise"]
    assert everything == [{"o0": [0, 2, 4], "o1": [0, 4, 8], "o2": 6}, 4]
    assert stepwise == [{"o0": 19}, 4]


DEEP = """
from flytekit import dynamic, task


@task
def same(n: int) -> int:
    return n


@dynamic
def down(n: int) -> int:
    return down(n=n - 1) if n else same(n=n)
"""


def test_what_lies_deeper_than_a_file_name_is_long_runs_and_keeps_nobody_else_from_running(
    control_plane: ControlPlane, flytekit_python: Path, programs: Path
) -> None:
    (programs / "deep.py").write_text(DEEP)
    place = ["-p", "deep", "-d", "development", "--wait", "--poll-interval", "1"]
    for entity, n in (("down", "45"), ("same", "1")):
        done = pyflyte_run(flytekit_python, control_plane, programs, *place, "deep.py", entity, "--n", n)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert "has succeeded" in done.stdout


def test_a_killed_server_leaves_nothing_running(flytekit_python: Path, programs: Path, tmp_path: Path) -> None:
    with served(tmp_path / "served", environ={"ALULA__WORKERS__PYTHON": str(flytekit_python)}) as server:
        words = ["-p", "killed", "-d", "development", "jobs.py", "waits_for", "--home", str(tmp_path)]
        assert pyflyte_run(flytekit_python, server, programs, *words).returncode == 0
        until_there(tmp_path / "own.pid", tmp_path / "child.pid")
        below = descendants(server.process.pid)
        assert int((tmp_path / "child.pid").read_text()) in below
        os.kill(server.process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while any(alive(pid) for pid in below):
            assert time.monotonic() < deadline, "something outlived its engine"
            time.sleep(0.02)
