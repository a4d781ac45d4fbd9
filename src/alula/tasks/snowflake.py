"""`SnowflakeTask`: a statement on Snowflake, with its inputs as bound parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from alula._kits import sqltext
from alula.config import load
from alula.data.sql import snowflake as wire
from alula.data.sql.places import SecretName
from alula.data.sql.work import Order, Outcome, perform
from alula.data.workspace import workspace
from alula.errors import SignatureError
from alula.sdk.query import QueryTask, secret_here
from alula.sdk.secrets import Secret
from alula.sdk.signature import caller

_SECRETS = ("private_key", "passphrase", "token", "password")
_LABELS = ("user", "account", "database", "schema", "warehouse")


@dataclass(frozen=True, kw_only=True)
class SnowflakeConfig:
    """Where in Snowflake a statement runs, and as whom. What is left out is as `[backends.snowflake]` says.

    Args:
        user: As whom.
        account: `organization-account`.
        database: Its name, upper and lower case as Snowflake shows it; so are the next three.
        schema: Within the database.
        warehouse: What computes.
        role: With whose rights.
        private_key: The secret that is the user's private key, in PEM form.
        passphrase: The secret that the private key is encrypted with.
        token: In place of a key: the secret that is a programmatic access token, or one of OAuth.
        token_type: `PROGRAMMATIC_ACCESS_TOKEN` or `OAUTH`.
        password: The secret that is the user's password, for calls without an engine alone.
        timeout_seconds: Snowflake ends the statement after it; 0: as the account says.
    """

    user: str = ""
    account: str = ""
    database: str = ""
    schema: str = ""
    warehouse: str = ""
    role: str = ""
    private_key: Secret | None = None
    passphrase: Secret | None = None
    token: Secret | None = None
    token_type: str = ""
    password: Secret | None = None
    timeout_seconds: int = 0

    def wire(self) -> dict[str, Any]:
        """As the backend reads it."""
        made: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Secret):
                value = {"group": value.group or "", "key": value.key or ""}
            if value:
                made[one.name] = value
        return made


class SnowflakeTask(QueryTask):
    """A statement that Snowflake runs; no worker waits for it.

    `{{ .inputs.x }}` stands for an input and is handed over as a parameter, so that no value is ever read as SQL; after
    `IN` a list stands for its items.

    Args:
        name: Full name, unique in the project; empty: that of the module and the variable that the task is put into.
        query_template: One statement. `query` is another name for it.
        task_config: Where it runs, and as whom.
        inputs: Names to types; each must be used.
        output_schema_type: The type of the output `results`: `StructuredDataset`, or a data frame class. None: the
            statement is run for what it does.
        keywords: Settings as of `@task`.

    Raises:
        SignatureError: With everything that is wrong with the declaration.

    Example:
        query_task = SnowflakeTask(
            query="select * from x where x.time < {{ .inputs.time }}",
            inputs=kwtypes(time=datetime),
            output_schema_type=pandas.DataFrame,
        )
    """

    task_type: ClassVar[str] = wire.TASK_TYPE
    dialect: ClassVar[sqltext.Dialect] = sqltext.SNOWFLAKE

    def __init__(
        self,
        name: str = "",
        query_template: str = "",
        task_config: SnowflakeConfig | None = None,
        inputs: Mapping[str, Any] | None = None,
        output_schema_type: Any = None,
        *,
        query: str = "",
        **keywords: Any,
    ) -> None:
        if bool(query_template) == bool(query):
            raise SignatureError(
                f"Snowflake task {name!r} has {'two statements' if query else 'no statement'}",
                where=caller(),
                fix="pass query_template=, or query=, which is the same",
            )
        self.config = task_config or SnowflakeConfig()
        secrets = [getattr(self.config, one) for one in _SECRETS]
        super().__init__(name, query_template or query, inputs, output_schema_type, secrets=secrets, **keywords)

    def custom(self) -> Mapping[str, Any]:
        return {**self.config.wire(), "dates": self.dates}

    def labels(self) -> Mapping[str, str]:
        return {name: getattr(self.config, name) for name in _LABELS if getattr(self.config, name)}

    def perform_here(self, order: Order) -> Outcome:
        settings = dict(load().backends.get("snowflake", {}))
        own = _config(self.config.wire()).over(_config(settings))
        names: dict[str, SecretName | None] = {one: getattr(own, one) for one in _SECRETS}
        secrets = {
            one: secret_here(Secret(group=name.group, key=name.key or None)) for one, name in names.items() if name
        }
        where = wire.sign_in(own, secrets, host=settings.get("host", ""), port=int(settings.get("port", 0)))
        return perform(wire.Snowflake(), where, order, workspace().new_path("rows").parent)


def _config(given: Mapping[str, Any]) -> wire.SnowflakeConfig:
    known = {one.name for one in fields(wire.SnowflakeConfig)}
    made = {name: value for name, value in given.items() if name in known}
    for name in _SECRETS:
        value = made.get(name)
        if isinstance(value, Mapping):
            made[name] = SecretName(**value)
        elif isinstance(value, str):  # as settings write it: group/key
            group, _, key = value.partition("/")
            made[name] = SecretName(group, key)
    return wire.SnowflakeConfig(**made)
