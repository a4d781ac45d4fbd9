"""`Host`: any plugin as a `Runner`. The engine's side of it; the plugin's side is `guest`."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from alula._kits.clock import Clock, SystemClock
from alula.data.objects import ObjectStore
from alula.data.stores import Objects
from alula.hosting.adapter import Adapter, Means
from alula.hosting.adapting import adapt
from alula.hosting.breaker import Breaker
from alula.hosting.calls import BROKEN, Calls, said
from alula.hosting.guest import Guest, Rules
from alula.hosting.hops import Hop
from alula.hosting.secrets import Censor, Secrets
from alula.hosting.task import Lender, Lent
from alula.hosting.watchdog import Watchdog
from alula.idl import TaskTemplate
from alula.plugin.core import CorePlugin, Plugin
from alula.plugin.runner import AttemptId, Failed, Job, Report, Succeeded, Tell, Waits
from alula.plugin.webapi import Limits

log = logging.getLogger(__name__)

_LEAVE_SECONDS = 10.0
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


class Host:
    """Runs attempts with one plugin. A `Runner`.

    Args:
        name: Of the plugin, for messages until it is loaded.
        make: Imports and makes the plugin. Called on the plugin's own loop; may raise, and is then tried again.
        task_types: What it accepts; None: what the plugin says, once it is open.
        inline: Call the plugin on the engine's loop: no thread, and everything follows from the clock and the seed.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Plugin],
        around: Surroundings | None = None,
        *,
        task_types: frozenset[str] = frozenset(),
        inline: bool = False,
    ) -> None:
        self.name, self.task_types = name, task_types
        self._make, self._around, self._inline = make, around or Surroundings(), inline
        self.calls = Calls(name, self._around.clock, self._around.rules.timeout.total_seconds())
        self.state = State.NEW
        self.problem = ""
        """Why it is disabled."""
        self._breaker = Breaker(name, self._around.clock)
        self._censor = Censor()
        # the engine's side
        self._tells: dict[AttemptId, Tell] = {}
        self._watchdog: Watchdog | None = None
        # the plugin's side
        self._guest: Guest | None = None
        self._waiting: dict[AttemptId, Job] = {}
        """Started before the plugin was open."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._plugin: Plugin | None = None
        self._core: CorePlugin[Any] | None = None
        self._thread: threading.Thread | None = None
        self._gone = False

    # --- Runner ---

    @property
    def local(self) -> bool:
        return False

    async def open(self) -> None:
        """Begin to load the plugin; attempts that come before it is open wait."""
        here = asyncio.get_running_loop()
        loop = here if self._inline else asyncio.new_event_loop()
        self._to_engine = Hop(here, here=self._inline)
        self._to_guest = Hop(loop, here=self._inline)
        self.state = State.OPENING
        if not self._inline:
            self._thread = threading.Thread(target=_serve, args=(loop,), name=f"alula-{self.name}", daemon=True)
            self._thread.start()
            self._watchdog = Watchdog(
                self._thread,
                loop,
                self._around.clock,
                steps=lambda: self.calls.steps,
                waits=lambda: bool(self._tells),
                changed=self._is_blocked,
            )
        self._loop = loop
        self._to_guest.put(self._spawn, self._begin)

    async def aclose(self) -> None:
        if self.state is State.NEW:
            return
        if self._watchdog is not None:
            self._watchdog.close()
        left = asyncio.Event()
        self._tells.clear()
        self._to_guest.put(self._leave, left)
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await left.wait()
        except TimeoutError:
            log.warning("plugin.does_not_leave", extra={"plugin": self.name})
        self._to_engine.close()
        self._to_guest.close()
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            await asyncio.to_thread(self._thread.join, 1.0)
        self._censor.close()

    def keep(self, seconds: float) -> None:
        if self.state is not State.NEW:
            self._to_guest.put(self._keep, self._around.clock.monotonic() + seconds)

    def accepts(self, template: TaskTemplate) -> str:
        if template.type in self.task_types:
            return ""
        return f"plugin {self.name} runs tasks of type {', '.join(sorted(self.task_types)) or 'none'}"

    def start(self, job: Job, tell: Tell) -> None:
        self._tells[job.id] = tell
        self._to_guest.put(self._start, job)
        if self._watchdog is not None:
            self._watchdog.watch()
        if self.blocked:
            tell(Waits(self.blocked))

    def wake(self, id: AttemptId) -> None:
        self._to_guest.put(self._wake, id)

    def forget(self, id: AttemptId) -> None:
        self._tells.pop(id, None)
        self._to_guest.put(self._forget, id)

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        self._tells.pop(id, None)
        if self.blocked:
            done(self.blocked)
            return
        self._to_guest.put(self._close, id, abort, reason, done, job)

    # --- numbers ---

    def numbers(self) -> Mapping[str, float]:
        """How much there is to do; for metrics."""
        core, guest = self._core, self._guest
        return {
            "attempts": len(guest) if guest is not None else len(self._waiting),
            "tracked": getattr(core, "tracked", 0),
            "queued": getattr(core, "queued", 0),
        }

    @property
    def trouble(self) -> str:
        """Why its tasks wait; empty: it works."""
        if self.blocked:
            return self.blocked
        if self.problem:
            return f"plugin {self.name} is disabled: {self.problem}"
        return self._breaker.reason

    def asked(self, template: TaskTemplate) -> str | None:
        """Of a plugin that learns its task types: why it does not take a task; empty: it does; None: it is not open."""
        plugin = self._plugin
        if plugin is None or self.state is not State.OPEN:
            return None
        try:
            return plugin.accepts(template)
        except BROKEN as exc:
            return f"plugin {self.name}.accepts: {said(exc)}"

    @property
    def plugin(self) -> Plugin | None:
        """The plugin, once it is made."""
        return self._plugin

    # --- on the engine's loop ---

    def _tell(self, id: AttemptId, report: Report) -> None:
        tell = self._tells.get(id)
        if tell is None:
            return
        if isinstance(report, Succeeded | Failed):
            del self._tells[id]
        tell(report)

    @property
    def blocked(self) -> str:
        """Why the plugin's loop does not turn; empty: it does."""
        where = self._watchdog.where if self._watchdog is not None else ""
        return f"plugin {self.name} is disabled: it blocks its event loop, {where}" if where else ""

    def _is_blocked(self) -> None:
        """The plugin's loop has stopped, or turns again."""
        blocked = self.blocked
        if blocked:
            log.warning("plugin.blocked", extra={"plugin": self.name, "what": blocked})
        for tell in list(self._tells.values()):
            tell(Waits(blocked))
        if not blocked:
            self._to_guest.put(self._say)

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
                what = self._censor.text(said(exc))
                log.warning("plugin.not_open", extra={"plugin": self.name, "problem": what})
                self.problem = what
                self._to_engine.put(self._opened, State.DISABLED, what)
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
        )
        self._to_engine.put(self._opened, State.OPEN, "")

    async def _secret(self, key: str, group: str = "") -> str:
        found = await self._around.secrets.get(key, group)
        self._censor.lend(found)
        return found

    def _lent(self, lender: Lender) -> Lent:
        around = self._around
        return Lent(lender, around.objects, around.secrets, self._censor.lend, around.callback)

    def _settled(self, exc: BaseException | None) -> None:
        """How a call went that no attempt waited for."""
        if exc is None:
            self._breaker.good()
            if self._guest is not None:
                self._guest.release()

    def _report(self, id: AttemptId, report: Report) -> None:
        self._to_engine.put(self._tell, id, report)

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
        if self._guest is not None:
            self._guest.forget(id)

    def _say(self) -> None:
        if self._guest is not None:
            self._guest.say("")

    def _keep(self, until: float) -> None:
        if self._guest is not None:
            self._guest.keep(until)

    def _close(self, id: AttemptId, abort: bool, reason: str, done: Callable[[str], None], job: Job | None) -> None:
        if self._guest is not None:
            self._guest.close(id, abort, reason, done, job)
            return
        waiting = self._waiting.get(id)
        if waiting is not None and waiting.fresh:
            del self._waiting[id]
            self._to_engine.put(done, "")
        elif waiting is None and (job is None or job.fresh):
            self._to_engine.put(done, "")
        else:
            self._waiting.pop(id, None)
            self._to_engine.put(done, self.trouble or f"plugin {self.name} is being opened")

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
                await self.calls.make("close", self._plugin.close, timeout=_LEAVE_SECONDS / 2)
        finally:
            self._to_engine.put(left.set)


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """The last line of defence on the plugin's loop."""
    try:
        await work
    except BROKEN:
        log.exception("hosting.failed")


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run a plugin's loop in its thread."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
