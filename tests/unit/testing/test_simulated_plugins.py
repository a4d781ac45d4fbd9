from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from alula import kwtypes, workflow
from alula.errors import RemoteNotFound
from alula.idl import LiteralMap
from alula.idl.literals import integer
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo
from alula.plugin.phase import Phase, PhaseInfo
from alula.plugin.webapi import Limits, WebApiPlugin
from alula.sdk.prebuilt import PrebuiltTask, TemplateExecutor
from alula.testing.simulation import CALM, STORM, Simulation


@dataclass(frozen=True)
class Key:
    number: int


@dataclass
class Farm:
    """A remote in which jobs take five looks."""

    jobs: dict[int, str] = field(default_factory=dict)
    looks: dict[int, int] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)


class FarmPlugin(WebApiPlugin[Key, int]):
    info = PluginInfo("farm", frozenset({"farm"}))
    key_type = Key
    limits = Limits(refresh=timedelta(minutes=1), pools={"fields": 2})

    def __init__(self, farm: Farm) -> None:
        self.farm = farm

    def pool(self, task: TaskContext) -> str:
        return "fields"

    async def create(self, task: TaskContext) -> Key:
        assert len(self.farm.jobs) < 2, "more jobs than the pool has units"
        self.farm.made.append(task.name)
        number = len(self.farm.made)
        self.farm.jobs[number] = task.name
        return Key(number)

    async def find(self, task: TaskContext) -> Key | None:
        return next((Key(number) for number, name in self.farm.jobs.items() if name == task.name), None)

    async def get(self, keys: Sequence[Key]) -> Sequence[int | RemoteNotFound]:
        for key in keys:
            self.farm.looks[key.number] = self.farm.looks.get(key.number, 0) + 1
        return [
            self.farm.looks[key.number] if key.number in self.farm.jobs else RemoteNotFound("no such job")
            for key in keys
        ]

    async def delete(self, key: Key) -> None:
        self.farm.jobs.pop(key.number, None)

    def phase(self, task: TaskContext, remote: int) -> PhaseInfo:
        if remote < 5:
            return PhaseInfo(Phase.RUNNING, progress=remote / 5)
        return PhaseInfo.succeeded(LiteralMap(literals={"crop": integer(7)}))


class NoExecutor(TemplateExecutor):
    def execute(self, template: object, **inputs: object) -> object:
        raise AssertionError("the plugin runs it")


class Grow(PrebuiltTask):
    task_type = "farm"
    executor = NoExecutor

    def __init__(self, name: str) -> None:
        super().__init__(name, outputs=kwtypes(crop=int))


grow = [Grow(f"grow{number}") for number in range(4)]


@workflow
def season() -> tuple[int, int, int, int]:
    return grow[0](), grow[1](), grow[2](), grow[3]()


@pytest.mark.parametrize(("weather", "seed"), [(CALM, 0), *((STORM, seed) for seed in range(12))])
def test_a_plugin_runs_its_tasks_once_whatever_happens_to_the_engine(weather: object, seed: int) -> None:
    farm = Farm()
    with Simulation(seed, weather=weather, plugins=[lambda: FarmPlugin(farm)]) as sim:  # type: ignore[arg-type]
        run = sim.submit(season)
        sim.advance("10 minutes")
        sim.kill(0)
        sim.advance("3 hours")
        assert run.result() == (7, 7, 7, 7)
    assert farm.jobs == {}
    assert len(farm.made) == len(set(farm.made))


def test_the_same_seed_gives_the_same_log() -> None:
    logs = []
    for _ in range(2):
        farm = Farm()
        with Simulation(3, weather=STORM, plugins=[lambda farm=farm: FarmPlugin(farm)]) as sim:  # type: ignore[misc]
            sim.submit(season)
            sim.advance("3 hours")
            logs.append((sim.log, farm.made))
    assert logs[0] == logs[1]
