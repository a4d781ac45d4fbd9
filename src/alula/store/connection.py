"""One connection to a database, and the statements that run on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from alula.errors import AlulaError
from alula.store.records import PoolRecord
from alula.store.rows import Row
from alula.store.sql import CHUNK, Statement, Statements

T = TypeVar("T")

NO_LIMIT = 2**62
"""Of rows."""


class Cursor(Protocol):
    """What a driver's connection gives for a statement."""

    def fetchall(self) -> list[Any]: ...


class Raw(Protocol):
    """A driver's connection, as far as the two have the same."""

    def execute(self, query: Any, params: Any = ..., /) -> Cursor: ...
    def close(self) -> None: ...


Use = tuple[PoolRecord | None, Mapping[str, int]]
"""A pool, and the units that projects have of it."""


class News:
    """What a transaction does that others want to know of, and what it has found out."""

    def __init__(self) -> None:
        self.now = 0
        """When the first execution was created in it; 0: none was."""
        self.closures: set[str] = set()
        """Those that are there, and stay until it is over."""
        self.executions: dict[int, None] = {}
        self.any = False
        """It may be any execution."""
        self.pools: dict[str, None] = {}
        """Pools in which units may have become free, or are asked for."""
        self.asked: set[int] = set()
        """Leases whose owners hear of a grant as the answer to what they ask just now."""
        self.uses: dict[str, Use] = {}
        """Pools as the transaction leaves them, once units were granted."""

    def __bool__(self) -> bool:
        return self.any or bool(self.executions)

    def ids(self) -> Sequence[int]:
        """Empty: any of them."""
        return () if self.any else tuple(self.executions)


@dataclass(frozen=True, slots=True)
class Later(Generic[T]):
    """A result that is read at the end of the transaction, when units of pools were granted."""

    read: Callable[[Connection], T]


class Connection:
    """A connection on which statements run by name.

    Args:
        raw: The driver's, in autocommit.
        array: A list of values as the one parameter that the statements for this database expect.
        now: The time of the store, in microseconds.
        snapshot: What begins a transaction that sees one state of the database.
    """

    def __init__(
        self,
        raw: Raw,
        statements: Statements,
        *,
        array: Callable[[list[Any]], object],
        now: Callable[[], int],
        snapshot: str,
    ) -> None:
        self.raw, self.statements, self.now = raw, statements, now
        self.news = News()
        self._array, self._snapshot = array, snapshot

    def rows(self, name: str, /, **given: object) -> list[Row]:
        """What a statement returns; nothing if it returns nothing."""
        statement = self.statements[name]
        return self._rows(statement, given)

    def listing(self, name: str, conditions: Sequence[str], /, **given: object) -> list[Row]:
        """The rows of a listing for which all the named conditions hold."""
        return self.chosen(name, [f"{name}{{{one}}}" for one in conditions], **given)

    def chosen(self, name: str, conditions: Sequence[str], /, **given: object) -> list[Row]:
        """The rows of a listing for which all conditions hold, each with its whole name."""
        return self._rows(self.statements[name].where(self.statements[one] for one in conditions), given)

    def one(self, name: str, /, **given: object) -> Row | None:
        """The first row."""
        found = self.rows(name, **given)
        return found[0] if found else None

    def insert(self, name: str, rows: Sequence[Row]) -> list[Row]:
        """Write rows, no two with the same key, in as few statements as possible; gives what these return."""
        execute, times = self.raw.execute, self.statements.times
        answers, given = self.statements[name].answers, []
        done, count = 0, len(rows)
        while done < count:
            size = CHUNK
            while size > count - done:
                size >>= 1
            part = rows[done : done + size]
            cursor = execute(times(name, size), part[0] if size == 1 else [value for row in part for value in row])
            if answers:
                given += cursor.fetchall()
            done += size
        return given

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Inside the block all that is read comes from one state of the database."""
        self.raw.execute(self._snapshot)
        try:
            yield
        finally:
            self.raw.execute("COMMIT")

    @contextmanager
    def whole(self) -> Iterator[None]:
        """What the block writes is undone if it raises; for work that cannot look for all faults beforehand."""
        self.raw.execute("SAVEPOINT whole")
        try:
            yield
        except AlulaError:
            self.raw.execute("ROLLBACK TO SAVEPOINT whole")
            raise
        self.raw.execute("RELEASE SAVEPOINT whole")

    def _rows(self, statement: Statement, given: Mapping[str, object]) -> list[Row]:
        values = [
            self._array(value) if type(value) is list else value for value in map(given.__getitem__, statement.names)
        ]
        cursor = self.raw.execute(statement.text, values)
        return cursor.fetchall() if statement.answers else []


class Database(Protocol):
    """One kind of database, as the store uses it. Every method may block, and raises errors of `alula.errors` only."""

    def transact(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once all that it wrote is durable; called by one thread at a time.

        `work` may be called again if the transaction must be repeated. An error that is neither StoreUnavailable nor
        StoreDamaged is the fault of what `work` was given. Whatever is raised, nothing of it was written.
        """
        ...

    def attempt(self, work: Callable[[Connection], object]) -> bool:
        """As `transact`, for an event loop: only if it can be done at once and quickly, as the last ones have shown.

        False, or an error: nothing was written, and `transact` is to be called instead.
        """
        ...

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` reads, on a connection of the calling thread."""
        ...

    def listen(self, hear: Callable[[Sequence[int]], None]) -> None:
        """From now on, tell which executions other processes have news of; empty: any. Called once at most."""
        ...

    def close(self) -> None:
        """Let go of all connections. Called once, after everything else has ended."""
        ...
