"""The plugin `snowflake`: a statement is started under the attempt's name, and runs in Snowflake alone."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alula._kits import scratch
from alula._kits.clock import Clock, SystemClock
from alula.backends.snowflake import rows
from alula.backends.snowflake.api import DONE, OVERDUE, RUNNING, Answer, SqlApi, library
from alula.backends.snowflake.auth import Auth, GivenToken, KeyPair
from alula.data import uris
from alula.data.sql import snowflake as wire
from alula.data.sql.driver import Source
from alula.data.sql.places import SecretName
from alula.data.sql.snowflake import SnowflakeConfig
from alula.data.sql.table import Sink
from alula.data.sql.values import parameters
from alula.data.sql.work import FILE, PARQUET, check
from alula.errors import Rejected, RemoteError, RemoteNotFound, TaskFailure
from alula.idl import LiteralMap, StructuredDatasetType, literals
from alula.plugin.context import TaskContext
from alula.plugin.core import Owned, PluginInfo
from alula.plugin.failure import FailureKind
from alula.plugin.phase import Json, LogLink, Phase, PhaseInfo
from alula.plugin.webapi import Limits, WebApiPlugin

if TYPE_CHECKING:
    import httpx
    import pyarrow as pa

_CANCELLED = "000604"
_HISTORY = "select query_id, query_tag from table(information_schema.query_history(result_limit => 10000)) where "
_SECRETS = ("private_key", "passphrase", "token")


@dataclass(frozen=True, slots=True)
class SnowflakeSettings:
    """`[backends.snowflake]`: what tasks leave out."""

    account: str = ""
    user: str = ""
    database: str = ""
    schema: str = ""
    warehouse: str = ""
    role: str = ""
    private_key: str = ""
    """The name of a secret, as `group/key`: the user's private key."""
    passphrase: str = ""
    """Likewise, of an encrypted key."""
    token: str = ""
    """Likewise, in place of a key: a programmatic access token, or one of OAuth."""
    token_type: str = "PROGRAMMATIC_ACCESS_TOKEN"
    """Or `OAUTH`."""
    host: str = ""
    """Where the API answers, if not at `<account>.snowflakecomputing.com`: a private link, a proxy, a test."""
    port: int = 0
    plain: bool = False
    """Speak HTTP without TLS, which is for tests."""
    results: str = "api"
    """How results are fetched: `api`, or `connector`, Snowflake's own, which is faster for large ones."""
    statements: int = 0
    """How many may run at a time (the pool `snowflake`); 0: as many as there are."""

    @property
    def config(self) -> SnowflakeConfig:
        return SnowflakeConfig(
            self.account,
            self.user,
            self.database,
            self.schema,
            self.warehouse,
            self.role,
            _name(self.private_key),
            _name(self.passphrase),
            _name(self.token),
            self.token_type,
        )


@dataclass(frozen=True, slots=True)
class Statement:
    """Of a statement in Snowflake, and of how to get at it: names of secrets, never secrets."""

    handle: str
    account: str
    user: str
    role: str = ""
    private_key: SecretName | None = None
    passphrase: SecretName | None = None
    token: SecretName | None = None
    token_type: str = ""


