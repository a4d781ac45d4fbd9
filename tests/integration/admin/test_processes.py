"""What is asked of a store by several processes at once, on SQLite and on Postgres."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from alula._kits.clock import SystemClock
from alula.admin import pools
from alula.admin.desk import Desk
from alula.admin.pools import PoolChange
from alula.admin.retention import Policy, collect
from alula.data.stores import Objects
from alula.errors import NameTaken
from alula.store.opening import open_store
from tests.integration.admin.process import ALONE, engine
from tests.unit.admin import office
from tests.unit.engine.drive import FakeRunner, ended, running

ROOT = Path(__file__).parents[3]
Other = subprocess.Popen[str]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "store.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def at(url: str, tmp_path: Path) -> Desk:
    return Desk(open_store(url), Objects(), str(tmp_path / "data"), SystemClock())


@pytest.fixture
def other(at: Desk, url: str) -> Iterator[Callable[[str, str], Other]]:
    started: list[Other] = []

    def start(what: str, name: str) -> Other:
        command = [sys.executable, "-m", "tests.integration.admin.process", what, url, at.data, name]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        started.append(subprocess.Popen(command, cwd=ROOT, text=True, **pipes))  # type: ignore[call-overload]
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


async def told(at: Desk) -> None:
    """Waits until something is new in the store, or a moment."""
    came = asyncio.Event()
    with at.store.watch(lambda _: came.set()), suppress(TimeoutError):
        await asyncio.wait_for(came.wait(), 0.1)


def line(process: Other) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def test_processes_that_create_the_same_name_at_once_get_one_execution(
    at: Desk, other: Callable[[str, str], Other]
) -> None:
    several = [other("create", "ex") for _ in range(3)]
    assert [line(one) for one in several] == ["ready"] * 3
    for one in several:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate()[0].split() for one in several]
    assert len({id for id, _ in said}) == 1
    assert sorted(new for _, new in said) == ["False", "False", "True"]
    with pytest.raises(NameTaken, match="its inputs are other ones: a"):
        await office.start(at, inputs=office.integers(a=2))
    await at.store.aclose()


async def test_of_engines_in_two_processes_one_runs_the_task_and_its_death_lets_the_other_begin(
    at: Desk, other: Callable[[str, str], Other]
) -> None:
    holder = other("hold", "first")
    assert line(holder) == "started"
    waiting = await office.start(at, ALONE, name="second")
    one, runner = engine(at, office.adding, waiting.record.id, "waiting")
    async with running(one):
        while (row := await at.store.node(waiting.record.id, "n0")) is None or row.phase != "reserving":
            await told(at)
        assert runner.started == []
        holder.kill()
        record = await ended(at.store, waiting.record.id, within=60)
    assert record.phase == "succeeded"
    assert len(runner.started) == 1
    await at.store.aclose()


async def test_a_success_in_one_engine_is_a_hit_in_the_other(at: Desk) -> None:
    made = [await office.start(at, ALONE, name=name) for name in ("first", "second", "third")]
    engines = [engine(at, office.adding, one.record.id, one.record.key.name) for one in made]
    async with running(engines[0][0]), running(engines[1][0]), running(engines[2][0]):
        for one in made:
            assert (await ended(at.store, one.record.id)).phase == "succeeded"
    assert sum(len(runner.started) for _, runner in engines) == 1
    await at.store.aclose()


async def test_executions_go_with_rows_and_files_whenever_the_one_who_removes_them_dies(
    at: Desk, other: Callable[[str, str], Other]
) -> None:
    root = Path(at.data)
    several = [await office.start(at, name=f"ex{nth}") for nth in range(60)]
    async with office.engine(at, FakeRunner()):
        for made in several:
            await ended(at.store, made.record.id)
    for nth in range(60):
        for attempt in ("n0/0", "n1/0"):
            path = root / "p" / "d" / f"ex{nth}" / attempt / "log.txt"
            path.parent.mkdir(parents=True)
            path.write_text("a line\n")
    for _ in range(3):
        dying = other("collect", "")
        assert dying.stdin is not None
        for _ in range(20):  # more than are under way at a time
            assert line(dying)
            dying.stdin.write("go\n")
            dying.stdin.flush()
        dying.kill()
        dying.communicate()
        left = {record.key.name for record in await at.store.executions()}
        assert all((root / "p" / "d" / name / "n1/0/log.txt").exists() for name in left), "never rows without files"
    assert 0 < len(await at.store.executions()) < 60
    await collect(at, Policy(keep=0))
    assert not await at.store.executions()
    assert list(root.rglob("*.txt")) == []
    assert [path.name for path in (root / ".leftovers").iterdir() if "unfinished" not in path.name] == []
    await at.store.aclose()


async def test_what_the_cache_has_outlives_who_made_it(at: Desk) -> None:
    await office.run(at, await office.start(at, ALONE, name="first"))
    assert len((await collect(at, Policy(keep=0))).executions) == 1
    second = await office.start(at, ALONE, name="second")
    one, runner = engine(at, office.adding, second.record.id)
    async with running(one):
        await ended(at.store, second.record.id)
    assert runner.started == []
    trial = await collect(at, Policy(cache_above_bytes=0), dry_run=True)
    assert [entry.task for entry in trial.entries] == ["p:d:single"]
    assert (await collect(at, Policy(cache_above_bytes=0))).entries == trial.entries
    assert await at.store.cached() == []
    await at.store.aclose()


async def test_two_who_change_a_pool_at_one_moment_both_have_what_they_said(at: Desk, url: str) -> None:
    theirs = Desk(open_store(url), at.objects, at.data, at.clock)
    await pools.set_pool(at, "q", PoolChange(5))
    await asyncio.gather(
        pools.set_pool(at, "q", PoolChange(per_project=3)),
        pools.set_pool(theirs, "q", PoolChange(weights={"production": 4.0})),
    )
    [made] = await pools.pools(at)
    assert (made.units, made.per_project, made.weights) == (5, 3, {"production": 4.0})
    for desk in (at, theirs):
        await desk.store.aclose()
