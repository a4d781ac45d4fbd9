"""What goes wrong with a server and with the way to it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from random import Random
from string import ascii_letters, digits
from typing import Any

import psycopg
import pytest

from alula._kits.records import replace
from alula.config import Durability
from alula.errors import (
    ConfigError,
    FenceLost,
    NameTaken,
    StoreDamaged,
    StoreError,
    StoreUnavailable,
    Unknown,
    Unstorable,
)
from alula.store import commits
from alula.store.connection import Connection
from alula.store.opening import open_store
from alula.store.plan_records import ProjectRecord
from alula.store.postgres import Postgres as Database
from alula.store.records import (
    CacheRecord,
    Changes,
    Condition,
    DocumentRecord,
    Ending,
    EntityRecord,
    ExecutionFilter,
    ExecutionKey,
    Page,
)
from alula.store.store import Store
from tests.conftest import needs
from tests.integration.store.rows import CLOSING, LONG, NOW, claimed, new, paths, step
from tests.servers.cutting import Cutting, cutting
from tests.servers.postgres import NoPostgres, Postgres, postgres_server

SHORT, PATIENT = timedelta(milliseconds=300), timedelta(seconds=90)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server that writes to the disk what it says it has written, and may be ended."""
    try:
        with postgres_server(durable=True) as running:
            yield running
    except NoPostgres as exc:
        needs("Postgres", str(exc))


@pytest.fixture
def url(server: Postgres) -> str:
    return server.database()


# Opening


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        open_store("postgresql://me:secret@127.0.0.1:9/store", busy_timeout=SHORT)
    assert caught.value.where == "127.0.0.1:9/store"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("password", ["se%cret", "se@cret", "se/cret", "se%zzcret", "se@x/y?cret"])
def test_a_password_that_divides_its_url_is_not_told(password: str) -> None:
    with pytest.raises(ConfigError, match="in a password write % as %25") as caught:
        open_store(f"postgresql://me:{password}@127.0.0.1:9/store?connect_timeout=3", busy_timeout=SHORT)
    assert "cret" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_text_that_no_database_takes_is_the_fault_of_who_gave_it(url: str) -> None:
    store = open_store(url)
    with pytest.raises(Unstorable, match="the character 0"):
        await store.entity("task", "p", "d", "a\0b", "v1")
    with pytest.raises(Unstorable, match="UTF-8"):  # as the shell hands on a byte that is none
        await store.entity("task", "p", "d", "a\udcffb", "v1")
    with pytest.raises(Unstorable, match="UTF-8"):
        await store.set_knob("a", "\udcff")
    await store.aclose()


def test_a_database_or_a_user_that_is_not_there_is_named_with_what_to_do(server: Postgres) -> None:
    for url in (server.url("nothing_like_it"), server.url().replace("postgres@", "nothing_like_it:secret@")):
        with pytest.raises(StoreUnavailable, match=r"lets nobody in: .*nothing_like_it") as caught:
            open_store(url, busy_timeout=SHORT)
        assert "createdb" in str(caught.value)
        assert "secret" not in str(caught.value)


def test_a_schema_that_is_not_there_is_said_to_be_missing(url: str) -> None:
    with pytest.raises(StoreUnavailable, match="no schema") as caught:
        open_store(f"{url}?options=-csearch_path%3Dalula", busy_timeout=SHORT)
    assert "CREATE SCHEMA" in str(caught.value)


def test_a_url_that_means_nothing_is_refused() -> None:
    with pytest.raises(ConfigError):
        open_store("postgresql://host/db?no_such_option=1")


async def test_a_database_of_a_newer_version_is_left_alone(url: str) -> None:
    await open_store(url).aclose()
    with psycopg.connect(url) as newer:
        newer.execute("UPDATE alula_version SET version_num = '9999'")
    with pytest.raises(StoreDamaged, match="9999"):
        open_store(url)


