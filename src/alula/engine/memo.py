"""The cache of task outputs, for the driver: it answers what `nodes/cache.py` asks, and never makes a task fail.

Files are not copied: an entry refers to them where the attempt that made them left them, and retention keeps what an
entry refers to. A cache that cannot be asked is a miss each time, and one warning.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgpack
from google.protobuf.message import DecodeError

from alula._kits.aio import to_thread
from alula._kits.clock import Clock
from alula.config import CacheConfig
from alula.data import fingerprint
from alula.data.objects import ObjectStore
from alula.engine.codec import pack_values, read_values
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
from alula.engine.plan import NodePlan
from alula.engine.reservations import BROKEN, Reservations
from alula.engine.state import CacheStatus, Values
from alula.errors import AlulaError, StoreDamaged
from alula.idl import LiteralMap, TaskTemplate
from alula.store.records import CacheRecord, ExecutionKey
from alula.store.store import CacheStore

log = logging.getLogger(__name__)

_FORESEEN = (AlulaError, OSError, DecodeError, ValueError)
"""What a cache that does not work raises; ValueError is what reads msgpack and protobuf."""
_FORMAT = 1
_SOON = timedelta(milliseconds=100)
_LARGE = 256 * 1024
"""Bytes from which on values are looked at in a thread: it would hold the loop for too long."""
_SHRINKS_AFTER = 100
"""Entries put between two looks at how large the cache is."""

Freed = Callable[[ReservationFreed], None]


@dataclass(frozen=True, slots=True)
class Asker:
    """The execution that asks."""

    id: int
    key: ExecutionKey

    def text(self, path: str) -> str:
        """Who a node is, for people and as the holder of a reservation: `project:domain:name path`."""
        return f"{self.key.project}:{self.key.domain}:{self.key.name} {path}"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one record of the cache holds."""

    values: Values
    files: dict[str, fingerprint.Stamp] = field(default_factory=dict)
    """Local files that the values refer to, as they were."""

    def pack(self) -> bytes:
        return bytes(msgpack.packb([_FORMAT, pack_values(self.values), self.files]))

    @staticmethod
    def read(data: bytes) -> Entry:
        """Raises StoreDamaged."""
        try:
            version, values, files = msgpack.unpackb(data)
        except (ValueError, TypeError) as exc:
            raise StoreDamaged(f"a cache entry cannot be read: {exc}", fix="run alula cache clear") from exc
        if version != _FORMAT:
            raise StoreDamaged(
                f"a cache entry is of format {version}, and this engine knows {_FORMAT}",
                fix="run the version of Alula that wrote it, or alula cache clear",
            )
        return Entry(read_values(values), files)


