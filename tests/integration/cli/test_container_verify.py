"""`alula container verify`: what it says when all is well, and when it is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
from datetime import timedelta

from alula import ContainerTask, File, Resources, Secret, kwtypes, task

PLACES = {"input_data_dir": "/var/inputs", "output_data_dir": "/var/outputs"}

add = ContainerTask(
    name="tools.add", image="tool:1", arguments=["--times", "{{.inputs.times}}"],
    command=["sh", "-c", 'echo started; printf "%s" "$(($(cat /var/inputs/x) + $HOW_MANY))" > /var/outputs/y'],
    inputs=kwtypes(x=int, times=(int, 3)), outputs=kwtypes(y=int), **PLACES,
    environment={"HOW_MANY": "{{.inputs.times}}"}, limits=Resources(mem="1Gi"),
    secret_requests=[Secret(group="db", key="password", env_var="PASSWORD")],
)
lost = ContainerTask(name="tools.lost", image="tool:1", command=["/app/bin/nothing"], **PLACES)
bare = ContainerTask(name="tools.bare", image="tool:1", command=[], arguments=["x"])
loud = ContainerTask(
    name="tools.loud", image="tool:1", command=["sh", "-c", "echo a > /var/outputs/s; echo > /var/outputs/extra"],
    outputs=kwtypes(s=str), **PLACES,
)
built_in = ContainerTask(
    name="tools.built_in", image="tool:1", command=["/app/run"], inputs=kwtypes(f=File), outputs=kwtypes(y=int),
    **PLACES,
)

@task
def python(x: int) -> int:
    return x
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "tools.py").write_text(PROGRAM)
    return tmp_path


def verify(here: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alula.cli.main", "container", "verify", "tools.py", *words],
        cwd=here,
        env={**os.environ, "ALULA_HOME": str(here / "home"), "NO_COLOR": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_result_is_all_of_its_output_and_the_rest_is_beside_it(here: Path) -> None:
    done = verify(here, "add", "--x", "4")
    assert (done.returncode, done.stdout) == (0, "7\n")
    for said in (
        "started\n",
        "✓ container task add did what it should",
        "the image tool:1 is not used",
        "limits of memory and CPU are not enforced",
        "secrets are not given: PASSWORD; set their variables with --env",
        "/var/inputs is ",
        "words that name it were changed: 1",
    ):
        assert said in done.stderr
    assert "secrets are not given" not in verify(here, "add", "--x", "4", "--env", "PASSWORD=x").stderr


def test_files_can_be_kept_and_looked_at(here: Path) -> None:
    assert verify(here, "add", "--x", "4", "--keep", "kept").returncode == 0
    assert (here / "kept" / "inputs" / "x").read_text() == "4"
    assert (here / "kept" / "outputs" / "y").read_text() == "7"
    again = verify(here, "add", "--x", "4", "--keep", "kept")
    assert again.returncode == 2
    assert "is not empty" in again.stderr


def test_what_looks_like_a_mistake_is_said(here: Path) -> None:
    done = verify(here, "loud")
    assert done.returncode == 0
    assert "hint: extra is among the outputs, and no output is called so" in done.stderr
    assert "hint: output 's' ends with a newline" in done.stderr


def test_a_program_of_the_image_can_be_another_one_here(here: Path) -> None:
    (here / "build").mkdir()
    program = here / "build" / "run"
    program.write_text("#!/bin/sh\nexit 4\n")
    program.chmod(0o755)
    done = verify(here, "built_in", "--f", "tools.py", "--map", "/app=build")
    assert done.returncode == 1
    assert "it ended with exit code 4" in done.stderr
    assert "a program that has /var/outputs built in does not find it" in done.stderr
    assert "so paths of files in the descriptions of all inputs are other ones" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["lost"], 1, "the program '/app/bin/nothing' of container task 'tools.lost' is not on this machine"),
        (["lost"], 1, "--map /app/bin=DIRECTORY"),
        (["bare"], 1, "runs what its image tool:1 starts by itself"),
        (["python"], 2, "'python' is no container task; container tasks here: add, lost, bare, loud, built_in"),
        (["ad"], 2, "did you mean add?"),
        (["add"], 2, "--x is missing"),
        (["add", "--x", "1", "--env", "X"], 2, "KEY=VALUE"),
    ],
)
def test_what_cannot_be_tried_says_why(here: Path, words: list[str], code: int, said: str) -> None:
    done = verify(here, *words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr


def test_a_command_that_is_told_to_end_leaves_no_process(here: Path) -> None:
    (here / "long.py").write_text(
        "from alula import ContainerTask\n"
        "nap = ContainerTask(name='nap', image='tool:1', command=['sh', '-c', 'echo $$ >> pid; exec sleep 300'])\n"
    )
    words = [sys.executable, "-m", "alula.cli.main", "container", "verify", "long.py", "nap"]
    with subprocess.Popen(words, cwd=here, stderr=subprocess.DEVNULL) as trying:
        end = time.monotonic() + 30
        while not (here / "pid").exists() or not (here / "pid").read_text().endswith("\n"):
            assert time.monotonic() < end
            time.sleep(0.02)
        trying.terminate()
        assert trying.wait(20) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int((here / "pid").read_text()), 0)
