"""Stores that fail as a seed says: before a call took effect, after it, slowly, or not at all.

Each engine of a simulation has a `FaultyStore` of its own over the one store that all share, and so can be cut off from
it alone. It may die at any call, before and after the effect.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, TypeVar

from alula.data.objects import ObjectStore
from alula.errors import DataError, StoreUnavailable
from alula.store.memory import MemoryStore
from alula.store.records import (
    AttemptRecord,
    CacheRecord,
    Changes,
    Claim,
    Command,
    EntityRecord,
    ExecutionFilter,
    ExecutionKey,
    ExecutionRecord,
    ExpansionRecord,
    JobRecord,
    LeaseRecord,
    Loaded,
    NewExecution,
    NodeRecord,
    Place,
    PoolRecord,
    PoolUse,
    ProgressRecord,
    SignalRecord,
    StuckRecord,
)
from alula.store.store import Wake
from alula.testing.sim.loop import Process

T = TypeVar("T")


@dataclass(slots=True)
class Dials:
    """How often things go wrong with stores. `budget` bounds it, so that in the end everything goes right."""

    rng: random.Random
    budget: int = 0
    before: float = 0.02
    """A call fails, and had no effect."""
    after: float = 0.02
    """A call fails, but it took effect."""
    slow: float = 0.03
    killed: float = 0.004
    """The engine dies at the call."""
    objects: float = 0.1
    """The object store fails."""
    latency: float = 0.002
    """Seconds that a call takes, on average."""
    longest: float = 8.0
    """Seconds that a slow call takes at most."""

    def trouble(self, chance: float) -> bool:
        """Whether something goes wrong now."""
        if self.budget <= 0 or self.rng.random() >= chance:
            return False
        self.budget -= 1
        return True


class FaultyStore:
    """One engine's way to the store.

    Args:
        inner: The store that all share.
        process: Whose way it is.
        dials: How often things go wrong.
        committed: Told of every commit that took effect.
        log: Told what goes wrong, one line at a time.
        die: Called where the process is to die.
    """

    def __init__(
        self,
        inner: MemoryStore,
        process: Process,
        dials: Dials,
        *,
        committed: Callable[[Claim, Changes], None],
        log: Callable[[str], None],
        die: Callable[[Process, str], None],
    ) -> None:
        self._inner, self._process, self._dials = inner, process, dials
        self._committed, self._log, self._die = committed, log, die
        self.cut_off = False
        """Nothing gets through."""

    async def _call(self, what: str, effect: Callable[[], Awaitable[T]]) -> T:
        dials = self._dials
        long = dials.rng.random() * dials.longest if dials.trouble(dials.slow) else 0.0
        await asyncio.sleep(dials.latency * dials.rng.random() + long)
        if self._fails(dials.before):
            raise self._unavailable(what, "before")
        if dials.trouble(dials.killed):
            self._die(self._process, f"before {what}")
        result = await effect()
        if dials.trouble(dials.killed):
            self._die(self._process, f"after {what}")
        await asyncio.sleep(dials.latency * dials.rng.random())
        if self._fails(dials.after):
            raise self._unavailable(what, "after")
        return result

    def _fails(self, chance: float) -> bool:
        return self.cut_off or self._dials.trouble(chance)

    def _unavailable(self, what: str, when: str) -> StoreUnavailable:
        self._log(f"{self._process.name} {what} fails {when} its effect")
        return StoreUnavailable(f"the store did not answer to {what}", where="the simulation")

    # --- EngineStore ---

    async def beat(self, owner: str, *, lease: timedelta) -> None:
        await self._call("beat", lambda: self._inner.beat(owner, lease=lease))

    async def retire(self, owner: str) -> None:
        await self._call("retire", lambda: self._inner.retire(owner))

    async def claim(
        self, owner: str, *, limit: int, only: Collection[int] | None = None, having: Collection[int] | None = None
    ) -> Sequence[Claim]:
        claims = await self._call("claim", lambda: self._inner.claim(owner, limit=limit, only=only, having=having))
        for claim in claims:
            self._log(f"{self._process.name} has execution {claim.execution} with fence {claim.fence}")
        return claims

    async def load(self, claim: Claim) -> Loaded:
        return await self._call("load", lambda: self._inner.load(claim))

    async def commit(self, claim: Claim, changes: Changes) -> None:
        async def effect() -> None:
            await self._inner.commit(claim, changes)
            self._committed(claim, changes)

        await self._call("commit", effect)

    async def release(self, claim: Claim) -> None:
        await self._call("release", lambda: self._inner.release(claim))

    async def commands(self, executions: Collection[int]) -> Sequence[Command]:
        return await self._call("commands", lambda: self._inner.commands(executions))

    async def create(self, new: NewExecution) -> tuple[ExecutionRecord, bool]:
        return await self._call("create", lambda: self._inner.create(new))

    async def ask(self, execution: int, kind: str, *, path: str = "", attempt: int = 0, body: bytes = b"") -> None:
        await self._call("ask", lambda: self._inner.ask(execution, kind, path=path, attempt=attempt, body=body))

    @contextmanager
    def watch(self, wake: Wake) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        here = contextvars.copy_context()

        def deliver(news: Collection[int]) -> None:
            late = self._dials.rng.random() if self._dials.trouble(self._dials.slow) else 0.0
            if not self.cut_off:
                loop.call_later(late, wake, news, context=here)

        with self._inner.watch(deliver):
            yield

    # --- QueryStore ---

    async def execution(self, key: ExecutionKey) -> ExecutionRecord:
        return await self._call("execution", lambda: self._inner.execution(key))

    async def execution_by_id(self, id: int) -> ExecutionRecord:
        return await self._call("execution_by_id", lambda: self._inner.execution_by_id(id))

    async def executions(
        self, filter: ExecutionFilter | None = None, *, limit: int = 100, before: int = 0
    ) -> Sequence[ExecutionRecord]:
        return await self._call("executions", lambda: self._inner.executions(filter, limit=limit, before=before))

    async def count_open(self, limit: int) -> int:
        return await self._call("count_open", lambda: self._inner.count_open(limit))

    async def closure(self, digest: str) -> bytes:
        return await self._call("closure", lambda: self._inner.closure(digest))

    async def nodes(
        self, execution: int, *, after: str = "", limit: int = 0, phases: Collection[str] = ()
    ) -> Sequence[NodeRecord]:
        return await self._call("nodes", lambda: self._inner.nodes(execution, after=after, limit=limit, phases=phases))

    async def node(self, execution: int, path: str) -> NodeRecord | None:
        return await self._call("node", lambda: self._inner.node(execution, path))

    async def attempts(self, execution: int, path: str | None = None) -> Sequence[AttemptRecord]:
        return await self._call("attempts", lambda: self._inner.attempts(execution, path))

    async def expansions(self, execution: int) -> Sequence[ExpansionRecord]:
        return await self._call("expansions", lambda: self._inner.expansions(execution))

    async def signals(self, execution: int) -> Sequence[SignalRecord]:
        return await self._call("signals", lambda: self._inner.signals(execution))

    async def progress(self, execution: int) -> Sequence[ProgressRecord]:
        return await self._call("progress", lambda: self._inner.progress(execution))

    async def owners(self) -> Sequence[tuple[str, datetime, bool]]:
        return await self._call("owners", self._inner.owners)

    async def jobs(self, execution: int, path: str | None = None) -> Sequence[JobRecord]:
        return await self._call("jobs", lambda: self._inner.jobs(execution, path))

    async def stuck(self, execution: int | None = None) -> Sequence[StuckRecord]:
        return await self._call("stuck", lambda: self._inner.stuck(execution))

    async def tag(self) -> str:
        return await self._call("tag", self._inner.tag)

    # --- PoolStore ---

    async def acquire(
        self, claim: Claim, *, path: str, number: int, pool: str, units: int, priority: int = 0
    ) -> Place | None:
        return await self._call(
            "acquire",
            lambda: self._inner.acquire(claim, path=path, number=number, pool=pool, units=units, priority=priority),
        )

    async def set_pool(self, pool: PoolRecord) -> None:
        await self._call("set_pool", lambda: self._inner.set_pool(pool))

    async def change_pool(self, name: str, change: Callable[[PoolRecord | None], PoolRecord]) -> None:
        await self._call("change_pool", lambda: self._inner.change_pool(name, change))

    async def ensure_pool(self, name: str, units: int) -> None:
        await self._call("ensure_pool", lambda: self._inner.ensure_pool(name, units))

    async def pools(self) -> Sequence[PoolUse]:
        return await self._call("pools", self._inner.pools)

    async def pool(self, name: str, *, limit: int = 100) -> tuple[PoolUse, Sequence[LeaseRecord]]:
        return await self._call("pool", lambda: self._inner.pool(name, limit=limit))

    async def leases(self, execution: int) -> Sequence[tuple[LeaseRecord, str]]:
        return await self._call("leases", lambda: self._inner.leases(execution))

    async def knobs(self) -> Mapping[str, str]:
        return await self._call("knobs", self._inner.knobs)

    async def set_knob(self, key: str, value: str) -> None:
        await self._call("set_knob", lambda: self._inner.set_knob(key, value))

    # --- EntityStore ---

    async def register(self, entities: Sequence[EntityRecord]) -> None:
        await self._call("register", lambda: self._inner.register(entities))

    async def entity(self, kind: str, project: str, domain: str, name: str, version: str = "") -> EntityRecord:
        return await self._call("entity", lambda: self._inner.entity(kind, project, domain, name, version))

    async def entities(
        self, kind: str, *, project: str = "", domain: str = "", name: str = "", limit: int = 100
    ) -> Sequence[EntityRecord]:
        return await self._call(
            "entities", lambda: self._inner.entities(kind, project=project, domain=domain, name=name, limit=limit)
        )

    # --- CacheStore and Keeper ---

    async def find(self, key: str) -> CacheRecord | None:
        return await self._call("find", lambda: self._inner.find(key))

    async def put(self, record: CacheRecord, *, overwrite: bool = False) -> None:
        await self._call("put", lambda: self._inner.put(record, overwrite=overwrite))

    async def reserve(self, key: str, owner: str, *, lease: timedelta) -> datetime | None:
        return await self._call("reserve", lambda: self._inner.reserve(key, owner, lease=lease))

    async def reserved(self, key: str) -> bool:
        return await self._call("reserved", lambda: self._inner.reserved(key))

    async def free(self, key: str, owner: str) -> None:
        await self._call("free", lambda: self._inner.free(key, owner))

    async def evict(
        self,
        *,
        older_than: timedelta | None = None,
        unused_for: timedelta | None = None,
        above_bytes: int | None = None,
        dry_run: bool = False,
    ) -> Sequence[CacheRecord]:
        return await self._call(
            "evict",
            lambda: self._inner.evict(
                older_than=older_than, unused_for=unused_for, above_bytes=above_bytes, dry_run=dry_run
            ),
        )

    async def cached(self, *, after: str = "", limit: int = 1_000) -> Sequence[CacheRecord]:
        return await self._call("cached", lambda: self._inner.cached(after=after, limit=limit))

    async def delete(self, execution: int) -> None:
        await self._call("delete", lambda: self._inner.delete(execution))

    async def aclose(self) -> None:
        """The store is everybody's, and stays open."""


