"""Sensors as they are declared, called here, and written on the wire."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict

from alula import workflow
from alula.errors import SignatureError, TaskFailure
from alula.sdk.serialize import serialize
from alula.tasks.sensor import BaseSensor, FileSensor


class Counting(BaseSensor):
    """Says yes the third time."""

    looks = 0

    async def poke(self, wanted: int = 3) -> bool:
        Counting.looks += 1
        return Counting.looks >= wanted


COUNT = Counting(name="count", interval=timedelta(milliseconds=1))


class Never(BaseSensor):
    def poke(self, x: str) -> bool:
        return False


def test_a_file_sensor_is_on_the_wire_what_flytekit_writes() -> None:
    [spec] = serialize(FileSensor(name="wait", timeout=timedelta(minutes=5))).tasks.values()
    template = spec.template
    assert template.type == "sensor"
    assert MessageToDict(template.custom) == {
        "sensor_module": "flytekit.sensor.file_sensor",
        "sensor_name": "FileSensor",
        "sensor_config": None,
        "inputs": None,
    }
    assert list(template.interface.inputs.variables) == ["path"]
    assert not template.interface.outputs.variables
    assert template.metadata.timeout.seconds == 300


def test_no_sensor_waits_for_ever() -> None:
    [spec] = serialize(FileSensor(name="wait")).tasks.values()
    assert spec.template.metadata.timeout.seconds == 7 * 24 * 3600


def test_a_file_that_comes_is_noticed(tmp_path: Path) -> None:
    wait = FileSensor(name="wait", timeout=20, interval=timedelta(milliseconds=10))
    timer = threading.Timer(0.1, (tmp_path / "ready").touch)
    timer.start()
    wait(path=str(tmp_path / "ready"))
    assert (tmp_path / "ready").exists()


def test_a_sensor_of_ones_own_takes_the_parameters_of_poke_and_asks_for_little() -> None:
    Counting.looks = 0
    COUNT()
    assert Counting.looks == 3
    [spec] = serialize(COUNT).tasks.values()
    assert spec.template.type == "python-task"
    assert {entry.value for entry in spec.template.container.resources.requests} == {"50m", "64Mi"}


def test_it_says_how_often_it_looked_when_its_time_is_over() -> None:
    never = Never(name="never", timeout=0.2, interval=timedelta(milliseconds=20))
    with pytest.raises(TaskFailure, match="looked") as caught:
        never(x="a")
    assert caught.value.code == "SensorTimeout"


def test_poke_must_say_what_it_takes() -> None:
    class Vague(BaseSensor):
        def poke(self, *args: object) -> bool:
            return True

    with pytest.raises(SignatureError, match=r"Vague\.poke has no type"):
        Vague(name="vague")


def test_sensors_are_nodes_of_workflows_that_others_wait_for() -> None:
    wait = FileSensor(name="wait")

    @workflow
    def both(path: str) -> None:
        wait(path=path)

    assert [spec.template.type for spec in serialize(both).tasks.values()] == ["sensor"]
