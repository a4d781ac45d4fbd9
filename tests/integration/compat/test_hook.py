"""The import hook: it wins, it can be put in twice and taken out, and files, modules and tests run under it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from alula import compat
from alula.compat.hook import Mirror
from alula.errors import ConfigError

PROGRAM = """\
import sys
from flytekit import task, workflow

@task
def add(a: int) -> int:
    return a + len(sys.argv)

@workflow
def wf(a: int) -> int:
    return add(a=a)

if __name__ == "__main__":
    print(wf(a=1), sys.argv[1:], wf.name)
"""


def run(*words: str, at: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alula.compat", *words],
        cwd=at,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


def test_a_file_runs_as_the_main_program_with_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = run("program.py", "--x", "1", at=tmp_path)
    assert done.stdout == "4 ['--x', '1'] program.wf\n", done.stderr


def test_a_module_runs_as_the_main_program(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "program.py").write_text(PROGRAM)
    done = run("-m", "package.program", at=tmp_path)
    assert done.stdout == "2 [] package.program.wf\n", done.stderr


def test_tests_that_import_flytekit_run_under_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "from flytekit import task\n\ndef test_one():\n    @task\n    def t(a: int) -> int:\n        return a + 1\n"
        "    assert t(a=1) == 2\n"
    )
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py", at=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_hook_wins_over_an_installed_flytekit(tmp_path: Path) -> None:
    (tmp_path / "flytekit").mkdir()
    (tmp_path / "flytekit" / "__init__.py").write_text("raise RuntimeError('the real one')\n")
    (tmp_path / "program.py").write_text("import flytekit\nprint(flytekit.task.__module__)\n")
    done = run("program.py", at=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.stdout == "alula.compat.flytekit.core.task\n", done.stderr


def test_the_real_one_cannot_be_replaced_once_it_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flytekit.py").write_text("real = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    compat.uninstall()
    importlib.import_module("flytekit")
    try:
        with pytest.raises(ConfigError, match="has been imported already"):
            compat.install()
    finally:
        del sys.modules["flytekit"]


def test_it_can_be_installed_twice_and_removed() -> None:
    compat.install()
    compat.install()
    assert sum(isinstance(finder, Mirror) for finder in sys.meta_path) == 1
    assert sys.meta_path.index(next(f for f in sys.meta_path if isinstance(f, Mirror))) == 0
    assert importlib.import_module("flytekit.core.task") is importlib.import_module("alula.compat.flytekit.core.task")
    compat.uninstall()
    assert not any(isinstance(finder, Mirror) for finder in sys.meta_path)
    assert not any(name.partition(".")[0] == "flytekit" for name in sys.modules)


@pytest.mark.parametrize(("words", "code"), [([], 2), (["-h"], 0), (["-m"], 2), (["nothing.py"], 2)])
def test_a_wrong_command_line_shows_how_it_is_used(words: list[str], code: int, tmp_path: Path) -> None:
    done = run(*words, at=tmp_path)
    assert done.returncode == code
    assert "usage: python -m alula.compat FILE" in done.stderr


def test_an_installed_plugin_of_flytekit_is_loaded_and_a_broken_one_named(tmp_path: Path) -> None:
    info = tmp_path / "plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[flytekit.plugins]\ngood = goodplugin\nbad = badplugin\n")
    (tmp_path / "goodplugin.py").write_text("from flytekit import task\nprint('good plugin')\n")
    (tmp_path / "badplugin.py").write_text("from flytekit import nothing_like_it\n")
    (tmp_path / "program.py").write_text("import flytekit\nprint('program')\n")
    done = run("program.py", at=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.stdout.splitlines() == ["good plugin", "program"], done.stderr
    assert "'bad'" in done.stderr
    assert "nothing_like_it" in done.stderr
