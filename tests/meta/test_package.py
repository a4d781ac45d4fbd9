"""What users install is whole: every file is in the wheel, and every entry point leads somewhere."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tests.meta.source import PACKAGE, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TRANSFORMERS = PROJECT["entry-points"]["alula.types"]


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    files = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "alula/py.typed" in files
    assert files <= packed
    assert any(name.endswith("/licenses/LICENSE") for name in packed)


@pytest.mark.parametrize(("command", "value"), PROJECT["scripts"].items())
def test_a_command_leads_to_a_function(command: str, value: str) -> None:
    assert callable(EntryPoint(command, value, "console_scripts").load())


@pytest.mark.parametrize(("trigger", "value"), TRANSFORMERS.items())
def test_a_family_of_types_leads_to_transformers(trigger: str, value: str) -> None:
    transformers = EntryPoint(trigger, value, "alula.types").load()
    assert transformers
    assert isinstance(transformers, list)


def test_everything_means_every_extra() -> None:
    extras = PROJECT["optional-dependencies"]
    (everything,) = extras["all"]
    named = set(everything.removeprefix("alula[").removesuffix("]").split(","))
    assert named == set(extras) - {"all", "dev"}
