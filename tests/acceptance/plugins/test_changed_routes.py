"""Settings that change while jobs are open: who began a job follows it to its end, and nobody else begins another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from alula.idl import TaskTemplate
from alula.plugin.core import Plugin, PluginInfo
from alula.plugin.runner import AttemptId, Job, Succeeded, Tell
from alula.testing.sim.loop import virtual_loop
from tests.acceptance.plugins.plant import Plant, template
from tests.unit.hosting.stage import Cloud, CloudPlugin

TYPE = "python-task"


class One(CloudPlugin):
    info = PluginInfo("one", frozenset({TYPE}), opt_in=True)


class Two(CloudPlugin):
    info = PluginInfo("two", frozenset({TYPE}), opt_in=True)


class Workers:
    """A local runner whose tasks succeed at once."""

    local = True

    def __init__(self) -> None:
        self.began: list[str] = []

    async def open(self) -> None: ...

    async def aclose(self) -> None: ...

    def keep(self, seconds: float) -> None: ...

    def accepts(self, template: TaskTemplate) -> str:
        return "" if template.type == TYPE else "no"

    def start(self, job: Job, tell: Tell) -> None:
        self.began.append(job.id.name)
        tell(Succeeded())

    def wake(self, id: AttemptId) -> None: ...

    def forget(self, id: AttemptId) -> None: ...

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        done("")


class Place:
    """Two clouds and workers, and an engine whose settings give tasks to the first cloud."""

    def __init__(self) -> None:
        self.loop = virtual_loop()
        self.first, self.second = Cloud(self.loop, runs=60), Cloud(self.loop, runs=60)
        self.workers = Workers()
        self.plant = Plant(self.plugins(), settings=_to("one"), loop=self.loop, workers=self.workers)
        self.id = self.plant.submit(template(TYPE))
        self.plant.advance(5)
        assert (len(self.first.jobs), len(self.second.jobs), self.workers.began) == (1, 0, [])

    def plugins(self) -> list[Callable[[], Plugin]]:
        def one() -> Plugin:
            return One(self.first)

        def two() -> Plugin:
            return Two(self.second)

        return [one, two]

    def restart(self, settings: Mapping[str, Any], *, without_first: bool = False) -> None:
        self.plant.settings = settings
        self.plant.plugins = self.plugins()[without_first:]
        self.plant.crash()
        self.plant.advance(20)


def _to(name: str) -> Mapping[str, Any]:
    return {"routes": {TYPE: name}}


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.plant.bury()


@pytest.mark.parametrize("settings", [_to("two"), {}])
def test_a_job_is_followed_by_the_plugin_that_began_it(place: Place, settings: Mapping[str, Any]) -> None:
    place.restart(settings)
    assert (len(place.first.jobs), len(place.second.jobs), place.workers.began) == (1, 0, [])
    place.plant.advance(60)
    assert place.plant.phase(place.id) == "succeeded"
    assert place.plant.closed(place.id)
    assert not place.first.jobs
    assert (place.first.made, place.second.made, place.workers.began) == (1, 0, [])


@pytest.mark.parametrize("settings", [_to("two"), {}])
def test_and_deleted_by_it_after_an_abort(place: Place, settings: Mapping[str, Any]) -> None:
    place.plant.abort(place.id)
    place.restart(settings)
    assert place.plant.phase(place.id) == "aborted"
    assert place.plant.closed(place.id)
    assert not place.first.jobs


@pytest.mark.parametrize("settings", [_to("two"), {}])
def test_without_that_plugin_its_attempt_waits_and_says_for_what(place: Place, settings: Mapping[str, Any]) -> None:
    place.restart(settings, without_first=True)
    what = "plugin 'one' began it, and is not installed here any more; install it again: it may have left a job"
    assert place.plant.said(place.id) == {"n0": what}
    assert (len(place.first.jobs), len(place.second.jobs), place.workers.began) == (1, 0, [])
    place.plant.abort(place.id)
    place.plant.advance(20)
    assert place.plant.phase(place.id) == "aborted"
    assert not place.plant.closed(place.id)
    assert what in place.plant.said(place.id)["n0"]
    place.restart(_to("one"))
    place.plant.advance(300)
    assert place.plant.closed(place.id)
    assert not place.first.jobs


def test_new_tasks_go_where_settings_say_now(place: Place) -> None:
    place.restart(_to("two"))
    id = place.plant.submit(template(TYPE), name="later")
    place.plant.advance(5)
    assert (len(place.first.jobs), len(place.second.jobs)) == (1, 1)
    place.plant.advance(100)
    assert [place.plant.phase(each) for each in (place.id, id)] == ["succeeded", "succeeded"]


class Broken(One):
    def __init__(self) -> None:
        raise RuntimeError("no licence")


def test_an_abort_while_a_plugin_cannot_be_had_leaves_no_job(place: Place) -> None:
    place.plant.plugins = [Broken, *place.plugins()[1:]]
    place.plant.crash()
    place.plant.advance(20)
    assert "RuntimeError: no licence" in place.plant.said(place.id)["n0"]
    place.plant.abort(place.id)
    place.plant.advance(60)
    assert place.plant.phase(place.id) == "aborted"
    assert not place.plant.closed(place.id)
    place.restart(_to("one"))
    place.plant.advance(300)
    assert place.plant.closed(place.id)
    assert not place.first.jobs
