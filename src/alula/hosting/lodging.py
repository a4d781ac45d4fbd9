"""A plugin on its own loop, open or not: attempts that come too early wait here."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from alula._kits.clock import Clock, SystemClock
from alula.data.objects import ObjectStore
from alula.data.settings import StoreSettings
from alula.data.stores import Objects
from alula.hosting.adapter import Adapter, Means
from alula.hosting.adapting import adapt
from alula.hosting.breaker import Breaker
from alula.hosting.calls import BROKEN, Calls, ours, said
from alula.hosting.guest import Guest
from alula.hosting.hops import Hop
from alula.hosting.secrets import Censor, Secrets
from alula.hosting.steps import Rules
from alula.hosting.task import Lender, Lent
from alula.hosting.threads import Threads
from alula.hosting.voice import clean
from alula.plugin.core import CorePlugin, Plugin
from alula.plugin.runner import AttemptId, Job, Report, Waits
from alula.plugin.webapi import Limits

log = logging.getLogger(__name__)

LEAVE_SECONDS = 10.0
"""For a plugin to let go, in the end."""
_AGAIN_SECONDS = (2.0, 60.0)
"""Between two tries to open a plugin: the first pause, and the longest."""


class State(StrEnum):
    NEW = "new"
    """Nobody has needed it yet."""
    OPENING = "opening"
    OPEN = "open"
    DISABLED = "disabled"
    """Its tasks wait. It is tried again now and then."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all hosts of an engine share. Everything may be used from any thread."""

    clock: Clock = field(default_factory=SystemClock)
    rng: random.Random = field(default_factory=random.Random)
    objects: ObjectStore = field(default_factory=Objects)
    secrets: Secrets = field(default_factory=lambda: Secrets({}))
    rules: Rules = field(default_factory=Rules)
    limits: Callable[[str, Limits], Limits] = lambda plugin, limits: limits
    """The limits of a plugin that count now, given its own."""
    pools: Callable[[Mapping[str, int]], None] = lambda pools: None
    """Makes pools with so many units, unless there are some of these names."""
    section: Callable[[str], Mapping[str, Any]] = lambda name: {}
    """What settings say below `[backends.<name>]`."""
    callback: Callable[[AttemptId], str | None] = lambda id: None
    """The signed URL that wakes an attempt."""
    stores: StoreSettings = field(default_factory=StoreSettings)
    """How this process reaches object stores."""
    cluster: Callable[[Any, Clock], Any] | None = None
    """Makes the way to a Kubernetes cluster, in place of a connection to an API server: for tests without one."""


_Close = tuple[AttemptId, bool, str, Callable[[str], None], Job | None]


