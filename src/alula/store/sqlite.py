"""SQLite: one file, shared by any number of processes on one machine."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from alula._kits.clock import Clock
from alula.config import Durability
from alula.errors import StoreDamaged, StoreError, StoreUnavailable
from alula.store.connection import Connection
from alula.store.rows import micros
from alula.store.sql import statements

T = TypeVar("T")

OLDEST = (3, 35, 0)
"""The first version that gives back what it wrote (RETURNING)."""

_LISTEN_SECONDS = 0.1
_PAUSE_SECONDS = (0.0002, 0.005)
"""How long to wait for a lock before asking again: at first, at most. SQLite's own waits grow to 100 ms."""

_QUICK_SECONDS = 0.002
"""An event loop may wait for the disk as long as that, and not longer."""

_LOG_BYTES = 64 * 1024 * 1024
"""What of the file beside the database stays, after a commit that was larger."""

_BUSY_COMMITS = 64
"""After so many the log beside the file is made as long as it gets before SQLite begins it anew."""
_LOG_PAGES = 1_000
_FRAME_BYTES, _LOG_HEAD_BYTES = 4096 + 24, 32
_ROOM = 10
"""A disk with less room than so many logs is left alone."""

_SNAPSHOT = "BEGIN"


class Sqlite:
    """A SQLite file as a `Database`.

    Args:
        path: The file; it is there, and has the schema.
    """

    def __init__(self, path: Path, *, durability: Durability, busy_timeout: timedelta, clock: Clock) -> None:
        self._path, self._busy = path, busy_timeout.total_seconds()
        self._durability, self._clock = durability, clock
        self._writing: Connection | None = None
        self._thread = threading.local()
        self._reading: list[Connection] = []
        self._listener: threading.Thread | None = None
        self._closed = threading.Event()
        self._usual = _QUICK_SECONDS
        """How long a commit took of late, in seconds."""
        self._pulses = 0
        """How often this process told others of news."""
        self._pulsing = threading.Lock()
        """Held from the moment that others can see such a pulse until it is counted."""
        self._commits = 0
        """Until the log is made longer."""

    def transact(self, work: Callable[[Connection], T]) -> T:
        with errors(self._path):
            connection = self._writer()
            self._begin(connection.raw)
            return self._finish(connection, work)

    def attempt(self, work: Callable[[Connection], object]) -> bool:
        connection = self._writing
        if connection is None or self._usual > _QUICK_SECONDS:
            return False
        try:  # `errors` costs more
            connection.raw.execute("BEGIN IMMEDIATE")
            self._finish(connection, work)
        except sqlite3.Error as exc:
            if primary(exc) == "SQLITE_BUSY":
                return False
            raise failure(exc, self._path) from exc
        return True

    def _finish(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        """Do the work of a transaction that was begun, and end it."""
        raw = connection.raw
        try:
            result = work(connection)
            news = bool(connection.news)
            if news:
                pulse(raw)
            self._commits += 1
            if self._commits == _BUSY_COMMITS and self._durability is Durability.FULL:
                lengthen(Path(f"{self._path}-wal"))
            start = time.monotonic()
            with self._pulsing:
                raw.execute("COMMIT")
                self._pulses += news
            self._usual += (time.monotonic() - start - self._usual) / 10
        except BaseException as exc:
            self._abandon(connection, exc)
            raise
        return result

    def read(self, work: Callable[[Connection], T]) -> T:
        with errors(self._path):
            connection: Connection | None = getattr(self._thread, "connection", None)
            if connection is None:
                connection = self._thread.connection = self._connection(timeout=self._busy)
                connection.raw.execute("PRAGMA query_only = ON")
                self._reading.append(connection)
            return work(connection)

    def listen(self, hear: Callable[[Sequence[int]], None]) -> None:
        self._listener = threading.Thread(target=self._listen, args=(hear,), name="alula-store-listen", daemon=True)
        self._listener.start()

    def close(self) -> None:
        self._closed.set()
        if self._listener is not None:
            self._listener.join()
        for connection in (*self._reading, *([self._writing] if self._writing else ())):
            connection.raw.close()

    def _writer(self) -> Connection:
        if self._writing is None:
            self._writing = self._connection(timeout=self._busy)
            full = self._durability is Durability.FULL
            self._writing.raw.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._writing.raw.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
            self._writing.raw.execute(f"PRAGMA fullfsync = {int(full)}")  # macOS: past the cache of the disk, too
            self._writing.raw.execute("PRAGMA busy_timeout = 0")  # from now on `_begin` sees to that
        return self._writing

    def _connection(self, *, timeout: float) -> Connection:
        return Connection(
            connect(self._path, timeout=timeout),
            statements("sqlite"),
            array=json.dumps,
            now=lambda: micros(self._clock.now()),
            snapshot=_SNAPSHOT,
        )

    def _begin(self, raw: Any) -> None:
        """Take the lock that one connection has at a time, of all processes."""
        pause, longest = _PAUSE_SECONDS
        end = time.monotonic() + self._busy
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as exc:
                if primary(exc) != "SQLITE_BUSY" or time.monotonic() > end:
                    raise
            else:
                return
            time.sleep(pause)
            pause = min(2 * pause, longest)

    def _abandon(self, connection: Connection, exc: BaseException) -> None:
        """Undo what was begun. After a fault of the disk the connection is not trusted any more."""
        try:
            if connection.raw.in_transaction:  # type: ignore[attr-defined] # sqlite3 has it
                connection.raw.execute("ROLLBACK")
            trusted = not isinstance(exc, sqlite3.Error) or primary(exc) in ("SQLITE_BUSY", "SQLITE_TOOBIG")
        except sqlite3.Error:
            trusted = False
        if not trusted:
            self._writing = None
            connection.raw.close()

    def _listen(self, hear: Callable[[Sequence[int]], None]) -> None:
        """Look every moment whether another process wrote something that others want to know of."""
        raw: Any = None
        seen: tuple[int, int] | None = None
        """The version of the data, and how many pulses were of other processes."""
        while not self._closed.wait(_LISTEN_SECONDS):
            try:
                if raw is None:
                    raw = connect(self._path, timeout=0)
                version = raw.execute("PRAGMA data_version").fetchone()[0]
                if seen is None or version != seen[0]:
                    with self._pulsing:
                        others = raw.execute("PRAGMA user_version").fetchone()[0] - self._pulses
                    news, seen = seen is None or others != seen[1], (version, others)
                    if news:
                        hear(())
            except sqlite3.Error:
                raw, seen = None, None  # whoever writes finds out what it is; here it is tried again
        if raw is not None:
            raw.close()


def connect(path: Path, *, timeout: float) -> sqlite3.Connection:
    """A connection to a file, in autocommit, whose transactions are begun by hand."""
    raw = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False, cached_statements=512)
    raw.execute("PRAGMA cache_size = -16000")
    raw.execute("PRAGMA temp_store = MEMORY")
    return raw


