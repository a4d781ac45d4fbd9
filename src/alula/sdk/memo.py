"""The local cache in the way of an entity: look up, else run and put."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass

from alula._kits.aio import to_thread
from alula.idl import LiteralMap
from alula.sdk import local_cache
from alula.sdk.caching import CacheSettings
from alula.sdk.graph import Entity
from alula.sdk.local import Kept, LocalRun, kept_of, literal_of

Outputs = tuple[Kept, ...]


def through_cache(
    entity: Entity,
    settings: CacheSettings | None,
    inputs: dict[str, Kept],
    run: LocalRun,
    perform: Callable[[], Outputs],
) -> Outputs:
    """The outputs of an entity, from the cache if they are there and wanted, else from `perform`."""
    entry = _entry(entity, settings, inputs, run)
    if entry is None:
        return perform()
    with entry.cache.alone(entry.key) if entry.alone else nullcontext():
        found = entry.get()
        return found if found is not None else entry.put(perform())


async def through_cache_async(
    entity: Entity,
    settings: CacheSettings | None,
    inputs: dict[str, Kept],
    run: LocalRun,
    perform: Callable[[], Awaitable[Outputs]],
) -> Outputs:
    """`through_cache`, for those who are on an event loop."""
    entry = await to_thread(_entry, entity, settings, inputs, run) if settings is not None else None
    if entry is None:
        return await perform()
    async with entry.cache.alone_async(entry.key) if entry.alone else nullcontext():
        found = await to_thread(lambda: (entry.get(),))
        return found[0] if found[0] is not None else await to_thread(entry.put, await perform())


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where the outputs of one call are kept."""

    entity: Entity
    run: LocalRun
    cache: local_cache.LocalCache
    key: str
    alone: bool
    overwrite: bool

    def get(self) -> Outputs | None:
        found = None if self.overwrite else self.cache.get(self.key)
        if found is None:
            return None
        self.run.tell("cached", self.entity.short_name)
        return self._kept(found)

    def put(self, outputs: Outputs) -> Outputs:
        named = zip(self.entity.interface.outputs.items(), outputs, strict=True)
        place = self.run.place
        made = LiteralMap(literals={name: literal_of(kept, one.converter, place) for (name, one), kept in named})
        return self._kept(self.cache.put(self.key, self.entity.name, made, produced_below=place.prefix))

    def _kept(self, found: LiteralMap) -> Outputs:
        declared = self.entity.interface.outputs.items()
        return tuple(kept_of(found.literals[name], one.converter, self.run.place) for name, one in declared)


def _entry(entity: Entity, settings: CacheSettings | None, inputs: dict[str, Kept], run: LocalRun) -> _Entry | None:
    """Where the outputs are kept; None: they are not."""
    if settings is None or not run.cache or not local_cache.enabled() or not entity.interface.outputs:
        return None
    place, declared = run.place, entity.interface.inputs
    literals = {name: literal_of(kept, declared[name].converter, place) for name, kept in inputs.items()}
    key = local_cache.key(
        entity.name,
        settings,
        entity.interface.message(),
        LiteralMap(literals=literals),
        produced_below=place.prefix,
    )
    overwrite = run.overwrite_cache or local_cache.overwrite()
    return _Entry(entity, run, local_cache.local_cache(), key, settings.serialize, overwrite)
