"""`Host`: any plugin as a `Runner`. The engine's side of it; the plugin's side is `guest`."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

from alula.errors import RemoteError
from alula.hosting.calls import BROKEN, said
from alula.hosting.hops import Hop
from alula.hosting.lodging import LEAVE_SECONDS, Lodging
from alula.hosting.lodging import State as State
from alula.hosting.lodging import Surroundings as Surroundings
from alula.hosting.watchdog import Watchdog
from alula.idl import TaskTemplate
from alula.plugin.core import Plugin
from alula.plugin.runner import AttemptId, Failed, Job, Report, Succeeded, Tell, Waits

log = logging.getLogger(__name__)


class Host(Lodging):
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
        super().__init__(name, make, around or Surroundings(), inline=inline)
        self.task_types = task_types
        self.unsure = ""
        """Why it was not known who takes the task that was last asked about."""
        self._tells: dict[AttemptId, Tell] = {}
        self._watchdog: Watchdog | None = None
        self._thread: threading.Thread | None = None

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
            loop.set_default_executor(self._threads)
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
            async with asyncio.timeout(LEAVE_SECONDS):
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

    def asked(self, template: TaskTemplate) -> str | None:
        """Of a plugin that learns its task types: why it does not take a task; empty: it does; None: nobody knows yet,
        and `unsure` says why, unless it is that the plugin is not open."""
        plugin, self.unsure = self._plugin, ""
        if plugin is None or self.state is not State.OPEN:
            return None
        try:
            answer = plugin.accepts(template)
            return answer if answer is None else self._censor.text(answer)
        except RemoteError as exc:
            self.unsure = self._censor.text(exc.what)
            return None
        except BROKEN as exc:
            return f"plugin {self.name}.accepts: {said(exc)}"

    # --- on the engine's loop ---

    def _tell(self, id: AttemptId, report: Report) -> None:
        tell = self._tells.get(id)
        if tell is None:
            return
        if isinstance(report, Succeeded | Failed):
            del self._tells[id]
        tell(report)

    def _is_blocked(self) -> None:
        """The plugin's loop has stopped, or turns again."""
        where = self._watchdog.where if self._watchdog is not None else ""
        blocked = f"plugin {self.name} is disabled: it blocks its event loop, {where}" if where else ""
        self.blocked = blocked
        if blocked:
            log.warning("plugin.blocked", extra={"plugin": self.name, "what": blocked})
        for tell in list(self._tells.values()):
            tell(Waits(blocked))
        if not blocked:
            self._to_guest.put(self._say)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run a plugin's loop in its thread."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
