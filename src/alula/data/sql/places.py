"""Where a task's database is, as its template and the operator's settings say it: without any secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alula.data.sql.driver import Source
from alula.errors import Rejected

TASK_TYPES: Mapping[str, str] = {
    "sql-postgres": "postgres",
    "sql-mysql": "mysql",
    "sql-duckdb": "duckdb",
    "sql-sqlite": "sqlite",
}
"""Kinds of databases by task type."""


@dataclass(frozen=True, slots=True)
class SecretName:
    """A secret, by name."""

    group: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class SqlConfig:
    """`TaskTemplate.custom` of SQL tasks; the statement is in `TaskTemplate.sql`.

    Either `connection` names one of the operator's, or the other fields say where the database is.
    """

    connection: str = ""
    """A name below `[backends.sql.connections]`."""
    host: str = ""
    port: int = 0
    """0: the usual one."""
    user: str = ""
    database: str = ""
    """Its name; of DuckDB and SQLite the path of a file where the engine runs, or empty for one in memory."""
    password: SecretName | None = None
    read_only: bool = True
    """Of DuckDB and SQLite."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Of the client library, such as `sslmode`."""
    dates: tuple[str, ...] = ()
    """Inputs that are dates: the wire has only points in time."""


@dataclass(frozen=True, slots=True)
class Connection:
    """`[backends.sql.connections.<name>]`"""

    kind: str = "postgres"
    """postgres, mysql, duckdb or sqlite."""
    host: str = ""
    port: int = 0
    """0: the usual one."""
    user: str = ""
    database: str = ""
    """A name; of DuckDB and SQLite the path of a file."""
    password: str = ""
    """The name of a secret, as `group/key`."""
    read_only: bool = True
    """Of DuckDB and SQLite."""
    outside: bool = False
    """Of DuckDB and SQLite: statements may read and write other files of this machine, and the network."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Of the client library, such as `sslmode`."""
    pool: str = ""
    """A pool that each statement draws a unit from; empty: none."""

    @property
    def secret(self) -> SecretName | None:
        if not self.password:
            return None
        group, _, key = self.password.partition("/")
        return SecretName(group, key)


def place(
    kind: str, config: SqlConfig, connections: Mapping[str, Connection], *, own: bool = True, outside: bool = False
) -> Connection:
    """Where the database of a task is.

    Args:
        own: Tasks may say themselves where their database is.
        outside: Statements of such a task on DuckDB and SQLite may read and write other files.

    Raises:
        Rejected: The connection is not there or of another kind, or the task may not say where it is.
    """
    if config.connection:
        found = connections.get(config.connection)
        if found is None:
            known = ", ".join(sorted(connections)) or "none"
            raise _unfit(f"there is no connection '{config.connection}'; there is {known}", config.connection)
        if found.kind != kind:
            raise _unfit(
                f"connection '{config.connection}' is {found.kind}, and the task is for {kind}", config.connection
            )
        return found
    if not own:
        raise _unfit("tasks must name one of the operator's connections here", "NAME")
    if kind in ("postgres", "mysql") and not config.host:
        raise Rejected(
            "the task says neither a connection nor a host", fix="set connection= or host= in its task_config"
        )
    password = f"{config.password.group}/{config.password.key}" if config.password else ""
    return Connection(
        kind,
        config.host,
        config.port,
        config.user,
        config.database,
        password,
        config.read_only,
        outside,
        config.options,
    )


def source(found: Connection, password: str) -> Source:
    """A database, ready to be opened."""
    return Source(
        found.kind,
        found.host,
        found.port,
        found.user,
        found.database,
        password,
        found.read_only,
        found.outside,
        found.options,
    )


def _unfit(what: str, name: str) -> Rejected:
    return Rejected(what, fix=f"name one that alula.toml has: [backends.sql.connections.{name}]")
