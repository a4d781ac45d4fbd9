"""`alula plugin new`: every kind is a package that installs, is clean, and passes its own tests as it is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from alula.cli.plugin_new import KINDS, new

NAMES = {kind: f"my-{kind}" for kind in KINDS}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One new package of each kind."""
    folder = tmp_path_factory.mktemp("packages")
    for kind, name in NAMES.items():
        done = CliRunner().invoke(new, [name, "--kind", kind, "--directory", str(folder)])
        assert done.exit_code == 0, done.output
    return folder


def run(*command: str, cwd: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_tests_pass_from_the_first_run(packages: Path, kind: str) -> None:
    done = run("pytest", "-q", "-p", "no:cacheprovider", cwd=packages / NAMES[kind])
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_of_them_are_formatted_linted_and_typed(packages: Path) -> None:
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."]):
        done = run(*command, cwd=packages)
        assert done.returncode == 0, done.stdout
    sources = [str(packages / name / "src") for name in NAMES.values()]
    done = run("mypy", "--strict", *sources, cwd=packages)
    assert done.returncode == 0, done.stdout


def test_an_installed_package_is_found_by_its_name_and_verified(packages: Path, tmp_path: Path) -> None:
    options = ["-q", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--target", str(tmp_path)]
    for kind in ("core", "task"):
        done = run("pip", "install", *options, str(packages / NAMES[kind]), cwd=packages)
        assert done.returncode == 0, done.stderr
    done = run("alula.cli.main", "plugin", "verify", NAMES["core"], "--pairs", "20", cwd=tmp_path, path=str(tmp_path))
    assert "grade A" in done.stdout, done.stdout + done.stderr
    use = "from my_task import MyTask\nfrom alula import current_context, task\n"
    use += "@task(task_config=MyTask(label='x'))\ndef f() -> str:\n    return current_context().label\n\nprint(f())\n"
    program = tmp_path / "program.py"
    program.write_text(use)
    done = run("program", cwd=tmp_path, path=str(tmp_path))
    assert done.stdout.endswith("x\n"), done.stderr


@pytest.mark.parametrize("name", ["My Plugin", "1st", "class", "../up", ""])
def test_a_name_that_is_none_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    done = CliRunner().invoke(new, [name, "--kind", "core", "--directory", str(tmp_path)])
    assert done.exit_code == 2
    assert "is no name for a package" in done.output
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("precious")
    done = CliRunner().invoke(new, ["mine", "--kind", "type", "--directory", str(tmp_path)])
    assert done.exit_code == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["work.txt"]
