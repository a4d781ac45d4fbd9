"""What every `Store` must do towards engines. Subclass all suites of a store at once, and say how to open it:

class TestMyStore(
    EngineStoreSuite, PoolStoreSuite, QueryStoreSuite, PageStoreSuite, EntityStoreSuite, PlanStoreSuite,
    DocumentStoreSuite, CacheStoreSuite
):
    @pytest.fixture
    def opening(self, tmp_path: Path) -> Callable[[], Store]:
        return lambda: MyStore(tmp_path / "store")

The tests are coroutines: pytest needs a plugin that runs them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from alula._kits.records import replace
from alula.errors import FenceLost, NameTaken, Unknown
from alula.store.records import (
    AttemptRecord,
    Changes,
    Claim,
    Ending,
    ExecutionKey,
    ExpansionRecord,
    NewExecution,
    NodeRecord,
    Parent,
    ProgressRecord,
    SignalRecord,
)
from alula.store.store import Store

NOW = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LONG = timedelta(hours=1)
EXPIRED = timedelta(0)
"""A lease of an engine that is never heard of again."""


def new(name: str = "x", *, fingerprint: str = "f", parent: Parent | None = None) -> NewExecution:
    key = ExecutionKey("p", "d", name)
    return NewExecution(key, f"workflow p:d:{name}:v1", b"closure", b"inputs", fingerprint, parent=parent)


def node(path: str, phase: str = "running", body: bytes = b"body") -> NodeRecord:
    return NodeRecord(path, phase, NOW, None, body)


def attempt(path: str, number: int = 0, *, open: bool = True) -> AttemptRecord:
    return AttemptRecord(path, number, "running" if open else "succeeded", open, NOW, NOW, None, b"body")


CLOSING = Changes(execution=Ending("succeeded", NOW, NOW + LONG, b"outputs"), closed=True)


async def claimed(store: Store, name: str = "x", *, owner: str = "a") -> Claim:
    """A new execution, in the hands of an engine that lives."""
    record, _ = await store.create(new(name))
    await store.beat(owner, lease=LONG)
    (claim,) = await store.claim(owner, limit=1, only=[record.id])
    return claim


class OpenedStore:
    """The fixtures of the suites."""

    @pytest.fixture
    def opening(self) -> Callable[[], Store]:
        """Opens the store under test, which is empty at first; each call gives another handle of the same store."""
        raise NotImplementedError("define the fixture `opening`")

    @pytest.fixture
    def another(self, opening: Callable[[], Store]) -> Iterator[Callable[[], Store]]:
        """Opens one more handle, which is closed after the test."""
        opened: list[Store] = []

        def handle() -> Store:
            opened.append(opening())
            return opened[-1]

        yield handle
        for store in opened:
            asyncio.run(store.aclose())

    @pytest.fixture
    def store(self, another: Callable[[], Store]) -> Store:
        return another()


class CreationSuite(OpenedStore):
    """Conformance of an `EngineStore`: creation and inboxes."""

    async def test_what_an_execution_is_created_with_is_kept(self, store: Store) -> None:
        whole = replace(
            new(),
            settings=b"settings",
            reference=7,
            labels={"team": "ü"},
            facts={"from": "a\nb"},
            signals={"go": b"yes"},
        )
        record, fresh = await store.create(whole)
        assert fresh
        assert (record.key, record.entity, record.fingerprint) == (whole.key, whole.entity, "f")
        assert (record.phase, record.open, record.owner, record.parent) == ("queued", True, "", None)
        assert (record.inputs, record.outputs, record.error) == (b"inputs", b"", "")
        assert (record.settings, record.reference) == (b"settings", 7)
        assert (dict(record.labels), dict(record.facts)) == ({"team": "ü"}, {"from": "a\nb"})
        assert record.started_at is None
        assert record.created_at.tzinfo is not None
        assert await store.execution_by_id(record.id) == record
        assert await store.closure(record.closure) == b"closure"
        assert await store.signals(record.id) == [SignalRecord("go", b"yes")]

    async def test_the_same_again_gives_what_is_there(self, store: Store) -> None:
        first, _ = await store.create(new())
        assert await store.create(new()) == (first, False)
        with pytest.raises(NameTaken, match="'x'"):
            await store.create(new(fingerprint="other"))
        assert len(await store.executions()) == 1

    async def test_many_may_be_created_at_once_and_one_of_each_name_is(self, store: Store) -> None:
        made = await asyncio.gather(*(store.create(new(str(i % 5))) for i in range(20)))
        assert sum(fresh for _, fresh in made) == 5
        assert len({record.id for record, _ in made}) == 5

    async def test_commands_come_in_order_and_stay_until_they_are_done(self, store: Store) -> None:
        claim, other = await claimed(store), await claimed(store, "y")
        await store.ask(claim.execution, "signal", path="go", body=b"yes")
        await store.ask(other.execution, "abort", body=b"why")
        await store.ask(claim.execution, "child_ended", path="n0", attempt=3)
        first, second = await store.commands([claim.execution])
        assert (first.kind, first.path, first.body) == ("signal", "go", b"yes")
        assert (second.kind, second.path, second.attempt) == ("child_ended", "n0", 3)
        assert len(await store.commands([other.execution, claim.execution])) == 3
        await store.commit(claim, Changes(commands_done=(first.id,)))
        assert await store.commands([claim.execution]) == [second]
        assert await store.commands([]) == []

    async def test_nothing_is_asked_of_what_is_not_there_or_closed(self, store: Store) -> None:
        claim = await claimed(store)
        with pytest.raises(Unknown):
            await store.ask(claim.execution + 99, "abort")
        await store.ask(claim.execution, "abort")
        await store.commit(claim, CLOSING)
        await store.ask(claim.execution, "abort")
        assert await store.commands([claim.execution]) == []

    async def test_the_end_of_a_child_comes_to_its_parent(self, store: Store) -> None:
        parent = await claimed(store, "parent")
        await store.create(new("child", parent=Parent(parent.execution, "n0/n1", 2)))
        (child,) = await store.claim("a", limit=1)
        await store.commit(child, replace(CLOSING, tell_parent=True))
        (told,) = await store.commands([parent.execution])
        assert (told.kind, told.path, told.attempt) == ("child_ended", "n0/n1", 2)
        await store.commit(parent, replace(CLOSING, tell_parent=True))  # it has none

    async def test_whoever_watches_is_woken(self, store: Store, another: Callable[[], Store]) -> None:
        for name, watching in (("same", store), ("other", another())):
            with heard(watching) as news:
                record, _ = await store.create(new(name))
                await news.of(record.id)
                await store.ask(record.id, "abort")
                await news.of(record.id)
                await store.beat("a", lease=LONG)
                (claim,) = await store.claim("a", limit=1, only=[record.id])
                news.forget()
                await store.release(claim)
                await news.of(record.id)
                (claim,) = await store.claim("a", limit=1, only=[record.id])
                news.forget()
                await store.commit(claim, CLOSING)
                await news.of(record.id)
                await store.reserve("key", "a", lease=LONG)
                news.forget()
                await store.free("key", "a")
                await news.of()


class EngineStoreSuite(CreationSuite):
    """Conformance of an `EngineStore`."""

    # Claims

    async def test_the_oldest_are_claimed_first_and_no_more_than_asked(self, store: Store) -> None:
        ids = [(await store.create(new(str(i))))[0].id for i in range(5)]
        await store.beat("a", lease=LONG)
        assert [claim.execution for claim in await store.claim("a", limit=2)] == ids[:2]
        assert [claim.execution for claim in await store.claim("a", limit=9, only=[ids[4], ids[0]])] == [ids[4]]
        assert [claim.execution for claim in await store.claim("a", limit=9)] == ids[2:4]
        assert await store.claim("a", limit=9) == []
        assert (await store.execution_by_id(ids[0])).owner == "a"

    async def test_a_first_claim_brings_what_there_is_and_no_later_one_does(self, store: Store) -> None:
        for name in ("one", "other"):
            record, _ = await store.create(replace(new(name), signals={"go": b"yes"} if name == "one" else {}))
            await store.ask(record.id, "abort", body=name.encode())
        await store.beat("a", lease=LONG)
        for claim in await store.claim("a", limit=2):
            first, loaded = claim.first, await store.load(claim)
            assert first == replace(loaded, closure=b"")
            assert first.record.owner == "a"
            assert [one.body for one in first.commands] == [first.record.key.name.encode()]
            await store.release(claim)
        assert [(claim.fence, claim.first) for claim in await store.claim("a", limit=2)] == [(2, None)] * 2

    async def test_what_an_engine_does_not_know_that_it_has_is_claimed_again(self, store: Store) -> None:
        ids = [(await store.create(new(str(i))))[0].id for i in range(3)]
        await store.beat("a", lease=LONG)
        lost = await store.claim("a", limit=2)
        assert [claim.execution for claim in await store.claim("a", limit=9)] == ids[2:]
        (found,) = await store.claim("a", limit=9, having=[ids[0], ids[2]])
        assert (found.execution, found.fence) == (ids[1], lost[1].fence + 1)
        with pytest.raises(FenceLost):
            await store.load(lost[1])
        await store.load(lost[0])

    async def test_a_living_engine_keeps_what_it_has(self, store: Store, another: Callable[[], Store]) -> None:
        await claimed(store)
        other = another()
        await other.beat("b", lease=LONG)
        assert await other.claim("b", limit=9) == []
        assert [(name, lives) for name, _, lives in await other.owners()] == [("a", True), ("b", True)]

    async def test_an_engine_that_is_not_heard_of_loses_what_it_has(
        self, store: Store, another: Callable[[], Store]
    ) -> None:
        old = await claimed(store)
        await store.commit(old, Changes(nodes=(node("n0"),)))
        await store.beat("a", lease=EXPIRED)
        other = another()
        await other.beat("b", lease=LONG)
        (claim,) = await other.claim("b", limit=9)
        assert claim.fence > old.fence
        with pytest.raises(FenceLost, match="'a'"):
            await store.commit(old, Changes(nodes=(node("n0", "failed"),)))
        with pytest.raises(FenceLost):
            await store.load(old)
        await store.release(old)
        loaded = await other.load(claim)
        assert loaded.record.owner == "b"
        assert loaded.nodes == (node("n0"),)

    async def test_what_is_given_back_is_taken_at_once(self, store: Store, another: Callable[[], Store]) -> None:
        claim, other = await claimed(store), another()
        await store.release(claim)
        await store.release(claim)
        with pytest.raises(FenceLost):
            await store.commit(claim, Changes())
        await other.beat("b", lease=LONG)
        (second,) = await other.claim("b", limit=1)
        await other.retire("b")
        await other.retire("b")
        with pytest.raises(FenceLost):
            await other.commit(second, Changes())
        (third,) = await store.claim("a", limit=1)
        assert claim.fence < second.fence < third.fence

    # Commits

    async def test_what_is_committed_is_loaded(self, store: Store, another: Callable[[], Store]) -> None:
        claim = await claimed(store)
        changes = Changes(
            nodes=(node(""), replace(node("n0", "succeeded", b""), ended_at=NOW + LONG)),
            attempts=(attempt("n0", 0, open=False), attempt("n0", 1), replace(attempt("n1"), started_at=None)),
            expansions=(ExpansionRecord("n1", b"workflow"),),
            signals=(SignalRecord("go", b"yes"),),
            progress=(ProgressRecord("n0", 1, 0.5, "half"), ProgressRecord("n1", 0, None, "")),
            execution=Ending("running", NOW),
        )
        await store.commit(claim, changes)
        for handle in (store, another()):
            loaded = await handle.load(claim)
            assert (loaded.record.phase, loaded.record.started_at, loaded.closure) == ("running", NOW, b"closure")
            assert set(loaded.nodes) == set(changes.nodes)
            assert set(loaded.attempts) == set(changes.attempts[1:])
            assert (loaded.expansions, loaded.signals) == (changes.expansions, changes.signals)
            at = claim.execution
            assert await handle.attempts(at) == list(changes.attempts)
            assert await handle.attempts(at, "n1") == [changes.attempts[2]]
            assert sorted(await handle.progress(at), key=lambda one: one.path) == list(changes.progress)
            assert await handle.expansions(at) == list(changes.expansions)

    async def test_a_row_takes_the_place_of_the_one_with_its_key(self, store: Store) -> None:
        claim = await claimed(store)
        await store.commit(claim, Changes(nodes=(node("n0"),), attempts=(attempt("n0"),)))
        again = Changes(
            nodes=(node("n0", "queued"), node("n0", "succeeded", b"new")),
            attempts=(attempt("n0", open=False),),
            progress=(ProgressRecord("n0", 0, 1.0, "late"),),
        )
        await store.commit(claim, again)
        assert await store.nodes(claim.execution) == [node("n0", "succeeded", b"new")]
        assert await store.attempts(claim.execution) == [attempt("n0", open=False)]
        assert await store.progress(claim.execution) == []

    async def test_expansions_and_answers_are_written_once(self, store: Store) -> None:
        claim = await claimed(store)
        for value in (b"first", b"second"):
            rows = (ExpansionRecord("n0", value),), (SignalRecord("go", value),)
            await store.commit(claim, Changes(expansions=rows[0], signals=rows[1]))
        assert await store.expansions(claim.execution) == [ExpansionRecord("n0", b"first")]
        assert await store.signals(claim.execution) == [SignalRecord("go", b"first")]

    async def test_a_closed_execution_ends_its_claim(self, store: Store) -> None:
        claim = await claimed(store)
        await store.commit(claim, Changes(execution=Ending("running", NOW)))
        await store.commit(claim, replace(CLOSING, execution=Ending("failed", None, NOW + LONG, b"", "because")))
        record = await store.execution_by_id(claim.execution)
        assert (record.phase, record.error, record.open, record.owner) == ("failed", "because", False, "")
        assert (record.started_at, record.ended_at) == (NOW, NOW + LONG)
        with pytest.raises(FenceLost):
            await store.commit(claim, Changes(nodes=(node("n0"),)))
        assert await store.claim("b", limit=9) == []
        assert await store.nodes(claim.execution) == []

    async def test_an_ended_execution_with_something_to_clean_up_stays_open(self, store: Store) -> None:
        claim = await claimed(store)
        await store.commit(claim, replace(CLOSING, closed=False, attempts=(attempt("n0"),)))
        await store.release(claim)
        (again,) = await store.claim("a", limit=1)
        assert (await store.load(again)).attempts == (attempt("n0"),)

    async def test_a_commit_that_lost_its_fence_touches_no_other(self, store: Store) -> None:
        claims = [await claimed(store, str(i)) for i in range(9)]
        stale = [replace(claim, fence=claim.fence - 1) for claim in claims[::3]]
        wrong = [replace(claim, owner="z") for claim in claims[1::3]]
        writing = Changes(nodes=(node("n0"),))
        tries = [*stale, *claims, *wrong]
        results = await asyncio.gather(*(store.commit(claim, writing) for claim in tries), return_exceptions=True)
        assert [isinstance(result, FenceLost) for result in results] == [True] * 3 + [False] * 9 + [True] * 3
        for claim in claims:
            assert await store.nodes(claim.execution) == [node("n0")]

    async def test_commits_of_one_claim_keep_their_order(self, store: Store) -> None:
        claim = await claimed(store)
        await asyncio.gather(*(store.commit(claim, Changes(nodes=(node("n0", str(i)),))) for i in range(100)))
        assert await store.nodes(claim.execution) == [node("n0", "99")]

    async def test_nothing_comes_after_the_commit_that_closes(self, store: Store) -> None:
        claim = await claimed(store)
        after = Changes(nodes=(node("late"),))
        results = await asyncio.gather(store.commit(claim, CLOSING), store.commit(claim, after), return_exceptions=True)
        assert isinstance(results[1], FenceLost)
        assert await store.nodes(claim.execution) == []

    async def test_a_commit_may_have_many_rows_and_big_ones(self, store: Store) -> None:
        claim = await claimed(store)
        nodes = tuple(node(f"n0[{i}]", body=b"%d" % i) for i in range(2_345))
        await store.commit(claim, Changes(nodes=(*nodes, node("big", body=bytes(5_000_000)))))
        found = await store.nodes(claim.execution)
        assert sorted(found[1:], key=lambda one: int(one.body)) == list(nodes)
        assert found[0].body == bytes(5_000_000)

    async def test_messages_may_hold_any_text(self, store: Store) -> None:
        claim = await claimed(store)
        odd = "zero \0, half \udc80, whole \U0001f600"
        await store.commit(
            claim,
            Changes(
                attempts=(attempt("n0"),),
                progress=(ProgressRecord("n0", 0, None, odd),),
                execution=Ending("failed", error=odd),
            ),
        )
        record = await store.execution_by_id(claim.execution)
        assert record.error.startswith("zero ")
        assert record.error.endswith("whole \U0001f600")
        (progress,) = await store.progress(claim.execution)
        assert progress.message.endswith("whole \U0001f600")


class Heard:
    """What somebody who watches is told."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._any, self._news = False, asyncio.Event()

    def wake(self, executions: Collection[int]) -> None:
        self._ids += executions
        self._any = self._any or not executions
        self._news.set()

    def forget(self) -> None:
        self._ids.clear()
        self._any = False

    async def of(self, execution: int | None = None) -> None:
        """Wait for news of an execution, or for any. A second is what it may take; the rest is for busy machines."""
        async with asyncio.timeout(15):
            while not (self._any or execution in self._ids or (execution is None and self._ids)):
                self._news.clear()
                await self._news.wait()
        self.forget()


@contextmanager
def heard(store: Store) -> Iterator[Heard]:
    """Watch a store inside of the block."""
    news = Heard()
    with store.watch(news.wake):
        yield news
