"""The list of left-out tests is complete, and a strict run fails on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent.parent / "conftest.py"
ASKS_IN_VAIN = "from conftest import needs\ndef test_it():\n    needs('a moon', 'build a rocket')\n"
SKIPS_WHOLE_FILE = "import pytest\npytest.importorskip('no_such_module')\ndef test_it(): ...\n"
RUNS = "def test_it():\n    assert 1 + 1 == 2\n"


def run(tmp_path: Path, body: str, *, ci: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_body.py").write_text(body)
    env = {"CI": ci, "ALULA_LEFT_OUT": str(tmp_path / "out" / "left-out"), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # all that is installed here, and a second of imports
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "."]
    return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)


def test_a_left_out_test_is_listed_with_its_reason(tmp_path: Path) -> None:
    done = run(tmp_path, ASKS_IN_VAIN, ci="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "needs a moon: build a rocket" in done.stdout
    assert "1 x needs a moon" in (tmp_path / "out" / "left-out").read_text()


@pytest.mark.parametrize("body", [ASKS_IN_VAIN, SKIPS_WHOLE_FILE])
def test_a_left_out_test_fails_a_strict_run(tmp_path: Path, body: str) -> None:
    done = run(tmp_path, body, ci="true")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "this run fails" in done.stdout


def test_a_complete_run_passes_and_lists_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, RUNS, ci="true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left out" not in done.stdout
    assert not (tmp_path / "out").exists()
