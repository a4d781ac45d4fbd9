"""What is published about tasks is what templates are checked against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jsonschema
import pytest
from google.protobuf import json_format

from alula.errors import Rejected
from alula.idl import Struct, TaskTemplate
from alula.idl.plugins import DaskJob, DaskWorkerGroup, SparkApplication, SparkJob
from alula.plugin import schema
from alula.plugin.core import PluginInfo


@dataclass(frozen=True, slots=True)
class Job:
    """A job."""

    workers: int
    queue: str = "default"


CLASS = PluginInfo("jobs", frozenset({"job"}), Job)
MESSAGE = PluginInfo("spark", frozenset({"spark"}), SparkJob)


def template(document: dict[str, Any]) -> TaskTemplate:
    made = TaskTemplate(type="job")
    json_format.ParseDict(document, made.custom)
    return made


def test_a_template_that_fits_has_no_faults_and_is_read_with_ints() -> None:
    fits = template({"workers": 3})
    assert schema.faults_of(fits, CLASS) == []
    read = schema.config_of(fits.custom, Job)
    assert read == Job(3)
    assert type(read.workers) is int


def test_faults_of_a_template_are_all_there() -> None:
    assert schema.faults_of(template({"wrkers": 3}), CLASS) == [
        "config has no key 'wrkers'; did you mean 'workers'?",
        "config.workers is missing",
    ]


def test_a_plugin_without_a_config_takes_any_template() -> None:
    assert schema.faults_of(template({"x": [1]}), PluginInfo("any", frozenset({"any"}))) == []


@pytest.mark.parametrize(
    "message",
    [
        SparkJob(sparkConf={"spark.x": "1"}, mainClass="Main", applicationType=SparkApplication.JAVA),
        DaskJob(workers=DaskWorkerGroup(number_of_workers=3)),
        SparkJob(),
    ],
)
def test_messages_fit_the_schema_of_their_kind(message: Any) -> None:
    info = PluginInfo("x", frozenset({"x"}), type(message))
    document = json_format.MessageToDict(message)
    jsonschema.Draft202012Validator.check_schema(schema.published(info))
    assert jsonschema.Draft202012Validator(schema.published(info)).is_valid(document)
    assert schema.faults_of(template(document), info) == []
    assert schema.config_of(template(document).custom, type(message)) == message


def test_a_message_of_another_kind_is_refused_by_both() -> None:
    document = {"workers": {"number": 3}}
    assert not jsonschema.Draft202012Validator(schema.published(MESSAGE)).is_valid(document)
    assert "workers" in schema.faults_of(template(document), MESSAGE)[0]
    with pytest.raises(Rejected, match=r"flyteidl\.plugins\.SparkJob"):
        schema.config_of(template(document).custom, SparkJob)


def test_the_published_schema_names_the_types_of_task() -> None:
    made = schema.published(CLASS)
    assert made["x-task-types"] == ["job"]
    assert jsonschema.Draft202012Validator(made).is_valid({"workers": 1})
    assert not jsonschema.Draft202012Validator(made).is_valid({"workers": "1"})


def test_an_empty_struct_is_a_config_whose_fields_all_have_defaults() -> None:
    assert schema.config_of(Struct(), SparkJob) == SparkJob()
