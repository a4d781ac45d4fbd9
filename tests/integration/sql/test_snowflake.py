"""Snowflake's own connector against an emulator: calls without an engine, and results by their handle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from alula import Secret, StructuredDataset, kwtypes
from alula.backends.snowflake.plugin import Snowflake, SnowflakeSettings
from alula.data.sql import snowflake as wire
from alula.errors import Rejected
from alula.plugin.phase import Phase
from alula.tasks.snowflake import SnowflakeConfig, SnowflakeTask
from tests.conftest import needs
from tests.servers.fakesnow import NoEmulator, fakesnow_server
from tests.servers.snowflake import SqlApiServer
from tests.unit.backends.lending import lent, template_of

CONFIG = SnowflakeConfig(
    account="fakesnow", user="u", database="DB1", schema="S1", password=Secret(group="snow", key="password")
)
WHEN = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture(scope="module")
def emulator() -> Iterator[int]:
    try:
        with fakesnow_server() as port:
            yield port
    except NoEmulator as exc:
        needs("the Snowflake emulator", f"pip could not install requirements-fakesnow.lock ({exc})")


@pytest.fixture(autouse=True)
def settings(emulator: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA__BACKENDS__SNOWFLAKE__HOST", "127.0.0.1")
    monkeypatch.setenv("ALULA__BACKENDS__SNOWFLAKE__PORT", str(emulator))
    monkeypatch.setenv("SNOW_PASSWORD", "p")


def run(query: str, output: Any = None, **inputs: Any) -> Any:
    types = {name: type(value) if not isinstance(value, list) else list[str] for name, value in inputs.items()}
    task = SnowflakeTask("q", query, CONFIG, kwtypes(**types), output)
    return task(**inputs)


def test_values_are_bound_and_rows_come_back_with_their_types() -> None:
    run("create or replace table x (n int, t timestamp_tz, d number(10, 2), s varchar)")
    run(
        "insert into x select {{ .inputs.n }}, {{ .inputs.t }}, 1.5, {{ .inputs.s }}",
        n=7,
        t=WHEN,
        s="it's; {{ .inputs.n }}",
    )
    found = run("select * from x where s in {{ .inputs.l }}", pd.DataFrame, l=["it's; {{ .inputs.n }}", "'"])
    [row] = found.to_dict("records")
    assert (row["N"], row["S"], str(row["D"])) == (7, "it's; {{ .inputs.n }}", "1.50")
    assert row["T"] == WHEN


def test_an_empty_result_keeps_its_columns() -> None:
    found = run("select 1 as a, 'x' as b where false", StructuredDataset)
    assert list(found.open(pd.DataFrame).all().columns) == ["A", "B"]


def test_what_snowflake_says_reaches_the_caller() -> None:
    with pytest.raises(Rejected, match=r"the database refuses the statement(?s:.*)\[001003\] \(SQLSTATE 42000\)"):
        run("selec")


async def test_results_of_the_backend_may_come_through_the_connector(emulator: int, tmp_path: Path) -> None:
    source = wire.sign_in(
        wire.SnowflakeConfig(account="fakesnow", user="u", database="DB1"),
        {"password": "p"},
        host="127.0.0.1",
        port=emulator,
    )
    connection = wire.connect(source, "a" + "0" * 40)
    cursor = connection.cursor()
    cursor.execute("select column1 as n, column2 as s from values (1, 'a'), (2, 'b')")
    server = SqlApiServer()
    settings = SnowflakeSettings(
        account="fakesnow", user="u", token="t", host="127.0.0.1", port=emulator, plain=True, results="connector"
    )
    plugin = Snowflake(settings, transport=server.transport)

    async def secret(key: str, group: str = "") -> str:
        return "token"

    plugin.secret = secret  # type: ignore[method-assign]
    await plugin.open()
    task = lent(
        template_of(SnowflakeTask("q", "select 1", output_schema_type=StructuredDataset)), {}, prefix=str(tmp_path)
    )
    await plugin.create(task)
    [statement] = server.live()
    # The emulator has run it under this handle, and the scripted server says that it is done.
    del server.statements[statement.handle]
    statement.handle = cursor.sfqid
    server.statements[statement.handle] = statement
    server.finish(statement)
    key = await plugin.find(task)
    assert key is not None
    [answer] = await plugin.get([key])
    assert plugin.phase(task, answer).phase is Phase.SUCCEEDED  # type: ignore[arg-type]
    outputs = await plugin.outputs(task, key, answer)  # type: ignore[arg-type]
    connection.close()
    await plugin.close()
    assert outputs is not None
    table = pq.read_table(outputs.literals["results"].scalar.structured_dataset.uri)
    assert table.to_pylist() == [{"N": 1, "S": "a"}, {"N": 2, "S": "b"}]