class Memo:
    """Answers the cache commands of all sessions of one engine. `run` must be running for as long as any are open.

    Args:
        cache: Where entries and reservations are.
        objects: Where large values and files are.
        clock: The time.
        config: How long entries and reservations last.
        data: URI prefix of the files of executions.
    """

    def __init__(
        self, cache: CacheStore, objects: ObjectStore, clock: Clock, config: CacheConfig, *, data: str
    ) -> None:
        self._cache, self._objects, self._clock, self._config = cache, objects, clock, config
        self._below = data
        self._keys: dict[int, dict[str, str]] = {}
        """By execution and path: what a node asked for, so that a file it changes does not change its key."""
        self._puts = 0
        self._warned = False
        self._reservations = Reservations(cache, config.lease, there=self._there, warn=self._warn)

    async def look_up(self, asker: Asker, ask: LookUp) -> CacheHit | CacheMiss:
        """A hit, if an entry is there, young enough, and all its local files are what they were."""
        node = asker.id, ask.path
        try:
            key = await self._key(asker, ask.path, ask.node, ask.inputs)
            self._reservations.wait_no_more(key, node)
            found = await self._good(key)
        except BROKEN as exc:
            self._warn(exc)
            return CacheMiss(ask.path, ask.generation, failed=True)
        if found is None:
            return CacheMiss(ask.path, ask.generation)
        if not self._reservations.holds(node):
            self._forget(*node)
        record, entry = found
        return CacheHit(ask.path, ask.generation, entry.values, record.source)

    async def reserve(self, asker: Asker, ask: Reserve, freed: Freed) -> Reserved | ReservationHeld:
        """The reservation, which is kept alive until it is freed; or who waits is told through `freed`, at most once.

        With a broken cache everybody gets it: better to run twice than never.
        """
        if self._reservations.over((asker.id, ask.path), ask.generation):
            return Reserved(ask.path, ask.generation)
        try:
            key = self._key(asker, ask.path, ask.node, ask.inputs)
            until = await self._reservations.take(
                (asker.id, ask.path), key, asker.text(ask.path), lambda: freed(ReservationFreed(ask.path))
            )
        except BROKEN as exc:
            self._warn(exc)
            return Reserved(ask.path, ask.generation)
        if until is None:
            return Reserved(ask.path, ask.generation)
        now = self._clock.now()
        return ReservationHeld(ask.path, ask.generation, min(max(until, now + _SOON), now + self._config.lease))

    def free(self, asker: Asker, ask: Release) -> Coroutine[Any, Any, None]:
        """Give back what a node holds or waits for, and tell others who wait for it.

        What to do is settled by the call, so the session may be dropped before the coroutine runs.
        """
        known = self._keys.get(asker.id, {}).get(ask.path)
        self._forget(asker.id, ask.path)

        async def key() -> str | None:
            return known if known is not None else await self._key_of(asker, ask)

        return self._reservations.free((asker.id, ask.path), ask.generation, key, asker.text(ask.path))

    async def _key_of(self, asker: Asker, ask: Release) -> str | None:
        """Of what maybe the engine before this one has taken."""
        if ask.node is None:
            return None
        try:
            return await self._new_key(asker, ask.node, ask.inputs)
        except BROKEN as exc:
            self._warn(exc)
            return None

    async def keep(self, asker: Asker, ask: StoreInCache) -> CacheStored:
        """Keep outputs. An entry that is there and good stays, unless it is to be overwritten."""
        try:
            key = await self._key(asker, ask.path, ask.node, ask.inputs)
            entry, size = await self._entry(ask.outputs)
            if ask.overwrite or await self._good(key) is None:
                now = self._clock.now()
                data = entry.pack()
                record = CacheRecord(
                    key=key,
                    task=":".join(_names(asker, _template(ask.node))),
                    outputs=data,
                    source=asker.text(ask.path),
                    size_bytes=len(data) + size,
                    created_at=now,
                    used_at=now,
                )
                await self._cache.put(record, overwrite=True)
                await self._shrink()
        except BROKEN as exc:
            self._warn(exc)
            return CacheStored(ask.path, CacheStatus.PUT_FAILURE)
        finally:
            if not ask.node.policy.serializable:  # else it is freed next
                self._forget(asker.id, ask.path)
        return CacheStored(ask.path, CacheStatus.POPULATED)

    def drop(self, execution: int) -> None:
        """Forget an execution whose session ended. Reservations of its nodes stay for whoever goes on with it."""
        self._keys.pop(execution, None)
        self._reservations.drop(execution)

    def wake(self) -> None:
        """Something is new in the store, maybe by another process: a reservation may be free. Costs nothing."""
        self._reservations.wake()

    async def run(self) -> None:
        """Keep reservations alive, and look after those of others, until cancelled."""
        await self._reservations.run()

    async def _there(self, key: str) -> bool:
        try:
            return await self._good(key) is not None
        except BROKEN as exc:
            self._warn(exc)
            return False

    async def _good(self, key: str) -> tuple[CacheRecord, Entry] | None:
        """The entry under a key, if it can be used."""
        record = await self._cache.find(key)
        if record is None or self._old(record.created_at):
            return None
        entry = Entry.read(record.outputs)
        if entry.files and not await to_thread(_intact, entry.files):
            return None
        return record, entry

    async def _shrink(self) -> None:
        """Keep the cache within its limit, now and then. The files of what goes are left to retention."""
        self._puts += 1
        if self._puts % _SHRINKS_AFTER == 0:
            await self._cache.evict(above_bytes=self._config.limit_bytes)

    def _old(self, created_at: datetime) -> bool:
        limit = self._config.max_age
        return limit is not None and self._clock.now() - created_at > limit

    async def _key(self, asker: Asker, path: str, node: NodePlan, inputs: Values) -> str:
        known = self._keys.setdefault(asker.id, {})
        if path not in known:
            key = await self._new_key(asker, node, inputs)
            self._keys.setdefault(asker.id, {}).setdefault(path, key)
            return key
        return known[path]

    async def _new_key(self, asker: Asker, node: NodePlan, inputs: Values) -> str:
        template = _template(node)
        named, found = await self._whole(inputs)

        def make() -> str:
            return fingerprint.key(
                ":".join(_names(asker, template)),
                node.node.metadata.cache_version or template.metadata.discovery_version,
                template.interface,
                named,
                ignored=template.metadata.cache_ignore_input_vars,
                produced_below=self._below,
            )

        slow = named.ByteSize() > _LARGE or any(map(fingerprint.local_path, found))
        return await to_thread(make) if slow else make()

    async def _entry(self, outputs: Values) -> tuple[Entry, int]:
        """What is kept of outputs, and how many bytes of files they stand for. Raises DataError for a missing file."""
        _, found = await self._whole(outputs)
        found += [ref.uri for ref in outputs.refs]
        local = {path: None for uri in found if (path := fingerprint.local_path(uri)) is not None}
        files = await to_thread(_stamps, local) if local else {}
        return Entry(outputs, files), sum(fingerprint.size(stamped) for stamped in files.values())

    async def _whole(self, values: Values) -> tuple[LiteralMap, list[str]]:
        """Values with what they refer to, and every URI in them."""
        read = {uri: await self._objects.read(uri) for uri in dict.fromkeys(ref.uri for ref in values.refs)}

        def put_together() -> tuple[LiteralMap, list[str]]:
            whole = LiteralMap.FromString(values.data)
            maps = {uri: LiteralMap.FromString(data) for uri, data in read.items()}
            for ref in values.refs:
                if ref.var not in maps[ref.uri].literals:
                    raise StoreDamaged(f"there is no value named {ref.var!r}", where=ref.uri, fix="run the task again")
                whole.literals[ref.name].CopyFrom(maps[ref.uri].literals[ref.var])
            return whole, fingerprint.uris_in(whole.literals.values(), below=self._below)

        large = len(values.data) + sum(map(len, read.values())) > _LARGE
        return await to_thread(put_together) if large else put_together()

    def _forget(self, execution: int, path: str) -> None:
        known = self._keys.get(execution, {})
        known.pop(path, None)
        if not known:
            self._keys.pop(execution, None)

    def _warn(self, exc: Exception) -> None:
        if not isinstance(exc, _FORESEEN):
            log.error("memo.failed", exc_info=exc)
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        log.log(
            level,
            "memo.broken: the cache cannot be used, tasks run as if nothing were cached (%s: %s)",
            type(exc).__name__,
            exc,
        )


def _template(node: NodePlan) -> TaskTemplate:
    return node.task or TaskTemplate()


def _names(asker: Asker, template: TaskTemplate) -> tuple[str, str, str]:
    """Project, domain and name of a task; one that was not registered is its execution's."""
    id = template.id
    return id.project or asker.key.project, id.domain or asker.key.domain, id.name


def _stamps(paths: Iterable[Path]) -> dict[str, fingerprint.Stamp]:
    found = {}
    for path in paths:
        stamped = fingerprint.stamp(path)
        if stamped is None:
            raise StoreDamaged(f"{path} does not exist, so it cannot be found again", where=str(path))
        found[str(path)] = stamped
    return found


def _intact(files: dict[str, fingerprint.Stamp]) -> bool:
    return all(fingerprint.stamp(Path(path)) == stamped for path, stamped in files.items())