class FaultyObjects:
    """An object store that does not always answer, as a seed says; a write that fails may have taken effect."""

    def __init__(self, inner: ObjectStore, dials: Dials) -> None:
        self._inner, self._dials = inner, dials

    async def _reach(self, uri: str) -> None:
        dials = self._dials
        await asyncio.sleep(dials.latency * dials.rng.random())
        if dials.trouble(dials.objects):
            raise DataError("the object store did not answer", where=uri)

    async def read(self, uri: str, *, start: int = 0, length: int | None = None) -> bytes:
        await self._reach(uri)
        return await self._inner.read(uri, start=start, length=length)

    async def write(self, uri: str, data: bytes) -> None:
        await self._reach(uri)
        await self._inner.write(uri, data)
        await self._reach(uri)

    async def open_reader(self, uri: str) -> BinaryIO:
        await self._reach(uri)
        return await self._inner.open_reader(uri)

    async def open_writer(self, uri: str) -> BinaryIO:
        await self._reach(uri)
        return await self._inner.open_writer(uri)

    async def upload(self, path: Path, uri: str) -> None:
        await self._reach(uri)
        await self._inner.upload(path, uri)

    async def download(self, uri: str, path: Path) -> None:
        await self._reach(uri)
        await self._inner.download(uri, path)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        await self._reach(prefix)
        async for uri in self._inner.list(prefix):
            yield uri

    async def exists(self, uri: str) -> bool:
        await self._reach(uri)
        return await self._inner.exists(uri)

    async def size(self, uri: str) -> int:
        await self._reach(uri)
        return await self._inner.size(uri)

    async def modified(self, uri: str) -> datetime:
        await self._reach(uri)
        return await self._inner.modified(uri)

    async def delete(self, uri: str) -> None:
        await self._reach(uri)
        await self._inner.delete(uri)

    def local_path(self, uri: str) -> Path | None:
        return self._inner.local_path(uri)
