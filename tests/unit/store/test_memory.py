"""The store in memory: fences, leases, the inbox, wakes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alula.errors import FenceLost, NameTaken, Unknown
from alula.store.memory import MemoryStore
from alula.store.records import (
    AttemptRecord,
    CacheRecord,
    Changes,
    Claim,
    Ending,
    EntityRecord,
    ExecutionFilter,
    ExecutionKey,
    NewExecution,
    NodeRecord,
    Parent,
    ProgressRecord,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LEASE = timedelta(seconds=10)


class HandClock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(clock: HandClock) -> MemoryStore:
    return MemoryStore(clock)


def named(name: str, *, fingerprint: str = "f", parent: Parent | None = None) -> NewExecution:
    return NewExecution(ExecutionKey("p", "d", name), "workflow p:d:wf:v", b"closure", b"", fingerprint, parent=parent)


def node(path: str, phase: str = "running") -> NodeRecord:
    return NodeRecord(path, phase, NOW, None, b"body")


def attempt(path: str, number: int = 0, *, open: bool = True) -> AttemptRecord:
    return AttemptRecord(path, number, "running", open, NOW, NOW, None, b"")


async def claimed(store: MemoryStore, name: str = "one", owner: str = "a") -> Claim:
    await store.beat(owner, lease=LEASE)
    await store.create(named(name))
    [claim] = await store.claim(owner, limit=1)
    return claim


async def test_a_commit_under_an_old_fence_writes_nothing(store: MemoryStore, clock: HandClock) -> None:
    old = await claimed(store)
    clock.seconds = 11
    await store.beat("b", lease=LEASE)
    [new] = await store.claim("b", limit=5)
    assert new.fence > old.fence
    with pytest.raises(FenceLost):
        await store.commit(old, Changes(nodes=(node("n0"),)))
    assert await store.nodes(1) == []
    await store.commit(new, Changes(nodes=(node("n0"),)))
    assert [row.path for row in await store.nodes(1)] == ["n0"]


async def test_what_a_living_engine_has_is_not_claimed(store: MemoryStore, clock: HandClock) -> None:
    await claimed(store)
    await store.beat("b", lease=LEASE)
    clock.seconds = 9
    assert await store.claim("b", limit=5) == []
    await store.beat("a", lease=LEASE)
    clock.seconds = 18
    assert await store.claim("b", limit=5) == []
    await store.retire("a")
    assert [claim.execution for claim in await store.claim("b", limit=5)] == [1]


async def test_claims_go_by_age_and_may_be_narrowed(store: MemoryStore) -> None:
    for name in ("x", "y", "z"):
        await store.create(named(name))
    await store.beat("a", lease=LEASE)
    assert [claim.execution for claim in await store.claim("a", limit=9, only=[3])] == [3]
    assert [claim.execution for claim in await store.claim("a", limit=1)] == [1]


async def test_loading_gives_all_rows_but_closed_attempts(store: MemoryStore) -> None:
    claim = await claimed(store)
    await store.commit(claim, Changes(nodes=(node("n0"), node("n1")), attempts=(attempt("n0"), attempt("n1"))))
    await store.commit(claim, Changes(nodes=(node("n0", "succeeded"),), attempts=(attempt("n0", open=False),)))
    loaded = await store.load(claim)
    assert [(row.path, row.phase) for row in loaded.nodes] == [("n0", "succeeded"), ("n1", "running")]
    assert [row.path for row in loaded.attempts] == ["n1"]
    assert loaded.closure == b"closure"


async def test_a_closed_execution_is_no_longer_given_to_engines(store: MemoryStore) -> None:
    claim = await claimed(store)
    await store.commit(claim, Changes(execution=Ending("succeeded", NOW, NOW), closed=True))
    assert await store.claim("a", limit=5) == []
    with pytest.raises(FenceLost):
        await store.load(claim)
    record = await store.execution(ExecutionKey("p", "d", "one"))
    assert (record.phase, record.open, record.owner) == ("succeeded", False, "")


async def test_commands_stay_until_a_commit_carries_them_out(store: MemoryStore) -> None:
    claim = await claimed(store)
    await store.ask(1, "signal", path="go?", body=b"yes")
    await store.ask(1, "abort", body=b"enough")
    found = await store.commands([1])
    assert [(one.kind, one.path, one.body) for one in found] == [("signal", "go?", b"yes"), ("abort", "", b"enough")]
    await store.commit(claim, Changes(commands_done=(found[0].id,)))
    assert [one.kind for one in await store.commands([1])] == ["abort"]
    with pytest.raises(Unknown):
        await store.ask(77, "abort")


async def test_the_end_of_a_child_comes_into_its_parents_inbox(store: MemoryStore) -> None:
    await claimed(store)
    await store.create(named("child", parent=Parent(1, "n0", 2)))
    [claim] = await store.claim("a", limit=5)
    await store.commit(claim, Changes(execution=Ending("failed", NOW, NOW), tell_parent=True, closed=True))
    [told] = await store.commands([1])
    assert (told.kind, told.path, told.attempt) == ("child_ended", "n0", 2)


async def test_a_name_stands_for_one_fingerprint(store: MemoryStore) -> None:
    first, new = await store.create(named("one"))
    again, newer = await store.create(named("one"))
    assert (new, newer) == (True, False)
    assert first.id == again.id
    with pytest.raises(NameTaken):
        await store.create(named("one", fingerprint="g"))


async def test_watchers_are_woken_once_for_what_came_together(store: MemoryStore) -> None:
    heard: list[Collection[int]] = []
    with store.watch(heard.append):
        await store.create(named("one"))
        await store.ask(1, "abort")
        await store.create(named("two"))
        await asyncio.sleep(0)
        assert heard == [[1, 2]]
    await store.ask(1, "abort")
    await asyncio.sleep(0)
    assert heard == [[1, 2]]


async def test_progress_goes_with_its_attempt(store: MemoryStore) -> None:
    claim = await claimed(store)
    await store.commit(claim, Changes(attempts=(attempt("n0"),), progress=(ProgressRecord("n0", 0, 0.5, "half"),)))
    assert [row.done for row in await store.progress(1)] == [0.5]
    await store.commit(claim, Changes(attempts=(attempt("n0", open=False),)))
    await store.commit(claim, Changes(progress=(ProgressRecord("n0", 0, 0.9, "late"),)))
    assert await store.progress(1) == []


async def test_executions_come_newest_first_and_by_page(store: MemoryStore) -> None:
    for name in ("a", "b", "c"):
        await store.create(named(name))
    assert [one.key.name for one in await store.executions(limit=2)] == ["c", "b"]
    assert [one.key.name for one in await store.executions(limit=2, before=2)] == ["a"]
    assert [one.key.name for one in await store.executions(ExecutionFilter(name="b"))] == ["b"]
    with pytest.raises(Unknown, match="'bb'") as raised:
        await store.execution(ExecutionKey("p", "d", "bb"))
    assert "did you mean b?" in str(raised.value)


async def test_what_is_deleted_has_ended(store: MemoryStore) -> None:
    claim = await claimed(store)
    with pytest.raises(NameTaken):
        await store.delete(1)
    await store.commit(claim, Changes(closed=True))
    await store.delete(1)
    assert await store.executions() == []
    record, new = await store.create(named("one"))
    assert new
    assert record.id == 2


async def test_entities_are_written_once(store: MemoryStore) -> None:
    first = EntityRecord("task", "p", "d", "t", "v1", "x", b"spec")
    await store.register([first, replace(first, version="v2")])
    await store.register([first])
    with pytest.raises(NameTaken):
        await store.register([replace(first, version="v3"), replace(first, digest="y")])
    assert (await store.entity("task", "p", "d", "t")).version == "v2"
    assert [one.version for one in await store.entities("task")] == ["v2", "v1"]
    with pytest.raises(Unknown) as raised:
        await store.entity("task", "p", "d", "t", "v9")
    assert "v1, v2" in str(raised.value)


async def test_a_reservation_is_held_until_freed_or_run_out(store: MemoryStore, clock: HandClock) -> None:
    assert await store.reserve("k", "a", lease=LEASE) is None
    assert await store.reserve("k", "b", lease=LEASE) == NOW + LEASE
    await store.free("k", "b")
    assert await store.reserve("k", "b", lease=LEASE) == NOW + LEASE
    clock.seconds = 10
    assert await store.reserve("k", "b", lease=LEASE) is None
    assert store.open_reservations() == {"k": "b"}
    await store.free("k", "b")
    assert await store.reserve("k", "a", lease=LEASE) is None


async def test_the_cache_keeps_the_first_and_evicts_the_longest_unused(store: MemoryStore, clock: HandClock) -> None:
    def entry(key: str, outputs: bytes = b"first") -> CacheRecord:
        return CacheRecord(key, "t", outputs, "p:d:one n0", 10, clock.now(), clock.now())

    for key in ("a", "b", "c"):
        await store.put(entry(key))
        clock.seconds += 1
    await store.put(entry("a", b"second"))
    found = await store.find("a")
    assert found is not None
    assert found.outputs == b"first"
    await store.put(entry("b", b"second"), overwrite=True)
    assert [one.key for one in await store.evict(above_bytes=20, dry_run=True)] == ["c"]
    assert [one.key for one in await store.cached(after="a")] == ["b", "c"]
    assert [one.key for one in await store.evict(above_bytes=20)] == ["c"]
    clock.seconds += 100
    assert await store.find("b") is not None
    assert [one.key for one in await store.evict(unused_for=timedelta(seconds=99))] == ["a"]