def lengthen(log: Path) -> None:
    """Fill the end of a log with zeros. Whoever calls this holds the lock of the one that writes.

    A commit that makes the file longer takes the disk twice as long (ext4: 0.2 ms, else 0.1), for it must write down
    where the file lies, too. SQLite reads no frame without the mark of the present log, so zeros mean nothing.
    """
    wanted = _LOG_HEAD_BYTES + _LOG_PAGES * _FRAME_BYTES
    with suppress(OSError), open(log, "r+b") as file:  # then it grows by itself
        size, disk = file.seek(0, os.SEEK_END), os.statvfs(log)
        if _LOG_HEAD_BYTES <= size < wanted and disk.f_bavail * disk.f_frsize > _ROOM * wanted:
            file.write(bytes(wanted - size))


def pulse(raw: Any) -> None:
    """Count, inside of a transaction, that there is news for other processes: a number in the head of the file."""
    count = raw.execute("PRAGMA user_version").fetchone()[0]
    raw.execute(f"PRAGMA user_version = {(count + 1) % 2**31}")


def primary(exc: sqlite3.Error) -> str:
    """The name of an error without its second half: `SQLITE_IOERR` for `SQLITE_IOERR_FSYNC`."""
    return "_".join(getattr(exc, "sqlite_errorname", "").split("_")[:2])


@contextmanager
def errors(path: Path) -> Iterator[None]:
    """Inside the block errors of SQLite come out as what they mean."""
    try:
        yield
    except sqlite3.Error as exc:
        raise failure(exc, path) from exc
    except MemoryError as exc:  # what sqlite3 makes of SQLITE_NOMEM
        what = f"the database {path.name} could not be read or written: there is no memory"
        raise StoreUnavailable(what, where=str(path), fix="make room; what was stored before stays") from exc


def failure(exc: sqlite3.Error, path: Path) -> StoreError:
    where = str(path)
    match primary(exc):
        case "SQLITE_BUSY" | "SQLITE_LOCKED" | "SQLITE_PROTOCOL":
            return StoreUnavailable(
                f"the database {path.name} stayed locked by another process",
                where=where,
                fix="end the program that holds it (lsof names it), or raise store.busy_timeout",
            )
        case "SQLITE_FULL":
            return StoreUnavailable(
                f"the disk of the database {path.name} is full", where=where, fix="make room; nothing stored is lost"
            )
        case "SQLITE_READONLY" | "SQLITE_CANTOPEN" | "SQLITE_PERM" | "SQLITE_AUTH":
            return StoreUnavailable(
                f"the database {path.name} cannot be opened for writing: {exc}",
                where=where,
                fix="let this user write to the file and its directory",
            )
        case "SQLITE_IOERR" | "SQLITE_INTERRUPT":
            return StoreUnavailable(
                f"the database {path.name} could not be read or written: {exc} ({exc.sqlite_errorname})",
                where=where,
                fix="look after the disk or its quota; what was stored before stays",
            )
        case "SQLITE_CORRUPT" | "SQLITE_NOTADB" | "SQLITE_FORMAT":
            return StoreDamaged(
                f"{path.name} is damaged, or no database of Alula: {exc}",
                where=where,
                fix=f"put back a copy; or move it away and save what is left: sqlite3 {path} .recover",
            )
        case "SQLITE_ERROR" if "no such table" in str(exc) or "no such column" in str(exc):
            return StoreDamaged(
                f"{path.name} lacks a part of the schema: {exc}", where=where, fix="put back a copy of the file"
            )
    return StoreError(f"the database {path.name} refused: {exc}", where=where, fix="report it")
