"""Which Python runs flytekit's tasks, and how its workers begin."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from alula.cli.doctor_places import places
from alula.config import Config, WorkersConfig
from alula.errors import ConfigError
from alula.idl import TaskTemplate
from alula.serve.flytekit import Environment, is_flytekits, look, platform, start_of, storage


def template(*args: str, command: tuple[str, ...] = ()) -> TaskTemplate:
    made = TaskTemplate()
    made.container.command.extend(command)
    made.container.args.extend(args)
    return made


@pytest.mark.parametrize(
    ("task", "theirs"),
    [
        (template("pyflyte-execute"), True),
        (template("pyflyte-fast-execute", "--", "pyflyte-map-execute"), True),
        (template("--inputs", command=("/usr/local/bin/pyflyte-execute",)), True),
        (template("alula-execute"), False),
        (template("bash", "-c", "echo", "pyflyte-execute"), False),
        (TaskTemplate(), False),
    ],
)
def test_a_task_is_flytekits_by_the_program_of_its_container(task: TaskTemplate, *, theirs: bool) -> None:
    assert is_flytekits(task) is theirs


def test_a_python_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no Python that can be started") as caught:
        look(WorkersConfig(python=str(tmp_path / "python")))
    assert caught.value.where == "[workers] python"


def test_a_python_without_flytekit_is_told_how_to_get_it(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho '[[3, 12], \"\"]'\n")
    python.chmod(0o755)
    with pytest.raises(ConfigError, match="has no flytekit") as caught:
        look(WorkersConfig(python=str(python)))
    assert f"{python} -m pip install flytekit" in caught.value.fix


@pytest.mark.parametrize(("version", "warm"), [("[3, 11]", True), ("[3, 10]", False)])
def test_an_older_python_gets_a_process_for_each_attempt(tmp_path: Path, version: str, *, warm: bool) -> None:
    python, program = tmp_path / "python", tmp_path / "pyflyte-execute"
    python.write_text(f"#!/bin/sh\necho '[{version}, \"1.16.31\"]'\n")
    program.touch()
    for file in (python, program):
        file.chmod(0o755)
    found = look(WorkersConfig(python=str(python)))
    assert (found.version, found.warm, bool(found.why)) == ("1.16.31", warm, not warm)
    assert not look(WorkersConfig(python=str(python), fresh=True)).warm
    program.unlink()
    with pytest.raises(ConfigError, match="no pyflyte-execute beside"):
        look(WorkersConfig(python=str(python), fresh=True))


def test_warm_workers_begin_in_that_python_and_fresh_ones_in_ours() -> None:
    warm = start_of(Environment("/env/bin/python", "1.16.31", warm=True), ("/code",))
    fresh = start_of(Environment("/env/bin/python", "1.16.31", warm=False), ())
    assert (warm.keeper[0], warm.imports, warm.paths) == ("/env/bin/python", True, ("/code",))
    assert (fresh.keeper[0], fresh.imports) == (sys.executable, False)


def test_tasks_are_told_where_the_control_plane_is() -> None:
    assert platform("127.0.0.1:8089") == {"FLYTE_PLATFORM_URL": "127.0.0.1:8089", "FLYTE_PLATFORM_INSECURE": "true"}
    secured = platform("0.0.0.0:443", certificate="/etc/cert.pem")
    assert secured["FLYTE_PLATFORM_URL"] == "127.0.0.1:443"
    assert (secured["FLYTE_PLATFORM_INSECURE"], secured["FLYTE_PLATFORM_CA_CERT_FILE_PATH"]) == (
        "false",
        "/etc/cert.pem",
    )


def test_where_s3_is_is_said_in_flytekits_words_too() -> None:
    ours = {
        "ALULA__STORAGE__S3__ENDPOINT": "http://s3:9000",
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "ours",
        "FLYTE_AWS_SECRET_ACCESS_KEY": "theirs",
    }
    assert storage(ours) == {
        "FLYTE_AWS_ENDPOINT": "http://s3:9000",
        "AWS_ENDPOINT_URL": "http://s3:9000",
        "FLYTE_AWS_ACCESS_KEY_ID": "me",
    }
    assert storage({}) == {}


def test_the_doctor_says_what_runs_flytekits_tasks(tmp_path: Path) -> None:
    def said(workers: WorkersConfig) -> tuple[str, str]:
        [found] = [one for one in places(Config(home=tmp_path, workers=workers)) if one.name == "flytekit"]
        return found.state, found.note

    assert said(WorkersConfig(python=str(tmp_path / "gone")))[0] == "broken"
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho '[[3, 12], \"1.16.31\"]'\n")
    python.chmod(0o755)
    assert said(WorkersConfig(python=str(python))) == (
        "ok",
        f"flytekit 1.16.31 of {python} runs its tasks, in warm workers",
    )
