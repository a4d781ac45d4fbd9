"""What every `Store` must do towards people, registrations and the cache; `suites.stores` says how to use it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from alula._kits.records import replace
from alula.errors import NameTaken, Unknown
from alula.store.records import (
    CacheRecord,
    Changes,
    Condition,
    EntityRecord,
    ExecutionFilter,
    ExecutionKey,
    ExpansionRecord,
    NameRecord,
    Page,
    Parent,
    ProgressRecord,
    SignalRecord,
)
from alula.store.store import Store
from alula.testing.suites.stores import CLOSING, LONG, NOW, OpenedStore, attempt, claimed, new, node

SECOND = timedelta(seconds=1)


class QueryStoreSuite(OpenedStore):
    """Conformance of a `QueryStore` and a `Keeper`."""

    async def test_executions_are_listed_newest_first_and_in_pages(self, store: Store) -> None:
        ids = [(await store.create(new(str(i))))[0].id for i in range(5)]
        assert [record.id for record in await store.executions()] == ids[::-1]
        page = await store.executions(limit=2)
        assert [record.id for record in page] == [ids[4], ids[3]]
        assert [record.id for record in await store.executions(limit=9, before=ids[3])] == ids[2::-1]

    async def test_open_executions_are_counted_up_to_a_limit(self, store: Store) -> None:
        assert await store.count_open(9) == 0
        for i in range(5):
            await store.create(new(str(i)))
        await store.commit(await claimed(store, "done"), CLOSING)
        assert [await store.count_open(limit) for limit in (3, 5, 9)] == [3, 5, 5]

    async def test_each_part_of_a_filter_counts(self, store: Store) -> None:
        done = await claimed(store, "done")
        await store.commit(done, CLOSING)
        first, _ = await store.create(new("100%_x"))
        elsewhere = replace(new("child", parent=Parent(first.id, "n0", 0)), key=ExecutionKey("q", "e", "child"))
        child, _ = await store.create(elsewhere)

        async def found(filter: ExecutionFilter) -> list[int]:
            return [record.id for record in await store.executions(filter)]

        assert await found(ExecutionFilter(phases=("succeeded", "failed"))) == [done.execution]
        assert await found(ExecutionFilter(phases=("queued",))) == [child.id, first.id]
        assert await found(ExecutionFilter(open=False)) == [done.execution]
        assert await found(ExecutionFilter(open=True, top=True)) == [first.id]
        assert await found(ExecutionFilter(parent=first.id)) == [child.id]
        assert await found(ExecutionFilter(project="q", domain="e")) == [child.id]
        assert await found(ExecutionFilter(project="q", domain="d")) == []
        assert await found(ExecutionFilter(entity=":don")) == [done.execution]
        assert await found(ExecutionFilter(name="%_")) == [first.id]
        assert await found(ExecutionFilter(name="DONE")) == []
        assert await found(ExecutionFilter(created_after=child.created_at)) == []
        early = ExecutionFilter(created_before=child.created_at + SECOND, created_after=first.created_at - LONG)
        assert len(await found(early)) == 3

    async def test_what_is_not_there_is_unknown(self, store: Store) -> None:
        await store.create(new("training-run"))
        with pytest.raises(Unknown, match="training-run"):
            await store.execution(ExecutionKey("p", "d", "trainin-run"))
        with pytest.raises(Unknown):
            await store.closure("none")
        for call in (store.execution_by_id, store.nodes, store.attempts, store.expansions, store.signals):
            with pytest.raises(Unknown, match="4711"):
                await call(4711)
        with pytest.raises(Unknown, match="4711"):
            await store.progress(4711)
        with pytest.raises(Unknown, match="4711"):
            await store.node(4711, "n0")
        assert (await store.execution(ExecutionKey("p", "d", "training-run"))).key.name == "training-run"

    async def test_nodes_come_in_the_order_of_bytes_and_in_pages(self, store: Store) -> None:
        claim = await claimed(store)
        paths = ["", "Z", "a", "n0", "n0/n1", "n0[10]", "n0[9]", "n1", "é", "日本"]
        assert paths == sorted(paths, key=str.encode)
        rows = [node(path, "failed" if "[" in path else "running") for path in reversed(paths)]
        await store.commit(claim, Changes(nodes=tuple(rows)))
        at = claim.execution
        assert [one.path for one in await store.nodes(at)] == paths
        assert [one.path for one in await store.nodes(at, after="n0", limit=3)] == paths[4:7]
        assert [one.path for one in await store.nodes(at, phases=["failed"])] == ["n0[10]", "n0[9]"]
        assert [one.path for one in await store.nodes(at, phases=["failed", "x"], after="n0[10]")] == ["n0[9]"]
        assert await store.node(at, "é") == node("é")
        assert await store.node(at, "e") is None

    async def test_engines_are_listed_with_the_end_of_their_leases(self, store: Store) -> None:
        await store.beat("a", lease=LONG)
        await store.beat("b", lease=timedelta(0))
        (a, ends, lives), (b, ended, lived) = sorted(await store.owners())
        assert (a, lives, b, lived) == ("a", True, "b", False)
        assert LONG - SECOND * 30 < ends - ended <= LONG
        await store.retire("a")
        assert [name for name, _, _ in await store.owners()] == ["b"]

    async def test_deleting_takes_all_of_an_execution_and_nothing_else(self, store: Store) -> None:
        claim, kept = await claimed(store), await claimed(store, "kept")
        rows = Changes(
            nodes=(node("n0"),),
            attempts=(attempt("n0", open=False), attempt("n1")),
            expansions=(ExpansionRecord("n0", b""),),
            signals=(SignalRecord("go", b""),),
            progress=(ProgressRecord("n1", 0, 0.1, ""),),
        )
        await store.commit(claim, rows)
        await store.commit(kept, rows)
        with pytest.raises(NameTaken, match="'x'"):
            await store.delete(claim.execution)
        await store.commit(claim, CLOSING)
        await store.delete(claim.execution)
        with pytest.raises(Unknown):
            await store.delete(claim.execution)
        with pytest.raises(Unknown):
            await store.nodes(claim.execution)
        loaded = await store.load(kept)
        assert (len(loaded.nodes), len(loaded.attempts), loaded.closure) == (1, 1, b"closure")
        again, fresh = await store.create(new())
        assert fresh
        assert again.id > kept.execution
        assert await store.signals(again.id) == []


class EntityStoreSuite(OpenedStore):
    """Conformance of an `EntityStore`."""

    def entity(self, name: str = "t", version: str = "v1", *, digest: str = "1", kind: str = "task") -> EntityRecord:
        return EntityRecord(kind, "p", "d", name, version, digest, b"spec " + digest.encode(), b"closure")

    async def test_what_is_registered_is_found(self, store: Store) -> None:
        await store.register([self.entity(), replace(self.entity(version="v2"), created_at=NOW)])
        first = await store.entity("task", "p", "d", "t", "v1")
        assert replace(first, created_at=None) == self.entity()
        assert first.created_at is not None
        assert await store.entity("task", "p", "d", "t") == replace(self.entity(version="v2"), created_at=NOW)

    async def test_a_version_is_never_changed(self, store: Store) -> None:
        await store.register([self.entity()])
        await store.register([self.entity(), self.entity("u")])
        with pytest.raises(NameTaken, match="'v1'"):
            await store.register([self.entity("w"), self.entity("u", digest="2")])
        with pytest.raises(Unknown):
            await store.entity("task", "p", "d", "w")
        with pytest.raises(NameTaken):
            await store.register([self.entity("w"), self.entity("w", digest="2")])
        assert (await store.entity("task", "p", "d", "u")).digest == "1"

    async def test_what_is_not_registered_is_unknown(self, store: Store) -> None:
        await store.register([self.entity("train"), self.entity("train", "v2")])
        with pytest.raises(Unknown, match="v2"):
            await store.entity("task", "p", "d", "train", "v3")
        with pytest.raises(Unknown, match="train"):
            await store.entity("task", "p", "d", "trian")
        with pytest.raises(Unknown):
            await store.entity("workflow", "p", "d", "train")

    async def test_entities_are_listed_newest_first_without_their_contents(self, store: Store) -> None:
        await store.register([self.entity("a"), self.entity("b"), self.entity("a", "v2"), self.entity(kind="workflow")])
        listed = await store.entities("task")
        assert [(one.name, one.version, one.spec, one.closure) for one in listed] == [
            ("a", "v2", b"", b""),
            ("b", "v1", b"", b""),
            ("a", "v1", b"", b""),
        ]
        assert [one.version for one in await store.entities("task", name="a")] == ["v2", "v1"]
        assert len(await store.entities("task", project="p", domain="d", limit=1)) == 1
        assert await store.entities("task", project="other") == []

    async def test_entities_come_page_after_page_with_their_specs(self, store: Store) -> None:
        made = [self.entity(name, version) for name in ("b", "a") for version in ("v1", "v2")]
        await store.register([*made, self.entity("a", kind="workflow")])
        orders = {"created_at": made, "name": [*made[2:], *made[:2]], "version": [*made[::2], *made[1::2]]}
        for sort, expected in orders.items():
            for descending in (False, True):
                seen: list[EntityRecord] = []
                page = Page(sort=sort, descending=descending, limit=3)
                while found := await store.page_entities("task", "p", "d", page):
                    seen += [replace(one, created_at=None) for _, one in found]
                    page = replace(page, after=found[-1][0])
                wanted = [replace(one, closure=b"") for one in (expected[::-1] if descending else expected)]
                assert seen == wanted, (sort, descending)
        some = Page((Condition("name", "in", ("a", "c")), Condition("version", "holds", "2")))
        (last,) = await store.page_entities("task", "p", "d", some)
        assert (last[1].name, last[1].version) == ("a", "v2")
        assert await store.page_entities("task", "p", "other", Page()) == []

    async def test_names_come_once_each_with_what_is_said_of_them(self, store: Store) -> None:
        await store.register([self.entity(name, version) for name in "cab" for version in ("v1", "v2")])
        assert await store.name_of("task", "p", "d", "a") == NameRecord("task", "p", "d", "a")
        said = NameRecord("task", "p", "d", "a", "adds")
        for one in (replace(said, state=1), said):
            await store.describe(one)
            assert await store.name_of("task", "p", "d", "a") == one
        await store.describe(NameRecord("task", "p", "d", "c", state=1))
        page = Page(sort="name", descending=False, limit=2)
        first = await store.page_names("task", "p", "d", page)
        assert [one for _, one in first] == [said, NameRecord("task", "p", "d", "b")]
        rest = await store.page_names("task", "p", "d", replace(page, after=first[-1][0]))
        assert [(one.name, one.state) for _, one in rest] == [("c", 1)]
        active = Page((Condition("state", "in", (0,)),), "name")
        assert [one.name for _, one in await store.page_names("task", "p", "d", active)] == ["b", "a"]
        for call in (store.name_of("task", "p", "d", "x"), store.describe(NameRecord("task", "p", "d", "x"))):
            with pytest.raises(Unknown):
                await call


class CacheStoreSuite(OpenedStore):
    """Conformance of a `CacheStore`."""

    def entry(self, key: str, *, outputs: bytes = b"outputs", at: datetime = NOW, size: int = 10) -> CacheRecord:
        return CacheRecord(key, "p:d:t:v1", outputs, "p:d:x n0", size, at, at)

    async def test_an_entry_stays_until_it_is_overwritten(self, store: Store) -> None:
        assert await store.find("k") is None
        await store.put(self.entry("k"))
        await store.put(self.entry("k", outputs=b"later"))
        found = await store.find("k")
        assert found is not None
        assert replace(found, used_at=NOW) == self.entry("k")
        await store.put(self.entry("k", outputs=b"later"), overwrite=True)
        found = await store.find("k")
        assert found is not None
        assert found.outputs == b"later"

    async def test_entries_are_listed_by_key(self, store: Store) -> None:
        for key in ("b", "a", "c"):
            await store.put(self.entry(key))
        assert [entry.key for entry in await store.cached(after="a", limit=1)] == ["b"]
        assert list(await store.cached()) == [self.entry("a"), self.entry("b"), self.entry("c")]

    async def test_entries_go_by_age_by_use_and_by_size(self, store: Store) -> None:
        old, now = self.entry("old", at=NOW - timedelta(days=9_999)), (await store.create(new()))[0].created_at
        used = replace(self.entry("used", at=NOW - timedelta(days=9_999)), used_at=now)
        recent = [self.entry(f"recent{i}", at=now - timedelta(hours=9 - i), size=100) for i in range(4)]
        for entry in (used, old, *recent):
            await store.put(entry)
        would = await store.evict(unused_for=timedelta(days=1), dry_run=True)
        assert [entry.key for entry in would] == ["old"]
        assert [entry.key for entry in await store.evict(unused_for=timedelta(days=1))] == ["old"]
        assert [entry.key for entry in await store.evict(older_than=timedelta(days=1))] == ["used"]
        assert await store.find("recent0") is not None
        assert [entry.key for entry in await store.evict(above_bytes=250)] == ["recent1", "recent2"]
        assert [entry.key for entry in await store.cached()] == ["recent0", "recent3"]
        assert await store.evict() == []

    async def test_one_has_the_reservation_of_a_key(self, store: Store, another: Callable[[], Store]) -> None:
        other = another()
        assert not await other.reserved("k")
        assert await store.reserve("k", "a", lease=LONG) is None
        assert await store.reserve("k", "a", lease=LONG) is None
        assert await other.reserved("k")
        until = await other.reserve("k", "b", lease=LONG)
        assert until is not None
        assert until.tzinfo is not None
        await other.free("k", "b")
        assert await other.reserve("k", "b", lease=LONG) is not None
        await store.free("k", "a")
        await store.free("k", "a")
        assert not await other.reserved("k")
        assert await other.reserve("k", "b", lease=timedelta(0)) is None
        assert not await other.reserved("k")
        assert await store.reserve("k", "a", lease=LONG) is None

    async def test_of_many_who_want_a_reservation_one_gets_it(self, store: Store) -> None:
        results = await asyncio.gather(*(store.reserve("k", str(i), lease=LONG) for i in range(20)))
        assert results.count(None) == 1