class Snowflake(WebApiPlugin[Statement, Answer]):
    """Starts statements asynchronously, so that they need nobody here; a start that is repeated starts nothing.

    Args:
        transport: In place of the network, for tests.
    """

    info = PluginInfo("snowflake", frozenset({wire.TASK_TYPE}), config=SnowflakeConfig, settings=SnowflakeSettings)
    key_type = Statement
    idempotent_create = True

    def __init__(
        self,
        settings: SnowflakeSettings | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._settings, self._transport = settings or SnowflakeSettings(), transport
        self._clock = clock or SystemClock()
        self._client: httpx.AsyncClient | None = None
        self._apis: dict[tuple[object, ...], SqlApi] = {}
        self._fetches: dict[str, asyncio.Task[LiteralMap]] = {}
        """Results on their way, by handle."""
        units = {"snowflake": self._settings.statements} if self._settings.statements else {}
        self.limits = Limits(timeout=timedelta(minutes=2), refresh=timedelta(seconds=15), pools=units)

    async def open(self) -> None:
        httpx = library()
        self._client = httpx.AsyncClient(
            transport=self._transport,
            timeout=httpx.Timeout(30, read=60),
            headers={"Accept": "application/json", "User-Agent": "alula"},
        )

    async def close(self) -> None:
        for fetch in self._fetches.values():
            fetch.cancel()
        await asyncio.gather(*self._fetches.values(), return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def pool(self, task: TaskContext) -> str | None:
        return "snowflake" if self._settings.statements else None

    async def create(self, task: TaskContext) -> Statement:
        config = task.custom(SnowflakeConfig).over(self._settings.config)
        body = await self._body(task, config)
        key = _key("", config)
        api = await self._api(key)
        answer = await api.submit(body, task.name)
        return _key(answer.handle, config)

    async def find(self, task: TaskContext) -> Statement | None:
        config = task.custom(SnowflakeConfig).over(self._settings.config)
        api = await self._api(_key("", config))
        found = await self._history(api, config, "query_tag = ?", task.name)
        return _key(found[0][0], config) if found else None

    async def get(self, keys: Sequence[Statement]) -> Sequence[Answer | RemoteError]:
        return await asyncio.gather(*map(self._status, keys))

    async def delete(self, key: Statement) -> None:
        fetch = self._fetches.pop(key.handle, None)
        if fetch is not None:
            fetch.cancel()
        await (await self._api(key)).cancel(key.handle)

    def phase(self, task: TaskContext, remote: Answer) -> PhaseInfo:
        links = self._links(task, remote.handle)
        match remote.status:
            case _ if remote.status == RUNNING:
                return PhaseInfo(Phase.RUNNING, "the statement runs", links=links, custom={"handle": remote.handle})
            case _ if remote.status == DONE:
                facts: dict[str, Json] = {"handle": remote.handle, "rows": remote.rows, "partitions": remote.partitions}
                none = None if task.template.interface.outputs.variables else LiteralMap()
                return PhaseInfo(Phase.SUCCEEDED, progress=1.0, links=links, custom=facts, outputs=none)
            case _ if remote.status == OVERDUE:
                return PhaseInfo.failed("QueryTimeout", remote.message or "it took too long", links=links)
            case _ if remote.code == _CANCELLED:
                return PhaseInfo(Phase.ABORTED, f"somebody cancelled it in Snowflake: {remote.message}", links=links)
        return self._failed(remote, links)

    async def outputs(self, task: TaskContext, key: Statement, remote: Answer) -> LiteralMap | None:
        fetch = self._fetches.get(key.handle)
        if fetch is None or (fetch.done() and (fetch.cancelled() or fetch.exception() is not None)):
            fetch = self._fetches[key.handle] = asyncio.create_task(self._results(task, key, remote))
        return await asyncio.shield(fetch)  # a large result takes longer than one call may, and goes on meanwhile

    async def owned(self) -> Sequence[Owned]:
        config = self._settings.config
        api = await self._api(_key("", config))
        running = (
            "execution_status in ('RUNNING', 'QUEUED', 'BLOCKED', 'RESUMING_WAREHOUSE') and regexp_like(query_tag, ?)"
        )
        found = await self._history(api, config, running, "a[0-9a-f]{40}")
        return [Owned(str(tag), f"statement {handle}") for handle, tag in found]

    async def reclaim(self, job: Owned) -> None:
        await self.delete(_key(job.what.rpartition(" ")[2], self._settings.config))

    # --- how ---

    async def _status(self, key: Statement) -> Answer | RemoteError:
        try:
            return await (await self._api(key)).status(key.handle)
        except RemoteNotFound as exc:
            return exc
        except Rejected as exc:  # it runs, whether we are let in or not
            return RemoteError(exc.what, where=exc.where, fix=exc.fix)
        except RemoteError as exc:
            return exc

    async def _history(self, api: SqlApi, config: SnowflakeConfig, where: str, value: str) -> list[list[str]]:
        body: dict[str, Any] = {"statement": _HISTORY + where, "bindings": {"1": wire.binding(value)}, "timeout": 60}
        body |= {name: getattr(config, name) for name in ("database", "warehouse", "role") if getattr(config, name)}
        _, found = await api.ask(body)
        return [[str(cell) for cell in row] for row in found]

    async def _body(self, task: TaskContext, config: SnowflakeConfig) -> dict[str, Any]:
        where = f"task {task.template.id.name}"
        text = task.template.sql.statement
        if not text.strip():
            raise Rejected("the task has no statement", where=where, fix="register it again: its `sql` is empty")
        driver = wire.Snowflake()
        query = check(driver, text)
        _check_outputs(task)
        inputs = await task.inputs()
        values = parameters(inputs.literals, query.names, dates=config.dates, where=where)
        statement, bound = query.render({"perRetryUniqueKey": task.name, **values}, driver.marker, empty=driver.empty)
        body: dict[str, Any] = {
            "statement": statement,
            "bindings": {str(n): wire.binding(value) for n, value in enumerate(bound, 1)},
            "parameters": {"query_tag": task.name, "timezone": "UTC"},
            "database": config.database,
            "schema": config.schema,
            "warehouse": config.warehouse,
            "role": config.role,
            "timeout": config.timeout_seconds,
        }
        return {name: value for name, value in body.items() if value}

    async def _api(self, key: Statement) -> SqlApi:
        if not key.account or not (key.token or (key.user and key.private_key)):
            raise Rejected(
                "Snowflake needs an account, and a user with a private key or a token",
                where="task_config, and [backends.snowflake]",
                fix="set account, user and private_key (or token) in either; the SQL API takes no passwords",
                code="NotAuthorized",
            )
        # Looked up for each call, so that a secret that is changed counts at once.
        secrets = await self._secrets(key)
        which = (key.account, key.user, *sorted(secrets.items()))
        known = self._apis.get(which)
        if known is None:
            assert self._client is not None
            known = self._apis[which] = SqlApi(self._client, self._base(key.account), self._auth(key, secrets))
            for stale in list(self._apis)[:-100]:
                del self._apis[stale]
        return known

    async def _secrets(self, key: Statement | SnowflakeConfig) -> dict[str, str]:
        names = {one: getattr(key, one) for one in _SECRETS}
        return {
            one: await (self.secret(name.key, name.group) if name.key else self.secret(name.group))
            for one, name in names.items()
            if name is not None
        }

    def _auth(self, key: Statement, secrets: Mapping[str, str]) -> Auth:
        if "token" in secrets:
            return GivenToken(secrets["token"], key.token_type or "PROGRAMMATIC_ACCESS_TOKEN")
        return KeyPair(key.account, key.user, secrets["private_key"], secrets.get("passphrase", ""), self._clock)

    def _base(self, account: str) -> str:
        settings = self._settings
        host = settings.host or wire.host_of(account)
        return f"{'http' if settings.plain else 'https'}://{host}" + (f":{settings.port}" if settings.port else "")

    async def _results(self, task: TaskContext, key: Statement, remote: Answer) -> LiteralMap:
        [(name, variable)] = task.template.interface.outputs.variables.items()
        kind = StructuredDatasetType()
        kind.CopyFrom(variable.type.structured_dataset_type)
        kind.format = PARQUET
        uri = uris.join(task.raw_prefix, "results")
        folder = await asyncio.to_thread(scratch.directory, "snowflake")
        try:
            await self._fetch(key, remote, folder / FILE, kind)
            await task.objects.upload(folder / FILE, uris.join(uri, FILE))
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, True)
        return LiteralMap(literals={name: literals.dataset(uri, kind)})

    async def _fetch(self, key: Statement, remote: Answer, path: Path, kind: StructuredDatasetType) -> None:
        """Write the rows of a statement to a file, a partition at a time."""
        sink = Sink(path, kind, f"statement {key.handle}")
        try:
            if self._settings.results == "connector":
                source = await self._source(key)
                await asyncio.to_thread(_copy, wire.results(source, key.handle), sink)
            else:
                api = await self._api(key)
                for number in range(remote.partitions):
                    data = await api.partition(key.handle, number)
                    made = await asyncio.to_thread(rows.batch, data, remote.columns, f"statement {key.handle}")
                    await asyncio.to_thread(sink.write, made)
            await asyncio.to_thread(sink.close)
        except BaseException:
            sink.abandon()
            raise

    async def _source(self, key: Statement) -> Source:
        secrets = await self._secrets(key)
        config = SnowflakeConfig(key.account, key.user, role=key.role, token_type=key.token_type)
        return wire.sign_in(config, secrets, host=self._settings.host, port=self._settings.port)

    def _links(self, task: TaskContext, handle: str) -> tuple[LogLink, ...]:
        account = task.custom(SnowflakeConfig).over(self._settings.config).account.replace("-", "/", 1).lower()
        uri = f"https://app.snowflake.com/{account}/#/compute/history/queries/{handle}/overview"
        return (LogLink("Snowflake", uri),)

    def _failed(self, remote: Answer, links: tuple[LogLink, ...]) -> PhaseInfo:
        number = int(remote.code) if remote.code.isdigit() else 0
        why = wire.failure(number, remote.state, remote.message, f"statement {remote.handle}")
        if isinstance(why, TaskFailure):
            return PhaseInfo.failed(why.code, str(why), kind=FailureKind.USER, recoverable=True, links=links)
        return PhaseInfo.failed("QueryFailed", str(why), links=links)


def _copy(batches: Iterator[pa.RecordBatch], sink: Sink) -> None:
    for one in batches:
        sink.write(one)


def _check_outputs(task: TaskContext) -> None:
    outputs = task.template.interface.outputs.variables
    for name, variable in outputs.items():
        kind = variable.type
        fits = kind.HasField("structured_dataset_type") and kind.structured_dataset_type.format in ("", PARQUET)
        if len(outputs) > 1 or not fits:
            raise Rejected(
                f"the outputs of a statement are one table in Parquet, and this has {', '.join(sorted(outputs))}",
                where=f"output '{name}' of task {task.template.id.name}",
                fix="declare one StructuredDataset, or data frame, and no other format",
            )


def _key(handle: str, config: SnowflakeConfig) -> Statement:
    return Statement(
        handle,
        config.account,
        config.user,
        config.role,
        config.private_key,
        config.passphrase,
        config.token,
        config.token_type,
    )


def _name(text: str) -> SecretName | None:
    group, _, key = text.partition("/")
    return SecretName(group, key) if text else None
