"""SQL tasks: what is registered, what is refused, and what happens when they are called here."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import pytest
from google.protobuf.json_format import MessageToDict

from alula import File, Secret, StructuredDataset, kwtypes, workflow
from alula.data.sql.places import SecretName, SqlConfig
from alula.errors import Rejected, SignatureError
from alula.plugin import schema
from alula.sdk.serialize import serialize
from alula.tasks.databases import (
    DuckDBConfig,
    DuckDBTask,
    MySQLTask,
    PostgresConfig,
    PostgresTask,
    SQLiteConfig,
    SQLiteTask,
)

HERE = PostgresConfig(host="db", user="me", database="d", password=Secret(group="pg", key="pw"))

numbers = DuckDBTask(
    query_template="select range as n from range({{ .inputs.many }})",
    inputs=kwtypes(many=int),
    output_schema_type=pd.DataFrame,
)


def template_of(task: Any) -> Any:
    return serialize(task).tasks[task.name].template


def test_a_task_without_a_name_has_that_of_its_variable() -> None:
    assert numbers.name == f"{__name__}.numbers"
    local = DuckDBTask(query_template="select 1")
    assert local.name == f"{__name__}.local"
    with pytest.raises(SignatureError, match="DuckDBTask has no name"):
        print(DuckDBTask(query_template="select 1"))


def test_what_is_registered_is_the_statement_as_written_and_where_it_runs_but_no_secret() -> None:
    text = "select 1  -- {{ .comment }}\n where {{ .inputs.d }} < now()"
    task = PostgresTask("q", text, HERE, inputs=kwtypes(d=date), output_schema_type=None)
    template = template_of(task)
    assert (template.type, template.sql.statement, template.WhichOneof("target")) == ("sql-postgres", text, "sql")
    [secret] = template.security_context.secrets
    assert (secret.group, secret.key) == ("pg", "pw")
    assert not template.interface.outputs.variables
    read = schema.config_of(template.custom, SqlConfig)
    assert read == SqlConfig(host="db", user="me", database="d", password=SecretName("pg", "pw"), dates=("d",))


def test_both_halves_agree_about_files() -> None:
    template = template_of(DuckDBTask("q", "select 1", DuckDBConfig("x.db", read_only=False)))
    assert schema.config_of(template.custom, SqlConfig) == SqlConfig(database="x.db", read_only=False)
    assert MessageToDict(template.custom)["database"] == "x.db"


@pytest.mark.parametrize(
    ("text", "inputs", "says"),
    [
        ("select {{ .inputs.b }}", {"a": int}, "asks for the input 'b', .* and never uses the input 'a'"),
        ("select {{ .input }}", {}, "stands for nothing"),
        ("select '% {{ .inputs.a }} %'", {"a": str}, "inside of a string"),
        ("select {{ .inputs.a }}", {"a": File}, "whose type no database takes"),
        ("select {{ .inputs.a }}", {"a": list[list[int]]}, "whose type no database takes"),
        ("select {{ .inputs.a }}", {"a": pd.DataFrame}, "whose type no database takes"),
    ],
)
def test_faults_are_found_when_a_task_is_declared(text: str, inputs: dict[str, Any], says: str) -> None:
    with pytest.raises(SignatureError, match=says):
        DuckDBTask("q", text, inputs=inputs)


def test_results_are_tables_in_parquet() -> None:
    with pytest.raises(SignatureError, match="an output that is no table"):
        DuckDBTask("q", "select 1", output_schema_type=int)
    with pytest.raises(SignatureError, match="an output in csv, and results are Parquet"):
        DuckDBTask("q", "select 1", output_schema_type=Annotated[pd.DataFrame, "csv"])


def test_a_server_must_be_named() -> None:
    with pytest.raises(SignatureError, match=r"pass task_config=PostgresConfig\(\.\.\.\)"):
        PostgresTask("q", "select 1")
    with pytest.raises(SignatureError, match="pass task_config=MySQLConfig"):
        MySQLTask("q", "select 1", HERE)


def test_a_call_runs_the_statement_here() -> None:
    assert list(numbers(many=3).n) == [0, 1, 2]


def test_a_call_gives_what_is_declared(tmp_path: Path) -> None:
    path = str(tmp_path / "d.db")
    Path(path).touch()
    config = SQLiteConfig(path, read_only=False)
    make = SQLiteTask("make", "create table t as select {{ .inputs.x }} as x", config, kwtypes(x=str), None)
    read = SQLiteTask("read", "select x from t where x in {{ .inputs.xs }}", config, kwtypes(xs=list[str]))
    assert make(x="it's") is None
    found = read(xs=["it's", "other"])
    assert isinstance(found, StructuredDataset)
    assert found.open(pd.DataFrame).all().to_dict("list") == {"x": ["it's"]}


def test_steps_of_a_workflow_take_each_others_results() -> None:
    moment = DuckDBTask(
        "moment", "select {{ .inputs.t }} as t", inputs=kwtypes(t=datetime), output_schema_type=pd.DataFrame
    )

    @workflow
    def flow(t: datetime) -> pd.DataFrame:
        return moment(t=t)

    when = datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert flow(t=when).t[0] == when


def test_what_the_database_says_reaches_the_caller() -> None:
    with pytest.raises(Rejected, match="nothing_there"):
        DuckDBTask("q", "select * from nothing_there")()


def test_a_connection_of_the_operators_is_used_here_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "d.db"
    DuckDBTask("make", "create table t as select 7 as a", DuckDBConfig(str(path), read_only=False), None, None)()
    (tmp_path / "alula.toml").write_text(f'[backends.sql.connections.mine]\nkind = "duckdb"\ndatabase = "{path}"\n')
    monkeypatch.chdir(tmp_path)
    read = DuckDBTask("q", "select a from t", DuckDBConfig(connection="mine"), output_schema_type=pd.DataFrame)
    assert list(read().a) == [7]
    with pytest.raises(Rejected, match="there is no connection 'yours'; there is mine"):
        DuckDBTask("q", "select 1", DuckDBConfig(connection="yours"))()