class Lodging:
    """The plugin's side of a host. What is called on the engine's loop is `Host`.

    Args:
        name, make, around, inline: As `Host` has them.
    """

    def __init__(self, name: str, make: Callable[[], Plugin], around: Surroundings, *, inline: bool) -> None:
        self.name = name
        self._make, self._around, self._inline = make, around, inline
        self.calls = Calls(name, around.clock, around.rules.timeout.total_seconds())
        self.state = State.NEW
        self.problem = self.blocked = ""
        """Why it is disabled: it cannot be opened, or its loop does not turn."""
        self._breaker = Breaker(name, around.clock)
        self._threads = Threads(name)
        self._censor = Censor()
        self._loop: asyncio.AbstractEventLoop
        self._to_engine: Hop
        self._to_guest: Hop
        self._guest: Guest | None = None
        self._waiting: dict[AttemptId, Job] = {}
        """Started before the plugin was open."""
        self._leaving: dict[AttemptId, Job] = {}
        """Of these, those that nothing more is wanted of but their clean-up, which could not be begun yet."""
        self._closes: list[_Close] = []
        """Clean-ups that came before the plugin was open, and wait a moment for it."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._plugin: Plugin | None = None
        self._core: CorePlugin[Any] | None = None
        self._gone = False

    @property
    def plugin(self) -> Plugin | None:
        """The plugin, once it is made."""
        return self._plugin

    @property
    def trouble(self) -> str:
        """Why its tasks wait; empty: it works."""
        if self.blocked:
            return self.blocked
        if self.problem:
            return f"plugin {self.name} is disabled: {self.problem}"
        return self._breaker.reason

    def numbers(self) -> Mapping[str, float]:
        """How much there is to do; for metrics."""
        core, guest = self._core, self._guest
        return {
            "attempts": len(guest) if guest is not None else len(self._waiting),
            "tracked": getattr(core, "tracked", 0),
            "queued": getattr(core, "queued", 0),
            "disabled": float(bool(self.trouble)),
        }

    def _tell(self, id: AttemptId, report: Report) -> None:
        """Take a report to the engine; on its loop."""
        raise NotImplementedError

    def _opened(self, state: State, problem: str) -> None:
        self.state, self.problem = state, problem

    # --- on the plugin's loop ---

    def _spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._loop.create_task(_guarded(work()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self) -> None:
        """Make and open the plugin, however often that fails."""
        pause, longest = _AGAIN_SECONDS
        while not self._gone:
            try:
                await self._open_plugin()
                break
            except BROKEN as exc:
                if ours(exc):
                    raise
                what = self._censor.text(said(exc))
                log.warning("plugin.not_open", extra={"plugin": self.name, "problem": what})
                self.problem = what
                self._to_engine.put(self._opened, State.DISABLED, what)
                for close in self._take_closes():
                    self._close(*close)
                for id in self._waiting:
                    self._report(id, Waits(f"plugin {self.name} is disabled: {what}"))
                await asyncio.sleep(pause * (0.75 + self._around.rng.random() / 2))
                pause = min(pause * 2, longest)
        waiting = list(self._waiting.values())
        self._waiting.clear()
        assert self._guest is not None
        for job in waiting:
            self._report(job.id, Waits(""))
            self._guest.start(job)
        for close in self._take_closes():
            self._guest.close(*close)

    async def _open_plugin(self) -> None:
        around = self._around
        if self._plugin is None:
            self._plugin = self._make()
            self._plugin.secret = self._secret  # type: ignore[method-assign]  # lent
        plugin = self._plugin
        means = Means(
            self.calls,
            around.clock,
            around.rng,
            around.rules.outage,
            lambda limits: around.limits(self.name, limits),
            lambda work: self._spawn(lambda: work),
            around.pools,
            around.section,
            self._settled,
            around.cluster,
            lambda task: self._guest.again(task) if self._guest is not None else None,
        )
        core = adapt(plugin, means)
        await self.calls.make("open", plugin.open)
        if isinstance(core, Adapter):
            await core.open()
        self._core = core
        self.problem = ""
        self._guest = Guest(
            self.name,
            plugin,
            core,
            calls=self.calls,
            rules=around.rules,
            clock=around.clock,
            rng=around.rng,
            censor=self._censor,
            lent=self._lent,
            tell=self._report,
            to_engine=self._to_engine,
            to_guest=self._to_guest,
            breaker=self._breaker,
            busy=self._threads.busy,
        )
        self._to_engine.put(self._opened, State.OPEN, "")

    async def _secret(self, key: str, group: str = "") -> str:
        found = await self._around.secrets.get(key, group)
        self._censor.lend(found)
        return found

    def _lent(self, lender: Lender) -> Lent:
        around = self._around
        return Lent(lender, around.objects, around.secrets, self._censor.lend, around.callback, around.stores)

    def _settled(self, exc: BaseException | None) -> None:
        """How a call went that no attempt waited for."""
        if exc is None:
            self._breaker.good()
            if self._guest is not None:
                self._guest.release()

    def _report(self, id: AttemptId, report: Report) -> None:
        self._to_engine.put(self._tell, id, clean(report))

    def _start(self, job: Job) -> None:
        if self._guest is not None:
            self._guest.start(job)
            return
        self._waiting[job.id] = job
        self._report(job.id, Waits(self.trouble or f"plugin {self.name} is being opened"))

    def _wake(self, id: AttemptId) -> None:
        if self._guest is not None:
            self._guest.look(id)

    def _forget(self, id: AttemptId) -> None:
        self._waiting.pop(id, None)
        self._leaving.pop(id, None)
        if self._guest is not None:
            self._guest.forget(id)

    def _say(self) -> None:
        if self._guest is not None:
            self._guest.say("")

    def _keep(self, until: float) -> None:
        if self._guest is not None:
            self._guest.keep(until)

    def _close(self, id: AttemptId, abort: bool, reason: str, done: Callable[[str], None], job: Job | None) -> None:
        waiting = self._waiting.pop(id, None) or self._leaving.pop(id, None)
        job = job if job is not None else waiting
        if self._guest is not None:
            self._guest.close(id, abort, reason, done, job)
        elif job is None or job.fresh:
            self._to_engine.put(done, "")
        elif self.problem:
            self._leaving[id] = job
            self._to_engine.put(done, self.trouble)
        else:
            self._closes.append((id, abort, reason, done, job))

    def _take_closes(self) -> list[_Close]:
        taken, self._closes = self._closes, []
        return taken

    def _leave(self, left: asyncio.Event) -> None:
        self._gone = True
        self._loop.create_task(_guarded(self._left(left)))

    async def _left(self, left: asyncio.Event) -> None:
        try:
            if self._guest is not None:
                await self._guest.leave()
            if isinstance(self._core, Adapter):
                await self._core.close()
            for task in list(self._tasks):
                task.cancel()
            if self._tasks:
                await asyncio.wait(set(self._tasks), timeout=1.0)
            if self._plugin is not None:
                await self.calls.make("close", self._plugin.close, timeout=LEAVE_SECONDS / 2)
        finally:
            self._to_engine.put(left.set)


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """The last line of defence on the plugin's loop."""
    try:
        await work
    except BROKEN as exc:
        if ours(exc):
            raise
        log.exception("hosting.failed")
