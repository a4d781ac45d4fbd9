"""The contract of one kind of database. Everything here blocks: call it in a thread."""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from alula._kits.sqltext import Dialect
from alula.errors import Rejected, RemoteError, TaskFailure

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 10_000
"""Rows that are in memory at a time, at least; see `RowBatches`."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a database is, complete, with its password: never kept, shown or sent anywhere."""

    kind: str
    """`postgres`, `mysql`, `duckdb` or `sqlite`."""
    host: str = ""
    port: int = 0
    """0: the usual one."""
    user: str = ""
    database: str = ""
    """A name; of DuckDB and SQLite the path of a file, or empty for one in memory."""
    password: str = field(default="", repr=False)
    read_only: bool = True
    """Of DuckDB and SQLite: nothing can be written."""
    outside: bool = False
    """Of DuckDB and SQLite: statements may read and write other files and the network."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Of the client library: `sslmode`, `ssl_ca`, ..."""

    @property
    def where(self) -> str:
        """For people."""
        if self.host:
            return f"{self.kind}://{self.user}@{self.host}{f':{self.port}' if self.port else ''}/{self.database}"
        return f"{self.kind}:{self.database or ':memory:'}"


class Session(ABC):
    """One connection for one statement."""

    affected: int | None = None
    """How many rows a statement without results has changed, if the database says so."""

    @abstractmethod
    def run(self, text: str, parameters: Sequence[object]) -> Iterator[pa.RecordBatch]:
        """Send the statement, and give its rows, a bounded number at a time.

        At least one batch, perhaps empty, of a statement that has columns; none of others. Its changes are durable
        when the iterator ends; an iterator that is left early, and a session that is closed, undoes them.

        Raises:
            Rejected, RemoteError, TaskFailure: As `failure` says.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection. Safe to call twice."""

    @abstractmethod
    def interrupt(self) -> None:
        """From another thread: have `run` raise now, also if the database does not answer. `Driver.stop` ends what a
        server does; databases in this process stop by this."""


class Driver(ABC):
    """One kind of database. Has no state."""

    kind: ClassVar[str]
    dialect: ClassVar[Dialect]
    remote: ClassVar[bool] = True
    """The statement runs in a server, and goes on when this process dies."""
    empty: ClassVar[str | None] = None
    """What stands for an empty list after IN."""

    @abstractmethod
    def open(self, source: Source, name: str) -> Session:
        """Connect. Whatever runs in the session can be found by `name`, and no other session has it at the same time.

        Raises:
            RemoteError: It cannot be reached now.
            Rejected: It refuses us for good.
        """

    def marker(self, number: int) -> str:
        """The n-th parameter, from 1, as it is written in a statement."""
        return f"${number}"

    def stop(self, source: Source, name: str) -> bool:
        """End every session of that name, wherever it was opened, and return when none is left.

        Returns:
            Whether there was one.

        Raises:
            RemoteError: It cannot be said that none is left.
        """
        return False

    def names(self, source: Source) -> list[str]:
        """The names of all sessions that `open` gave one."""
        return []


def hang_up(descriptor: int) -> None:
    """End a connection while another thread reads from it, which sees its end."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        copy.shutdown(socket.SHUT_RDWR)


def refused(message: str, *, where: str, state: str = "", position: str = "") -> Rejected:
    """A statement that the database refuses."""
    shown = f"{message.strip()}{f' (SQLSTATE {state})' if state else ''}"
    return Rejected(
        f"the database refuses the statement: {shown}",
        where=f"{where}{position}",
        fix="inputs stand for values; names of tables and columns cannot be inputs",
        code="QueryFailed",
    )


def conflict(message: str, *, where: str, state: str) -> TaskFailure:
    """A statement that lost against another one: sent again, it may well succeed."""
    return TaskFailure(
        f"the database gave up the statement for another one: {message.strip()} (SQLSTATE {state})",
        where=where,
        fix="give the task retries=...",
        code="QueryConflict",
        recoverable=True,
    )


def unreachable(message: str, *, where: str) -> RemoteError:
    """A database that does not answer, or not as it should."""
    return RemoteError(f"the database does not answer: {message.strip()}", where=where)


def absent(library: str, kind: str, extra: str) -> Rejected:
    return Rejected(
        f"{kind} needs the Python package {library}, which is not installed",
        fix=f"pip install 'alula[{extra}]' where the engine runs",
        code="MissingLibrary",
    )
