"""SQL tasks: one statement on Postgres, MySQL and MariaDB, DuckDB or SQLite, with its inputs as bound parameters.

The engine runs them itself, without a worker or a container; called as functions they run in this process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from alula._kits import sqltext
from alula.config import load
from alula.data.sql import places
from alula.data.sql.drivers import DRIVERS
from alula.data.sql.work import Order, Outcome, perform
from alula.data.workspace import workspace
from alula.errors import SignatureError
from alula.sdk.query import QueryTask, secret_here
from alula.sdk.secrets import Secret
from alula.sdk.signature import caller
from alula.types.tabular import StructuredDataset


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where a database server is: the name of one of the operator's connections, or host, user and database.

    Args:
        connection: A name below `[backends.sql.connections]` in `alula.toml`.
        host: A name or an address.
        database: Its name.
        user: As whom.
        password: The secret that is the password. It is asked for where the statement runs, and never stored.
        port: None: the usual one.
        options: Of the client library (psycopg, PyMySQL): `{"sslmode": "verify-full"}`.
    """

    connection: str = ""
    host: str = ""
    database: str = ""
    user: str = ""
    password: Secret | None = None
    port: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)


class PostgresConfig(ServerConfig):
    """Where a Postgres is."""

    __slots__ = ()


class MySQLConfig(ServerConfig):
    """Where a MySQL or MariaDB is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class FileConfig:
    """Where a database is that lives in a file.

    Args:
        database: The path of the file, where the statement runs; empty: one in memory, for this statement alone.
        connection: In its place a name below `[backends.sql.connections]` in `alula.toml`.
        read_only: Nothing can be written.
    """

    database: str = ""
    connection: str = ""
    read_only: bool = True


class DuckDBConfig(FileConfig):
    """Where a DuckDB is."""

    __slots__ = ()


class SQLiteConfig(FileConfig):
    """Where an SQLite database is."""

    __slots__ = ()


class DatabaseTask(QueryTask):
    """A statement on a database; see its kinds.

    `{{ .inputs.x }}` stands for an input and is handed to the database as a parameter, so that no value is ever read as
    SQL; after `IN` a list stands for its items. `{{ .perRetryUniqueKey }}` is the name of the attempt, the same if its
    statement is sent twice.

    Args:
        name: Full name, unique in the project; empty: that of the module and the variable that the task is put into.
        query_template: One statement.
        task_config: Where the database is.
        inputs: Names to types; each must be used.
        output_schema_type: The type of the output `results`: `StructuredDataset`, or a data frame class. None: the
            statement is run for what it does.
        keywords: Settings as of `@task`.

    Raises:
        SignatureError: With everything that is wrong with the declaration.
    """

    kind: ClassVar[str]
    config_type: ClassVar[type[ServerConfig] | type[FileConfig]]

    def __init__(
        self,
        name: str = "",
        query_template: str = "",
        task_config: Any = None,
        inputs: Mapping[str, Any] | None = None,
        output_schema_type: Any = StructuredDataset,
        **keywords: Any,
    ) -> None:
        if not isinstance(task_config, self.config_type) and (task_config is not None or self._needs_place):
            raise SignatureError(
                f"{type(self).__name__} {name!r} has {task_config!r:.80} for its task_config",
                where=caller(),
                fix=f"pass task_config={self.config_type.__name__}(...)",
            )
        self.config = task_config or self.config_type()
        secrets = [self.config.password] if isinstance(self.config, ServerConfig) else []
        super().__init__(name, query_template, inputs, output_schema_type, secrets=secrets, **keywords)

    @property
    def _needs_place(self) -> bool:
        return issubclass(self.config_type, ServerConfig)

    def custom(self) -> Mapping[str, Any]:
        given = self.config
        made: dict[str, Any] = {"connection": given.connection, "database": given.database, "dates": self.dates}
        if isinstance(given, FileConfig):
            return made | {"read_only": given.read_only}
        made |= {"host": given.host, "user": given.user, "port": given.port or 0, "options": dict(given.options)}
        if given.password is not None:
            made["password"] = {"group": given.password.group or "", "key": given.password.key or ""}
        return made

    def perform_here(self, order: Order) -> Outcome:
        given = self.config
        plain = {name: value for name, value in self.custom().items() if name not in ("password", "dates")}
        config = places.SqlConfig(**plain)
        password = given.password if isinstance(given, ServerConfig) else None
        connections = _connections() if config.connection else {}
        found = places.place(self.kind, config, connections, outside=True)
        if password is None and found.secret is not None:
            password = Secret(group=found.secret.group, key=found.secret.key or None)
        path = workspace().new_path("rows")
        return perform(DRIVERS[self.kind], places.source(found, secret_here(password)), order, path.parent)


class PostgresTask(DatabaseTask):
    """A statement on a Postgres: see `DatabaseTask`."""

    task_type: ClassVar[str] = "sql-postgres"
    kind: ClassVar[str] = "postgres"
    config_type = PostgresConfig
    dialect: ClassVar[sqltext.Dialect] = sqltext.POSTGRES


class MySQLTask(DatabaseTask):
    """A statement on a MySQL or MariaDB: see `DatabaseTask`."""

    task_type: ClassVar[str] = "sql-mysql"
    kind: ClassVar[str] = "mysql"
    config_type = MySQLConfig
    dialect: ClassVar[sqltext.Dialect] = sqltext.MYSQL


class DuckDBTask(DatabaseTask):
    """A statement on a DuckDB: see `DatabaseTask`."""

    task_type: ClassVar[str] = "sql-duckdb"
    kind: ClassVar[str] = "duckdb"
    config_type = DuckDBConfig
    dialect: ClassVar[sqltext.Dialect] = sqltext.DUCKDB


class SQLiteTask(DatabaseTask):
    """A statement on an SQLite database: see `DatabaseTask`."""

    task_type: ClassVar[str] = "sql-sqlite"
    kind: ClassVar[str] = "sqlite"
    config_type = SQLiteConfig
    dialect: ClassVar[sqltext.Dialect] = sqltext.SQLITE


def _connections() -> Mapping[str, places.Connection]:
    """The operator's connections, as far as this directory's settings have them."""
    section = getattr(load(), "backends", {}).get("sql", {})
    given = section.get("connections", {}) if isinstance(section, Mapping) else {}
    return {name: places.Connection(**values) for name, values in given.items()}
