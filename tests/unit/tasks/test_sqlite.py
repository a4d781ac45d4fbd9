"""`SQLite3Task`, on a real file."""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula import SQLite3Config, SQLite3Task, StructuredDataset, kwtypes, task, workflow
from alula.errors import SignatureError, TaskFailure
from alula.idl import LiteralMap, literals
from alula.runtime.arguments import parse
from alula.runtime.entrypoint import execute
from alula.sdk.local import current_run
from alula.sdk.serialize import serialize
from alula.tasks.sqlite import SQLite3Executor, bound
from alula.types import default, maps

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("db") / "music.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table tracks (id int, name text, day text)")
        rows = [(1, "one", "2024-01-01"), (2, "it's", "2024-01-02"), (3, "three", "2024-01-03")]
        connection.executemany("insert into tracks values (?, ?, ?)", rows)
    return path


def ask(database: Path, query: str, **inputs: Any) -> list[tuple[Any, ...]]:
    types = {name: type(value) for name, value in inputs.items()}
    asked = SQLite3Task("music.ask", query, types, SQLite3Config(str(database)), pd.DataFrame)
    frame = asked(**inputs)
    return list(frame.itertuples(index=False, name=None))


def test_rows_become_a_data_frame_in_a_workflow(database: Path) -> None:
    tracks = SQLite3Task(
        name="music.tracks",
        query_template="select id, name from tracks where id <= {{ .inputs.most }} order by id",
        inputs=kwtypes(most=int),
        task_config=SQLite3Config(uri=str(database)),
    )

    @task
    def names(table: pd.DataFrame) -> list[str]:
        return list(table["name"])

    @workflow
    def wf(most: int) -> list[str]:
        return names(table=tracks(most=most))

    assert wf(most=2) == ["one", "it's"]
    made = tracks(most=1)
    assert isinstance(made, StructuredDataset)
    assert made.open(pd.DataFrame).all().to_dict("list") == {"id": [1], "name": ["one"]}


@pytest.mark.parametrize(
    ("query", "inputs", "ids"),
    [
        ("select id from tracks where name = {{ .inputs.n }}", {"n": "it's"}, [2]),
        ("select id from tracks where name = '{{ .inputs.n }}'", {"n": "it's"}, [2]),
        ("select id from tracks where name like '%{{ .inputs.n }}%'", {"n": "n"}, [1]),
        ("select id from tracks where name = '{{ .inputs.n }}'", {"n": "x' or '1'='1"}, []),
        ("select id from tracks where day >= '{{ .inputs.d }}' order by id", {"d": date(2024, 1, 2)}, [2, 3]),
        ("select id from tracks where day <= {{ .inputs.at }}", {"at": NOON}, [1]),
        ("select {{ .inputs.at }} = '2024-01-01 12:00:00'", {"at": NOON}, [1]),
        ("select id from tracks order by id limit {{ .inputs.k }}", {"k": 1}, [1]),
    ],
)
def test_inputs_are_parameters_inside_and_outside_of_quotes(
    database: Path, query: str, inputs: dict[str, Any], ids: list[int]
) -> None:
    assert ask(database, query, **inputs) == [(i,) for i in ids]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_no_value_is_ever_read_as_sql(text: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for query in ("select {{.inputs.x}}", "select '{{.inputs.x}}'", "select '<{{.inputs.x}}>'"):
            [(got,)] = connection.execute(bound(query), {"x": text}).fetchall()
            assert got in (text, f"<{text}>")


def test_a_database_may_be_the_one_file_of_an_archive(database: Path, tmp_path: Path) -> None:
    packed = tmp_path / "music.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(database, "inner/music.db")
    count = SQLite3Task(
        "music.count",
        "select count(*) as n from tracks",
        None,
        SQLite3Config(str(packed), compressed=True),
        pd.DataFrame,
    )
    assert count()["n"].tolist() == [3]
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("other", "x")
    with pytest.raises(TaskFailure, match="holds 2 files"):
        count()


def test_the_file_is_never_written(database: Path) -> None:
    with pytest.raises(TaskFailure, match="readonly database"):
        ask(database, "delete from tracks")
    assert ask(database, "select count(*) from tracks") == [(3,)]


def test_an_error_of_the_database_names_the_query(database: Path) -> None:
    with pytest.raises(TaskFailure, match=r"no such table: tunes(?s:.)*select \* from tunes"):
        ask(database, "select * from tunes")
    with pytest.raises(TaskFailure, match="names of tables and columns cannot be inputs"):
        ask(database, "select * from {{ .inputs.table }}", table="tracks")


def test_faults_of_the_declaration_are_told() -> None:
    with pytest.raises(SignatureError, match="never uses the input 'a'"):
        SQLite3Task("q", "select 1", kwtypes(a=int), SQLite3Config("x.db"))
    with pytest.raises(SignatureError, match="is not told where its data is"):
        SQLite3Task("q", "select 1")


def test_the_template_holds_everything() -> None:
    one = SQLite3Task("q", "select {{.inputs.a}}", kwtypes(a=int), SQLite3Config("x.db", compressed=True))
    template = serialize(one).tasks["q"].template
    assert template.type == "sqlite"
    assert SQLite3Executor.custom(template) == {
        "query_template": "select {{.inputs.a}}",
        "uri": "x.db",
        "compressed": True,
        "dates": [],
    }
    assert template.config["executor"] == "alula.tasks.sqlite:SQLite3Executor"
    assert list(template.container.args[-2:]) == ["{{.taskTemplatePath}}", "alula.tasks.sqlite.SQLite3Executor"]


def test_the_command_in_the_template_runs_it_without_the_task(database: Path, tmp_path: Path) -> None:
    count = SQLite3Task(
        "q", "select count(*) + {{.inputs.n}} as n from tracks", kwtypes(n=int), SQLite3Config(str(database))
    )
    template = serialize(count).tasks["q"].template
    (tmp_path / "template.pb").write_bytes(template.SerializeToString())
    (tmp_path / "inputs.pb").write_bytes(LiteralMap(literals={"n": literals.integer(4)}).SerializeToString())
    places = {
        "input": "inputs.pb",
        "outputPrefix": "out",
        "rawOutputDataPrefix": "raw",
        "taskTemplatePath": "template.pb",
    }
    filled = {f"{{{{.{name}}}}}": str(tmp_path / path) for name, path in places.items()}
    assert execute(parse([filled.get(word, word) for word in template.container.args])) is None
    made = LiteralMap.FromString((tmp_path / "out" / "outputs.pb").read_bytes())
    table = maps.value(made.literals["results"], default.converter(pd.DataFrame), current_run().place)
    assert table["n"].tolist() == [7]
