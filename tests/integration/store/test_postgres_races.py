"""Transactions of several replicas that meet at the worst moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta

import psycopg
import pytest

from alula.errors import StoreUnavailable
from alula.store.opening import open_store
from alula.store.records import Changes, Claim, PoolRecord
from alula.store.store import Store
from alula.testing.suites.stores import attempt
from tests.conftest import needs
from tests.integration.store.rows import LONG, claimed, new, step
from tests.servers.cutting import cutting
from tests.servers.postgres import NoPostgres, Postgres, postgres_server


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    try:
        with postgres_server() as running:
            yield running
    except NoPostgres as exc:
        needs("Postgres", str(exc))


@pytest.fixture
def url(server: Postgres) -> str:
    return server.database()


Session = psycopg.AsyncConnection[tuple[object, ...]]


@asynccontextmanager
async def beside(url: str) -> AsyncIterator[Session]:
    """A session that stands in the way of the others, until its transaction is over."""
    session = await psycopg.AsyncConnection.connect(url)
    try:
        yield session
        await session.rollback()
    finally:
        await session.close()


async def stopped(url: str, count: int = 1) -> None:
    """Wait until so many transactions of the stores wait for a lock."""
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(30), await psycopg.AsyncConnection.connect(url, autocommit=True) as session:
        while True:
            row = await (await session.execute(blocked)).fetchone()
            if row == (count,):
                return


async def working(store: Store, name: str) -> Claim:
    """An execution with an open attempt."""
    claim = await claimed(store, name, owner=name)
    await store.commit(claim, Changes(attempts=(attempt("n0"),)))
    return claim


async def has(store: Store, claim: Claim) -> bool:
    place = await store.acquire(claim, path="n0", number=0, pool="q", units=1)
    assert place is not None
    return place.granted


@contextmanager
def braked(url: str, table: str) -> Iterator[None]:
    """Inside the block, transactions that write to a table stop in their COMMIT until it is over."""
    brake = f"""CREATE FUNCTION brake() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS
        $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER brake AFTER INSERT OR UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION brake();
        SELECT pg_advisory_lock(1)"""
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(brake.encode())
        yield


# How a server or a database is set up


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_no_unit_is_granted_twice_whatever_isolation_the_database_has(url: str, level: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {admin.info.dbname} SET default_transaction_isolation = '{level}'".encode())
    stores = [open_store(url), open_store(url)]
    await stores[0].set_pool(PoolRecord("q", 1))
    claims = [await working(store, name) for store, name in zip(stores, "xy", strict=True)]
    async with beside(url) as session:
        await session.execute("SELECT * FROM pools FOR UPDATE")
        asking = [asyncio.create_task(has(store, claim)) for store, claim in zip(stores, claims, strict=True)]
        await stopped(url, 2)
    assert sorted(await asyncio.gather(*asking)) == [False, True]
    for store in stores:
        await store.aclose()


async def test_several_may_make_a_store_at_once_whatever_isolation_the_database_has(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        set_level = f"ALTER DATABASE {admin.info.dbname} SET default_transaction_isolation = 'repeatable read'"
        admin.execute(set_level.encode())
    for store in await asyncio.gather(*(asyncio.to_thread(open_store, url) for _ in range(5))):
        await store.aclose()


# Pools


async def test_who_asks_for_units_while_their_pool_is_being_made_gets_them(url: str) -> None:
    store, admin = open_store(url), open_store(url)
    claim = await working(store, "x")
    with braked(url, "leases"):
        asking = asyncio.create_task(has(store, claim))
        await stopped(url)
        making = asyncio.create_task(admin.set_pool(PoolRecord("q", 1)))
        await asyncio.wait([making, asyncio.create_task(stopped(url, 2))], return_when=asyncio.FIRST_COMPLETED)
    assert not await asking
    await making
    assert [lease.granted for lease, _ in await store.leases(claim.execution)] == [True]
    assert [command.kind for command in await store.commands([claim.execution])] == ["granted"]
    for one in (store, admin):
        await one.aclose()


# Who has an execution


async def test_a_claim_that_becomes_durable_after_its_connection_broke_is_not_forgotten(
    server: Postgres, url: str
) -> None:
    """As behind a slow disk or a standby that commits wait for: the server goes on with a COMMIT that nobody awaits."""
    store = open_store(url)
    record, _ = await store.create(new("x"))
    with cutting(server.port, b"COMMIT") as proxy:
        engine = open_store(url.replace(str(server.port), str(proxy.port)), busy_timeout=timedelta(milliseconds=300))
        await engine.beat("a", lease=LONG)
        with braked(url, "executions"):
            claiming = asyncio.create_task(engine.claim("a", limit=9))
            await stopped(url)
            proxy.hang_up()
            with pytest.raises(StoreUnavailable):
                await claiming
            with pytest.raises(StoreUnavailable):  # what it has can't be known yet
                await engine.claim("a", limit=9, having=[])
        claims: Sequence[Claim] | None = None
        async with asyncio.timeout(30):
            while claims is None:
                with suppress(StoreUnavailable):  # the COMMIT is still under way
                    claims = await engine.claim("a", limit=9, having=[])
        [claim] = claims
        assert claim.execution == record.id
        await engine.commit(claim, step("n0"))
        await engine.aclose()
    await store.aclose()


async def test_what_an_engine_does_not_know_to_have_is_given_back_while_somebody_asks_for_something(url: str) -> None:
    store = open_store(url)
    claim = await claimed(store)
    async with beside(url) as session:
        await session.execute("SELECT * FROM executions FOR KEY SHARE")  # as `ask` does
        await store.claim("a", limit=9, having=[])
    [again] = await store.claim("a", limit=9)
    assert (again.execution, again.fence) == (claim.execution, claim.fence + 1)
    await store.aclose()
