"""The plugin `sql`: one statement per attempt, found by the attempt's name, and stopped by it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from alula._kits import sqltext
from alula.backends.sql.run import Run
from alula.data import uris
from alula.data.sql.driver import Driver, Source
from alula.data.sql.drivers import DRIVERS
from alula.data.sql.places import TASK_TYPES, Connection, SqlConfig, place, source
from alula.data.sql.values import parameters
from alula.data.sql.work import PARQUET, Order, check
from alula.errors import AlulaError, Rejected, RemoteError, TaskFailure
from alula.idl import LiteralMap, StructuredDatasetType, TaskTemplate, literals
from alula.plugin.context import TaskContext
from alula.plugin.core import CorePlugin, Owned, PluginInfo
from alula.plugin.failure import FailureKind
from alula.plugin.phase import Json, Phase, PhaseInfo, Transition

log = logging.getLogger(__name__)

_LOOK = timedelta(seconds=1)
"""How often the number of rows is looked at."""


@dataclass(frozen=True, slots=True)
class SqlSettings:
    """`[backends.sql]`"""

    connections: Mapping[str, Connection] = field(default_factory=dict)
    """Databases that tasks may name, each in `[backends.sql.connections.<name>]`."""
    statements: int = 16
    """How many run at a time; each has a thread and a connection."""
    own_databases: bool = True
    """Tasks may say themselves where their database is, files of this machine included."""
    outside: bool = False
    """Statements of such tasks on DuckDB and SQLite may read and write other files of this machine, and the network."""


@dataclass(frozen=True, slots=True)
class Begun:
    """From now on a statement may run at the database."""


class Sql(CorePlugin[Begun]):
    """Runs statements. One that was under way when an engine died is stopped at the database before it is sent again.

    So a statement that changes something may have done it once already, when it is sent again: see docs/how-to/sql.md.
    """

    info = PluginInfo("sql", frozenset(TASK_TYPES), config=SqlConfig, settings=SqlSettings)
    state_type = Begun

    def __init__(self, settings: SqlSettings | None = None) -> None:
        self._settings = settings or SqlSettings()
        self._runs: dict[str, Run] = {}
        self._waiting: dict[str, TaskContext] = {}
        """Attempts that wait for a free thread, in order."""

    async def close(self) -> None:
        runs, self._runs = list(self._runs.values()), {}
        for run in runs:
            try:
                await asyncio.to_thread(run.cancel)
            except AlulaError:  # the next engine stops it
                log.warning("sql.left", extra={"attempt": run.order.name})
            run.remove()

    async def handle(self, task: TaskContext, state: Begun | None) -> Transition[Begun]:
        run = self._runs.get(task.name)
        if run is None:
            return await self._begin(task, fresh=task.fresh and state is None)
        if run.busy:
            return Transition(_running(run), Begun(), check_after=_LOOK)
        if run.failed is not None:
            self._forget(task.name)
            raise run.failed
        if run.error is not None:
            return self._failed(task, run, run.error)
        if run.order.wanted is not None and not run.uploaded:
            run.upload(task.objects, uris.join(task.raw_prefix, "results"))
            return Transition(_running(run), Begun(), check_after=_LOOK)
        return Transition(_succeeded(run, task.template), Begun())

    async def abort(self, task: TaskContext, state: Begun | None, reason: str) -> None:
        await self._stop(task, state)

    async def finalize(self, task: TaskContext, state: Begun | None) -> None:
        await self._stop(task, state)
        self._forget(task.name)

    async def owned(self) -> Sequence[Owned]:
        found = []
        for name, connection in sorted(self._settings.connections.items()):
            driver = DRIVERS.get(connection.kind)
            if driver is not None and driver.remote:
                names = await asyncio.to_thread(driver.names, await self._own(connection))
                found += [Owned(one, f"statement on connection {name}") for one in names]
        return found

    async def reclaim(self, job: Owned) -> None:
        connection = self._settings.connections[job.what.rpartition(" ")[2]]
        await asyncio.to_thread(DRIVERS[connection.kind].stop, await self._own(connection), job.name)

    async def _begin(self, task: TaskContext, *, fresh: bool) -> Transition[Begun]:
        driver, found = self._place(task)
        order = await _order(task, driver)
        if found.pool and not await task.reserve(found.pool):
            return Transition(PhaseInfo(Phase.WAITING), Begun(), check_after=None)
        if sum(1 for run in self._runs.values() if run.busy) >= self._settings.statements:
            self._waiting[task.name] = task
            reason = f"[backends.sql] statements: {self._settings.statements} run already"
            return Transition(PhaseInfo(Phase.WAITING, reason), Begun(), check_after=timedelta(seconds=30))
        self._waiting.pop(task.name, None)
        at = await self._source(task, found)
        run = self._runs[task.name] = Run(driver, at, order, told=lambda: self._told(task))
        run.start(fresh=fresh)
        return Transition(_running(run), Begun(), check_after=_LOOK)

    def _told(self, task: TaskContext) -> None:
        """From a run's thread: it has got further."""
        task.wake()
        run = self._runs.get(task.name)
        waiting = next(iter(list(self._waiting.values())), None)
        if waiting is not None and (run is None or not run.sent):
            waiting.wake()

    def _failed(self, task: TaskContext, run: Run, error: AlulaError) -> Transition[Begun]:
        if isinstance(error, Rejected):
            raise error
        if isinstance(error, TaskFailure):
            failed = PhaseInfo.failed(error.code, str(error), kind=FailureKind.USER, recoverable=error.recoverable)
            return Transition(failed, Begun())
        if run.outcome is None:
            self._forget(task.name)  # the next call sends it again
        else:
            run.error = None  # the next call copies its result again
        raise error

    async def _stop(self, task: TaskContext, state: Begun | None) -> None:
        """Return when nothing of the attempt runs."""
        self._waiting.pop(task.name, None)
        run = self._runs.get(task.name)
        if run is not None:
            lost = run.outcome is None and isinstance(run.error, RemoteError) and not isinstance(run.error, Rejected)
            if run.busy or lost:
                await asyncio.to_thread(run.cancel)
            return
        if task.fresh and state is None:
            return
        if not DRIVERS[TASK_TYPES[task.template.type]].remote:
            return  # it ended with the process that ran it
        try:
            driver, found = self._place(task)
        except Rejected:
            if state is None:
                return  # refused before anything was sent
            raise  # settings have changed since, and do not say any more where it runs
        await asyncio.to_thread(driver.stop, await self._source(task, found), task.name)

    def _forget(self, name: str) -> None:
        run = self._runs.pop(name, None)
        if run is not None:
            run.remove()

    def _place(self, task: TaskContext) -> tuple[Driver, Connection]:
        kind = TASK_TYPES[task.template.type]
        settings = self._settings
        config = task.custom(SqlConfig)
        found = place(kind, config, settings.connections, own=settings.own_databases, outside=settings.outside)
        return DRIVERS[kind], found

    async def _source(self, task: TaskContext, found: Connection) -> Source:
        name = found.secret
        if name is None:
            return source(found, "")
        return source(found, await (task.secret(name.key, name.group) if name.key else task.secret(name.group)))

    async def _own(self, connection: Connection) -> Source:
        """A database of the operator's, with no task to ask for the password."""
        name = connection.secret
        if name is None:
            return source(connection, "")
        return source(connection, await (self.secret(name.key, name.group) if name.key else self.secret(name.group)))


