"""Registration by the real flytekit: its command line against `alula serve`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.servers.control_plane import ControlPlane

PROGRAM = '''
from flytekit import CronSchedule, LaunchPlan, dynamic, map_task, task, workflow


@task
def double(x: int) -> int:
    return 2 * x


@task
def shout(words: list[int]) -> str:
    """Says it aloud."""
    return "!".join(map(str, words))


@workflow
def inner(x: int) -> int:
    return double(x=x)


@workflow
def outer(xs: list[int], x: int = 3) -> tuple[str, int]:
    return shout(words=map_task(double)(x=xs)), inner(x=x)


nightly = LaunchPlan.get_or_create(
    outer, "nightly", default_inputs={"x": 5}, fixed_inputs={"xs": [1]}, schedule=CronSchedule(schedule="0 3 * * *")
)
'''
ENTITIES = 8


@pytest.fixture
def program(tmp_path: Path) -> Path:
    place = tmp_path / "program"
    place.mkdir()
    (place / "flow.py").write_text(PROGRAM)
    return place


def pyflyte(python: Path, server: ControlPlane, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    config = server.flytekit_config(place.parent)
    command = [str(python), "-m", "flytekit.clis.sdk_in_container.pyflyte", "--config", str(config), *words]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


def registered(python: Path, server: ControlPlane, place: Path) -> subprocess.CompletedProcess[str]:
    return pyflyte(python, server, place, "register", "-p", "reg", "-d", "development", "--version", "v1", "flow.py")


def test_pyflyte_registers_a_program_and_again_the_same_and_not_another_under_its_version(
    control_plane: ControlPlane, flytekit_python: Path, program: Path
) -> None:
    for _ in range(2):
        done = registered(flytekit_python, control_plane, program)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"Successfully registered {ENTITIES} entities" in done.stdout
    (program / "flow.py").write_text(PROGRAM.replace("return 2 * x", "return x + x"))
    refused = registered(flytekit_python, control_plane, program)
    assert refused.returncode != 0
    assert "INVALID_ARGUMENT" in refused.stdout + refused.stderr
    assert "has a version 'v1' with another content" in refused.stdout + refused.stderr
