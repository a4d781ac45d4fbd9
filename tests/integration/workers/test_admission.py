"""How many attempts run at once, and what the others are told."""

from __future__ import annotations

from pathlib import Path

from alula._kits.records import replace
from alula.backends.pool import room_of
from alula.config import WorkersConfig
from alula.idl import Resources, TaskNodeOverrides
from alula.plugin.runner import Failed, Started, Succeeded, Waits
from tests.integration.workers import programs
from tests.integration.workers.bench import bench, template, until


async def test_as_many_run_as_there_are_cores_and_the_others_are_told_why(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        await here.run(programs.add, a=1).end()
        paths = [tmp_path / name for name in ("a", "b", "c")]
        first, second, third = [here.run(programs.wait_for, path=str(path)) for path in paths]
        await until(lambda: third.told(Waits))
        assert third.reports == [Waits("for 1 of 2 cpus: taken by e1/n1, e1/n2")]
        assert first.told(Started)
        assert second.told(Started)
        paths[1].touch()
        await second.end()
        await until(lambda: third.told(Started))
        assert third.reports[1:] == [Waits(""), Started()]
        for path in paths:
            path.touch()
        await third.end()
        await first.end()


async def test_pools_can_share_the_room_of_one_machine(tmp_path: Path) -> None:
    room = room_of(WorkersConfig(cpus=1))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    async with bench(tmp_path / "a", room=room) as one, bench(tmp_path / "b", room=room) as other:
        first = one.run(programs.wait_for, path=str(tmp_path / "go on"))
        second = other.run(programs.add, a=1)
        await until(lambda: second.told(Waits))
        assert not second.told(Started)
        (tmp_path / "go on").touch()
        assert await second.value() == 3
        await first.end()


async def test_a_job_that_can_never_fit_fails_with_the_numbers(tmp_path: Path) -> None:
    async with bench(tmp_path, memory_bytes=1 << 30) as here:
        [report] = here.run(programs.enormous).reports
        assert isinstance(report, Failed)
        assert "asks for 64 cpus, and the workers here have 2: ask for less, or raise cpus" in report.failure.message
        assert not report.failure.recoverable
        assert "64 cpus" in here.pool.accepts(template(programs.enormous))


async def test_a_node_may_ask_for_something_else_than_its_task(tmp_path: Path) -> None:
    async with bench(tmp_path, memory_bytes=1 << 30) as here:
        overrides = TaskNodeOverrides()
        overrides.resources.requests.add(name=Resources.CPU, value="2")
        job = here.job(programs.enormous)
        small = replace(job, overrides=overrides)
        assert isinstance(await here.start(small).end(), Succeeded)
        overrides.resources.requests.add(name=Resources.MEMORY, value="2Gi")
        [report] = here.start(small).reports
        assert isinstance(report, Failed)
        assert "asks for 2 GiB of memory, and the workers here have 1 GiB" in report.failure.message