async def _order(task: TaskContext, driver: Driver) -> Order:
    template = task.template
    where = f"task {template.id.name}"
    text = template.sql.statement
    if not text.strip():
        raise Rejected("the task has no statement", where=where, fix="register it again: `TaskTemplate.sql` is empty")
    query: sqltext.Query = check(driver, text)
    inputs = await task.inputs()
    values = parameters(inputs.literals, query.names, dates=task.custom(SqlConfig).dates, where=where)
    return Order(task.name, text, values, _wanted(template))


def _wanted(template: TaskTemplate) -> StructuredDatasetType | None:
    outputs = template.interface.outputs.variables
    if not outputs:
        return None
    [(name, variable), *more] = outputs.items()
    kind = variable.type.structured_dataset_type
    if more or not variable.type.HasField("structured_dataset_type") or kind.format not in ("", PARQUET):
        raise Rejected(
            f"the outputs of an SQL task are one table in Parquet, and this one has {', '.join(sorted(outputs))}",
            where=f"output '{name}' of task {template.id.name}",
            fix="declare one StructuredDataset, or data frame, and no other format",
        )
    made = StructuredDatasetType()
    made.CopyFrom(kind)
    return made


def _running(run: Run) -> PhaseInfo:
    if run.outcome is not None:
        return PhaseInfo(Phase.RUNNING, "stores the result", custom=_facts(run))
    if not run.sent:
        return PhaseInfo(Phase.QUEUED, f"connects to {run.source.where}")
    reason = f"{run.rows:,} rows fetched" if run.rows else "the statement runs"
    return PhaseInfo(Phase.RUNNING, reason, custom=_facts(run))


def _facts(run: Run) -> dict[str, Json]:
    facts: dict[str, Json] = {"database": run.source.where, "rows": run.rows, "bytes": run.bytes}
    if run.outcome is not None:
        facts |= {"rows": run.outcome.rows, "bytes": run.outcome.bytes, "seconds": round(run.outcome.seconds, 3)}
    return facts


def _succeeded(run: Run, template: TaskTemplate) -> PhaseInfo:
    outputs = None
    if run.order.wanted is not None:
        kind = StructuredDatasetType()
        kind.CopyFrom(run.order.wanted)
        kind.format = PARQUET
        [name] = template.interface.outputs.variables
        outputs = LiteralMap(literals={name: literals.dataset(run.uploaded, kind)})
    return PhaseInfo(Phase.SUCCEEDED, progress=1.0, custom=_facts(run), outputs=outputs)
