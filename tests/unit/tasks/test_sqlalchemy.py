"""`SQLAlchemyTask`, on SQLite."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from alula import Secret, StructuredDataset, kwtypes
from alula._kits import sqltext
from alula.errors import SignatureError, TaskFailure
from alula.sdk.serialize import serialize
from alula.tasks.sqlalchemy import SQLAlchemyConfig, SQLAlchemyExecutor, SQLAlchemyTask, statement

MEMORY = SQLAlchemyConfig("sqlite://")
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


class Color(Enum):
    RED = "red"


def ask(query: str, config: SQLAlchemyConfig = MEMORY, **inputs: tuple[Any, Any]) -> list[tuple[Any, ...]]:
    types = {name: t for name, (t, _) in inputs.items()}
    asked = SQLAlchemyTask("shop.ask", query, config, types, pd.DataFrame)
    frame = asked(**{name: value for name, (_, value) in inputs.items()})
    return list(frame.itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("query", "inputs", "row"),
    [
        ("select {{ .inputs.a }} + 1", {"a": (int, 2)}, 3),
        ("select '{{ .inputs.a }}'", {"a": (str, "it's :a")}, "it's :a"),
        ("select '::' || '12:30' || {{ .inputs.a }}", {"a": (str, ":x")}, "::12:30:x"),
        ("select count(*) from (values (1), (2), (3)) where column1 in {{ .inputs.a }}", {"a": (list[int], [1, 3])}, 2),
        ("select count(*) from (values (1), (2)) where column1 in ({{ .inputs.a }})", {"a": (list[int], [1])}, 1),
        ("select count(*) from (values (1), (2)) where column1 not in {{ .inputs.a }}", {"a": (list[int], [])}, 2),
        ("select datetime({{ .inputs.a }}) = '2024-01-01 12:00:00'", {"a": (datetime, NOON)}, 1),
        ("select {{ .inputs.a }} = '2024-01-02'", {"a": (date, date(2024, 1, 2))}, 1),
        ("select {{ .inputs.a }}", {"a": (Color, Color.RED)}, "red"),
    ],
)
def test_inputs_are_parameters(query: str, inputs: dict[str, tuple[Any, Any]], row: object) -> None:
    assert ask(query, **inputs) == [(row,)]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_no_value_and_no_text_is_read_as_another(text: str) -> None:
    quoted = text.replace("'", "''").replace("{{", "{ {")
    query = sqltext.parse(f"select '{quoted}', {{{{ .inputs.a }}}}", sqltext.SQLITE)
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        [row] = connection.execute(statement(query, {"a": text})).all()
    assert tuple(row) == (text.replace("{{", "{ {"), text)


def test_changes_are_kept_if_the_statement_succeeds(tmp_path: Path) -> None:
    config = SQLAlchemyConfig(f"sqlite:///{tmp_path}/shop.db")
    fill = SQLAlchemyTask("shop.fill", "create table sales as select 'tea' item", config, output_schema_type=None)
    assert fill() is None
    assert ask("select item from sales", config) == [("tea",)]
    made = SQLAlchemyTask("shop.items", "select item from sales", config)()
    assert isinstance(made, StructuredDataset)
    assert made.open(pd.DataFrame).all()["item"].tolist() == ["tea"]


@pytest.mark.parametrize(
    ("query", "uri", "said"),
    [
        ("selec 1", "sqlite://", "syntax error"),
        ("create table t (a int)", "sqlite://", "gives no rows"),
        ("select 1", "nothing://", "knows no database 'nothing'"),
        ("select 1", "mssql+pymssql://host", "the driver pymssql"),
        ("select 1", "postgresql+psycopg://nobody@127.0.0.1:1/x", "refused"),
    ],
)
def test_what_goes_wrong_is_said_with_the_statement(query: str, uri: str, said: str) -> None:
    with pytest.raises(TaskFailure, match=said) as caught:
        ask(query, SQLAlchemyConfig(uri))
    assert caught.value.code == "USER:SQLAlchemy"


@pytest.mark.parametrize(
    ("query", "inputs", "uri", "said"),
    [
        ("select {{.inputs.b}}", {"a": int}, "sqlite://", "asks for the input 'b'.* never uses the input 'a'"),
        ("select {{.perRetryUniqueKey}}", {}, "sqlite://", "perRetryUniqueKey"),
        ("select 'x{{.inputs.a}}'", {"a": int}, "sqlite://", "inside of a string"),
        ("select 1", {}, "postgresql://ann:secret@host/db", "holds a password"),
        ("select 1", {}, "", "is not told where its data is"),
    ],
)
def test_faults_of_the_declaration_are_told(query: str, inputs: dict[str, type], uri: str, said: str) -> None:
    with pytest.raises(SignatureError, match=said) as caught:
        SQLAlchemyTask("q", query, SQLAlchemyConfig(uri), inputs)
    assert "secret@" not in str(caught.value)


def test_the_template_holds_everything_but_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = SQLAlchemyConfig(
        f"sqlite:///{tmp_path}/x.db", {"timeout": 5}, {"isolation_level": Secret(group="db", key="level")}
    )
    one = SQLAlchemyTask("q", "select {{.inputs.d}}", config, kwtypes(d=date), pd.DataFrame, container_image="img:1")
    template = serialize(one).tasks["q"].template
    assert template.type == "sqlalchemy"
    assert template.container.image == "img:1"
    assert SQLAlchemyExecutor.custom(template) == {
        "query_template": "select {{.inputs.d}}",
        "uri": config.uri,
        "connect_args": {"timeout": 5},
        "secret_connect_args": {"isolation_level": {"group": "db", "key": "level", "group_version": ""}},
        "dates": ["d"],
    }
    assert [secret.key for secret in template.security_context.secrets] == ["level"]
    monkeypatch.setenv("_FSEC_DB_LEVEL", "EXCLUSIVE")
    assert one(d=date(2024, 1, 2)).iloc[:, 0].tolist() == ["2024-01-02"]
