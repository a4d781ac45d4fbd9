"""`SQLTask`: the query, and what it says when it is called here."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alula import SQLTask, StructuredDataset, kwtypes
from alula.errors import SignatureError, TaskFailure
from alula.sdk.serialize import serialize
from alula.tasks.sql import one_line

query = SQLTask(
    name="warehouse.recent",
    query_template="""
        select *   -- all of it
        from events
        where at > '{{ .inputs.since }}' and kind = '{{.Inputs.kind}}  x'
    """,
    inputs=kwtypes(since=datetime, kind=str),
    outputs=kwtypes(results=StructuredDataset),
)


def test_a_query_becomes_one_line_and_text_in_quotes_stays() -> None:
    assert query.query_template == (
        "select * from events where at > '{{ .inputs.since }}' and kind = '{{.Inputs.kind}}  x'"
    )
    assert one_line("select 'a -- b' --c\n, \"d  e\"") == "select 'a -- b' , \"d  e\""


def test_the_query_can_be_looked_at_for_given_inputs() -> None:
    made = query.get_query(since=datetime(2024, 1, 2, tzinfo=UTC), kind="{{.inputs.since}}")
    assert made == "select * from events where at > '2024-01-02T00:00:00+00:00' and kind = '{{.inputs.since}}  x'"


def test_unknown_and_unused_inputs_are_refused() -> None:
    with pytest.raises(
        SignatureError, match=r"the query of 'q' asks for the input 'b', .* and never uses the input 'a'"
    ):
        SQLTask("q", "select {{ .inputs.b }}", inputs=kwtypes(a=int))


def test_a_call_says_that_a_backend_runs_it() -> None:
    with pytest.raises(TaskFailure, match=r"run by the backend plugin for 'sql_task'(?s:.)*task_mock\(recent\)"):
        query(since=datetime(2024, 1, 2, tzinfo=UTC), kind="k")


def test_the_template_holds_the_query_and_no_container() -> None:
    template = serialize(query).tasks["warehouse.recent"].template
    assert template.type == "sql_task"
    assert template.sql.statement == query.query_template
    assert template.WhichOneof("target") == "sql"


def test_a_kind_may_name_its_own_backend() -> None:
    own = SQLTask("q", "select 1", task_type="snowflake")
    assert serialize(own).tasks["q"].template.type == "snowflake"
