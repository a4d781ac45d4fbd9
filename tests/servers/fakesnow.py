"""An emulator of Snowflake, for its connector. It runs SQL on DuckDB; status and cancel it only pretends to have.

Its packages have an environment of their own, made once below `.envs/`; `ALULA_FAKESNOW_PYTHON` names a ready one.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1
_STARTING = ThreadPoolExecutor(1, thread_name_prefix="fakesnow")


class NoEmulator(Exception):
    """It could not be installed."""


def python() -> Path:
    """A Python that has the packages of requirements-fakesnow.lock. Raises NoEmulator."""
    given = os.environ.get("ALULA_FAKESNOW_PYTHON")
    if given:
        return Path(given)
    lock, home = ROOT / "requirements-fakesnow.lock", ROOT / ".envs" / "fakesnow"
    found, stamp = home / "bin" / "python", home / ".lock-sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(home, ignore_errors=True)
        install = [str(found), "-m", "pip", "install", "-qq", "--no-compile", "-r", str(lock)]
        for command in ([sys.executable, "-m", "venv", str(home)], install):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NoEmulator((done.stderr.strip() or done.stdout.strip()).splitlines()[-1:])
        stamp.write_text(digest)
    return found


@contextmanager
def fakesnow_server() -> Iterator[int]:
    """The port of an emulator that runs inside the block. Raises NoEmulator."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [str(python().with_name("fakesnow")), "-s", "-p", str(port)]
    # From a thread that stays: Linux takes the end of the thread for that of the parent.
    process = _STARTING.submit(_spawn, command).result()
    try:
        _wait(process, port)
        yield port
    finally:
        process.kill()
        process.wait()


def _spawn(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=_die_with_parent)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    end, pause = time.monotonic() + _START_SECONDS, threading.Event()
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
            return
        pause.wait(0.05)
    raise RuntimeError("the emulator of Snowflake did not start")


def _die_with_parent() -> None:
    """No server outlives the tests, also if they are killed."""
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
