"""A template made ready: its task, and the variables of its container."""

from __future__ import annotations

from pathlib import Path

import pytest

from alula.errors import ConfigError, DamagedData
from alula.idl import Identifier, TaskTemplate
from alula.runtime.prepared import Prepared
from alula.runtime.variables import of_attempt

ARGS = ["alula-execute", "--inputs", "{{ .input }}", "--output-prefix", "{{$outputPrefix}}", "--resolver"]


def template(*words: str) -> TaskTemplate:
    made = TaskTemplate(id=Identifier(project="p", domain="d", name="m.t", version="v"), type="python-task")
    made.container.image = "example.org/image:1"
    made.container.args.extend([*ARGS, *words])
    return made


def prepared(made: TaskTemplate, directory: Path) -> Prepared:
    return Prepared(made.SerializeToString(), directory)


def test_the_variables_say_which_task_it_is_after_those_of_its_container(tmp_path: Path) -> None:
    made = template()
    made.container.env.add(key="MINE", value="1")
    assert prepared(made, tmp_path).environment == {
        "MINE": "1",
        "FLYTE_INTERNAL_TASK_PROJECT": "p",
        "FLYTE_INTERNAL_TASK_DOMAIN": "d",
        "FLYTE_INTERNAL_TASK_NAME": "m.t",
        "FLYTE_INTERNAL_TASK_VERSION": "v",
        "FLYTE_INTERNAL_IMAGE": "example.org/image:1",
    }


def test_secrets_that_are_here_get_the_names_of_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = template()
    made.security_context.secrets.add(group="db", key="password", env_var="PW")
    made.security_context.secrets.add(group="other", key="absent")
    monkeypatch.setenv("DB_PASSWORD", "plain")
    found = prepared(made, tmp_path).environment
    assert (found["_FSEC_DB_PASSWORD"], found["PW"]) == ("plain", "plain")
    assert "_FSEC_OTHER_ABSENT" not in found
    monkeypatch.setenv("_FSEC_DB_PASSWORD", "injected")
    assert prepared(made, tmp_path).environment["PW"] == "injected"


def test_the_task_is_found_once_and_a_failure_again_each_time(tmp_path: Path) -> None:
    words = ["alula.sdk.resolver.default", "--", "task-module", "tests.integration.workers.programs", "task-name"]
    one = prepared(template(*words, "add"), tmp_path)
    assert one.task() is one.task()
    broken = prepared(template(*words, "absent"), tmp_path)
    for _ in range(2):
        with pytest.raises(ConfigError, match="has no absent"):
            broken.task()


def test_a_template_is_a_file_for_those_who_ask_for_one(tmp_path: Path) -> None:
    one = prepared(template("alula.sdk.prebuilt.by_template", "--", "{{.taskTemplatePath}}", "m.Executor"), tmp_path)
    assert one.task().entity.name == "m.t"
    assert (tmp_path / "task.pb").exists()


def test_what_is_no_template_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(DamagedData, match="no TaskTemplate"):
        Prepared(b"\xff\xff", tmp_path)


def test_the_variables_of_an_attempt_come_after_those_of_its_execution() -> None:
    found = of_attempt(("p", "d", "e", 2), -1, {"A": "1", "FLYTE_ATTEMPT_NUMBER": "9"})
    assert found["FLYTE_ATTEMPT_NUMBER"] == "2"
    assert found["A"] == "1"
    assert "FLYTE_K8S_ARRAY_INDEX" not in found
    found = of_attempt(("p", "d", "e", 2), 5, {})
    assert found[found["BATCH_JOB_ARRAY_INDEX_VAR_NAME"]] == "5"
