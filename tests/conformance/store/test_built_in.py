"""Every built-in store keeps the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from alula.config import Durability
from alula.store.memory import MemoryStore
from alula.store.opening import open_store
from alula.store.store import Store
from alula.testing.suites.documents import DocumentStoreSuite
from alula.testing.suites.pages import PageStoreSuite
from alula.testing.suites.plans import PlanStoreSuite
from alula.testing.suites.pools import PoolStoreSuite
from alula.testing.suites.records import CacheStoreSuite, EntityStoreSuite, QueryStoreSuite
from alula.testing.suites.stores import EngineStoreSuite


class WholeStore(
    EngineStoreSuite,
    PoolStoreSuite,
    QueryStoreSuite,
    PageStoreSuite,
    EntityStoreSuite,
    PlanStoreSuite,
    DocumentStoreSuite,
    CacheStoreSuite,
):
    """All suites of a store."""


class TestMemory(WholeStore):
    @pytest.fixture
    def opening(self) -> Callable[[], Store]:
        store = MemoryStore()
        return lambda: store


class TestSqlite(WholeStore):
    @pytest.fixture(params=list(Durability))
    def opening(self, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], Store]:
        return lambda: open_store(str(tmp_path / "store.db"), durability=request.param)


class TestPostgres(WholeStore):
    @pytest.fixture
    def opening(self, postgres_url: str) -> Callable[[], Store]:
        return lambda: open_store(postgres_url)
