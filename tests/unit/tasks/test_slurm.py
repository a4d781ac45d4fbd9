"""Jobs of Slurm as they are declared and written on the wire."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf.json_format import MessageToDict

from alula import File, kwtypes, task
from alula.backends.slurm.config import SlurmJob
from alula.errors import SignatureError, TaskFailure
from alula.plugin import typed
from alula.sdk.serialize import serialize
from alula.tasks.slurm import Slurm, SlurmTask

ALL = Slurm(
    partition="p",
    account="a",
    qos="q",
    reservation="r",
    constraint="c",
    gres="gpu:1",
    licenses="l",
    cpus=2,
    memory="1G",
    time_limit=timedelta(minutes=3),
    nodes=4,
    tasks=5,
    exclusive=True,
    array="0-3",
    nice=6,
)


@task(task_config=ALL)
def double(x: int) -> int:
    return 2 * x


def test_both_halves_agree_on_every_word() -> None:
    [spec] = serialize(double).tasks.values()
    read = typed.read(MessageToDict(spec.template.custom), SlurmJob)
    assert spec.template.type == "slurm"
    assert spec.template.container.args[0] == "alula-execute"
    assert {name: getattr(read, name) for name in vars(ALL)} == vars(ALL)
    assert read.script == ""


def test_what_is_not_said_is_not_written() -> None:
    made = SlurmTask(name="s", script="true {{.inputs.x}}", inputs=kwtypes(x=File), environment={"A": "b"})
    [spec] = serialize(made).tasks.values()
    assert MessageToDict(spec.template.custom) == {"script": "true {{.inputs.x}}", "environment": {"A": "b"}}
    assert not spec.template.HasField("container")


def test_a_placeholder_must_stand_for_something() -> None:
    with pytest.raises(SignatureError, match=r"\{\{.inputs.y\}\}, \{\{.outputs.z\}\}"):
        SlurmTask(name="s", script="{{.inputs.x}} {{.inputs.y}} {{.outputs.z}}", inputs=kwtypes(x=int))


def test_functions_are_called_here_and_scripts_say_what_to_do_instead() -> None:
    assert double(x=2) == 4
    with pytest.raises(TaskFailure, match="alula run"):
        SlurmTask(name="s", script="true")()
