"""The engine: has executions, one session each, and keeps the lease by which they are its own.

docs/explanation/engine.md tells how an execution goes, docs/adr/0010-driver.md why it is built like this.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

from alula._kits.clock import Clock, SystemClock
from alula.config import EngineConfig
from alula.data.objects import ObjectStore
from alula.engine.cleanup import Stuck
from alula.engine.crash import arm, crash_point
from alula.engine.lease import Lease
from alula.engine.loading import Loader
from alula.engine.means import Means
from alula.engine.memo import Memo
from alula.engine.observe import Observer, Observers
from alula.engine.session import Session
from alula.engine.timers import SteadyClock, TimerKey, Timers
from alula.engine.values import Depot
from alula.errors import StoreError, StoreUnavailable
from alula.plugin.runner import Runner
from alula.store.records import Claim
from alula.store.store import EntityStore, WorkStore

log = logging.getLogger(__name__)

_PAUSE = 0.25


class Engine:
    """Drives executions, until it is told to stop.

    Args:
        store: Where executions are.
        owner: The name of this engine: no other one, now or ever, has the same (`alula._kits.owners`).
        runners: What attempts are run by. A task goes to the first one that takes it.
        objects: Where large values are.
        memo: The cache of outputs.
        data_prefix: URI prefix of the files of executions.
        entities: Where launch plans are; the store itself if it is not given.
        only: Drive these executions, and what they launch; everything if it is not given.
        alone: Nobody can reach the store when this engine cannot, as it is with a file on this machine. So attempts
            go on through an outage; otherwise they end with the lease, since another engine may begin them anew.
    """

    def __init__(
        self,
        store: WorkStore,
        *,
        owner: str,
        runners: Sequence[Runner],
        objects: ObjectStore,
        memo: Memo,
        data_prefix: str,
        entities: EntityStore | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        config: EngineConfig | None = None,
        observers: Sequence[Observer] = (),
        only: Collection[int] | None = None,
        alone: bool = False,
    ) -> None:
        self.owner, self.config = owner, config or EngineConfig()
        self._store, self._runners, self._memo = store, runners, memo
        self._only = dict.fromkeys(only) if only is not None else None
        self._alone = alone
        self._clock = SteadyClock(clock or SystemClock())
        self._rng = rng or random.Random()
        self._lease = Lease(store, owner, self.config.lease, self._clock, kept=self._kept, lost=self._lapse)
        self._timers = Timers(self._clock, self._fire)
        self.observers = Observers(observers)
        self._means = Means(
            store=store,
            entities=entities or store,
            runners=runners,
            depot=Depot(objects, self._clock, self._rng, self.config),
            memo=memo,
            clock=self._clock,
            rng=self._rng,
            config=self.config,
            data_prefix=data_prefix,
            timers=self._timers,
            lease=self._lease,
            observers=self.observers,
            spawn=self._spawn,
            adopt=self._adopt,
        )
        self._loader = Loader(store)
        self._sessions: dict[int, Session] = {}
        self._driving: dict[int, asyncio.Task[None]] = {}
        self._wanted: dict[int, None] = {}
        """Children to be driven whatever the capacity, once nobody else does: their parents wait for them."""
        self._news: dict[int, None] = {}
        """Executions that may have commands."""
        self._all_news = False
        self._heard: set[int] | None = None
        """While a claim is under way: what there is news of (0: anything), be it before it or after; None: none is."""
        self._unsure = False
        """The answer to a claim was lost: the store may think that this engine has more than it knows."""
        self._something, self._commanded = asyncio.Event(), asyncio.Event()
        self._stop, self._idle = asyncio.Event(), asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._under_way: dict[asyncio.Task[None], None] = {}
        """Effects that take time."""

    # --- what others call ---

    async def run(self) -> None:
        """Drive executions until `stop`. In the end all that runs here is stopped, and all executions given back."""
        arm(os.environ)
        try:
            async with AsyncExitStack() as opened:
                for runner in self._runners:
                    await runner.open()
                    opened.push_async_callback(runner.aclose)
                with self._store.watch(self._wake):
                    async with asyncio.TaskGroup() as self._group:
                        await self._serve(self._group)
        except asyncio.CancelledError:
            await self._retire()
            raise
        await self._retire()

    def stop(self) -> None:
        """End in good order: after the commits that are under way."""
        self._stop.set()

    async def until_idle(self) -> None:
        """Wait until there is nothing that this engine could drive."""
        await self._idle.wait()

    def drive(self, execution: int) -> None:
        """Drive one more execution, and what it launches; for an engine with `only`."""
        if self._only is not None:
            self._only[execution] = None
        self._idle.clear()
        self._something.set()

    @property
    def sessions(self) -> Collection[Session]:
        return self._sessions.values()

    def numbers(self) -> Mapping[str, float]:
        """How much there is before this engine, by what and where; for metrics."""
        found = [(session, session.x) for session in self._sessions.values() if session.x is not None]
        return {
            "inbox": sum(len(session.inbox.items) for session, _ in found),
            "ready": sum(len(x.ready) + len(x.unbound) for _, x in found),
            "running": sum(len(x.holding) for _, x in found),
            "attempts": sum(len(x.attempts) for _, x in found),
            "effects": len(self._under_way),
            "timers": len(self._timers),
            "stuck": len(self.stuck()),
        }

    def stuck(self) -> list[Stuck]:
        """Attempts whose clean-up keeps failing."""
        return [one for session in self._sessions.values() for one in session.stuck]

    # --- its own loops ---

    async def _serve(self, group: asyncio.TaskGroup) -> None:
        loops = [group.create_task(self._lease.keep())]
        await _either(self._lease.had.wait(), self._stop.wait())
        for loop in (self._claims(), self._commands(), self._lease.watch(), self._memo.run()):
            loops.append(group.create_task(loop))
        await self._stop.wait()
        await self._end_sessions()
        for task in [*loops, *self._effects()]:
            task.cancel()

    def _kept(self, seconds: float) -> None:
        if not self._alone:
            for runner in self._runners:
                runner.keep(seconds)

    def _lapse(self) -> None:
        for session in list(self._sessions.values()):
            session.lapse(ground=not self._alone)

    async def _claims(self) -> None:
        """Take executions while there is room: when something is new, and now and then."""
        every, looked = self.config.lease.total_seconds() / 2, self._clock.monotonic()
        while not self._means.tag:
            try:
                self._means.tag = await self._store.tag()
            except StoreUnavailable as exc:
                log.warning("engine.cannot_claim", extra={"error": str(exc)})
                await asyncio.sleep(_PAUSE)
        while True:
            await self._lease.had.wait()
            self._something.clear()
            try:
                more = await self._claim()
            except StoreUnavailable as exc:
                log.warning("engine.cannot_claim", extra={"error": str(exc)})
                await asyncio.sleep(_PAUSE)
                continue
            if more:
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._something.wait()
            if self._clock.monotonic() - looked >= every:  # a word from the store may have been lost
                looked = self._clock.monotonic()
                self._wake(())

    async def _claim(self) -> bool:
        """Take what there is room for; gives whether there may be more."""
        if self._wanted:
            await self._take(len(self._wanted), list(self._wanted))
            awaited = {child for session in self._sessions.values() for child in session.awaited}
            self._wanted = {id: None for id in self._wanted if id in awaited and id not in self._sessions}
        room = self.config.executions - len(self._sessions)
        found: Sequence[Claim] = ()
        if room > 0 and (self._only is None or self._only):
            found = await self._take(min(room, 100), list(self._only) if self._only is not None else None)
        if not self._sessions and not self._something.is_set():
            self._idle.set()
        return len(found) == min(room, 100) and bool(found)

    async def _take(self, limit: int, only: Collection[int] | None) -> Sequence[Claim]:
        """Claim executions, and begin to drive them."""
        crash_point("claim.before")
        having = list(self._sessions) if self._unsure else None
        self._unsure, self._heard = True, set()
        claims = await self._store.claim(self.owner, limit=limit, only=only, having=having)
        self._unsure = False
        crash_point("claim.after")
        heard, self._heard = self._heard, None
        for claim in claims:
            self._open(claim)
            if heard and (0 in heard or claim.execution in heard):
                self._news[claim.execution] = None
                self._commanded.set()
        return claims

    def _open(self, claim: Claim) -> None:
        """Begin to drive an execution, once a former session of it here has ended."""
        assert self._group is not None
        self._idle.clear()
        former = self._driving.get(claim.execution)
        session = self._sessions[claim.execution] = Session(self._means, claim, self._loader)
        self._driving[claim.execution] = self._group.create_task(self._drive(session, former))

    async def _drive(self, session: Session, former: asyncio.Task[None] | None) -> None:
        if former is not None:
            await asyncio.wait([former])
        try:
            closed = not await session.run()
            if closed and self._only is not None:
                self._only.pop(session.id, None)
        finally:
            if session.effects is not None:
                session.effects.attempts.leave()
            if self._sessions.get(session.id) is session:
                del self._sessions[session.id], self._driving[session.id]
            self._something.set()

    async def _commands(self) -> None:
        """Hand out what is asked of executions."""
        while True:
            await self._commanded.wait()
            self._commanded.clear()
            news, self._news = self._news, {}
            everything, self._all_news = self._all_news, False
            wanted = list(self._sessions) if everything else [id for id in news if id in self._sessions]
            if not wanted:
                continue
            try:
                found = await self._store.commands(wanted)
            except StoreUnavailable:
                self._news.update(dict.fromkeys(wanted))
                await asyncio.sleep(_PAUSE)
                self._commanded.set()
                continue
            for command in found:
                session = self._sessions.get(command.execution)
                if session is not None:
                    session.requests.take(command)

    # --- what is called from outside of these loops ---

    def _wake(self, executions: Collection[int]) -> None:
        self._memo.wake()
        if not executions:
            self._all_news = True
        if self._heard is not None:
            self._heard.update(executions or (0,))
        self._news.update(dict.fromkeys(executions))
        self._commanded.set()
        if not executions or any(id not in self._sessions for id in executions):
            self._something.set()

    def _fire(self, key: TimerKey, generation: int) -> None:
        session = self._sessions.get(key[0])
        if session is not None:
            session.fire(key[1], key[2], generation)

    def _adopt(self, execution: int) -> None:
        if self._only is not None:
            self._only[execution] = None
        if execution not in self._sessions:
            self._wanted[execution] = None
            self._something.set()

    def _spawn(self, effect: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        assert self._group is not None
        task = self._group.create_task(self._guarded(effect))
        self._under_way[task] = None
        task.add_done_callback(self._under_way.pop)
        return task

    async def _guarded(self, effect: Coroutine[Any, Any, None]) -> None:
        """The last line of defence: what goes wrong in one effect must not end the engine."""
        try:
            await effect
        except Exception:
            log.exception("engine.effect_failed")

    # --- the end ---

    def _effects(self) -> Sequence[asyncio.Task[None]]:
        return tuple(self._under_way)

    async def _end_sessions(self) -> None:
        """Let sessions finish the commit that is under way; not for longer than a lease."""
        for session in list(self._sessions.values()):
            session.stop()
        driving = list(self._driving.values())
        if driving and self._lease.had.is_set():
            await asyncio.wait(driving, timeout=self.config.lease.total_seconds())
        for task in driving:
            task.cancel()

    async def _retire(self) -> None:
        self._timers.close()
        crash_point("retire.before")
        try:
            await self._store.retire(self.owner)
        except StoreError as exc:
            log.warning("engine.not_retired", extra={"owner": self.owner, "error": str(exc)})
        crash_point("retire.after")


async def _either(*waits: Coroutine[Any, Any, Any]) -> None:
    """Wait for the first of some, and give the others up."""
    both = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for one in both:
        one.cancel()
