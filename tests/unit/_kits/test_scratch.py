"""Directories for a while, and those of processes that were killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from alula._kits import scratch


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_directories_are_apart_and_closed_to_others() -> None:
    one, other = scratch.directory("sql"), scratch.directory("sql")
    assert one != other
    assert one.stat().st_mode & 0o777 == 0o700
    assert one.name.startswith("alula-sql-")


def test_a_block_takes_its_directory_along() -> None:
    with scratch.Lent("log") as here:
        (here / "log.txt").write_text("x")
    assert not here.exists()


def test_a_directory_that_nobody_knows_any_more_goes(temporary: Path) -> None:
    kept, lost = scratch.Lent("inputs"), scratch.Lent("inputs")
    assert len(list(temporary.iterdir())) == 2
    del lost
    assert list(temporary.iterdir()) == [kept.path]
    kept.remove()
    kept.remove()
    assert not list(temporary.iterdir())


def test_what_a_killed_process_left_is_removed_and_nothing_else(temporary: Path) -> None:
    program = (
        "import os, signal\n"
        "from alula._kits import scratch\n"
        "here = scratch.directory('sql')\n"
        "(here / 'result.parquet').write_bytes(b'x' * 1000)\n"
        "print(here, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    left = Path(done.stdout.strip())
    assert left.parent == temporary
    assert (left / "result.parquet").exists()

    mine = scratch.directory("sql")
    strange = [temporary / name for name in ("alula-notes", "alula-sql-1-2-3-4", f"other-{left.name}")]
    for one in strange:
        one.mkdir()
    link = temporary / f"{left.name}x"
    link.symlink_to(mine)
    scratch.sweep()
    assert not left.exists()
    assert mine.exists()
    assert all(one.exists() for one in strange)
    assert link.is_symlink()


def test_a_directory_of_temporary_files_that_cannot_be_read_is_no_fault(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "gone"))
    scratch.sweep()
    with pytest.raises(FileNotFoundError):
        scratch.directory("sql")


def test_directories_of_a_forked_process_are_its_own(temporary: Path) -> None:
    pid = os.fork()
    if pid == 0:
        scratch.directory("workspace")
        os._exit(0)
    os.waitpid(pid, 0)
    assert len(list(temporary.iterdir())) == 1
    scratch.sweep()
    assert not list(temporary.iterdir())
