"""What is alive because of us and should not be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from alula.admin.desk import Desk
from alula.admin.leaks import LeakKind, leaks
from alula.admin.views import attempts, nodes
from alula.admin.why import why
from alula.plugin.core import Owned, Plugin
from alula.plugin.runner import AttemptId, Job
from tests.unit.admin.office import desk, engine, integers, key, start, workflow
from tests.unit.engine.build import step
from tests.unit.engine.drive import FakeRunner, clock, ended, hang, until, virtual


class Remote(Plugin):
    """A remote with jobs of any name."""

    def __init__(self, *names: str, stubborn: bool = False) -> None:
        self.jobs, self.stubborn = list(names), stubborn

    async def owned(self) -> Sequence[Owned]:
        return [Owned(name, f"job {nth}") for nth, name in enumerate(self.jobs)]

    async def reclaim(self, job: Owned) -> None:
        if self.stubborn:
            raise RuntimeError("no")
        self.jobs.remove(job.name)


class Mute(Plugin):
    """Cannot say what it has."""


class Broken(Plugin):
    async def owned(self) -> Sequence[Owned]:
        raise ConnectionError("nobody there")


async def name_of(at: Desk, execution: str = "ex", path: str = "n0", number: int = 0) -> str:
    return AttemptId("p", "d", execution, path, number, await at.store.tag()).name


async def test_nothing_leaks_where_nothing_was() -> None:
    found = await leaks(desk(), {"mute": Mute()})
    assert (found.leaks, found.faults) == ([], [])


@virtual
async def test_what_a_plugin_has_and_no_open_attempt_is_leaks_and_is_reclaimed() -> None:
    at = desk(clock=clock())
    await start(at, workflow(step("n0")), inputs=integers())
    async with engine(at, FakeRunner(default=hang)):
        await until(at.store, 1, "n0", "running")
        mine, lost, other = await name_of(at), await name_of(at, "gone"), "afedcba98" + "0" * 32
        remote = Remote(mine, lost, other)
        [leak] = (await leaks(at, {"x": remote})).leaks
        assert (leak.kind, leak.name, leak.plugin, leak.what) == (LeakKind.UNKNOWN, lost, "x", "job 1")
        assert remote.jobs == [mine, lost, other]
        [leak] = (await leaks(at, {"x": remote}, reclaim=True)).leaks
        assert leak.reclaimed
        assert remote.jobs == [mine, other], "neither a living attempt's nor another store's"
        await at.store.ask(1, "abort")
        await ended(at.store, 1)


async def test_a_plugin_that_fails_is_told_of_and_others_are_asked_all_the_same() -> None:
    at = desk()
    lost = await name_of(at)
    found = await leaks(at, {"broken": Broken(), "stubborn": Remote(lost, stubborn=True)}, reclaim=True)
    assert [leak.reclaimed for leak in found.leaks] == [False]
    assert len(found.faults) == 2
    assert "nobody there" in found.faults[0]
    unsure = await leaks(at, {"broken": Broken()}, configured=())
    assert (len(unsure.faults), len(unsure.unasked)) == (0, 1)


@virtual
async def test_m30_an_abort_takes_seconds_though_the_clean_up_fails_which_is_shown_and_repeated() -> None:
    at, runner = desk(clock=clock()), FakeRunner(default=hang, broken=10_000)
    made = await start(at, workflow(step("n0")), inputs=integers())
    async with engine(at, runner):
        await until(at.store, made.record.id, "n0", "running")
        await at.store.ask(made.record.id, "abort", body=b"enough")
        await asyncio.sleep(5)
        record = await at.store.execution_by_id(made.record.id)
        assert (record.phase, record.open) == ("aborted", True)
        await asyncio.sleep(20)
        [leak] = (await leaks(at)).leaks
        assert (leak.kind, leak.execution, leak.path) == (LeakKind.QUARANTINED, "ex", "n0")
        assert "the machine says no" in leak.what
        assert [one.reason for one in await why(at, key("ex"), "n0")] == ["ended", "cleanup"]
        assert "in quarantine" in next(one.stuck for one in await nodes(at, key("ex")) if one.path == "n0")
        assert "in quarantine" in (await attempts(at, key("ex")))[0].stuck
        tries = len(runner.closed)
        await asyncio.sleep(1800)
        assert len(runner.closed) > tries, "it is tried again for ever"
        runner.broken = 0
        [leak] = (await leaks(at, reclaim=True)).leaks
        assert leak.reclaimed
        await ended(at.store, made.record.id, within=2)
    assert (await leaks(at)).leaks == []


class Silent(FakeRunner):
    """Takes its time to clean up."""

    finish: Callable[[str], None]

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        self.finish = done


@virtual
async def test_an_attempt_that_is_open_in_an_execution_that_has_ended_is_listed() -> None:
    at, runner = desk(clock=clock()), Silent(default=hang)
    made = await start(at, workflow(step("n0")), inputs=integers())
    async with engine(at, runner):
        await until(at.store, made.record.id, "n0", "running")
        await at.store.ask(made.record.id, "abort", body=b"enough")
        await asyncio.sleep(10)
        [leak] = (await leaks(at)).leaks
        assert (leak.kind, leak.execution, leak.path) == (LeakKind.OPEN, "ex", "n0")
        runner.finish("")
        await ended(at.store, made.record.id)
    assert (await leaks(at)).leaks == []
