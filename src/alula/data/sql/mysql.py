"""MySQL and MariaDB, by PyMySQL, which has no parameters of its own: it would paste them into the statement.

So the server prepares the statement, and each value is put into a variable of the session first. What is written there
is digits only (text as hexadecimal), so there is nothing to quote and nothing to break out of.

A session holds a named lock for as long as it lives, and sends its statement only once it has it. So whoever has killed
the holder and then got the lock knows that nothing of that name runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from alula._kits import lazy
from alula._kits.sqltext import MYSQL, Dialect
from alula.data.sql import table
from alula.data.sql.driver import Driver, Session, Source, absent, conflict, hang_up, refused, unreachable
from alula.errors import Rejected

if TYPE_CHECKING:
    import pyarrow as pa
    import pymysql
else:
    pa = lazy.module("pyarrow")

_WAIT_SECONDS = 10
_BINARY = 63
"""The character set of what is no text."""
_UNSIGNED = 32
_CONFLICTS = {1205: "HY000", 1213: "40001", 1020: "HY000"}
"""Lock wait timeout, deadlock, record changed."""
_AWAY = frozenset(
    {1040, 1053, 1077, 1927, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 2002, 2003, 2006, 2013, 2055, 4031, 0}
)
_NAMED = re.compile(r"/\* (a[0-9a-f]{40}) \*/")


class MySQL(Driver):
    kind: ClassVar[str] = "mysql"
    dialect: ClassVar[Dialect] = MYSQL
    empty: ClassVar[str | None] = "select null from dual where false"

    def open(self, source: Source, name: str) -> Session:
        with _translated(source):
            connection = _connect(source, name)
            try:
                if _one(connection, f"select get_lock({_text(name)}, {_WAIT_SECONDS})") != 1:
                    raise unreachable(f"another session still has the name {name}", where=source.where)
            except BaseException:
                connection.close()
                raise
        return _Session(connection, source, name)

    def marker(self, number: int) -> str:
        return "?"

    def stop(self, source: Source, name: str) -> bool:
        with _translated(source), _connect(source) as connection:
            holder = _one(connection, f"select is_used_lock({_text(name)})")
            if holder is None:
                return False
            with suppress(_library().err.OperationalError):  # 1094: it has ended by itself
                _one(connection, f"kill {int(holder)}")
            if _one(connection, f"select get_lock({_text(name)}, {_WAIT_SECONDS})") != 1:
                raise unreachable(f"session {holder} was killed and has not ended yet", where=source.where)
            return True

    def names(self, source: Source) -> list[str]:
        with _translated(source), _connect(source) as connection, connection.cursor() as cursor:
            cursor.execute("select info from information_schema.processlist where info is not null")
            texts = [str(row[0]) for row in cursor.fetchall()]
            with suppress(_library().err.MySQLError):  # MariaDB has it only if it is told to
                cursor.execute(
                    "select concat('/* ', attr_value, ' */') from performance_schema.session_connect_attrs"
                    " where attr_name = 'program_name'"
                )
                texts += [str(row[0]) for row in cursor.fetchall()]
            return sorted({found[1] for found in map(_NAMED.search, texts) if found})


class _Session(Session):
    def __init__(self, connection: pymysql.Connection[Any], source: Source, name: str) -> None:
        self._connection, self._source, self._name = connection, source, name

    def run(self, text: str, parameters: Sequence[object]) -> Iterator[pa.RecordBatch]:
        with _translated(self._source), self._connection.cursor(_library().cursors.SSCursor) as cursor:
            # The comment stays with the statement in the server's list of processes.
            cursor.execute(f"set @alula_statement = {_text(f'/* {self._name} */ {text}')}")
            for number, value in enumerate(parameters):
                cursor.execute(f"set @alula_p{number} = {written(value)}")
            cursor.execute("prepare alula from @alula_statement")
            using = ", ".join(f"@alula_p{number}" for number in range(len(parameters)))
            cursor.execute(f"execute alula{' using ' if using else ''}{using}")
            if cursor.description is None:
                self.affected = max(cursor.rowcount, 0)
                return
            columns = [(one.name, _type(one)) for one in cursor._result.fields]
            yield from table.batches(lambda wanted: list(cursor.fetchmany(wanted)), columns, self._source.where)

    def close(self) -> None:
        with suppress(Exception):  # whatever the library says of a connection that is broken already
            self._connection._force_close()  # type: ignore[attr-defined]  # `close` would read the rest of the rows

    def interrupt(self) -> None:
        with suppress(Exception):  # likewise
            hang_up(self._connection._sock.fileno())  # type: ignore[attr-defined]


def written(value: Any) -> str:
    """A value as SQL that is made of digits and fixed words alone."""
    match value:
        case None:
            return "null"
        case bool():
            return str(int(value))
        case int():
            return str(int(value))
        case float() if math.isfinite(value):
            return f"{value!r}e0" if "e" not in repr(value) else repr(value)
        case Decimal() if value.is_finite():
            return f"cast({_text(str(value))} as decimal(65, 30))"
        case str():
            return _text(value)
        case bytes():
            return f"x'{value.hex()}'"
        case datetime():
            return f"cast({_text(str(value.astimezone(UTC).replace(tzinfo=None)))} as datetime(6))"
        case date():
            return f"cast({_text(value.isoformat())} as date)"
        case timedelta():
            return f"cast({_text(_clock(value))} as time(6))"
        case _:
            shown = "a list that does not follow IN" if isinstance(value, list | tuple) else f"the value {value!r:.40}"
            raise Rejected(
                f"the statement gets {shown}, which MySQL has no type for",
                fix="write `in {{ .inputs.x }}` for lists",
                code="QueryFailed",
            )


def _text(value: str) -> str:
    return f"convert(x'{value.encode().hex()}' using utf8mb4)"


def _clock(value: timedelta) -> str:
    micros = abs(value // timedelta(microseconds=1))
    seconds, rest = divmod(micros, 1_000_000)
    sign = "-" if value < timedelta(0) else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}"


def _library() -> Any:
    try:
        import pymysql
        import pymysql.cursors
    except ImportError as exc:
        raise absent("pymysql", "MySQL", "mysql") from exc
    return pymysql


def _connect(source: Source, name: str = "alula") -> pymysql.Connection[Any]:
    ours = {"charset": "utf8mb4", "autocommit": True, "program_name": name, "port": source.port or 3306}
    where = {"host": source.host, "user": source.user, "password": source.password, "database": source.database}
    given: dict[str, Any] = {"connect_timeout": 10, **where, **source.options, **ours}
    made: pymysql.Connection[Any] = _library().connect(**{key: value for key, value in given.items() if value})
    with made.cursor() as cursor:
        cursor.execute("set time_zone = '+00:00'")
    return made


def _one(connection: pymysql.Connection[Any], text: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text)
        row = cursor.fetchone()
        return row[0] if row else None


@contextmanager
def _translated(source: Source) -> Iterator[None]:
    library = _library()
    try:
        yield
    except library.err.MySQLError as exc:
        raise _error(exc, source) from exc


def _error(exc: Exception, source: Source) -> Exception:
    number = exc.args[0] if exc.args and isinstance(exc.args[0], int) else -1
    message = str(exc.args[1]) if len(exc.args) > 1 else str(exc)
    if number in _CONFLICTS:
        return conflict(message, where=source.where, state=_CONFLICTS[number])
    if number in _AWAY or isinstance(exc, _library().err.InterfaceError):
        return unreachable(message, where=source.where)
    return refused(message, where=source.where, state=f"error {number}" if number > 0 else "")


_NUMBERS = {1: "int8", 2: "int16", 3: "int32", 8: "int64", 9: "int32", 13: "int16"}
"""TINY, SHORT, LONG, LONGLONG, INT24, YEAR. Source: the protocol's column types."""


def _type(one: Any) -> pa.DataType:
    code = one.type_code
    if code in _NUMBERS:
        signed = _NUMBERS[code]
        return getattr(pa, f"u{signed}" if one.flags & _UNSIGNED and code != 13 else signed)()
    match code:
        case 4:
            return pa.float32()
        case 5:
            return pa.float64()
        case 0 | 246:  # the length counts the sign and the point
            scale = one.scale
            precision = one.length - (1 if scale else 0) - (0 if one.flags & _UNSIGNED else 1)
            return table.decimal(max(precision, scale, 1), scale)
        case 10 | 14:
            return pa.date32()
        case 7:
            return pa.timestamp("us", "UTC")
        case 12:
            return pa.timestamp("us")
        case 11:
            return pa.duration("us")
        case 16 | 255:
            return pa.binary()
        case 6:
            return pa.null()
        case _:
            return pa.binary() if one.charsetnr == _BINARY and code in (249, 250, 251, 252, 253, 254) else pa.string()
