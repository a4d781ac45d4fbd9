"""A real Postgres, made for the test run and thrown away after it. Usable outside of pytest, too:

with running_postgres() as url:
    ...
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=on")
"""Survives the death of the server's processes, and no power loss."""
_START_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1
_STARTING = ThreadPoolExecutor(1, thread_name_prefix="postgres")


class NoPostgres(Exception):
    """There is no Postgres on this machine."""


class Postgres:
    """A server with its own data, on a free port of this machine.

    Args:
        home: An empty directory.
        durable: Whether it writes to the disk what it says it has written.
    """

    def __init__(self, home: Path, *, durable: bool = False) -> None:
        self.home, self._binaries = home, binaries()
        self._options = () if durable else FAST
        self._user: str | None = "postgres" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        if self._user:
            shutil.chown(home, self._user, self._user)
        made = [str(self._binaries / "initdb"), "-D", str(home / "data"), "-U", "postgres", "-A", "trust"]
        made += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(made, user=self._user, group=self._user, cwd=home, check=True, capture_output=True)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        settings = (
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.home}",
            "log_lock_waits=on",
            *self._options,
        )
        command = [str(self._binaries / "postgres"), "-D", str(self.home / "data")]
        for setting in settings:
            command += ["-c", setting]
        # From a thread that stays: Linux takes the end of the thread for that of the parent.
        self._process = _STARTING.submit(self._spawn, command).result()
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT in good order, with all its connections; SIGQUIT as a crash does."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_START_SECONDS)
            self._process = None

    def database(self, *options: str) -> str:
        """The URL of a new, empty database; options as `CREATE DATABASE` takes them."""
        name = f"t{uuid4().hex}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(" ".join(("CREATE DATABASE", name, *options)).encode())
        return self.url(name)

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                cwd=self.home,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )

    def _wait(self) -> None:
        end = time.monotonic() + _START_SECONDS
        assert self._process is not None
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url(), connect_timeout=2):
                return
            time.sleep(0.02)
        self.stop(signal.SIGQUIT)
        raise RuntimeError(f"Postgres did not start:\n{(self.home / 'log').read_text()}")


def binaries() -> Path:
    """Where `initdb` and `postgres` are; of several versions the newest.

    Raises:
        NoPostgres: Nowhere.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise NoPostgres("apt-get install postgresql")
    return found[-1].parent if found else Path(on_path or "").resolve().parent


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[Postgres]:
    """A server that runs inside the block.

    Raises:
        NoPostgres: This machine has none.
    """
    binaries()
    with tempfile.TemporaryDirectory(prefix="alula-postgres-", ignore_cleanup_errors=True) as made:
        home = Path(made)
        home.chmod(0o755)
        server = Postgres(home, durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[str]:
    """The URL of an empty database on a server that runs inside the block.

    Raises:
        NoPostgres: This machine has none.
    """
    with postgres_server(durable=durable) as server:
        yield server.database()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_parent() -> None:
    """No server outlives the tests, also if they are killed."""
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
