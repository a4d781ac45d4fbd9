"""M26 and M27: what the cache answers, and that of equal tasks at one time one runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alula._kits.records import replace
from alula.config import CacheConfig
from alula.data.stores import Objects
from alula.engine.events import (
    CacheHit,
    CacheMiss,
    CacheStored,
    LookUp,
    Release,
    ReservationFreed,
    ReservationHeld,
    Reserve,
    Reserved,
    StoreInCache,
)
from alula.engine.memo import Asker, Memo
from alula.engine.plan import NodePlan, compile_plan
from alula.engine.state import CacheStatus, Ref, Values
from alula.errors import StoreUnavailable
from alula.idl import Literal, LiteralMap, literals
from alula.store.memory import MemoryStore
from alula.store.records import CacheRecord, ExecutionKey
from alula.testing.sim.loop import VirtualClock, virtual_loop
from tests.unit.compiler.build import ref, task_node
from tests.unit.engine.build import made

A, B = (Asker(n, ExecutionKey("p", "d", name)) for n, name in ((1, "first"), (2, "second")))
LEASE = timedelta(seconds=30)


def plan(name: str = "slow", **node: str) -> NodePlan:
    message = task_node("n0", name, x=ref("", "a"))
    if "cache_version" in node:
        message.metadata.cache_version = node["cache_version"]
    return compile_plan(made([message])).nodes[0]


def given(x: int | Literal = 1, **more: Literal) -> Values:
    return Values.of({"x": literals.integer(x) if isinstance(x, int) else x, **more})


def memo(store: MemoryStore, data: str = "memory://data", **config: Any) -> Memo:
    return Memo(store, Objects(), store.clock, CacheConfig(**config), data=data)


def ask(inputs: Values | None = None, node: NodePlan | None = None, path: str = "n0") -> LookUp:
    return LookUp(path, 7, node or plan(), inputs or given())


def keeping(outputs: Values, inputs: Values | None = None, *, overwrite: bool = False, **more: Any) -> StoreInCache:
    return StoreInCache("n0", more.get("node") or plan(), inputs or given(), outputs, overwrite)


OUT = Values.of({"o0": literals.integer(42)})


async def test_what_was_kept_is_a_hit_with_its_source() -> None:
    at = memo(MemoryStore())
    assert await at.look_up(A, ask()) == CacheMiss("n0", 7)
    assert await at.keep(A, keeping(OUT)) == CacheStored("n0", CacheStatus.POPULATED)
    assert await at.look_up(B, ask(path="n5")) == CacheHit("n5", 7, OUT, "p:d:first n0")


async def test_the_key_is_the_task_its_version_and_its_inputs() -> None:
    at = memo(MemoryStore())
    await at.keep(A, keeping(OUT))
    elsewhere = Asker(3, ExecutionKey("other", "d", "first"))
    other = plan()
    template = type(other.task)()
    template.CopyFrom(other.task)
    template.metadata.discovery_version = "2"
    for question in (
        ask(given(2), path="n1"),
        ask(node=plan("single"), path="n2"),
        ask(node=plan(cache_version="9"), path="n3"),
        ask(node=replace(other, task=template), path="n4"),
    ):
        assert isinstance(await at.look_up(B, question), CacheMiss)
    assert isinstance(await at.look_up(B, ask(path="n5")), CacheHit)
    assert template.id.project
    assert isinstance(await at.look_up(elsewhere, ask()), CacheHit), "the task is the same, whoever runs it"


async def test_a_task_without_a_project_is_its_executions() -> None:
    at, nameless = memo(MemoryStore()), plan()
    template = type(nameless.task)()
    template.CopyFrom(nameless.task)
    template.id.project = template.id.domain = ""
    nameless = replace(nameless, task=template)
    await at.keep(A, keeping(OUT, node=nameless))
    assert isinstance(await at.look_up(B, ask(node=nameless)), CacheHit)
    stranger = Asker(3, ExecutionKey("q", "d", "third"))
    assert isinstance(await at.look_up(stranger, ask(node=nameless)), CacheMiss)


async def test_descriptions_and_ignored_inputs_do_not_matter() -> None:
    at, other = memo(MemoryStore()), plan()
    template = type(other.task)()
    template.CopyFrom(other.task)
    template.interface.inputs.variables["x"].description = "what it is about"
    template.metadata.cache_ignore_input_vars.append("verbose")
    ignoring = replace(other, task=template)
    await at.keep(A, keeping(OUT, given(1, verbose=literals.boolean(True)), node=ignoring))
    assert isinstance(await at.look_up(B, ask(given(1), ignoring)), CacheHit)
    assert isinstance(await at.look_up(B, ask(given(1))), CacheHit)


async def test_a_hash_stands_for_the_content_at_any_depth() -> None:
    def hashed(content: str) -> Literal:
        lit = literals.string(content)
        lit.hash = "same"
        return literals.collection([lit])

    at = memo(MemoryStore())
    await at.keep(A, keeping(OUT, given(hashed("one"))))
    assert isinstance(await at.look_up(B, ask(given(hashed("two")))), CacheHit)


async def test_values_in_files_count_as_those_in_rows() -> None:
    store, objects = MemoryStore(), Objects()
    at = Memo(store, objects, store.clock, CacheConfig(), data="memory://data")
    whole = LiteralMap(literals={"o0": literals.integer(1)})
    await objects.write("memory://data/outputs.pb", whole.SerializeToString())
    await at.keep(A, keeping(OUT))
    by_reference = Values(refs=(Ref("x", "memory://data/outputs.pb", "o0"),))
    assert isinstance(await at.look_up(B, ask(by_reference)), CacheHit)


async def test_of_a_directory_the_empty_ones_in_it_count_too(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("x")
    given_directory = given(literals.blob(str(tmp_path / "a"), multipart=True))
    at = memo(MemoryStore(), data=str(tmp_path))
    await at.keep(A, keeping(OUT, given_directory))
    assert isinstance(await at.look_up(B, ask(given_directory)), CacheHit)
    (tmp_path / "a" / "empty").mkdir()
    assert isinstance(await at.look_up(B, ask(given_directory, path="n1")), CacheMiss)


async def test_local_files_count_by_content_and_a_changed_output_is_a_miss(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("same")
    (tmp_path / "b.txt").write_text("same")
    (tmp_path / "c.txt").write_text("other")
    (tmp_path / "out.txt").write_text("result")
    out = Values.of({"o0": literals.blob(str(tmp_path / "out.txt"))})
    at = memo(MemoryStore(), data=str(tmp_path))
    await at.keep(A, keeping(out, given(literals.blob(str(tmp_path / "a.txt")))))
    same, other = (ask(given(literals.blob(str(tmp_path / name)))) for name in ("b.txt", "c.txt"))
    assert isinstance(await at.look_up(B, same), CacheHit)
    assert isinstance(await at.look_up(B, replace(other, path="n1")), CacheMiss)
    (tmp_path / "out.txt").write_text("result, changed")
    assert await at.look_up(B, same) == CacheMiss("n0", 7)
    await at.keep(B, keeping(out, same.inputs))
    assert isinstance(await at.look_up(B, same), CacheHit), "a spoiled entry is replaced"
    (tmp_path / "out.txt").unlink()
    assert await at.look_up(B, same) == CacheMiss("n0", 7)
    assert await at.keep(B, keeping(out, same.inputs)) == CacheStored("n0", CacheStatus.PUT_FAILURE)


async def test_an_entry_stays_unless_it_is_overwritten() -> None:
    at, new = memo(MemoryStore()), Values.of({"o0": literals.integer(43)})
    await at.keep(A, keeping(OUT))
    await at.keep(B, keeping(new))
    assert (await at.look_up(B, ask())).outputs == OUT  # type: ignore[union-attr]
    await at.keep(B, keeping(new, overwrite=True))
    assert (await at.look_up(B, ask())).outputs == new  # type: ignore[union-attr]


def test_an_entry_that_is_too_old_counts_as_absent_and_is_replaced() -> None:
    async def main(store: MemoryStore) -> None:
        at, new = memo(store, max_age=timedelta(hours=1)), Values.of({"o0": literals.integer(43)})
        await at.keep(A, keeping(OUT))
        await asyncio.sleep(3_000)
        assert isinstance(await at.look_up(B, ask()), CacheHit)
        await asyncio.sleep(1_000)
        assert isinstance(await at.look_up(B, ask()), CacheMiss)
        await at.keep(B, keeping(new))
        assert isinstance(await at.look_up(B, ask()), CacheHit)

    virtually(main)


class Broken(MemoryStore):
    async def find(self, key: str) -> CacheRecord | None:
        raise StoreUnavailable("the disk is full")

    async def reserve(self, key: str, owner: str, *, lease: timedelta) -> Any:
        raise StoreUnavailable("the disk is full")


class Slow(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def reserve(self, key: str, owner: str, *, lease: timedelta) -> Any:
        self.asked.set()
        await self.go.wait()
        return await super().reserve(key, owner, lease=lease)


async def test_a_broken_cache_is_a_recorded_miss_and_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    at = memo(Broken())
    assert await at.look_up(A, ask()) == CacheMiss("n0", 7, failed=True)
    assert await at.look_up(B, ask()) == CacheMiss("n0", 7, failed=True)
    assert await at.keep(A, keeping(OUT)) == CacheStored("n0", CacheStatus.PUT_FAILURE)
    assert await at.reserve(A, Reserve("n0", 7, plan(), given()), nobody) == Reserved("n0", 7)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "the disk is full" in caplog.text


async def test_a_cache_beyond_its_limit_lets_the_longest_unused_go() -> None:
    store = MemoryStore()
    at = memo(store, limit_bytes=2_000)
    for x in range(100):
        await at.keep(A, replace(keeping(OUT, given(x)), path=f"n{x}"))
    left = await store.cached()
    assert 0 < sum(record.size_bytes for record in left) <= 2_000
    assert isinstance(await at.look_up(B, ask(given(99))), CacheHit)


async def test_damaged_entries_and_inputs_that_cannot_be_read_are_misses() -> None:
    store = MemoryStore()
    at = memo(store)
    await at.keep(A, keeping(OUT))
    [record] = await store.cached()
    await store.put(replace(record, outputs=b"\xffrubbish"), overwrite=True)
    assert await at.look_up(B, ask()) == CacheMiss("n0", 7, failed=True)
    missing = Values(refs=(Ref("x", "memory://data/nothing", "o0"),))
    assert await at.look_up(B, ask(missing, path="n1")) == CacheMiss("n1", 7, failed=True)


def test_a_reservation_is_kept_alive_until_it_is_freed() -> None:
    async def main(store: MemoryStore) -> None:
        ours, theirs = memo(store), memo(store)
        beating = asyncio.create_task(ours.run())
        assert await ours.reserve(A, reserving(), nobody) == Reserved("n0", 7)
        await asyncio.sleep(1_000)
        held = await theirs.reserve(B, reserving(), nobody)
        assert isinstance(held, ReservationHeld)
        assert store.clock.now() < held.retry_at <= store.clock.now() + LEASE
        await ours.free(A, Release("n0", 8))
        assert await theirs.reserve(B, reserving(), nobody) == Reserved("n0", 7)
        beating.cancel()

    virtually(main)


def test_the_reservation_of_an_engine_that_died_is_free_after_three_beats() -> None:
    async def main(store: MemoryStore) -> None:
        ours, theirs = memo(store), memo(store)
        beating = asyncio.create_task(ours.run())
        await ours.reserve(A, reserving(), nobody)
        await asyncio.sleep(55)
        beating.cancel()
        held = await theirs.reserve(B, reserving(), nobody)
        assert isinstance(held, ReservationHeld)
        assert held.retry_at - store.clock.now() <= LEASE
        await asyncio.sleep((held.retry_at - store.clock.now()).total_seconds())
        assert await theirs.reserve(B, reserving(), nobody) == Reserved("n0", 7)

    virtually(main)


async def test_another_engine_goes_on_with_the_reservation_of_a_node() -> None:
    store = MemoryStore()
    await memo(store).reserve(A, reserving(), nobody)
    assert await memo(store).reserve(A, reserving(), nobody) == Reserved("n0", 7)


async def test_who_waits_is_told_when_the_reservation_is_freed() -> None:
    at, told = memo(MemoryStore()), list[ReservationFreed]()
    await at.reserve(A, reserving(), nobody)
    for path in ("n1", "n2"):
        await at.reserve(B, replace(reserving(), path=path), told.append)
    await at.free(A, Release("n0", 8))
    assert told == [ReservationFreed("n1")], "it failed: one of those that wait is to try"
    assert await at.reserve(B, replace(reserving(), path="n1"), nobody) == Reserved("n1", 7)
    await at.keep(B, replace(keeping(OUT), path="n1"))
    await at.free(B, Release("n1", 8))
    assert told == [ReservationFreed("n1"), ReservationFreed("n2")]


async def test_who_waits_no_more_does_not_stand_in_the_way_of_others() -> None:
    at, told = memo(MemoryStore()), list[ReservationFreed]()
    await at.reserve(A, reserving(), nobody)
    for path in ("n1", "n2"):
        await at.reserve(B, replace(reserving(), path=path), told.append)
    await at.free(B, Release("n1", 8))  # it was aborted
    await at.free(A, Release("n0", 8))
    assert told == [ReservationFreed("n2")]


def test_who_waits_is_told_of_what_another_engine_did() -> None:
    async def main(store: MemoryStore) -> None:
        ours, theirs, told = memo(store), memo(store), list[ReservationFreed]()
        running = asyncio.create_task(theirs.run())
        with store.watch(lambda _: theirs.wake()):
            await ours.reserve(A, reserving(), nobody)
            await theirs.reserve(B, reserving(), told.append)
            await ours.free(A, Release("n0", 8))
            await asyncio.sleep(1)
        assert told == [ReservationFreed("n0")]
        running.cancel()

    virtually(main)


def test_while_another_engine_holds_it_nobody_is_told_however_much_happens() -> None:
    async def main(store: MemoryStore) -> None:
        ours, theirs = memo(store), memo(store)
        running = [asyncio.create_task(one.run()) for one in (ours, theirs)]
        await ours.reserve(A, reserving(), nobody)
        await theirs.reserve(B, reserving(), nobody)
        for _ in range(100):
            theirs.wake()
            await asyncio.sleep(1)
        for one in running:
            one.cancel()

    virtually(main)


async def test_what_is_freed_while_the_session_ends_is_freed_all_the_same() -> None:
    at = memo(MemoryStore())
    await at.reserve(A, reserving(), nobody)
    freeing = at.free(A, Release("n0", 8))
    at.drop(A.id)
    await freeing
    assert await at.reserve(B, reserving(), nobody) == Reserved("n0", 7)


async def test_a_reservation_that_comes_after_it_was_freed_is_given_back() -> None:
    store = Slow()
    at = memo(store)
    asking = asyncio.create_task(at.reserve(A, reserving(), nobody))
    await store.asked.wait()
    freeing = at.free(A, Release("n0", 8))
    store.go.set()
    await asking
    await freeing
    assert not store.open_reservations()


async def test_who_gives_back_and_asks_again_has_it_in_the_end() -> None:
    store = MemoryStore()
    at = memo(store)
    await at.reserve(A, reserving(), nobody)
    freeing = at.free(A, Release("n0", 8))
    again = asyncio.create_task(at.reserve(A, replace(reserving(), generation=9), nobody))
    await asyncio.sleep(0)  # it asks before the first one is given back
    await freeing
    assert await again == Reserved("n0", 9)
    assert list(store.open_reservations().values()) == [A.text("n0")]


async def test_a_question_that_comes_after_its_release_takes_nothing_and_a_later_one_does() -> None:
    store = MemoryStore()
    at = memo(store)
    await at.free(A, Release("n0", 7, plan("single"), given()))
    assert await at.reserve(A, reserving(), nobody) == Reserved("n0", 7), "nobody waits for it"
    assert not store.open_reservations()
    assert await at.reserve(A, replace(reserving(), generation=8), nobody) == Reserved("n0", 8)
    assert store.open_reservations()


async def test_what_the_engine_before_has_taken_is_given_back_before_it_is_taken_again() -> None:
    store = MemoryStore()
    await memo(store).reserve(A, reserving(), nobody)
    at = memo(store)
    freeing = at.free(A, Release("n0", 8, plan("single"), given()))
    again = asyncio.create_task(at.reserve(A, replace(reserving(), generation=9), nobody))
    await asyncio.sleep(0)
    await freeing
    await again
    assert list(store.open_reservations().values()) == [A.text("n0")]


def test_if_who_was_told_waits_for_a_slot_the_next_one_is_told() -> None:
    async def main(store: MemoryStore) -> None:
        at, told = memo(store), list[ReservationFreed]()
        running = asyncio.create_task(at.run())
        await at.reserve(A, reserving(), nobody)
        for path in ("n1", "n2", "n3"):
            await at.reserve(B, replace(reserving(), path=path), told.append)
        await at.free(A, Release("n0", 8))
        assert [event.path for event in told] == ["n1"]
        await asyncio.sleep(0.8)
        assert [event.path for event in told] == ["n1", "n2"]
        assert await at.reserve(B, replace(reserving(), path="n2"), nobody) == Reserved("n2", 7)
        await asyncio.sleep(100)
        assert [event.path for event in told] == ["n1", "n2"]
        running.cancel()

    virtually(main)


async def test_a_dropped_execution_leaves_nothing_behind() -> None:
    store = MemoryStore()
    at, told = memo(store), list[ReservationFreed]()
    await at.reserve(A, reserving(), nobody)
    await at.reserve(B, reserving(), told.append)
    at.drop(B.id)
    await at.free(A, Release("n0", 8))
    assert not told


def reserving() -> Reserve:
    return Reserve("n0", 7, plan("single"), given())


def nobody(event: ReservationFreed) -> None:
    raise AssertionError(f"nobody waits for {event}")


def virtually(main: Callable[[MemoryStore], Coroutine[Any, Any, None]]) -> None:
    """Runs a test in virtual time."""
    loop = virtual_loop()
    try:
        loop.run_until_complete(main(MemoryStore(VirtualClock(loop))))
    finally:
        loop.close()
