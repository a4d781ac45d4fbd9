"""A real MariaDB, made for the test run and thrown away after it. Usable outside of pytest, too:

with mariadb_server() as server:
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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pymysql

_START_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1
_STARTING = ThreadPoolExecutor(1, thread_name_prefix="mariadb")


class NoMariaDB(Exception):
    """There is no MariaDB on this machine."""


class MariaDB:
    """A server with its own data, on a free port of this machine; its user `root` has no password.

    Args:
        home: An empty directory.
    """

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, _free_port()
        self._user: str | None = "mysql" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            shutil.chown(home, self._user, self._user)
        made = ["mariadb-install-db", "--no-defaults", f"--datadir={home / 'data'}", "--skip-test-db"]
        made += ["--auth-root-authentication-method=normal"] + ([f"--user={self._user}"] if self._user else [])
        subprocess.run(made, cwd=home, check=True, capture_output=True)

    def connect(self, database: str | None = None) -> pymysql.Connection:
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", database=database, connect_timeout=5, autocommit=True
        )

    def start(self) -> None:
        """Start it, and return when it answers."""
        command = ["mariadbd", "--no-defaults", f"--datadir={self.home / 'data'}", f"--socket={self.home / 'socket'}"]
        command += [f"--port={self.port}", "--bind-address=127.0.0.1", f"--pid-file={self.home / 'pid'}"]
        command += ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--skip-name-resolve"]
        command += [f"--user={self._user}"] if self._user else []
        # From a thread that stays: Linux takes the end of the thread for that of the parent.
        self._process = _STARTING.submit(self._spawn, command).result()
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_START_SECONDS)
            self._process = None

    def database(self) -> str:
        """The name of a new, empty database."""
        name = f"t{uuid4().hex}"
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"create database {name} character set utf8mb4")
        return name

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.home, stdout=log, stderr=log, preexec_fn=_die_with_parent)

    def _wait(self) -> None:
        end = time.monotonic() + _START_SECONDS
        assert self._process is not None
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(pymysql.OperationalError), self.connect():
                return
            time.sleep(0.02)
        self.stop(signal.SIGKILL)
        raise RuntimeError(f"MariaDB did not start:\n{(self.home / 'log').read_text()}")


@contextmanager
def mariadb_server() -> Iterator[MariaDB]:
    """A server that runs inside the block.

    Raises:
        NoMariaDB: This machine has none.
    """
    if shutil.which("mariadbd") is None or shutil.which("mariadb-install-db") is None:
        raise NoMariaDB("apt-get install mariadb-server")
    with tempfile.TemporaryDirectory(prefix="alula-mariadb-", ignore_cleanup_errors=True) as made:
        home = Path(made)
        home.chmod(0o755)
        server = MariaDB(home)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_parent() -> None:
    """No server outlives the tests, also if they are killed."""
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
