"""Snowflake: where it is and who we are there, parameters with its types, and sessions by its own connector.

The connector serves calls without an engine, and fetches results as Arrow. What an engine runs goes through Snowflake's
SQL API instead (`alula.backends.snowflake`): there a statement has a handle, and does not end with its connection.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from alula._kits.sqltext import SNOWFLAKE, Dialect
from alula.data.sql import table
from alula.data.sql.driver import Driver, Session, Source, absent, conflict, refused, unreachable
from alula.data.sql.places import SecretName
from alula.errors import Rejected, RemoteError

if TYPE_CHECKING:
    import pyarrow as pa

TASK_TYPE = "snowflake"
EMPTY = "select null where false"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CANCELLED = 604
_CONFLICTS = frozenset({625, 624})
"""Lock wait timeouts."""


@dataclass(frozen=True, slots=True)
class SnowflakeConfig:
    """`TaskTemplate.custom` of Snowflake tasks; the statement is in `TaskTemplate.sql`. What is empty is as the
    operator's settings say, or as the user's defaults in Snowflake."""

    account: str = ""
    """`organization-account`, or an account locator with its region."""
    user: str = ""
    database: str = ""
    schema: str = ""
    warehouse: str = ""
    role: str = ""
    private_key: SecretName | None = None
    """A private key in PEM form, whose public half the user has in Snowflake."""
    passphrase: SecretName | None = None
    """Of an encrypted private key."""
    token: SecretName | None = None
    """A programmatic access token, or one of OAuth."""
    token_type: str = ""
    """`PROGRAMMATIC_ACCESS_TOKEN` (the default) or `OAUTH`."""
    password: SecretName | None = None
    """For calls without an engine alone: the SQL API takes none."""
    timeout_seconds: int = 0
    """Snowflake ends the statement after it; 0: as the account says."""
    dates: tuple[str, ...] = ()
    """Inputs that are dates: the wire has only points in time."""

    def over(self, other: SnowflakeConfig) -> SnowflakeConfig:
        """This one, and `other` where this one says nothing. How to sign in comes from one of the two."""
        own = {name: getattr(self, name) or getattr(other, name) for name in _PLACES}
        signs = self if self.private_key or self.token or self.password else other
        return replace(self, **own, **{name: getattr(signs, name) for name in _SIGNS})


_PLACES = ("account", "user", "database", "schema", "warehouse", "role", "timeout_seconds")
_SIGNS = ("private_key", "passphrase", "token", "token_type", "password")


def host_of(account: str) -> str:
    """Where an account answers."""
    return f"{account.lower().replace('_', '-')}.snowflakecomputing.com"


def binding(value: Any) -> dict[str, str | None]:
    """A parameter as the SQL API takes it: a type, and a value as text. Raises Rejected.

    Source: Snowflake's documentation of the SQL API, "Using bind variables in a statement".
    """
    kind, text = _bound(value)
    return {"type": kind, "value": text}


def _bound(value: Any) -> tuple[str, str | None]:
    match value:
        case None:
            return "TEXT", None
        case bool():
            return "BOOLEAN", str(value).lower()
        case int():
            return "FIXED", str(int(value))
        case float() if math.isfinite(value):
            return "REAL", repr(value)
        case float():
            return "TEXT", {"inf": "inf", "-inf": "-inf"}.get(str(value), "NaN")
        case Decimal():
            return "FIXED", str(value)
        case str():
            return "TEXT", value
        case bytes():
            return "BINARY", value.hex()
        case datetime():
            return "TIMESTAMP_LTZ", str((value - _EPOCH) // _MICROSECOND * 1000)
        case date():
            return "DATE", str((value - _EPOCH.date()).days * 86_400_000)
        case timedelta():
            return "REAL", repr(value.total_seconds())  # Snowflake has no type for spans of time
        case list() | tuple():
            return "TEXT", json.dumps(value, default=str)  # parse_json({{ .inputs.x }})
        case _:
            raise Rejected(
                f"the statement gets {value!r:.40}, which Snowflake has no type for",
                fix="pass numbers, text, times, bytes, JSON, or lists of these",
                code="QueryFailed",
            )


class Snowflake(Driver):
    """By its own connector. `Source.options` holds `account`, `schema`, `warehouse`, `role`, `private_key`, `token`."""

    kind: ClassVar[str] = "snowflake"
    dialect: ClassVar[Dialect] = SNOWFLAKE
    remote: ClassVar[bool] = False
    empty: ClassVar[str | None] = EMPTY

    def open(self, source: Source, name: str) -> Session:
        with _translated(source):
            return _Session(connect(source, name), source)

    def marker(self, number: int) -> str:
        return "?"


class _Session(Session):
    def __init__(self, connection: Any, source: Source) -> None:
        self._connection, self._source = connection, source
        self._cursor = connection.cursor()

    def run(self, text: str, parameters: Sequence[object]) -> Iterator[pa.RecordBatch]:
        with _translated(self._source):
            self._cursor.execute(text, [_for_connector(one) for one in parameters])
            yield from rows(self._cursor)
            self.affected = self._cursor.rowcount

    def close(self) -> None:
        with suppress(Exception):  # whatever the library says of a connection that is broken already
            self._connection.close()

    def interrupt(self) -> None:
        self._cursor.abort_query(self._cursor.sfqid)


def connect(source: Source, name: str) -> Any:
    """A connection of the connector, whose statements carry `name` as their tag."""
    try:
        import snowflake.connector as library
    except ImportError as exc:
        raise absent("snowflake-connector-python", "Snowflake without an engine", "snowflake") from exc
    given: dict[str, Any] = {"user": source.user, "database": source.database, "password": source.password}
    given |= source.options
    if given.get("token") and "authenticator" not in given:
        given["authenticator"] = "PROGRAMMATIC_ACCESS_TOKEN"
    if source.host:
        given |= {"host": source.host, "port": source.port or 443}
    return library.connect(
        **{key: value for key, value in given.items() if value},
        paramstyle="qmark",
        session_parameters={"QUERY_TAG": name, "TIMEZONE": "UTC"},
        login_timeout=30,
    )


def rows(cursor: Any) -> Iterator[pa.RecordBatch]:
    """What a cursor of the connector has found, as Arrow; at least one batch, perhaps empty."""
    import pyarrow as pa
    from snowflake.connector.errors import NotSupportedError

    empty = True
    try:
        batches = cursor.fetch_arrow_batches()
    except NotSupportedError:  # statements that change something, and `show`, answer in JSON alone
        columns = [(one.name, None) for one in cursor.description]
        yield from table.batches(lambda wanted: list(cursor.fetchmany(wanted)), columns, "Snowflake")
        return
    for found in batches:
        for batch in found.to_batches():
            empty = False
            yield batch.replace_schema_metadata(None)
    if empty:
        schema = cursor.fetch_arrow_all(force_return_table=True).schema
        yield pa.RecordBatch.from_arrays([pa.array([], one.type) for one in schema], schema=schema)


def results(source: Source, handle: str) -> Iterator[pa.RecordBatch]:
    """The rows of a statement that has ended, by its handle, which is the id of its query. Blocks."""
    with _translated(source):
        connection = connect(source, "alula")
        try:
            cursor = connection.cursor()
            cursor.get_results_from_sfqid(handle)
            yield from rows(cursor)
        finally:
            connection.close()


def sign_in(config: SnowflakeConfig, secrets: Mapping[str, str], *, host: str = "", port: int = 0) -> Source:
    """A source for the connector.

    Args:
        secrets: What `private_key`, `passphrase`, `token` and `password` name, as far as they name one.
    """
    options: dict[str, Any] = {name: getattr(config, name) for name in ("account", "schema", "warehouse", "role")}
    if "private_key" in secrets:
        options["private_key"] = _der(secrets["private_key"], secrets.get("passphrase", ""))
    if "token" in secrets:
        options |= {"token": secrets["token"], "authenticator": config.token_type or "PROGRAMMATIC_ACCESS_TOKEN"}
    if host in ("127.0.0.1", "localhost"):
        options["protocol"] = "http"
    password = secrets.get("password", "")
    return Source("snowflake", host, port, config.user, config.database, password, options=options)


def private_key(pem: str, passphrase: str) -> Any:
    """A private key. Raises Rejected if it is none."""
    from cryptography.hazmat.primitives import serialization

    try:
        return serialization.load_pem_private_key(pem.encode(), passphrase.encode() or None)
    except (ValueError, TypeError) as exc:
        raise Rejected(
            "the secret for private_key is no private key in PEM form, or its passphrase is wrong",
            fix="store the whole file, from -----BEGIN to -----END; name the passphrase of an encrypted one",
            code="NotAuthorized",
        ) from exc


def _der(pem: str, passphrase: str) -> bytes:
    from cryptography.hazmat.primitives import serialization

    form = serialization.PrivateFormat.PKCS8
    made: bytes = private_key(pem, passphrase).private_bytes(
        serialization.Encoding.DER, form, serialization.NoEncryption()
    )
    return made


def _for_connector(value: Any) -> Any:
    match value:
        case datetime():
            return "TIMESTAMP_LTZ", value
        case date():
            return "DATE", value
        case timedelta():
            return value.total_seconds()
        case list() | tuple():
            return json.dumps(value, default=str)
        case _:
            return value


@contextmanager
def _translated(source: Source) -> Iterator[None]:
    try:
        from snowflake.connector import errors
    except ImportError as exc:
        raise absent("snowflake-connector-python", "Snowflake without an engine", "snowflake") from exc
    try:
        yield
    except errors.ProgrammingError as exc:
        raise _error(exc, source) from exc
    except errors.Error as exc:
        raise unreachable(str(exc.msg), where=source.where) from exc


def _error(exc: Any, source: Source) -> Exception:
    number, state, message = int(exc.errno or 0), exc.sqlstate or "", str(exc.raw_msg or exc.msg)
    return failure(number, state, message, source.where)


def failure(number: int, state: str, message: str, where: str) -> Exception:
    """What Snowflake says of a statement that it does not run."""
    if number == _CANCELLED:
        return RemoteError(f"the statement was cancelled: {message}", where=where)
    if number in _CONFLICTS:
        return conflict(message, where=where, state=state)
    return refused(f"{message} [{number:06}]", where=where, state=state)
