"""Any `WebApiPlugin` as a Core plugin. Its durable states: nothing, and the key of a job.

The intent to create is the attempt's own row, which is open before anything starts. So an attempt that nobody handled
before is created at once; in any other case a job may be there already, and is looked for first.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from alula.errors import NotReady, Rejected, RemoteNotFound, Throttled
from alula.hosting.adapter import Adapter, Means
from alula.hosting.calls import BROKEN, Garbage, NotYet, said, short
from alula.hosting.keeping import gives_logs, keep_log
from alula.hosting.limits import Gate, Slots
from alula.hosting.status import Status, StatusCache
from alula.idl import LiteralMap
from alula.plugin import typed
from alula.plugin.context import TaskContext
from alula.plugin.failure import FailureKind
from alula.plugin.phase import Phase, PhaseInfo, Transition
from alula.plugin.webapi import Limits, WebApiPlugin

T = TypeVar("T")
_LIMITS_SECONDS = 2.0
"""Between two looks at whether an operator has changed the limits."""


class WebApiAdapter(Adapter[Any]):
    """Creates, finds, follows and deletes jobs. Called on the plugin's loop."""

    cleans_blind = True  # it finds jobs by their names

    def __init__(self, plugin: WebApiPlugin[Any, Any], means: Means) -> None:
        self.info, self._plugin, self._means = plugin.info, plugin, means
        self.state_type = plugin.key_type
        kind: Any = plugin.key_type
        self.state_kind = kind
        self._limits = means.limits(plugin.limits)
        slots = Slots(self._limits.concurrent)
        self._slots = slots
        self._writes = Gate(means.clock, self._limits.writes_per_second, slots)
        self._reads = Gate(means.clock, self._limits.reads_per_second, slots)
        self._fetches = Gate(means.clock, math.inf, slots)
        """Of results: nobody is polled, so there is no rate."""
        self._fetched = type(plugin).outputs is not WebApiPlugin.outputs
        self._gives_logs = gives_logs(plugin)
        self._cache = StatusCache(plugin, means, self._reads, lambda: self._limits)
        self._doubtful: dict[str, float] = {}
        """Attempts for which a job may be there that nobody knows of, and since when it cannot be begun any more."""
        self._clear: set[str] = set()
        """Attempts for which surely no job is there: it was looked for."""
        self._removed: set[str] = set()
        """Attempts whose job is gone for good."""
        self._new: set[str] = set()
        """Attempts whose job was created just now."""
        self._unseen: dict[str, float] = {}
        """Since when this process has had the keys of jobs; a remote may not know one yet that was made just now."""
        self._keys: dict[str, Any] = {}
        """Keys of jobs that were created, until they are kept: one that cannot be kept is still good for `delete`."""
        self._early: set[str] = set()
        """Attempts about whose job there was news before anybody had its key."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def tracked(self) -> int:
        """Jobs whose status is asked for."""
        return len(self._cache)

    @property
    def queued(self) -> int:
        """Calls that wait for their turn."""
        return len(self._writes) + len(self._reads)

    async def open(self) -> None:
        if self._limits.pools:
            self._means.pools(self._limits.pools)
        self._look_at_limits()

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for one in (self._cache, self._writes, self._reads, self._fetches):
            one.close()

    def forget(self, task: TaskContext) -> None:
        name = task.name
        self._cache.drop(name)
        self._writes.forget(name)
        self._fetches.forget(name)
        self._doubtful.pop(name, None)
        self._keys.pop(name, None)
        self._unseen.pop(name, None)
        for kept in (self._clear, self._removed, self._new, self._early):
            kept.discard(name)

    # --- forward ---

    async def handle(self, task: TaskContext, state: Any) -> Transition[Any]:
        if state is not None:
            self._keys.pop(task.name, None)
            return await self._follow(task, state)
        if task.name in self._keys:  # it was made, and its key could not be kept: once is enough
            return self._handed_over(self._check(self._keys[task.name], "create"))
        pool = self._means.calls.plainly("pool", lambda: self._plugin.pool(task))
        if pool is not None and not await task.reserve(pool):
            return Transition(PhaseInfo(Phase.WAITING, f"waits for a unit of pool {pool}"), None, None)
        key = await self._adopt(task) if self._may_be_there(task) else None
        if key is None:
            key = await self._create(task)
        return self._handed_over(key)

    def _handed_over(self, key: Any) -> Transition[Any]:
        return Transition(PhaseInfo(Phase.QUEUED, "handed over"), key, timedelta(0))

    def _may_be_there(self, task: TaskContext) -> bool:
        """Whether a job may be there that nobody has the key of."""
        if task.name in self._clear:
            return False
        return not task.fresh or task.name in self._doubtful

    async def _adopt(self, task: TaskContext) -> Any:
        """The key of the job that is there; None: surely none is, or it does no harm to create it again."""
        if self._plugin.idempotent_create:
            return None
        key = await self._find(task, in_line=False)
        if key is None:
            self._clear.add(task.name)
            return None
        return self._check(key, "find")

    async def _find(self, task: TaskContext, *, in_line: bool) -> Any:
        """The key of the job that is there; None: there is none, and none will come.

        Raises NotYet while a create whose answer was lost may still take effect, or until it is this one's turn.

        Args:
            in_line: Wait for the turn here.
        """
        now = self._means.clock.monotonic()
        since = self._doubtful.setdefault(task.name, now)
        key = await self._write(task, "find", lambda: self._plugin.find(task), in_line=in_line)
        if key is not None:
            return key
        left = since + self._limits.settle.total_seconds() - now
        if left > 0:
            raise NotYet("whether its job was made is being found out", left)
        return None

    async def _create(self, task: TaskContext) -> Any:
        name = task.name

        async def create() -> Any:
            doubtful = self._may_be_there(task)
            self._clear.discard(name)
            self._doubtful[name] = self._means.clock.monotonic()
            try:
                return await self._plugin.create(task)
            except (Rejected, Throttled, NotReady) as exc:  # so nothing was made now; before, there may have been
                if not doubtful and not (self._plugin.idempotent_create and isinstance(exc, Throttled)):
                    self._clear.add(name)
                raise
            finally:
                self._doubtful[name] = self._means.clock.monotonic()

        key = await self._write(task, "create", create, in_line=False)
        if self._is_key(key):
            self._keys[name] = key
        self._check(key, "create")
        self._doubtful.pop(name, None)
        self._new.add(name)
        return key

    def _is_key(self, key: Any) -> bool:
        """Whether a job can be deleted by it, whatever else is wrong with it."""
        kind: Any = self._plugin.key_type
        return isinstance(kind, type) and isinstance(key, kind)

    def _check(self, key: Any, call: str) -> Any:
        """A key, if it can be kept. Raises Garbage."""
        kind: Any = self._plugin.key_type
        faults: list[str] = []
        try:
            shape = typed.shape_of(kind)
            shape.read(shape.write(key), "the key", faults)
        except BROKEN as exc:  # it may be any object, with any idea of how it looks
            faults.append(said(exc).removeprefix("TypeError: "))
        if key is None or faults:
            why = faults[0] if faults else "None is no key"
            raise Garbage(f"{self.info.name}.{call} gave {short(key)}, not a {kind.__name__}: {why}")
        return key

    async def _follow(self, task: TaskContext, key: Any) -> Transition[Any]:
        self._unseen.setdefault(task.name, self._means.clock.monotonic())
        status = self._cache.watch(task, key, new=task.name in self._new)
        if task.name in self._early:
            self._early.discard(task.name)
            self._cache.look(task.name)
        if status.error is not None:
            raise status.error
        if status.gone is not None:
            return self._lost(task, key, status, status.gone)
        if status.info is None and task.name not in self._new:  # it may have run for long: say nothing of its phase
            raise NotYet("the remote is asked how its job is")
        if status.info is None:
            return Transition(PhaseInfo(Phase.QUEUED, "handed over"), key, None)
        self._new.discard(task.name)
        self._unseen[task.name] = -math.inf
        info = status.info
        if info.phase is Phase.SUCCEEDED and info.outputs is None and self._fetched:
            remote = status.remote
            outputs = await self._fetch(task, "outputs", lambda: self._plugin.outputs(task, key, remote))
            if outputs is not None and not isinstance(outputs, LiteralMap):
                raise Garbage(f"{self.info.name}.outputs gave {short(outputs)}, not a LiteralMap")
            info = replace(info, outputs=outputs)
        if info.phase.terminal and self._gives_logs:
            seconds = self._limits.timeout.total_seconds()
            await keep_log(self._plugin, task, key, self._means.calls, seconds)
        if info.phase.terminal:
            self._cache.drop(task.name)
        return Transition(info, key, None)

    def _lost(self, task: TaskContext, key: Any, status: Status, gone: RemoteNotFound) -> Transition[Any]:
        """The remote does not know the job."""
        left = self._unsettled(task)
        if left > 0 and task.name in self._new:
            return Transition(PhaseInfo(Phase.QUEUED, "handed over"), key, None)
        if left > 0:
            raise NotYet("the remote does not know its job yet", left)
        what = f"its job is gone from the remote: {gone}"
        return Transition(PhaseInfo.failed("JobLost", what, kind=FailureKind.SYSTEM, recoverable=True), key, None)

    def _unsettled(self, task: TaskContext) -> float:
        """Seconds for which the remote may not know a job yet that nobody has seen there."""
        now = self._means.clock.monotonic()
        return self._unseen.setdefault(task.name, now) + self._limits.settle.total_seconds() - now

    def look(self, task: TaskContext) -> None:
        if not self._cache.look(task.name):
            self._early.add(task.name)

    # --- the end ---

    async def abort(self, task: TaskContext, state: Any, reason: str) -> None:
        await self._remove(task, state)

    async def finalize(self, task: TaskContext, state: Any) -> None:
        await self._remove(task, state)
        self.forget(task)

    async def _remove(self, task: TaskContext, key: Any) -> None:
        """Delete the job, whatever became of it, and also if nobody was told that it was made."""
        name = task.name
        self._cache.drop(name)
        self._writes.forget(name)  # it may have waited for a turn to create
        if name in self._removed:
            return
        key = self._keys.get(name) if key is None else key
        while key is None and self._may_be_there(task):
            try:
                key = await self._find(task, in_line=True)
                if key is not None and not self._is_key(key):
                    self._check(key, "find")
                break
            except NotYet as exc:
                if exc.after is None:
                    raise
                await asyncio.sleep(exc.after)
        if key is not None:
            found = key
            while not await self._write(task, "delete", lambda: self._delete(found), in_line=True):
                left = self._unsettled(task)
                if left <= 0:
                    break
                await asyncio.sleep(left)
        self._removed.add(name)

    async def _delete(self, key: Any) -> bool:
        """Whether the remote knew the job."""
        try:
            await self._plugin.delete(key)
        except RemoteNotFound:
            return False
        return True

    # --- turns ---

    async def _write(self, task: TaskContext, call: str, make: Callable[[], Awaitable[T]], *, in_line: bool) -> T:
        if in_line:
            await self._writes.turn(task.name)
        else:
            self._queue(task)
        return await self._made(self._writes, call, make)

    async def _fetch(self, task: TaskContext, call: str, make: Callable[[], Awaitable[T]]) -> T:
        if not self._fetches.enter(task.name, lambda: self._means.again(task)):
            raise NotYet(f"waits for its turn: {self.info.name} makes {self._slots.most} calls at a time")
        return await self._made(self._fetches, call, make)

    def _queue(self, task: TaskContext) -> None:
        gate = self._writes
        if not gate.enter(task.name, lambda: self._means.again(task)):
            slow = ", slowed down by the remote" if gate.slowed else ""
            raise NotYet(f"waits for its turn: {self.info.name} takes {gate.rate:g} writes per second{slow}")

    async def _made(self, gate: Gate, call: str, make: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._means.calls.make(call, make, timeout=self._limits.timeout.total_seconds())
        except Throttled as exc:
            gate.slower(exc.retry_after)
            raise
        finally:
            gate.leave()

    def _look_at_limits(self) -> None:
        """Take over what an operator has changed."""
        limits: Limits = self._means.limits(self._plugin.limits)
        if limits != self._limits:
            self._limits = limits
            self._slots.most = limits.concurrent
            self._writes.set(limits.writes_per_second)
            self._reads.set(limits.reads_per_second)
        self._timer = asyncio.get_running_loop().call_later(_LIMITS_SECONDS, self._look_at_limits)