def test_tables_of_somebody_else_are_left_alone(url: str) -> None:
    with psycopg.connect(url) as other:
        other.execute("CREATE TABLE executions (id integer)")
    with pytest.raises(StoreDamaged, match="executions"):
        open_store(url)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_does_not_hold_every_text_is_refused(server: Postgres, encoding: str) -> None:
    """An error of a task with another letter could never be written down, and its execution never end."""
    url = server.database(f"ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    for _ in range(2):
        with pytest.raises(StoreError, match=f"encoding {encoding}"):
            open_store(url)


async def test_a_store_is_spoken_to_in_utf8_whatever_the_environment_says(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    store = open_store(f"{url}?client_encoding=LATIN1")
    claim = await claimed(store)
    await store.commit(claim, Changes(execution=Ending("failed", NOW, NOW, error="日本 🎉"), closed=True))
    assert (await store.execution_by_id(claim.execution)).error == "日本 🎉"
    await store.aclose()


async def test_several_may_make_the_same_store_at_once(url: str) -> None:
    stores = await asyncio.gather(*(asyncio.to_thread(open_store, url) for _ in range(5)))
    for i, store in enumerate(stores):
        await store.create(new(str(i)))
    assert len(await stores[0].executions()) == 5
    for store in stores:
        await store.aclose()


async def test_each_schema_may_have_a_store(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA other")
    one, other = open_store(url), open_store(f"{url}?options=-csearch_path%3Dother")
    await one.create(new("x"))
    assert await other.executions() == []
    for store in (one, other):
        await store.aclose()


# Fences


async def test_an_engine_that_stops_within_a_transaction_holds_its_execution_until_that_is_over(url: str) -> None:
    store = open_store(url)
    old = await claimed(store)
    await store.beat("a", lease=timedelta(0))
    await store.beat("b", lease=LONG)
    paused, go_on = threading.Event(), threading.Event()

    def work(connection: Connection) -> list[FenceLost | None]:
        lost = commits.write(connection, [(old, step("late"))])
        paused.set()
        assert go_on.wait(10)
        return lost

    engine = Database(url, durability=Durability.FULL, busy_timeout=PATIENT)
    writing = asyncio.create_task(asyncio.to_thread(engine.transact, work))
    await asyncio.to_thread(paused.wait)
    assert await store.claim("b", limit=9) == []
    go_on.set()
    assert await writing == [None]
    (claim,) = await store.claim("b", limit=9)
    assert (await store.load(claim)).nodes == step("late").nodes
    with pytest.raises(FenceLost):
        await store.commit(old, step("too late"))
    engine.close()
    await store.aclose()


async def test_rows_that_stay_locked_are_said_to_be(url: str) -> None:
    store = open_store(url, busy_timeout=SHORT)
    claim = await claimed(store)
    with psycopg.connect(url) as locker:
        locker.execute("SELECT * FROM executions FOR UPDATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.commit(claim, step("n0"))
    await store.commit(claim, step("n1"))
    assert await paths(store, claim.execution) == ["n1"]
    await store.aclose()


async def test_engines_that_stand_in_each_others_way_both_go_on(url: str) -> None:
    """Each creates what the other one does, in the other order, within a transaction: one of them must start again."""
    stores = [open_store(url), open_store(url)]
    names = [str(i) for i in range(40)]
    made = await asyncio.gather(
        *(stores[0].create(new(name)) for name in names), *(stores[1].create(new(name)) for name in reversed(names))
    )
    assert sum(fresh for _, fresh in made) == 40
    assert len(await stores[0].executions()) == 40
    for store in stores:
        await store.aclose()


async def test_what_no_database_takes_harms_nobody_else(url: str) -> None:
    store = open_store(url)
    one, other = await claimed(store, "one"), await claimed(store, "other")
    tries = [store.commit(one, step("n0")), store.commit(one, step("zero \0")), store.commit(other, step("n0"))]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert results[::2] == [None, None]
    assert isinstance(results[1], StoreError)
    assert await paths(store, one.execution) == await paths(store, other.execution) == ["n0"]
    await store.aclose()


async def test_the_longest_names_that_there_may_be_go_into_an_index(url: str) -> None:
    """It takes 2,700 bytes; what it cannot make shorter must be less than that."""
    rng = Random(0)

    def text(length: int) -> str:
        return "".join(rng.choices(ascii_letters + digits, k=length))

    key, what, flow = ExecutionKey(text(63), text(63), text(63)), text(500), text(500)
    made = replace(new(""), key=key, entity=f"launch_plan:p:d:{what}:v", workflow=f"workflow:p:d:{flow}:v")
    store = open_store(url)
    record, _ = await store.create(replace(made, principal=text(250), tags=(text(998),)))
    page = Page((Condition("principal", "in", (record.principal,)),), sort="duration")
    [(_, found)] = await store.page_executions(key.project, key.domain, page)
    assert found.tags == record.tags
    await store.aclose()


# The way to it


@pytest.fixture
def proxy(server: Postgres) -> Iterator[Cutting]:
    """Between the store and the server: swallows the answer to a COMMIT when it is told to."""
    with cutting(server.port, b"COMMIT") as running:
        yield running


@pytest.fixture
def far(url: str, proxy: Cutting, server: Postgres) -> str:
    return url.replace(str(server.port), str(proxy.port))


Act = Callable[[Store], Awaitable[object]]


async def _close(store: Store) -> None:
    (claim,) = await store.claim("a", limit=1)
    await store.commit(claim, replace(CLOSING, nodes=step("n0").nodes))


async def _again(proxy: Cutting, act: Awaitable[Any]) -> Any:
    """What an act gives whose transaction is made durable, but nobody hears of it."""
    proxy.arm()
    result = await act
    assert proxy.cut.is_set()
    return result


async def test_a_commit_whose_answer_is_lost_is_done_once(far: str, proxy: Cutting) -> None:
    store = open_store(far)
    claim = await claimed(store)
    await _again(proxy, store.commit(claim, step("n0")))
    assert await paths(store, claim.execution) == ["n0"]
    await _again(proxy, store.commit(claim, CLOSING))
    assert not (await store.execution_by_id(claim.execution)).open
    with pytest.raises(FenceLost):
        await store.commit(claim, CLOSING)
    await _again(proxy, store.delete(claim.execution))
    with pytest.raises(Unknown):
        await store.execution_by_id(claim.execution)
    await store.aclose()


async def test_a_creation_and_a_claim_whose_answers_are_lost_are_made_once(far: str, proxy: Cutting) -> None:
    store = open_store(far)
    record, fresh = await _again(proxy, store.create(new("x")))
    assert fresh
    assert await store.create(new("x")) == (record, False)
    await store.beat("a", lease=LONG)
    (claim,) = await _again(proxy, store.claim("a", limit=9))
    assert claim.fence == 1
    await store.commit(claim, step("n0"))
    entity = EntityRecord("task", "p", "d", "t", "v", "digest", b"")
    await _again(proxy, store.register([entity]))
    assert len(await store.entities("task")) == 1
    assert await _again(proxy, store.reserve("key", "a", lease=LONG)) is None
    assert len(await store.executions(ExecutionFilter(open=True))) == 1
    await store.aclose()


async def test_what_may_be_made_once_only_is_no_fault_of_who_made_it(far: str, proxy: Cutting) -> None:
    store = open_store(far)
    project = ProjectRecord("shop")
    await _again(proxy, store.put_project(project, new=True))
    with pytest.raises(NameTaken):
        await store.put_project(project, new=True)
    with pytest.raises(NameTaken):
        await _again(proxy, store.put_project(project, new=True))
    documents = [DocumentRecord("tag", "", name, b"body") for name in "ab"]
    await _again(proxy, store.put_documents(documents))
    for again in (documents, [documents[0]] * 2):
        with pytest.raises(NameTaken):
            await store.put_documents(again)
    for key in "ab":
        await store.put(CacheRecord(key, "task", b"outputs", "source", 7, NOW, NOW))
    gone = await _again(proxy, store.evict(above_bytes=7))
    assert [one.key for one in gone] == ["a"]
    assert [one.key for one in await store.cached()] == ["b"]
    await store.aclose()


async def test_a_session_that_the_server_ends_is_not_noticed(url: str) -> None:
    store = open_store(url)
    claim = await claimed(store)
    for count in range(3):
        await paths(store, claim.execution)
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'alula'")
        await store.commit(claim, step(count))
        assert len(await paths(store, claim.execution)) == count + 1
    await store.aclose()


# The server itself


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stop", "crash"])
async def test_a_server_that_comes_back_has_all_that_it_said_it_kept(
    server: Postgres, url: str, how: signal.Signals
) -> None:
    store, watching = (open_store(url, busy_timeout=PATIENT) for _ in range(2))
    claim = await claimed(store)
    news = asyncio.Event()
    with watching.watch(lambda executions: news.set() if not executions or claim.execution in executions else None):
        kept: list[str] = []
        half = asyncio.Event()

        async def write() -> None:
            for count in range(60):
                await store.commit(claim, step(f"n{count:02}"))
                kept.append(f"n{count:02}")
                if count == 20:
                    half.set()

        writing = asyncio.create_task(write())
        await half.wait()
        await asyncio.to_thread(server.stop, how)
        await asyncio.to_thread(server.start)
        await writing
        assert await paths(store, claim.execution) == kept
        await news.wait()  # the listener has come back, and says that it may have missed something
        news.clear()
        await store.ask(claim.execution, "abort")
        async with asyncio.timeout(30):
            await news.wait()
    await store.aclose()
    await watching.aclose()


async def test_a_server_that_stays_away_is_said_to_and_is_used_again_when_it_is_back(
    server: Postgres, url: str
) -> None:
    store = open_store(url, busy_timeout=SHORT)
    claim = await claimed(store)
    await asyncio.to_thread(server.stop)
    try:
        for call in (store.commit(claim, step("lost")), store.nodes(claim.execution), store.beat("a", lease=LONG)):
            with pytest.raises(StoreUnavailable) as caught:
                await call
            assert str(server.port) in caught.value.where
    finally:
        await asyncio.to_thread(server.start)
    await store.commit(claim, step("kept"))
    assert await paths(store, claim.execution) == ["kept"]
    await store.aclose()
