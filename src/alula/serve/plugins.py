"""The plugins of an engine, from settings: what they share, and limits that somebody changes while they run."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from alula._kits.clock import Clock
from alula._kits.units import duration
from alula.config import Config
from alula.data.objects import ObjectStore
from alula.data.settings import StoreSettings
from alula.errors import StoreError
from alula.hosting.host import Surroundings
from alula.hosting.hosts import Hosts
from alula.hosting.registry import Backends
from alula.hosting.secrets import Secrets
from alula.hosting.steps import Rules
from alula.plugin.runner import AttemptId, Runner
from alula.plugin.webapi import Limits
from alula.store.store import Store

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
"""Between two looks at the limits that are set in the store."""
_KINDS: Mapping[str, Callable[[str], Any]] = {"int": int, "float": float, "timedelta": duration}


class Plugins:
    """The plugins of one engine, while it runs. To be used on its loop.

    Args:
        workers: What runs Python tasks.
        callback: The signed URL that wakes an attempt.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        objects: ObjectStore,
        clock: Clock,
        *,
        workers: Runner | None,
        callback: Callable[[AttemptId], str | None] = lambda id: None,
    ) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._knobs: Mapping[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.backends = Backends.of(config.backends)
        around = Surroundings(
            clock=clock,
            rng=random.Random(),
            objects=objects,
            secrets=Secrets(os.environ, config.secrets.directory),
            rules=Rules(outage=config.engine.outage),
            limits=self.limits,
            pools=lambda pools: self._soon(self._ensure, pools),
            section=lambda name: self.backends.sections.get(name, {}),
            callback=callback,
            stores=StoreSettings.of_config(config.storage, os.environ),
        )
        self.hosts = Hosts(self.backends, around, workers=workers)

    def limits(self, plugin: str, limits: Limits) -> Limits:
        """The limits of a plugin, with what was set in the store: `backends.<plugin>.<limit>`."""
        kinds = {one.name: str(one.type) for one in fields(Limits)}
        changed: dict[str, Any] = {}
        for key, text in self._knobs.items():
            name = key.removeprefix(f"backends.{plugin}.")
            if name == key or kinds.get(name) not in _KINDS:
                continue
            try:
                value = _KINDS[kinds[name]](text)
            except ValueError:
                log.warning("limit.unreadable", extra={"key": key, "value": text})
                continue
            if value > (timedelta(0) if isinstance(value, timedelta) else 0):
                changed[name] = value
        return replace(limits, **changed) if changed else limits

    async def watch(self) -> None:
        """Follow the limits that are set in the store, until cancelled."""
        while True:
            if self.hosts.hosts:
                try:
                    self._knobs = await self._store.knobs()
                except StoreError as exc:
                    log.info("limits.unknown", extra={"error": str(exc)})
            await asyncio.sleep(_LOOK_SECONDS)

    def _soon(self, work: Callable[..., Any], *args: Any) -> None:
        """Begin something on the engine's loop; may be called from any thread."""

        def begin() -> None:
            task = self._loop.create_task(work(*args))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._loop.call_soon_threadsafe(begin)

    async def _ensure(self, pools: Mapping[str, int]) -> None:
        """Make the pools that a plugin draws from, unless somebody did."""
        for name, units in pools.items():
            while True:
                try:
                    await self._store.ensure_pool(name, units)
                    break
                except StoreError as exc:
                    log.info("pool.not_made", extra={"pool": name, "error": str(exc)})
                    await asyncio.sleep(_LOOK_SECONDS)

    async def aclose(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))
