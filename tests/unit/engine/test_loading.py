"""Executions from the store into memory."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alula.engine.loading import Loader
from alula.errors import StoreDamaged
from alula.store.memory import MemoryStore
from alula.store.records import Loaded
from tests.unit.engine.build import made
from tests.unit.engine.drive import FakeRunner, clock, create, ended, engine, running, virtual
from tests.unit.engine.test_driver import chain


async def loaded(store: MemoryStore, id: int) -> Loaded:
    await store.beat("reader", lease=timedelta(hours=1))
    [claim] = await store.claim("reader", limit=1, only=[id])
    return await store.load(claim)


@virtual
async def test_executions_of_one_workflow_share_its_plan() -> None:
    store = MemoryStore(clock())
    loader = Loader(store)
    ids = [(await create(store, made(chain(3)), name=name)).id for name in ("a", "b")]
    first, second = [await loader.execution(await loaded(store, id)) for id in ids]
    assert first.root.graph is second.root.graph
    assert first is not second


@virtual
async def test_all_rows_of_a_reference_are_read_however_many() -> None:
    store = MemoryStore(clock())
    closure = made(chain(3))
    record = await create(store, closure)
    async with running(engine(store, FakeRunner())):
        await ended(store, record.id)
    again = await create(store, closure, name="again", reference=record.id)
    x = await Loader(store).execution(await loaded(store, again.id))
    assert x.reference.name == "ex"
    assert sorted(x.reference.nodes) == ["", "n0", "n1", "n2"]


@virtual
async def test_a_closure_that_cannot_be_read_is_damage() -> None:
    store = MemoryStore(clock())
    record = await create(store, made(chain(1)))
    found = await loaded(store, record.id)
    with pytest.raises(StoreDamaged):
        await Loader(store).execution(
            Loaded(found.record, b"\xff\xff", found.nodes, found.attempts, found.expansions, found.signals)
        )
