"""Postgres: one server, shared by any number of engines on any number of machines."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar, cast
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.numeric import Int8Dumper

from alula.config import Durability
from alula.errors import StoreDamaged, StoreError, StoreUnavailable, Unstorable
from alula.store.connection import Connection
from alula.store.sql import statements

T = TypeVar("T")
Session = psycopg.Connection[tuple[Any, ...]]
_SPELT = 2_000
"""Texts of statements that a connection keeps; only conditions of listings make more than some hundred."""

_PAUSE_SECONDS = (0.05, 1.0)
"""Between two tries to reach a server that is away: at first, at most."""
_LISTEN_SECONDS = 0.2
_MOST_IDS = 500
"""In one notification, which may have 8,000 bytes."""
_ALWAYS = {"client_encoding": "UTF8"}
"""Of each connection, whatever the URL and the environment say."""
_ISOLATION = "SET default_transaction_isolation = 'read committed'"
"""Whatever the database or the user has: whoever got a lock reads what its former holder wrote."""
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_INDEXED = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"
"""For who writes: few rows, found by keys. Plans are kept while tables grow, and one that was made for a small table
would read a large one from end to end."""
_SETTINGS = """SELECT
    set_config('jit', 'off', false),
    set_config('max_parallel_workers_per_gather', '0', false),
    set_config('lock_timeout', %s, false),
    set_config('idle_in_transaction_session_timeout', %s, false),
    set_config('synchronous_commit', CASE
        WHEN %s THEN 'off'
        WHEN current_setting('synchronous_commit') = 'off' THEN 'on'
        ELSE current_setting('synchronous_commit')
    END, false)"""

# What broke a pipeline is raised; that it broke is no news for a terminal.
logging.getLogger("psycopg").addFilter(lambda record: not str(record.msg).startswith("error ignored terminating"))


class Spelling:
    """A session that takes statements as the store has them, with `%s` for parameters.

    psycopg would read each text for its parameters whenever it is executed, if it is as long as those of many rows
    are: that took an eighth of the time of a busy server. Here each is read once.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._spelt: dict[str, bytes] = {}

    def execute(self, query: str, params: Sequence[object] = ()) -> psycopg.RawCursor[tuple[Any, ...]]:
        spelt = self._spelt.get(query)
        if spelt is None:
            first, *rest = query.split("%s")
            spelt = first.encode() + b"".join(f"${at}{text}".encode() for at, text in enumerate(rest, 1))
            if len(self._spelt) == _SPELT:
                self._spelt.clear()
            self._spelt[query] = spelt
        return psycopg.RawCursor(self.session).execute(spelt, params)

    def close(self) -> None:
        self.session.close()


class Postgres:
    """A Postgres database as a `Database`.

    What is written twice is the same as what is written once, fences and names see to that. So a transaction whose end
    nobody heard of, since the connection broke, is simply done again.

    Args:
        url: The database; it has the schema.
    """

    def __init__(self, url: str, *, durability: Durability, busy_timeout: timedelta) -> None:
        self._url, self._durability, self._busy = url, durability, busy_timeout
        self._writing: Connection | None = None
        self._thread = threading.local()
        self._reading: list[Session] = []
        self._listener: threading.Thread | None = None
        self._closed = threading.Event()
        self._name = uuid4().hex
        self._channel = ""

    def transact(self, work: Callable[[Connection], T]) -> T:
        return self._persistently(lambda: self._transact(work))

    def attempt(self, work: Callable[[Connection], object]) -> bool:
        return False  # there is a network in between

    def read(self, work: Callable[[Connection], T]) -> T:
        return self._persistently(lambda: self._read(work))

    def listen(self, hear: Callable[[Sequence[int]], None]) -> None:
        self._listener = threading.Thread(target=self._listen, args=(hear,), name="alula-store-listen", daemon=True)
        self._listener.start()

    def close(self) -> None:
        self._closed.set()
        if self._listener is not None:
            self._listener.join(_LISTEN_SECONDS * 5)  # it may be waiting for a server that is away
        for session in self._reading:
            session.close()
        if self._writing is not None:
            self._writing.raw.close()

    def _persistently(self, act: Callable[[], T]) -> T:
        """What `act` gives; tried again while the server is away, and if two transactions stood in each other's way."""
        pause, longest = _PAUSE_SECONDS
        end = time.monotonic() + self._busy.total_seconds()
        while True:
            try:
                return act()
            except psycopg.Error as exc:
                if not _passing(exc) or time.monotonic() > end:
                    raise failure(exc, self._url) from exc
            time.sleep(pause)
            pause = min(2 * pause, longest)

    def _transact(self, work: Callable[[Connection], T]) -> T:
        if self._writing is None:
            self._writing = self._connection()
            cast(Spelling, self._writing.raw).session.execute(_INDEXED)
        connection, session = self._writing, cast(Spelling, self._writing.raw).session
        try:
            # What needs no answer at once is on its way while the next statement is made: three round trips in all.
            with session.pipeline():
                session.execute("BEGIN", prepare=False)
                result = work(connection)
                if connection.news:
                    session.execute("SELECT pg_notify(%s, %s)", (self._channel, self._message(connection)))
                session.execute("COMMIT", prepare=False)
        except BaseException:
            with suppress(psycopg.Error):
                session.execute("ROLLBACK", prepare=False)
            if session.closed:
                self._writing = None
            raise
        return result

    def _read(self, work: Callable[[Connection], T]) -> T:
        connection: Connection | None = getattr(self._thread, "connection", None)
        if connection is None or cast(Spelling, connection.raw).session.closed:
            connection = self._thread.connection = self._connection()
            self._reading[:] = [session for session in self._reading if not session.closed]
            self._reading.append(cast(Spelling, connection.raw).session)
        return work(connection)

    def _connection(self) -> Connection:
        session = connect(self._url, busy_timeout=self._busy)
        milliseconds = str(max(1, int(self._busy.total_seconds() * 1000)))  # 0 would mean for ever
        session.execute(_SETTINGS, (milliseconds, milliseconds, self._durability is Durability.RELAXED))
        self._channel = channel(session)

        def now() -> int:
            row = session.execute(_NOW).fetchone()
            assert row is not None
            return int(row[0])

        return Connection(
            Spelling(session), statements("postgresql"), array=lambda values: values, now=now, snapshot=_SNAPSHOT
        )

    def _message(self, connection: Connection) -> str:
        ids = connection.news.ids()
        return f"{self._name}:{','.join(map(str, ids)) if len(ids) <= _MOST_IDS else ''}"

    def _listen(self, hear: Callable[[Sequence[int]], None]) -> None:
        pause, longest = _PAUSE_SECONDS
        while not self._closed.is_set():
            try:
                with connect(self._url, busy_timeout=self._busy) as session:
                    session.execute(f'LISTEN "{channel(session)}"'.encode())
                    hear(())  # of what was said while nobody listened
                    pause = _PAUSE_SECONDS[0]
                    for message in self._messages(session):
                        sender, _, ids = message.partition(":")
                        if sender != self._name:
                            hear([int(id) for id in ids.split(",") if id])
            except psycopg.Error:  # whoever writes finds out what it is; here it is tried again
                self._closed.wait(pause)
                pause = min(2 * pause, longest)

    def _messages(self, session: Session) -> Iterator[str]:
        while not self._closed.is_set():
            for notice in session.notifies(timeout=_LISTEN_SECONDS):
                yield notice.payload


