"""`SnowflakeTask`: the seed's own form, and what of it is registered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas
import pytest

from alula import Secret, StructuredDataset, kwtypes, task, workflow
from alula.data.sql import snowflake as wire
from alula.data.sql.places import SecretName
from alula.errors import SignatureError
from alula.plugin import schema
from alula.sdk.serialize import serialize
from alula.tasks.snowflake import SnowflakeConfig, SnowflakeTask

query_task = SnowflakeTask(
    query="Select * from x where x.time < {{.inputs.time}}",
    inputs=kwtypes(time=datetime),
    output_schema_type=pandas.DataFrame,
)


@task
def process(df: pandas.DataFrame) -> int:
    return len(df)


@workflow
def my_wf(t: datetime) -> int:
    df = query_task(time=t)
    return process(df=df)


def template_of(one: Any) -> Any:
    return serialize(one).tasks[one.name].template


def test_the_form_of_flytes_own_documents_works() -> None:
    template = template_of(query_task)
    assert template.id.name == f"{__name__}.query_task"
    assert (template.type, template.sql.statement) == ("snowflake", "Select * from x where x.time < {{.inputs.time}}")
    assert schema.config_of(template.custom, wire.SnowflakeConfig) == wire.SnowflakeConfig()
    assert len(serialize(my_wf).tasks) == 2


def test_what_is_registered_names_secrets_and_holds_none() -> None:
    config = SnowflakeConfig(
        user="u", account="a", database="D", schema="S", warehouse="W", private_key=Secret(group="snow", key="pem")
    )
    template = template_of(SnowflakeTask("q", "select 1", config, output_schema_type=StructuredDataset))
    assert dict(template.config) == {"user": "u", "account": "a", "database": "D", "schema": "S", "warehouse": "W"}
    assert [(one.group, one.key) for one in template.security_context.secrets] == [("snow", "pem")]
    read = schema.config_of(template.custom, wire.SnowflakeConfig)
    assert (read.warehouse, read.private_key) == ("W", SecretName("snow", "pem"))


def test_what_a_task_leaves_out_comes_from_the_settings_but_ways_to_sign_in_are_not_mixed() -> None:
    settings = wire.SnowflakeConfig(account="a", user="u", database="D", private_key=SecretName("op", "pem"))
    mine = wire.SnowflakeConfig(user="me", token=SecretName("my", "token"))
    both = mine.over(settings)
    assert (both.account, both.user, both.database) == ("a", "me", "D")
    assert (both.token, both.private_key) == (SecretName("my", "token"), None)
    assert wire.SnowflakeConfig().over(settings) == settings


@pytest.mark.parametrize("given", [{}, {"query": "select 1", "query_template": "select 1"}])
def test_there_is_one_statement(given: dict[str, str]) -> None:
    with pytest.raises(SignatureError, match=r"has (no statement|two statements)"):
        SnowflakeTask("q", **given)
