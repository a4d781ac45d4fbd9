"""Sensors for files: when they look, what they say, and where they may look."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alula.backends.sensor import FileSensor, SensorSettings, Watch
from alula.data.stores import Objects
from alula.errors import Rejected
from alula.hosting.task import Task
from alula.idl import TaskTemplate, literals
from alula.plugin.phase import Phase
from alula.tasks import sensor
from tests.unit.backends.lending import lent, template_of

WAIT = sensor.FileSensor(name="wait", timeout=timedelta(seconds=100))


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = datetime(2024, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


def waiting(path: str, objects: Objects | None = None, template: TaskTemplate | None = None) -> Task:
    return lent(template or template_of(WAIT), {"path": literals.string(path)}, objects=objects)


async def test_pauses_grow_until_the_file_is_there() -> None:
    clock, objects = Hands(), Objects()
    plugin = FileSensor(SensorSettings(longest=timedelta(seconds=5)), clock=clock)
    task, state, pauses = waiting("memory://in/ready", objects), None, []
    for _ in range(7):
        step = await plugin.handle(task, state)
        state, pause = step.state, step.check_after
        assert pause is not None
        assert step.info.phase is Phase.RUNNING
        pauses.append(round(pause.total_seconds(), 2))
        clock.time += pause
    assert pauses == [1, 1.5, 2.25, 3.38, 5, 5, 5]
    assert "looked 7 times" in step.info.reason
    await objects.write("memory://in/ready", b"")
    done = await plugin.handle(task, state)
    assert (done.info.phase, done.check_after) == (Phase.SUCCEEDED, None)


async def test_what_is_kept_does_not_change_so_that_waiting_costs_no_commits() -> None:
    clock = Hands()
    plugin = FileSensor(clock=clock)
    first = await plugin.handle(waiting("memory://x"), None)
    clock.time += timedelta(hours=3)
    later = await plugin.handle(waiting("memory://x", template=template_of(sensor.FileSensor(name="w"))), first.state)
    assert later.state == first.state == Watch(datetime(2024, 1, 1, tzinfo=UTC))


async def test_it_gives_up_with_its_own_words_before_the_engine_does() -> None:
    clock = Hands()
    plugin = FileSensor(clock=clock)
    step = await plugin.handle(waiting("memory://never"), None)
    while not step.info.phase.terminal:
        assert step.check_after is not None
        clock.time += step.check_after
        step = await plugin.handle(waiting("memory://never"), step.state)
    assert (clock.time - step.state.began) == timedelta(seconds=99)
    assert step.info.failure is not None
    assert step.info.failure.code == "SensorTimeout"
    assert step.info.failure.message.startswith("memory://never was not there after 1m39s; looked 11 times")


async def test_a_sensor_without_a_timeout_has_that_of_the_settings() -> None:
    clock = Hands()
    plugin = FileSensor(SensorSettings(timeout=timedelta(minutes=1)), clock=clock)
    template = template_of(WAIT)
    template.metadata.ClearField("timeout")
    state = (await plugin.handle(waiting("memory://never", template=template), None)).state
    clock.time += timedelta(minutes=1)
    assert (await plugin.handle(waiting("memory://never", template=template), state)).info.phase is Phase.FAILED


async def test_directories_and_prefixes_count(tmp_path: Path) -> None:
    objects = Objects()
    await objects.write("memory://bucket/day/part-0", b"x")
    for path in (str(tmp_path), "memory://bucket/day", f"file://{tmp_path}"):
        assert (await FileSensor().handle(waiting(path, objects), None)).info.phase is Phase.SUCCEEDED, path


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("http://169.254.169.254/latest", SensorSettings()),
        ("/etc/shadow", SensorSettings(under=("s3://data", "/srv"))),
        ("/srv/../etc/shadow", SensorSettings(under=("/srv",))),
        ("/srv2/x", SensorSettings(under=("/srv",))),
    ],
)
async def test_it_looks_only_where_the_operator_lets_it(path: str, settings: SensorSettings) -> None:
    with pytest.raises(Rejected, match="is not looked for"):
        await FileSensor(settings).handle(waiting(path), None)


async def test_sensors_of_users_are_left_to_agents() -> None:
    template = template_of(WAIT)
    template.custom["sensor_name"] = "MySensor"
    with pytest.raises(Rejected, match="MySensor is code of its user"):
        await FileSensor().handle(waiting("memory://x", template=template), None)


def test_restarts_lose_no_look() -> None:
    plugin = FileSensor(SensorSettings(first=timedelta(seconds=2), growth=1, longest=timedelta(seconds=9)))
    assert [plugin._schedule(at)[0] for at in (0, 1.9, 2, 4, 100)] == [1, 1, 2, 3, 51]
    assert replace(Watch(datetime(2024, 1, 1, tzinfo=UTC))) == Watch(datetime(2024, 1, 1, tzinfo=UTC))
