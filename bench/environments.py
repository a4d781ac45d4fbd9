"""Interpreters with the rivals, each in an environment of its own, made once per lock."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def installed(name: str) -> Path | None:
    """An interpreter that has it already; None: there is none."""
    given = os.environ.get(f"ALULA_{name.upper()}_PYTHON")
    if given:
        return Path(given)
    home = ROOT / ".envs" / name
    return home / "bin" / "python" if (home / ".lock-sha256").exists() else None


def python_with(name: str) -> Path:
    """An interpreter that has what `requirements-<name>.lock` pins; `ALULA_<NAME>_PYTHON` names a ready one."""
    given = os.environ.get(f"ALULA_{name.upper()}_PYTHON")
    if given:
        return Path(given)
    lock = ROOT / f"requirements-{name}.lock"
    home = ROOT / ".envs" / name
    python, stamp = home / "bin" / "python", home / ".lock-sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", "--no-compile", "-r", str(lock)], check=True)
        stamp.write_text(digest)
    return python
