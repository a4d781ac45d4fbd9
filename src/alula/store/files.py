"""SQLite files that are opened: made, checked, upgraded."""

from __future__ import annotations

import sqlite3
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from alula._kits import lazy
from alula._kits.clock import Clock
from alula.config import Durability
from alula.errors import ConfigError, StoreError, StoreUnavailable
from alula.store.sql import statements
from alula.store.sqlite import OLDEST, Sqlite, connect, errors, primary
from alula.store.versions import HEAD, VERSION_TABLE, check, foreign

if TYPE_CHECKING:
    from alula.store import upgrading
else:
    upgrading = lazy.module("alula.store.upgrading")  # brings SQLAlchemy and Alembic, a second in all


def open_file(path: str, *, durability: Durability, busy_timeout: timedelta, clock: Clock) -> Sqlite:
    """The database in a file, with the schema in it."""
    if not path or path == ":memory:":
        raise ConfigError(f"{path!r} is no path of a store", where="store.url", fix="name a file")
    if sqlite3.sqlite_version_info < OLDEST:
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version} is too old",
            fix=f"use a Python whose sqlite3 has {'.'.join(map(str, OLDEST))} or newer, or Postgres",
        )
    file = Path(path).absolute()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreUnavailable(
            f"the directory of the database {file.name} cannot be made: {exc.strerror}",
            where=str(file.parent),
            fix="let this user write there, or name another place (store.url)",
        ) from exc
    with errors(file):
        raw = connect(file, timeout=busy_timeout.total_seconds())
        try:
            _prepare(raw, file, time.monotonic() + busy_timeout.total_seconds())
        finally:
            raw.close()
    return Sqlite(file, durability=durability, busy_timeout=busy_timeout, clock=clock)


def _prepare(raw: sqlite3.Connection, file: Path, end: float) -> None:
    """See to it that a database has the present schema."""
    if raw.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _patiently(raw, "PRAGMA journal_mode = WAL", end)
    if not _behind(raw, file):
        return
    raw.execute("PRAGMA synchronous = FULL")
    _patiently(raw, "BEGIN EXCLUSIVE", end)
    try:
        tables = _tables(raw)
        if not tables:
            for statement in statements("sqlite").schema:
                raw.execute(statement)
            raw.execute(f"INSERT INTO {VERSION_TABLE} VALUES (?)", (HEAD,))
        elif _behind(raw, file):  # nobody else was faster
            upgrading.upgrade(raw, "sqlite://")
        if raw.in_transaction:
            raw.execute("COMMIT")
    except BaseException:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raise


def _behind(raw: sqlite3.Connection, file: Path) -> bool:
    """Whether there is something to make or to upgrade."""
    tables = _tables(raw)
    if VERSION_TABLE in tables:
        found = [version for (version,) in raw.execute(f"SELECT version_num FROM {VERSION_TABLE}")]
        return check(found, where=str(file))
    if tables:
        raise foreign(tables, where=str(file))
    return True


def _tables(raw: sqlite3.Connection) -> list[str]:
    names = raw.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    return [name for (name,) in names]


def _patiently(raw: sqlite3.Connection, statement: str, end: float) -> None:
    """Execute what SQLite refuses at once while another process does the same, without waiting as it does elsewhere."""
    while True:
        try:
            raw.execute(statement)
        except sqlite3.OperationalError as exc:
            if primary(exc) != "SQLITE_BUSY" or time.monotonic() > end:
                raise
        else:
            return
        time.sleep(0.01)
