"""An engine with all that it needs, put together from settings; and the same without an engine, to look and to ask."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from alula._kits import lazy, owners, scratch
from alula._kits.aio import to_thread
from alula._kits.clock import Clock, SystemClock
from alula.admin.desk import Desk
from alula.admin.pools import apply
from alula.config import Config
from alula.data.objects import ObjectStore
from alula.data.settings import adopt
from alula.data.stores import Objects
from alula.engine.driver import Engine
from alula.engine.memo import Memo
from alula.engine.observe import Observer
from alula.errors import ConfigError, StoreUnavailable
from alula.hosting.hosts import PLAIN
from alula.hosting.registry import Backends
from alula.idl import TaskTemplate
from alula.plugin.runner import Runner
from alula.serve.callbacks import Callbacks
from alula.serve.callbacks import callbacks as callbacks_of
from alula.serve.placed import Placed
from alula.serve.plugins import Plugins
from alula.store.opening import open_store
from alula.store.store import Store

if TYPE_CHECKING:
    from alula.serve import registering, web
else:
    registering = lazy.module("alula.serve.registering")
    web = lazy.module("alula.serve.web")  # an HTTP server, for those who want to be called back

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(slots=True)
class House:
    """A store and a place for files, and an engine while one runs here."""

    config: Config
    store: Store
    objects: ObjectStore = field(default_factory=Objects)
    clock: Clock = field(default_factory=SystemClock)
    engine: Engine | None = None
    plugins: Plugins | None = None
    """Those of the engine."""
    _running: asyncio.Task[None] | None = None
    _backends: Backends | None = None

    def check(self, template: TaskTemplate) -> list[str]:
        """What is wrong with a task, as the plugin says that would run it."""
        if template.type == PLAIN:
            return []
        if self._backends is None:
            self._backends = self.plugins.backends if self.plugins is not None else Backends.of(self.config.backends)
        return self._backends.faults_of(template)

    @property
    def desk(self) -> Desk:
        return Desk(self.store, self.objects, self.config.data_prefix, self.clock, backlog=self.config.engine.backlog)

    @property
    def local(self) -> bool:
        """Whether the store is a file on this machine."""
        return "://" not in self.config.store_url or self.config.store_url.startswith("sqlite:")

    @asynccontextmanager
    async def driving(
        self, runners: Sequence[Runner], *, everything: bool = False, observers: Sequence[Observer] = ()
    ) -> AsyncIterator[Engine]:
        """An engine that runs inside the block, and leaves nothing running. Plugins run what they claim.

        Args:
            runners: What other attempts are run by: the workers.
            everything: Drive all that is open in the store; else only what `Engine.drive` is told, and what that
                launches.

        Raises:
            StoreError: The store was lost for good; also out of whatever is awaited with `unless_lost`.
            ConfigError: The directory for files cannot be written; settings of plugins are wrong; callbacks cannot be
                served.
        """
        config = self.config
        await to_thread(scratch.sweep)
        await to_thread(_check, self.objects.local_path(config.data_prefix))
        await apply(self.desk, config.pools)
        callbacks = await to_thread(self._callbacks)
        self.plugins = plugins = Plugins(
            config,
            self.store,
            self.objects,
            self.clock,
            workers=runners[0] if runners else None,
            callback=callbacks.url if callbacks is not None else lambda id: None,
        )
        if everything or config.backends:
            await to_thread(plugins.backends.check)
        placed = Placed(plugins.hosts)
        engine = Engine(
            self.store,
            owner=owners.of_this_process(secrets.token_hex(4)),
            runners=[placed, *runners],
            objects=self.objects,
            memo=Memo(self.store, self.objects, self.clock, config.cache, data=config.data_prefix),
            data_prefix=config.data_prefix,
            clock=self.clock,
            config=config.engine,
            observers=[placed, *observers],
            only=None if everything else (),
            alone=self.local,
        )
        self.engine = engine
        async with AsyncExitStack() as stack:
            if callbacks is not None and (everything or config.callbacks.listen):
                await self._be_called(callbacks, stack, must=everything)
            async with self._at_work(engine, plugins):
                yield engine

    @asynccontextmanager
    async def _at_work(self, engine: Engine, plugins: Plugins) -> AsyncIterator[None]:
        self._running = asyncio.create_task(engine.run(), name="alula-engine")
        watching = asyncio.create_task(plugins.watch(), name="alula-limits")
        try:
            yield
        finally:
            watching.cancel()
            engine.stop()
            running, self.engine, self.plugins, self._running = self._running, None, None, None
            if not running.done():
                await asyncio.wait([running])
            await plugins.aclose()
            if not running.cancelled() and (problem := running.exception()) is not None:
                raise problem

    async def _be_called(self, callbacks: Callbacks, stack: AsyncExitStack, *, must: bool) -> None:
        """Take calls until the stack ends; where it need not be, another process may do it."""
        host, port = self.config.callbacks.address
        try:
            routes = [*web.callback_routes(callbacks), *registering.agent_routes(self.config.backends, self.clock)]
            await stack.enter_async_context(web.serving(routes, host, port))
        except ModuleNotFoundError as exc:
            raise ConfigError(
                f"callbacks need {exc.name}, which is not installed",
                where="[callbacks]",
                fix="pip install 'alula[server]'",
            ) from exc
        except ConfigError as exc:
            if must:
                raise
            log.info("callbacks.taken_elsewhere", extra={"why": exc.what})

    def _callbacks(self) -> Callbacks | None:
        return callbacks_of(self.config.callbacks, self.store, self.clock, home=self.config.home, shared=not self.local)

    async def unless_lost(self, work: Awaitable[T]) -> T:
        """What `work` gives, unless the engine ends before it: then what the engine ended with is raised."""
        if self._running is None:
            return await work
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait([task, self._running], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                self._running.result()
                raise StoreUnavailable("the engine has ended before the execution did")
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def aclose(self) -> None:
        """Let go of the store."""
        await self.store.aclose()


def furnish(config: Config, *, store: Store | None = None) -> House:
    """A store, opened, and what goes with it. Blocks. From then on this process, and those that it starts, reach object
    stores as the settings say.

    Raises:
        StoreError: The store cannot be opened.
        ConfigError: Its URL is none.
    """
    adopt(config.storage, os.environ)
    opened = store or open_store(
        config.store_url, durability=config.store.durability, busy_timeout=config.store.busy_timeout
    )
    return House(config, opened)


def _check(data: Path | None) -> None:
    """See that files can be kept, before anything runs; a bucket answers for itself."""
    if data is None:
        return
    why = "you may not write there"
    try:
        data.mkdir(parents=True, exist_ok=True)
        if os.access(data, os.W_OK | os.X_OK):
            return
    except OSError as exc:
        why = exc.strerror or str(exc)
    raise ConfigError(
        f"the files of executions have no place: {why}",
        where=str(data),
        fix="name a directory of yours, or a bucket: `data` in alula.toml, or ALULA__DATA",
    )