def connect(url: str, *, busy_timeout: timedelta) -> Session:
    """A connection in autocommit, whose transactions are begun by hand."""
    given: dict[str, Any] = conninfo_to_dict(url)
    seconds = max(2, int(busy_timeout.total_seconds()))
    defaults: dict[str, str | int] = {
        "application_name": "alula",
        "connect_timeout": seconds,
        "keepalives_idle": seconds,
        "keepalives_interval": 5,
        "tcp_user_timeout": seconds * 1000,
    }
    session: Session = psycopg.connect(make_conninfo("", **(defaults | given | _ALWAYS)), autocommit=True)
    session.adapters.register_dumper(int, Int8Dumper)  # else each size of numbers is a statement of its own
    session.prepare_threshold, session.prepared_max = 2, 500
    session.execute(_ISOLATION, prepare=False)
    return session


def channel(session: Session) -> str:
    """The name under which the engines of one store wake each other: that of its schema, cut to fit."""
    row = session.execute("SELECT current_schema()").fetchone()
    schema = str(row[0] if row else "")
    return f"alula_{hashlib.sha256(schema.encode()).hexdigest()[:16]}"


def _passing(exc: psycopg.Error) -> bool:
    """Whether the same may work a moment later, with nothing done about it."""
    if exc.sqlstate is None:  # it was said by the client: the server cannot be reached, or went away
        return isinstance(exc, psycopg.OperationalError)
    return exc.sqlstate in ("40001", "40P01", "25P03", "53300") or exc.sqlstate.startswith(("08", "57P"))


def place(url: str) -> str:
    """Where a database is, without its password."""
    with suppress(psycopg.Error):
        given = conninfo_to_dict(url)
        return f"{given.get('host', 'localhost')}:{given.get('port', 5432)}/{given.get('dbname', '')}"
    return "store.url"


def failure(exc: psycopg.Error, url: str) -> StoreError:
    where, state = place(url), exc.sqlstate or ""
    if isinstance(exc, psycopg.DataError) and "NUL" in str(exc):  # said by the driver, before anything is sent
        return Unstorable("a name or a text holds the character 0", fix="leave it out")
    said = " ".join(str(exc).split())
    if state[:2] in ("28", "3D") or (not state and "FATAL:" in said):  # a server answered
        return StoreUnavailable(
            f"Postgres lets nobody in: {said.rpartition('FATAL:')[2].strip()}",
            where=where,
            fix="correct the user, the password or the database in store.url (createdb makes one); a server that "
            "starts or has too many clients needs time, or a larger max_connections",
        )
    if _passing(exc):
        return StoreUnavailable(
            f"Postgres cannot be reached: {said}",
            where=where,
            fix="start the server, and look after store.url, the network and pg_hba.conf",
        )
    if state in ("55P03", "57014"):
        return StoreUnavailable(
            "rows of the store stayed locked by another session",
            where=where,
            fix="end it (pg_stat_activity names it), or raise store.busy_timeout",
        )
    if state[:2] == "53" or state in ("58030", "25006", "42501"):
        return StoreUnavailable(
            f"Postgres does not write: {said}",
            where=where,
            fix="make room on its disk, and let this user write to a server that is no standby; nothing stored is lost",
        )
    if state == "3F000":
        return StoreUnavailable(
            "there is no schema in the database for the tables of the store",
            where=where,
            fix="CREATE SCHEMA makes the one that search_path in store.url names",
        )
    if state in ("42P01", "42703", "XX001", "XX002"):
        return StoreDamaged(
            f"the schema of the store is incomplete, or its data are damaged: {said}",
            where=where,
            fix="restore it from a dump",
        )
    return StoreError(f"Postgres refused: {said}", where=where, fix="report it")
