"""What every `Store` must do about units that executions share; `suites.stores` says how to use it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from alula._kits.records import replace
from alula.errors import FenceLost, Unknown
from alula.store.records import Changes, Claim, ExecutionKey, JobRecord, PoolRecord, StuckRecord
from alula.store.store import Store
from alula.testing.suites.stores import CLOSING, EXPIRED, LONG, NOW, OpenedStore, attempt, heard, new


async def opened(store: Store, name: str = "x", *, project: str = "p", count: int = 3, owner: str = "a") -> Claim:
    """An execution in the hands of an engine that lives, with open attempts `n0` to `n2`."""
    record, _ = await store.create(replace(new(name), key=ExecutionKey(project, "d", name)))
    await store.beat(owner, lease=LONG)
    (claim,) = await store.claim(owner, limit=1, only=[record.id])
    await store.commit(claim, Changes(attempts=tuple(attempt(f"n{i}") for i in range(count))))
    return claim


async def has(store: Store, claim: Claim, path: str, *, pool: str = "q", units: int = 1, priority: int = 0) -> bool:
    """Ask for units; gives whether the attempt has them."""
    place = await store.acquire(claim, path=path, number=0, pool=pool, units=units, priority=priority)
    assert place is not None
    assert place.granted or place.text
    return place.granted


def freed(*paths: str) -> Changes:
    """The commit that closes attempts."""
    return Changes(attempts=tuple(attempt(path, open=False) for path in paths), freed=tuple((one, 0) for one in paths))


async def told(store: Store, claim: Claim) -> list[str]:
    """The paths of the attempts that were granted units after they had to wait."""
    return [one.path for one in await store.commands([claim.execution]) if one.kind == "granted"]


class PoolStoreSuite(OpenedStore):
    """Conformance of a `PoolStore`."""

    async def test_no_more_than_there_are_and_first_come_first_served(self, store: Store) -> None:
        await store.set_pool(PoolRecord("q", 2))
        claim = await opened(store, count=4)
        assert [await has(store, claim, f"n{i}") for i in range(4)] == [True, True, False, False]
        assert [await has(store, claim, f"n{i}") for i in range(4)] == [True, True, False, False]
        place = await store.acquire(claim, path="n3", number=0, pool="q", units=1)
        assert place is not None
        assert place.text == "quota q: 2 of 2 units in use, 1 before it"
        await store.commit(claim, freed("n1"))
        assert await told(store, claim) == ["n2"]
        assert [await has(store, claim, f"n{i}") for i in (0, 2, 3)] == [True, True, False]
        use, line = await store.pool("q")
        assert (use.used, use.holders, use.waiting) == (2, 2, 1)
        assert [(lease.path, lease.granted) for lease in line] == [("n0", True), ("n2", True), ("n3", False)]

    async def test_changes_of_a_pool_at_one_moment_are_all_kept(
        self, store: Store, another: Callable[[], Store]
    ) -> None:
        await store.set_pool(PoolRecord("q", 0))
        stores = [store, another()]

        def more(before: PoolRecord | None) -> PoolRecord:
            assert before is not None
            return replace(before, units=before.units + 1)

        await asyncio.gather(*(one.change_pool("q", more) for one in stores for _ in range(10)))
        use, _ = await store.pool("q")
        assert use.pool.units == 20

        def refused(before: PoolRecord | None) -> PoolRecord:
            raise Unknown("no")

        with pytest.raises(Unknown):
            await store.change_pool("q", refused)

    async def test_a_grant_comes_as_a_command_and_wakes(self, store: Store, another: Callable[[], Store]) -> None:
        await store.set_pool(PoolRecord("q", 1))
        first, other = await opened(store, "x"), another()
        second = await opened(other, "y", owner="b")
        assert await has(store, first, "n0")
        assert not await has(other, second, "n1")
        with heard(other) as news:
            await store.commit(first, freed("n0"))
            await news.of(second.execution)
        (command,) = await other.commands([second.execution])
        assert (command.kind, command.path, command.attempt, command.body) == ("granted", "n1", 0, b"q")

    async def test_only_open_attempts_of_whoever_has_the_execution_ask(self, store: Store) -> None:
        await store.set_pool(PoolRecord("q", 1))
        claim = await opened(store)
        await store.commit(claim, Changes(attempts=(attempt("n0", open=False),)))
        for path in ("n0", "n9"):
            assert await store.acquire(claim, path=path, number=0, pool="q", units=1) is None
        with pytest.raises(FenceLost):
            await store.acquire(replace(claim, fence=claim.fence - 1), path="n1", number=0, pool="q", units=1)
        assert await store.leases(claim.execution) == []
        assert await has(store, claim, "n1")

    async def test_a_pool_that_nobody_made_has_no_units(self, store: Store) -> None:
        claim = await opened(store)
        place = await store.acquire(claim, path="n0", number=0, pool="new", units=2)
        assert place is not None
        assert "alula pool set new UNITS" in place.text
        assert [(use.pool.name, use.pool.units, use.waiting) for use in await store.pools()] == [("new", 0, 1)]
        await store.ensure_pool("new", 3)
        assert await told(store, claim) == ["n0"]
        await store.ensure_pool("new", 99)
        assert (await store.pool("new"))[0].pool == PoolRecord("new", 3)
        with pytest.raises(Unknown, match="'old'"):
            await store.pool("old")

    async def test_a_pool_grows_and_shrinks(self, store: Store) -> None:
        await store.set_pool(PoolRecord("q", 2))
        claim = await opened(store, count=5)
        for i in range(5):
            await has(store, claim, f"n{i}")
        await store.set_pool(PoolRecord("q", 3))
        assert await told(store, claim) == ["n2"]
        await store.set_pool(PoolRecord("q", 1))
        await store.commit(claim, freed("n0", "n1"))
        assert await told(store, claim) == ["n2"]
        await store.commit(claim, freed("n2"))
        assert await told(store, claim) == ["n2", "n3"]

    async def test_the_higher_priority_goes_first(self, store: Store) -> None:
        await store.set_pool(PoolRecord("q", 1, priority=1))
        claim = await opened(store, count=4)
        for i, priority in enumerate((0, 0, 5, 1)):
            await has(store, claim, f"n{i}", priority=priority)
        for path in ("n0", "n2", "n1"):
            await store.commit(claim, freed(path))
        assert await told(store, claim) == ["n2", "n1", "n3"]

    async def test_projects_share_by_their_weights(self, store: Store) -> None:
        await store.set_pool(PoolRecord("q", 3, weights={"heavy": 2.0}))
        blocker = await opened(store, "x", project="z")
        assert await has(store, blocker, "n0", units=3)
        light, heavy = await opened(store, "l", project="light"), await opened(store, "h", project="heavy")
        for claim in (light, heavy):
            for i in range(3):
                assert not await has(store, claim, f"n{i}")
        await store.commit(blocker, freed("n0"))
        assert await told(store, light) == ["n0"]
        assert await told(store, heavy) == ["n0", "n1"]

    async def test_a_project_has_no_more_than_it_may(self, store: Store) -> None:
        await store.set_pool(PoolRecord("q", 3, per_project=1))
        mine, theirs = await opened(store), await opened(store, "y", project="other")
        assert [await has(store, mine, "n0"), await has(store, mine, "n1")] == [True, False]
        assert await has(store, theirs, "n0")
        (_, (_, text)) = await store.leases(mine.execution)
        assert text == "quota q: project p has 1 of the 1 units that it may have, 0 before it"
        await store.commit(mine, freed("n0"))
        assert await told(store, mine) == ["n1"]

    async def test_leases_outlive_their_engine_and_go_with_their_execution(self, store: Store) -> None:
        await store.set_pool(PoolRecord("q", 1))
        claim = await opened(store)
        await has(store, claim, "n0")
        await has(store, claim, "n1")
        await store.beat("a", lease=EXPIRED)
        await store.beat("b", lease=LONG)
        (claim,) = await store.claim("b", limit=1)
        leases = (await store.load(claim)).leases
        assert [(lease.path, lease.units, lease.granted) for lease in leases] == [("n0", 1, True), ("n1", 1, False)]
        assert [await has(store, claim, "n0"), await has(store, claim, "n1")] == [True, False]
        await store.commit(claim, CLOSING)
        other = await opened(store, "y", owner="b")
        assert not await has(store, other, "n0")
        await store.delete(claim.execution)
        assert await told(store, other) == ["n0"]

    async def test_many_may_ask_at_once(self, store: Store, another: Callable[[], Store]) -> None:
        await store.set_pool(PoolRecord("q", 3))
        await store.set_pool(PoolRecord("r", 30))
        handles = [store, another()]
        claims = [await opened(one, name, count=20, owner=name) for one, name in zip(handles, "xy", strict=True)]
        asking = [
            has(one, claim, f"n{i}", pool=pool)
            for i in range(20)
            for pool in ("q", "r")
            for one, claim in zip(handles, claims, strict=True)
        ]
        await asyncio.gather(*asking)
        (q, r) = await store.pools()
        assert (q.used, q.waiting, r.used, r.waiting) == (3, 37, 30, 10)

    async def test_what_is_kept_of_attempts_is_loaded_while_they_are_open(
        self, store: Store, another: Callable[[], Store]
    ) -> None:
        claim = await opened(store)
        first, second = JobRecord("n0", 0, b"state", 3, b"{}"), JobRecord("n1", 0, info=b'{"a":1}')
        await store.commit(claim, Changes(jobs=(second, replace(first, state=b"old"), first)))
        for handle in (store, another()):
            assert (await handle.load(claim)).jobs == (first, second)
        await store.commit(claim, Changes(attempts=(attempt("n0", open=False),)))
        assert (await store.load(claim)).jobs == (second,)
        assert await store.jobs(claim.execution) == [first, second]
        assert await store.jobs(claim.execution, "n0") == [first]

    async def test_quarantine_ends_when_the_attempt_is_closed(self, store: Store) -> None:
        claim, other = await opened(store), await opened(store, "y")
        stuck = StuckRecord("n0", 0, NOW, 3, "the remote says no", claim.execution)
        await store.commit(claim, Changes(stuck=(stuck,)))
        await store.commit(other, Changes(stuck=(replace(stuck, execution=other.execution),)))
        assert (await store.load(claim)).stuck == (stuck,)
        assert [one.execution for one in await store.stuck()] == [claim.execution, other.execution]
        await store.commit(claim, freed("n0"))
        assert await store.stuck(claim.execution) == []
        assert len(await store.stuck()) == 1

    async def test_limits_change_everywhere(self, store: Store, another: Callable[[], Store]) -> None:
        other = another()
        with heard(other) as news:
            await store.set_knob("backends.x.rate", "5")
            await news.of()
        await store.set_knob("backends.x.rate", "7")
        await store.set_knob("a", "b")
        assert await other.knobs() == {"a": "b", "backends.x.rate": "7"}
        await store.set_knob("a", "")
        assert await other.knobs() == {"backends.x.rate": "7"}

    async def test_a_store_has_a_tag_of_its_own(self, store: Store, another: Callable[[], Store]) -> None:
        tag = await store.tag()
        assert len(tag) == 8
        assert int(tag, 16) >= 0
        assert await another().tag() == await store.tag() == tag
