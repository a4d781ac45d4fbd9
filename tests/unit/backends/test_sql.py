"""The plugin `sql`, call by call, on SQLite in this process."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from alula import kwtypes
from alula.backends.sql.plugin import Begun, Sql, SqlSettings
from alula.data.sql.places import Connection
from alula.data.stores import Objects
from alula.errors import DataError, Rejected
from alula.idl import literals
from alula.plugin.phase import Phase, PhaseInfo
from alula.tasks.databases import DuckDBTask, PostgresConfig, PostgresTask, SQLiteConfig, SQLiteTask
from tests.unit.backends.lending import lent, template_of

ENDLESS = "with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) as c from t"
hello = SQLiteTask("hello", "select {{ .inputs.a }} as a", inputs=kwtypes(a=str))


def attempt(task: Any, folder: Path, number: int = 0, objects: Any = None, **inputs: str) -> Any:
    given = {name: literals.string(value) for name, value in inputs.items()}
    return lent(template_of(task), given, prefix=str(folder / str(number)), number=number, objects=objects)


async def until_over(plugin: Sql, task: Any) -> PhaseInfo:
    state = None
    async with asyncio.timeout(20):
        while True:
            moved = await plugin.handle(task, state)
            state = moved.state
            if moved.info.phase.terminal:
                return moved.info
            await _settled(plugin, task)


async def _settled(plugin: Sql, task: Any) -> None:
    run = plugin._runs.get(task.name)
    if run is not None and run._thread is not None:
        await asyncio.to_thread(run._thread.join, 10)


async def test_the_rows_of_a_statement_are_a_table_below_its_own_prefix(tmp_path: Path) -> None:
    plugin, task = Sql(), attempt(hello, tmp_path, a="it's")
    info = await until_over(plugin, task)
    assert (info.phase, info.custom["rows"]) == (Phase.SUCCEEDED, 1)
    assert info.outputs is not None
    dataset = info.outputs.literals["results"].scalar.structured_dataset
    assert dataset.uri.startswith(task.raw_prefix)
    assert dataset.metadata.structured_dataset_type.format == "parquet"
    assert pq.read_table(dataset.uri).to_pylist() == [{"a": "it's"}]
    folder = plugin._runs[task.name]._folder
    await plugin.finalize(task, Begun())
    assert not plugin._runs
    assert not folder.exists()


async def test_a_statement_is_cancelled_by_abort(tmp_path: Path) -> None:
    plugin, task = Sql(), attempt(SQLiteTask("endless", ENDLESS), tmp_path)
    moved = await plugin.handle(task, None)
    assert moved.info.phase in (Phase.QUEUED, Phase.RUNNING)
    run = plugin._runs[task.name]
    await plugin.abort(task, moved.state, "somebody wants it")
    assert not run.busy
    await plugin.finalize(task, moved.state)
    await plugin.abort(task, moved.state, "and again")


async def test_more_statements_than_may_run_wait_and_go_on_when_one_has_ended(tmp_path: Path) -> None:
    plugin = Sql(SqlSettings(statements=1))
    first, second = attempt(SQLiteTask("endless", ENDLESS), tmp_path), attempt(hello, tmp_path, 1, a="x")
    await plugin.handle(first, None)
    waits = await plugin.handle(second, None)
    assert (waits.info.phase, waits.info.reason) == (Phase.WAITING, "[backends.sql] statements: 1 run already")
    await plugin.abort(first, Begun(), "")
    await plugin.finalize(first, Begun())
    assert second.id in second._lent.lender.woken_ids
    assert (await until_over(plugin, second)).phase is Phase.SUCCEEDED


class Away(Objects):
    """A store that does not answer at first."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 2

    async def upload(self, path: Path, uri: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise DataError("the store is away")
        await super().upload(path, uri)


async def test_a_result_that_cannot_be_stored_at_first_costs_no_second_statement(tmp_path: Path) -> None:
    path = str(tmp_path / "d.db")
    with sqlite3.connect(path) as connection:
        connection.execute("create table t (a)")
    connection.close()
    text = "insert into t values (1) returning a"
    task = attempt(SQLiteTask("once", text, SQLiteConfig(path, read_only=False)), tmp_path, objects=Away())
    plugin, state, failures = Sql(), None, 0
    for _ in range(20):
        try:
            moved = await plugin.handle(task, state)
        except DataError:
            failures += 1
            continue
        state = moved.state
        if moved.info.phase.terminal:
            break
        await _settled(plugin, task)
    assert (moved.info.phase, failures) == (Phase.SUCCEEDED, 2)
    with sqlite3.connect(path) as connection:
        assert connection.execute("select count(*) from t").fetchone() == (1,)
    connection.close()


async def test_what_cannot_run_is_refused_and_leaves_nothing_to_clean(tmp_path: Path) -> None:
    own = SqlSettings({"main": Connection("sqlite")}, own_databases=False)
    for plugin, task, says in (
        (Sql(), attempt(hello, tmp_path), "asks for the input 'a', which is not there"),
        (Sql(own), attempt(hello, tmp_path, a="x"), "must name one of the operator's connections"),
        (Sql(), attempt(DuckDBTask("wrong", "selec"), tmp_path), "the database refuses the statement"),
    ):
        with pytest.raises(Rejected, match=says):
            await until_over(plugin, task)
        await plugin.finalize(task, None)


async def test_files_of_the_engine_are_out_of_reach_unless_the_operator_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a\n7\n")
    reads = DuckDBTask("reads", f"select a from '{tmp_path / 'x.csv'}'")
    with pytest.raises(Rejected, match=r"file system operations are disabled|Cannot access file"):
        await until_over(Sql(), attempt(reads, tmp_path))
    info = await until_over(Sql(SqlSettings(outside=True)), attempt(reads, tmp_path))
    assert info.phase is Phase.SUCCEEDED


async def test_closing_the_plugin_ends_what_runs(tmp_path: Path) -> None:
    plugin, task = Sql(), attempt(SQLiteTask("endless", ENDLESS), tmp_path)
    await plugin.handle(task, None)
    run = plugin._runs[task.name]
    await plugin.close()
    assert not run.busy


async def test_a_statement_whose_connection_is_gone_from_settings_is_not_said_to_be_stopped() -> None:
    named = PostgresTask("named", "select 1 as a", task_config=PostgresConfig(connection="warehouse"))
    plugin, task = Sql(), lent(template_of(named), fresh=False)
    with pytest.raises(Rejected, match="warehouse"):
        await plugin.abort(task, Begun(), "enough")
    await plugin.abort(task, None, "enough")  # refused before it was sent
    await plugin.abort(lent(template_of(hello), fresh=False), Begun(), "enough")  # it ran in a process that is gone
