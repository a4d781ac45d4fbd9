"""The contract of a plugin's tasks: printed for any language, and kept at registration."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from alula.cli.main import app as main

PROGRAM = """
from alula import kwtypes, workflow
from alula.sdk.instance import InstanceTask


class Odd(InstanceTask):
    task_type = "slurm"
    runs_user_code = False

    def fill(self, template, env, image):
        template.custom.update({"script": 3, "prtition": "x"})

    def execute(self, **inputs): ...


odd = Odd("odd", kwtypes(a=int), kwtypes(b=int))


@workflow
def wf(a: int) -> int:
    return odd(a=a)
"""


def test_the_schema_of_a_plugin_is_json_schema_by_name_and_by_type_of_task() -> None:
    done = CliRunner().invoke(main, ["plugin", "schema", "slurm"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(document)
    fits = jsonschema.Draft202012Validator(document).is_valid
    assert fits({"script": "echo hi", "cpus": 2})
    assert not fits({"scrpt": "echo hi"})
    assert document["x-task-types"] == ["slurm"]


def test_a_plugin_that_is_not_there_is_named_with_those_that_are() -> None:
    done = CliRunner().invoke(main, ["plugin", "schema", "slrm"])
    assert done.exit_code == 1
    assert "there is no plugin 'slrm'" in done.output
    assert "slurm" in done.output


def test_a_task_that_does_not_fit_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALULA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(PROGRAM)
    done = CliRunner().invoke(main, ["run", "program.py", "wf", "--a", "1"])
    assert done.exit_code == 1
    for part in (
        "odd.config has no key 'prtition'; did you mean 'partition'?",
        "odd.config.script is 3.0, and must be text",
        "alula plugin schema",
    ):
        assert part in done.output
