"""Pools as people set and see them, and what waits for them."""

from __future__ import annotations

import asyncio

import pytest

from alula.admin import pools
from alula.admin.pools import PoolChange
from alula.admin.views import attempts, nodes
from alula.admin.why import why
from alula.errors import RequestError, Unknown
from alula.plugin.phase import LogLink, Phase, PhaseInfo
from alula.plugin.runner import Asks, Job, Shows, Started, Succeeded, Tell
from alula.plugin.showing import pack
from tests.unit.admin.office import desk, engine, integers, key, start, workflow
from tests.unit.engine.build import step
from tests.unit.engine.drive import FakeRunner, clock, ended, outputs, until, virtual


async def test_a_pool_is_made_and_changed_bit_by_bit() -> None:
    at = desk()
    assert await pools.pools(at) == []
    made = await pools.set_pool(at, "pg", PoolChange(3))
    assert (made.units, made.per_project, made.weights, made.priority) == (3, 0, {}, 0)
    await pools.set_pool(at, "pg", PoolChange(per_project=2))
    await pools.set_pool(at, "pg", PoolChange(weights={"a": 2.0, "b": 3.0}))
    made = await pools.set_pool(at, "pg", PoolChange(5, weights={"b": 1.0}, priority=-1))
    assert (made.units, made.per_project, made.weights, made.priority) == (5, 2, {"a": 2.0}, -1)
    assert [one.name for one in await pools.pools(at)] == ["pg"]


async def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(RequestError) as told:
        await pools.set_pool(desk(), "no name", PoolChange(None, -1, {"a": 0.0, "b": float("nan")}))
    for part in ("'no name' is no name", "there is no such pool", "-1", "project a is 0", "project b is nan"):
        assert part in str(told.value)


async def test_a_pool_that_is_not_there_is_unknown() -> None:
    with pytest.raises(Unknown, match="'pg'"):
        await pools.pool(desk(), "pg")


async def test_what_settings_say_is_applied_when_it_changes() -> None:
    at = desk()
    await pools.apply(at, {"pg": 3})
    await pools.set_pool(at, "pg", PoolChange(7))
    await pools.apply(at, {"pg": 3})
    assert (await pools.pool(at, "pg"))[0].units == 7
    await pools.apply(at, {"pg": 4})
    assert (await pools.pool(at, "pg"))[0].units == 4


def asking(job: Job, tell: Tell) -> None:
    """Takes a unit, shows what it does, and ends when the pool has grown."""

    def go() -> None:
        info = PhaseInfo(
            Phase.RUNNING, "stage 2 of 3", 0.5, (LogLink("page", "https://x/1"),), {"rows": 7, "part": "b"}
        )
        tell(Started())
        tell(Shows(pack(info)))
        asyncio.get_running_loop().call_later(20, tell, Succeeded(outputs(o0=1)))

    tell(Asks("pg", 1, go))


@virtual
async def test_who_waits_for_a_pool_says_so_everywhere_and_its_place_is_that_of_now() -> None:
    """S19, and M14's text."""
    at = desk(clock=clock())
    await pools.set_pool(at, "pg", PoolChange(1))
    made = await start(at, workflow(step("a"), step("b"), step("c")), inputs=integers())
    async with engine(at, FakeRunner(default=asking)):
        await until(at.store, made.record.id, "a", "running")
        await asyncio.sleep(3)
        [link] = await why(at, key("ex"), "c")
        assert (link.reason, link.text) == ("quota", "quota pg: 1 of 1 units in use, 1 before it")
        [view] = [one for one in await nodes(at, key("ex")) if one.path == "c"]
        assert view.waiting == link.text
        assert [one.waiting for one in await attempts(at, key("ex"), "c")] == [link.text]
        pool, line = await pools.pool(at, "pg")
        assert (pool.used, pool.holders, pool.waiting) == (1, 1, 2)
        held = (0, "ex", "a"), (1, "ex", "b"), (2, "ex", "c")
        assert [(one.place, one.execution, one.path) for one in line] == [*held]
        await until(at.store, made.record.id, "a", "succeeded")
        [link] = await why(at, key("ex"), "c")
        assert link.text == "quota pg: 1 of 1 units in use, 0 before it"
        await ended(at.store, made.record.id)


@virtual
async def test_what_plugins_say_of_running_attempts_is_shown_and_stays() -> None:
    at = desk(clock=clock())
    await pools.set_pool(at, "pg", PoolChange(1))
    made = await start(at, workflow(step("a")), inputs=integers())
    async with engine(at, FakeRunner(default=asking)):
        await until(at.store, made.record.id, "a", "running")
        await asyncio.sleep(3)
        [link] = await why(at, key("ex"), "a")
        assert link.reason == "running"
        assert link.text.endswith(": stage 2 of 3")
        [view] = [one for one in await nodes(at, key("ex")) if one.path == "a"]
        assert (view.reason, view.done, view.custom) == ("stage 2 of 3", 0.5, {"rows": 7, "part": "b"})
        await ended(at.store, made.record.id)
    [attempt] = await attempts(at, key("ex"), "a")
    assert (attempt.outside, attempt.links) == ("running", (LogLink("page", "https://x/1"),))
