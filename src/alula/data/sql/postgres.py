"""Postgres, by psycopg. Parameters travel in the protocol, apart from the statement.

A session holds an advisory lock that goes with its name for as long as it lives, and sends its statement only once it
has it. So whoever has ended the sessions of a name and then got the lock knows that nothing of that name runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from alula._kits import lazy
from alula._kits.sqltext import POSTGRES, Dialect
from alula.data.sql import table
from alula.data.sql.driver import Driver, Session, Source, absent, conflict, hang_up, refused, unreachable

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa
else:
    pa = lazy.module("pyarrow")

_KEEPALIVE: dict[str, Any] = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_CONFLICTS = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock not available."""
_AWAY = ("08", "57P", "53")
"""Connection exceptions, shutdown and termination, too many connections."""
_BUSY = "alula"
"""The name of sessions that look after others."""


class Postgres(Driver):
    kind: ClassVar[str] = "postgres"
    dialect: ClassVar[Dialect] = POSTGRES

    def open(self, source: Source, name: str) -> Session:
        with _translated(source):
            connection = _connect(source, name)
            try:
                _lock(connection, source, name)
            except BaseException:
                connection.close()
                raise
        return _Session(connection, source)

    def stop(self, source: Source, name: str) -> bool:
        with _translated(source), _connect(source, _BUSY) as connection:
            found = connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s", [name]
            ).fetchall()
            if found or not connection.execute("select pg_try_advisory_lock(%s)", [_key(name)]).fetchall()[0][0]:
                _lock(connection, source, name)
            return bool(found)

    def names(self, source: Source) -> list[str]:
        with _translated(source), _connect(source, _BUSY) as connection:
            rows = connection.execute(
                "select application_name from pg_stat_activity where application_name ~ '^a[0-9a-f]{40}$' order by 1"
            ).fetchall()
            return [row[0] for row in rows]


class _Session(Session):
    def __init__(self, connection: psycopg.Connection[Any], source: Source) -> None:
        self._connection, self._source = connection, source

    def run(self, text: str, parameters: Sequence[object]) -> Iterator[pa.RecordBatch]:
        import psycopg

        with _translated(self._source), psycopg.RawCursor(self._connection) as cursor:
            columns = self._described(text.encode(), parameters)
            if not columns:
                cursor.execute(text.encode(), list(parameters))
                self.affected = cursor.rowcount if cursor.rowcount >= 0 else None
                return
            size = 1_000 if psycopg.capabilities.has_stream_chunked() else 1
            rows = cursor.stream(text.encode(), list(parameters), size=size)
            yield from table.batches(lambda wanted: list(islice(rows, wanted)), columns, self._source.where)

    def _described(self, text: bytes, parameters: Sequence[object]) -> list[tuple[str, pa.DataType | None]]:
        """The columns of a statement, which is not run: a stream without rows would not tell them."""
        from psycopg import errors, pq
        from psycopg.adapt import PyFormat, Transformer

        dumped = Transformer(self._connection)
        dumped.dump_sequence(parameters, [PyFormat.AUTO] * len(parameters))
        connection = self._connection.pgconn
        for made in (connection.prepare(b"", text, dumped.types), connection.describe_prepared(b"")):
            if made.status == pq.ExecStatus.FATAL_ERROR:
                raise errors.error_from_result(made, "utf-8")
        names = [(made.fname(n) or b"").decode() for n in range(made.nfields)]
        return [(name, _type(made.ftype(n), made.fmod(n))) for n, name in enumerate(names)]

    def close(self) -> None:
        with suppress(Exception):  # whatever the library says of a connection that is broken already
            self._connection.close()

    def interrupt(self) -> None:
        with suppress(Exception):  # likewise
            hang_up(self._connection.fileno())


def _lock(connection: psycopg.Connection[Any], source: Source, name: str) -> None:
    """Take the lock of a name, for as long as the session lives. Raises RemoteError if another session keeps it."""
    from psycopg.errors import LockNotAvailable

    connection.execute("select set_config('lock_timeout', '10s', false)")
    try:
        connection.execute("select pg_advisory_lock(%s)", [_key(name)])
    except LockNotAvailable as exc:
        raise unreachable(f"another session still has the name {name}", where=source.where) from exc
    connection.execute("select set_config('lock_timeout', '0', false)")


def _connect(source: Source, name: str) -> psycopg.Connection[Any]:
    try:
        import psycopg
        from psycopg.types.string import TextLoader
    except ImportError as exc:
        raise absent("psycopg", "Postgres", "postgres") from exc
    where = {"host": source.host, "user": source.user, "password": source.password, "dbname": source.database}
    ours = {"port": source.port or 5432, "application_name": name, "autocommit": True, **_KEEPALIVE}
    given: dict[str, Any] = {"connect_timeout": 10, **where, **source.options, **ours}
    connection = psycopg.connect(**{key: value for key, value in given.items() if value})
    for type in ("json", "jsonb"):
        connection.adapters.register_loader(type, TextLoader)
    connection.execute("set timezone to 'UTC'")
    return connection


@contextmanager
def _translated(source: Source) -> Iterator[None]:
    try:
        import psycopg
    except ImportError as exc:
        raise absent("psycopg", "Postgres", "postgres") from exc
    try:
        yield
    except psycopg.Error as exc:
        raise _error(exc, source) from exc


def _error(exc: psycopg.Error, source: Source) -> Exception:
    import psycopg

    state = exc.sqlstate or ""
    message = exc.diag.message_primary or str(exc)
    details = "".join(f"\n    {more}" for more in (exc.diag.message_detail, exc.diag.message_hint) if more)
    if state in _CONFLICTS:
        return conflict(message, where=source.where, state=state)
    if state.startswith(_AWAY) or (isinstance(exc, psycopg.OperationalError) and not state):
        return unreachable(message, where=source.where)
    position = f", character {exc.diag.statement_position}" if exc.diag.statement_position else ""
    return refused(message + details, where=source.where, state=state, position=position)


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


_PLAIN = {
    "bool": "bool_",
    "int2": "int16",
    "int4": "int32",
    "int8": "int64",
    "oid": "int64",
    "float4": "float32",
    "float8": "float64",
    "bytea": "binary",
    "date": "date32",
}
_MICROSECONDS = {"timestamp": "timestamp", "time": "time64", "interval": "duration"}


def _type(oid: int, modifier: int) -> pa.DataType | None:
    import psycopg

    info = psycopg.adapters.types.get(oid)
    if info is None:
        return pa.string()
    of = _named(info.name, modifier)
    return pa.list_(of or pa.string()) if oid == info.array_oid else of


def _named(name: str, modifier: int) -> pa.DataType | None:
    if name == "numeric":
        if modifier < 0:
            return None  # it has no limits of its own
        precision, scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
        return table.decimal(precision, scale) if scale <= precision else None  # also a negative scale
    if name == "timestamptz":
        return pa.timestamp("us", "UTC")
    if name in _MICROSECONDS:
        return getattr(pa, _MICROSECONDS[name])("us")
    return getattr(pa, _PLAIN[name])() if name in _PLAIN else pa.string()
