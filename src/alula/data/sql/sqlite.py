"""SQLite, by the standard library: in this process, so that nothing outlives it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from alula._kits.sqltext import SQLITE, Dialect
from alula.data.sql import table
from alula.data.sql.driver import Driver, Session, Source, conflict, refused, unreachable
from alula.errors import RemoteError

if TYPE_CHECKING:
    import pyarrow as pa

_BUSY_SECONDS = 30.0


class SQLite(Driver):
    kind: ClassVar[str] = "sqlite"
    dialect: ClassVar[Dialect] = SQLITE
    remote: ClassVar[bool] = False
    empty: ClassVar[str | None] = ""

    def open(self, source: Source, name: str) -> Session:
        with _translated(source):
            if not source.database:
                connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            else:
                uri = Path(source.database).resolve().as_uri() + ("?mode=ro" if source.read_only else "?mode=rw")
                connection = sqlite3.connect(
                    uri, uri=True, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
                )
            if not source.outside:
                connection.set_authorizer(_inside)
            return _Session(connection, source)

    def marker(self, number: int) -> str:
        return f"?{number}"


class _Session(Session):
    def __init__(self, connection: sqlite3.Connection, source: Source) -> None:
        self._connection, self._source = connection, source

    def run(self, text: str, parameters: Sequence[object]) -> Iterator[pa.RecordBatch]:
        with _translated(self._source):
            cursor = self._connection.execute(text, [_storable(one) for one in parameters])
            if cursor.description is None:
                self.affected = cursor.rowcount if cursor.rowcount >= 0 else None
                return
            columns = [(one[0], None) for one in cursor.description]
            yield from table.batches(cursor.fetchmany, columns, self._source.where)

    def close(self) -> None:
        self._connection.close()

    def interrupt(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it is closed already
            self._connection.interrupt()


@contextmanager
def _translated(source: Source) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        name = getattr(exc, "sqlite_errorname", "") or ""
        if name.startswith("SQLITE_INTERRUPT"):
            raise RemoteError("the statement was cancelled", where=source.where) from exc
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise conflict(str(exc), where=source.where, state=name) from exc
        if name.startswith(("SQLITE_IOERR", "SQLITE_FULL")):
            raise unreachable(str(exc), where=source.where) from exc
        raise refused(str(exc), where=source.where, state=name) from exc


def _inside(action: int, *_: object) -> int:
    """No other files."""
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH) else sqlite3.SQLITE_OK


def _storable(value: Any) -> Any:
    """A value as SQLite compares it: times as its own functions write them, in UTC; durations as seconds."""
    match value:
        case timedelta():
            return value.total_seconds()
        case datetime():
            return str(value.astimezone(UTC).replace(tzinfo=None))
        case date():
            return value.isoformat()
        case bool():
            return int(value)
        case _:
            return value
