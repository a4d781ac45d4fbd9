"""Programs written for flytekit print the same under Alula as under the real flytekit, side by side."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))


def output(command: list[str], program: Path, at: Path) -> str:
    """What a program prints, run in an empty directory with a cache of its own."""
    at.mkdir()
    done = subprocess.run(
        [*command, str(program)],
        cwd=at,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={
            **os.environ,
            "ALULA_HOME": str(at),
            "HOME": str(at),
            "FLYTE_SDK_LOGGING_LEVEL": "50",
            "FLYTE_SDK_RICH_TRACEBACKS": "0",
        },
        check=False,
    )
    assert done.returncode == 0, f"{command[0]} {program.name}:\n{done.stdout}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_a_flytekit_program_prints_the_same(program: Path, flytekit_python: Path, tmp_path: Path) -> None:
    theirs = output([str(flytekit_python)], program, tmp_path / "flytekit")
    ours = output([sys.executable, "-m", "alula.compat"], program, tmp_path / "alula")
    assert ours == theirs


def test_there_are_enough_programs() -> None:
    assert len(PROGRAMS) >= 25
