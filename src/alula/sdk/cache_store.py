"""The rows of the local cache, in SQLite: entries, and who is making one right now."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alula._kits import lazy
from alula._kits.clock import Clock
from alula.data.fingerprint import Stamp

if TYPE_CHECKING:
    import sqlite3
else:
    sqlite3 = lazy.module("sqlite3")  # only a task that is cached comes here

FORMAT = 1
"""Goes up when the tables change; a cache of another format is emptied."""

_SCHEMA = """
create table if not exists entries (
  key text primary key, task text not null, outputs blob not null, files text not null, directory text not null,
  size integer not null, used real not null
) without rowid;
create table if not exists flights (
  key text primary key, owner text not null, host text not null, pid integer not null, beat real not null
) without rowid;
"""
_BUSY_SECONDS = 10.0
_USED_GRAIN_SECONDS = 60.0
"""A hit writes only when the entry was not used for this long, so that hits stay reads."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One result."""

    task: str
    outputs: bytes
    """A LiteralMap."""
    files: dict[str, Stamp]
    """Local files that the outputs refer to, as they were."""
    directory: str
    """What belongs to the entry and goes with it; empty if nothing does."""
    size: int
    """Bytes, those in the directory included."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who makes an entry."""

    owner: str
    host: str
    pid: int
    beat: float


class CacheStore:
    """The database. Opened when it is first used; every method may raise sqlite3.Error or OSError."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def find(self, key: str) -> Entry | None:
        with self._open() as db:
            row = db.execute(
                "select task, outputs, files, directory, size, used from entries where key = ?", [key]
            ).fetchone()
            if row is None:
                return None
            now = self._now()
            if now - row[5] > _USED_GRAIN_SECONDS:
                db.execute("update entries set used = ? where key = ?", [now, key])
            return Entry(row[0], row[1], json.loads(row[2]), row[3], row[4])

    def put(self, key: str, entry: Entry, limit_bytes: int) -> list[str]:
        """Write an entry over a former one; the directories of those that had to go."""
        gone: list[str] = []
        with self._open() as db:
            db.execute("begin immediate")
            gone += [row[0] for row in db.execute("select directory from entries where key = ?", [key])]
            db.execute(
                "insert or replace into entries values (?, ?, ?, ?, ?, ?, ?)",
                [key, entry.task, entry.outputs, json.dumps(entry.files), entry.directory, entry.size, self._now()],
            )
            (total,) = db.execute("select sum(size) from entries").fetchone()
            if total > limit_bytes:
                oldest = db.execute("select key, directory, size from entries where key != ? order by used", [key])
                for other, directory, size in oldest.fetchall():
                    if total <= limit_bytes:
                        break
                    db.execute("delete from entries where key = ?", [other])
                    gone.append(directory)
                    total -= size
            db.execute("commit")
        return [directory for directory in gone if directory]

    def claim(self, key: str, mine: Claim, stale_seconds: float) -> Claim | None:
        """Claim a key; the claim that stands in the way, or None if it is ours now."""
        with self._open() as db:
            db.execute("begin immediate")
            row = db.execute("select owner, host, pid, beat from flights where key = ?", [key]).fetchone()
            standing = Claim(*row) if row else None
            if standing is None or self._now() - standing.beat > stale_seconds or _is_dead(standing, mine.host):
                values = [key, mine.owner, mine.host, mine.pid, self._now()]
                db.execute("insert or replace into flights values (?, ?, ?, ?, ?)", values)
                standing = None
            db.execute("commit")
            return standing

    def beat(self, owners: list[str]) -> None:
        """Say that these still live."""
        with self._open() as db:
            db.executemany("update flights set beat = ? where owner = ?", [(self._now(), owner) for owner in owners])

    def release(self, owner: str) -> None:
        with self._open() as db:
            db.execute("delete from flights where owner = ?", [owner])

    def clear(self) -> bool:
        """Remove all entries; False if the file is no database of ours."""
        try:
            with self._open() as db:
                db.execute("delete from entries")
        except sqlite3.DatabaseError:
            self._forget()
            return False
        return True

    def _now(self) -> float:
        return self._clock.now().timestamp()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time. A transaction that did not end well is rolled back."""
        with self._lock:
            if self._connection is None:
                self._connection = _connect(self.path)
            db = self._connection
            try:
                yield db
            except BaseException:
                if db.in_transaction:
                    db.rollback()
                raise

    def _forget(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _prepare(db)
            return db
        except BaseException as exc:
            db.close()
            if not _is_busy(exc) or time.monotonic() > end:
                raise
        time.sleep(0.01)


def _prepare(db: sqlite3.Connection) -> None:
    """Make the tables. Others that open a new file at this moment are in the way, and SQLite does not always wait."""
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = normal")  # a lost entry after a power cut is a miss
    (found,) = db.execute("pragma user_version").fetchone()
    if found not in (0, FORMAT):
        db.executescript("drop table if exists entries; drop table if exists flights;")
    db.executescript(_SCHEMA)
    db.execute(f"pragma user_version = {FORMAT}")


def _is_busy(exc: BaseException) -> bool:
    return isinstance(exc, sqlite3.OperationalError) and exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _is_dead(claim: Claim, here: str) -> bool:
    """Whether a claim is one of a process of this machine that has ended."""
    if claim.host != here:
        return False
    try:
        os.kill(claim.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
