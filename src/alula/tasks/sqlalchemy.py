"""`SQLAlchemyTask`: a statement on any database that SQLAlchemy speaks to, in a prebuilt container."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, ClassVar
from urllib.parse import urlsplit

from alula._kits import lazy, sqltext
from alula.errors import SignatureError, TaskFailure
from alula.idl import TaskTemplate
from alula.sdk.current import current_context
from alula.sdk.prebuilt import PrebuiltTask, TemplateExecutor
from alula.sdk.secrets import Secret
from alula.sdk.signature import caller
from alula.types.tabular import StructuredDataset
from alula.types.transformer import split

_pandas = lazy.module("pandas")
_sqlalchemy = lazy.module("sqlalchemy")  # heavy, and only where statements run
_DIALECTS = {
    "postgresql": sqltext.POSTGRES,
    "mysql": sqltext.MYSQL,
    "mariadb": sqltext.MYSQL,
    "duckdb": sqltext.DUCKDB,
    "sqlite": sqltext.SQLITE,
    "snowflake": sqltext.SNOWFLAKE,
}
_OTHER = sqltext.Dialect("SQL")
_NONE_OF_THEM = "SELECT 1 WHERE 1 != 1"
"""What stands for an empty list after `IN`."""
_WITHOUT_ZONES = frozenset({"sqlite", "mysql", "mariadb"})
"""Databases that keep times without their zone: they are given UTC."""


@dataclass(frozen=True, slots=True)
class SQLAlchemyConfig:
    """Where the database is.

    Args:
        uri: A URL as SQLAlchemy takes it, without a password: `postgresql+psycopg://ann@db.example.org/shop`.
        connect_args: For the driver.
        secret_connect_args: Likewise; the values are secrets, which are asked for where the statement runs.
    """

    uri: str
    connect_args: Mapping[str, Any] = field(default_factory=dict)
    secret_connect_args: Mapping[str, Secret] = field(default_factory=dict)


class SQLAlchemyExecutor(TemplateExecutor):
    """Runs the statement that a template holds, in one transaction."""

    def execute(self, template: TaskTemplate, **inputs: Any) -> Any:
        custom = self.custom(template)
        backend = backend_of(custom["uri"])
        query = sqltext.parse(custom["query_template"], _DIALECTS.get(backend, _OTHER))
        plain = {name: _sent(value, name in custom.get("dates", ()), backend) for name, value in inputs.items()}
        with _told(template.id.name, custom["query_template"], custom["uri"]):
            engine = _sqlalchemy.create_engine(
                custom["uri"], connect_args=_arguments(custom), hide_parameters=True, poolclass=_sqlalchemy.NullPool
            )
            with engine.begin() as connection:
                result = connection.execute(statement(query, plain))
                if not template.interface.outputs.variables:
                    return None
                if not result.returns_rows:
                    raise TaskFailure(
                        f"the statement of '{template.id.name}' gives no rows",
                        where=custom["query_template"],
                        fix="use one that does, or declare output_schema_type=None",
                        code="USER:SQLAlchemy",
                    )
                return _pandas.DataFrame(result.fetchall(), columns=list(result.keys()))


class SQLAlchemyTask(PrebuiltTask):
    """A statement whose rows become a dataset.

    `{{ .inputs.x }}` stands for an input and is handed over as a parameter, so that no value is ever read as SQL; after
    `IN` a list stands for its items. Its image needs Alula, SQLAlchemy, pandas, pyarrow and the driver of the database:
    `images/sqlalchemy` in Alula's sources is a recipe.

    Args:
        name: Full name, unique in the project.
        query_template: One statement.
        task_config: Where the database is.
        inputs: Names to types; each must be used.
        output_schema_type: The type of the output `results`: `StructuredDataset`, or a data frame class. None: the
            statement is run for what it does.
        keywords: Settings as of `@task`; `container_image` for the image.

    Raises:
        SignatureError: With what is wrong with the declaration.

    Example:
        sales = SQLAlchemyTask(
            name="shop.sales",
            query_template="select item, price from sales where price < {{ .inputs.limit }}",
            task_config=SQLAlchemyConfig(
                "postgresql+psycopg://ann@db.example.org/shop", secret_connect_args={"password": Secret("shop", "ann")}
            ),
            inputs=kwtypes(limit=float),
        )
    """

    task_type: ClassVar[str] = "sqlalchemy"
    executor = SQLAlchemyExecutor

    def __init__(
        self,
        name: str,
        query_template: str,
        task_config: SQLAlchemyConfig | None = None,
        inputs: Mapping[str, Any] | None = None,
        output_schema_type: Any = StructuredDataset,
        **keywords: Any,
    ) -> None:
        _check_config(name, task_config)
        assert task_config is not None
        self.query_template, self.config = query_template, task_config
        outputs = None if output_schema_type is None else {"results": output_schema_type}
        secrets = [*(keywords.pop("secret_requests", None) or ()), *task_config.secret_connect_args.values()]
        super().__init__(name, inputs, outputs, secret_requests=secrets or None, **keywords)
        self._check_query()

    def custom(self) -> Mapping[str, Any]:
        config, inputs = self.config, self.interface.inputs.items()
        return {
            "query_template": self.query_template,
            "uri": config.uri,
            "connect_args": dict(config.connect_args),
            "secret_connect_args": {
                name: {
                    "group": secret.group or "",
                    "key": secret.key or "",
                    "group_version": secret.group_version or "",
                }
                for name, secret in config.secret_connect_args.items()
            },
            "dates": [name for name, one in inputs if split(one.type)[0] is date],  # the wire has no dates, only times
        }

    def _check_query(self) -> None:
        query = sqltext.parse(self.query_template, _DIALECTS.get(backend_of(self.config.uri), _OTHER))
        known = set(self.interface.inputs)
        faults = list(query.faults)
        if any(isinstance(part, sqltext.Ask) and part.name == sqltext.KEY for part in query.parts):
            faults.append(f"has {{{{ .{sqltext.KEY} }}}}, which only kinds of task that engines run themselves have")
        faults += [f"asks for the input '{name}', which is not declared" for name in sorted(query.names - known)]
        faults += [f"never uses the input '{name}'" for name in sorted(known - query.names)]
        if faults:
            raise SignatureError(
                f"the statement of '{self.name}' {' and '.join(faults)}",
                where=self.where,
                fix="write {{ .inputs.NAME }} where a value may stand, and declare each: inputs=kwtypes(NAME=str)",
            )


def statement(query: sqltext.Query, values: Mapping[str, object]) -> Any:
    """A statement as SQLAlchemy takes it, its values bound."""
    # Colons of the text are no names of parameters.
    escaped = [part.replace(":", r"\:") if isinstance(part, str) else part for part in query.parts]
    text, parameters = sqltext.Query(tuple(escaped)).render(values, lambda n: f":alula_{n}", empty=_NONE_OF_THEM)
    bound = (_sqlalchemy.bindparam(f"alula_{n}", value) for n, value in enumerate(parameters, start=1))
    return _sqlalchemy.text(text).bindparams(*bound)


def backend_of(uri: str) -> str:
    """`postgresql` of `postgresql+psycopg://...`."""
    return uri.partition(":")[0].partition("+")[0].lower()


@contextmanager
def _told(name: str, query: str, uri: str) -> Iterator[None]:
    """Turns the errors of SQLAlchemy into ours. They hold no values: the engine hides its parameters."""
    try:
        yield
    except _sqlalchemy.exc.NoSuchModuleError as exc:
        raise TaskFailure(
            f"SQLAlchemy knows no database {uri.partition(':')[0]!r}",
            where=f"task {name}",
            fix="correct the URI, or install the package that adds it where the statement runs",
            code="USER:SQLAlchemy",
        ) from exc
    except ModuleNotFoundError as exc:
        raise TaskFailure(
            f"the driver {exc.name} of {uri.partition(':')[0]} is not installed where the statement runs",
            where=f"task {name}",
            fix="put it into the image: container_image=ImageSpec(packages=[...]), or as images/sqlalchemy does",
            code="USER:SQLAlchemy",
        ) from exc
    except _sqlalchemy.exc.SQLAlchemyError as exc:
        passing = isinstance(exc, _sqlalchemy.exc.OperationalError | _sqlalchemy.exc.InterfaceError)
        raise TaskFailure(
            f"the statement of '{name}' failed: {getattr(exc, 'orig', None) or exc}".strip(),
            where=query,
            fix="inputs stand for values; names of tables and columns cannot be inputs",
            code="USER:SQLAlchemy",
            recoverable=passing,
        ) from exc


def _arguments(custom: Mapping[str, Any]) -> dict[str, Any]:
    """What the driver is given, with secrets that are asked for here."""
    made = dict(custom.get("connect_args", {}))
    for name, secret in custom.get("secret_connect_args", {}).items():
        found = {part: secret.get(part) or None for part in ("group", "key", "group_version")}
        made[name] = current_context().secrets.get(found["group"], found["key"], found["group_version"])
    return made


def _sent(value: Any, day: bool, backend: str) -> Any:
    """A value as a driver takes it."""
    match value:
        case Enum():
            return value.value
        case list() | tuple():
            return [_sent(item, day, backend) for item in value]
        case datetime() if day:
            return value.date()
        case datetime() if backend in _WITHOUT_ZONES and value.tzinfo is not None:
            return value.astimezone(UTC).replace(tzinfo=None)
    return value


def _check_config(name: str, config: SQLAlchemyConfig | None) -> None:
    if not isinstance(config, SQLAlchemyConfig) or not config.uri:
        raise SignatureError(
            f"SQLAlchemy task '{name}' is not told where its data is",
            where=caller(),
            fix='pass task_config=SQLAlchemyConfig("postgresql+psycopg://user@host/database")',
        )
    if urlsplit(config.uri).password:
        raise SignatureError(
            f"the URI of SQLAlchemy task '{name}' holds a password, and all who see the task would",
            where=caller(),
            fix='leave it out, and pass secret_connect_args={"password": Secret(group="...", key="...")}',
        )
