"""One execution while this engine has it: an inbox, decisions, commits one after the other, and then the commands.

What comes in while a commit is under way is decided together after it, so that a busy execution writes few, large
commits, and an idle one answers at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from alula.engine.batch import Batch, ending
from alula.engine.cleanup import Closing, Stuck
from alula.engine.codec import pack_node
from alula.engine.crash import crash_point
from alula.engine.effects import Effects
from alula.engine.events import (
    AttemptFailed,
    AttemptSucceeded,
    Begin,
    Command,
    Continue,
    Event,
    Release,
    TimerFired,
    TimerKind,
)
from alula.engine.execution import Execution
from alula.engine.inbox import Inbox, Item
from alula.engine.loading import Loader
from alula.engine.machine import decide, redrive
from alula.engine.means import Means
from alula.engine.observe import Committed, Said
from alula.engine.requests import Requests
from alula.engine.saying import Sayings
from alula.engine.state import ROOT, Failure, FailureKind, NodePhase, NodeState
from alula.errors import FenceLost, PluginError, StoreDamaged, StoreUnavailable
from alula.plugin.runner import AttemptId, Progressed, Shows
from alula.store.records import Changes, Claim, Ending, ExecutionRecord

log = logging.getLogger(__name__)

_EVENTS = 128
"""Events that are decided together at most."""
_ROWS = 1_024
_AT_ONCE = 64
"""Commands that are performed before others get their turn."""
_PAUSE = 0.25
_LONGEST_PAUSE = 10.0
_BEGINS = 8
"""An execution whose beginning the machine could not decide so often, within half a minute, has failed."""
_SEE_LOG = "the engine's log says why"
_HOPELESS = 60.0
"""Seconds until rows that cannot be read are read again: somebody may restore them."""


class Again(Exception):
    """What is in memory can't be trusted: load the execution again."""


class Session:
    """Drives one execution until it is closed, lost, or the engine stops.

    Args:
        claim: The right to change it.
        loader: Makes it from what the store has.
    """

    def __init__(self, means: Means, claim: Claim, loader: Loader) -> None:
        self._means, self.claim, self._loader = means, replace(claim, first=None), loader
        self.id, self._first = claim.execution, claim.first
        self.inbox = Inbox()
        self._taken: list[Item] = []
        """What is being decided and committed."""
        self._owed: list[Release] = []
        """What may not have been performed, and does not follow from the rows."""
        self.requests = Requests(means, self.id, self.inbox, lambda: self.effects)
        self._stopping = self._closed = False
        self._now = means.clock.now()
        self._grounding: list[Closing] = []
        """What was stopped here without a word to the machine, and may not be gone yet."""
        self._epoch = 0
        self._begins = 0
        """So often its beginning could not be decided."""
        self.damage: StoreDamaged | None = None
        """Why its rows cannot be read, for now."""
        self._sayings = Sayings(self.inbox.awake)
        self.record: ExecutionRecord | None = None
        self.x: Execution | None = None
        self.effects: Effects | None = None

    # --- what comes in ---

    def fire(self, kind: TimerKind, path: str, generation: int) -> None:
        self.inbox.push(TimerFired(kind, path, generation, self._means.rng.random()))

    def quarantined(self, stuck: Stuck) -> None:
        """The clean-up of an attempt keeps failing."""
        if self.record is not None:
            self._means.observers.quarantined(self.record, stuck)

    def reported(self, id: AttemptId, report: Said) -> None:
        """An attempt said something. The store is told once in a while, and what it says now."""
        record, effects = self.record, self.effects
        if record is None or effects is None:
            return
        self._means.observers.reported(record, id.path, id.number, report)
        if isinstance(report, Shows):
            return
        fresh = self._sayings.note((id.path, id.number))
        if isinstance(report, Progressed) and (report.checkpoint or fresh):
            effects.attempts.progressed(id, report)

    def lapse(self, *, ground: bool) -> None:
        """The engine's lease was lost: nothing in memory can be trusted any more.

        Args:
            ground: Others may take the execution over while we are cut off, so what runs here must end.
        """
        self._means.memo.drop(self.id)  # what it has reserved is another engine's now, or is asked for again
        if ground:
            self.ground()
        self.inbox.awake.set()

    def stop(self) -> None:
        """End after the commit that is under way."""
        self._stopping = True
        self.inbox.awake.set()

    @property
    def awaited(self) -> Collection[int]:
        """The child executions that this one waits for."""
        return self.effects.children.known.values() if self.effects is not None else ()

    @property
    def stuck(self) -> Sequence[Stuck]:
        return tuple(self.effects.attempts.stuck()) if self.effects is not None else ()

    # --- what is done with it ---

    async def run(self) -> str:
        """Drive the execution; gives why it was left: empty if it is closed."""
        why = "the engine stops"
        try:
            why = await self._run()
        except FenceLost:
            why = "another engine has it"
            log.info("session.lost", extra={"execution": self.id})
            self.ground()
            await self._grounded()
        finally:
            self.inbox.close()
            self._sayings.close()
            self._means.timers.drop(self.id)
            self._means.memo.drop(self.id)
            if self.record is not None:
                self._means.observers.left(self.record, why)
        return why

    def ground(self) -> None:
        """Stop what runs of it here, now: the execution is somebody else's, or may be soon."""
        if self.effects is not None:
            self._grounding.extend(self.effects.attempts.forget())

    async def _grounded(self) -> None:
        """Wait until nothing of what was stopped is left."""
        while self._grounding:
            await self._grounding.pop().over.wait()

    async def _run(self) -> str:
        pause = _PAUSE
        while not self._stopping:
            try:
                await self._ready()
                await self._load()
                pause, self.damage = _PAUSE, None
                await self._turns()
                return self._end()
            except (Again, StoreUnavailable) as exc:
                log.info("session.again", extra={"execution": self.id, "why": str(exc)})
            except FenceLost:
                raise
            except StoreDamaged as exc:
                log.exception("session.damaged", extra={"execution": self.id, "error": str(exc)})
                pause, self.damage = _HOPELESS, exc
            except Exception:
                log.exception("session.failed", extra={"execution": self.id})
            await asyncio.sleep(pause * (0.5 + self._means.rng.random()))
            pause = min(2 * pause, _LONGEST_PAUSE)
        return self._end()

    def _end(self) -> str:
        return "" if self._closed else "the engine stops"

    async def _ready(self) -> None:
        """Wait until the engine has its lease, and nothing is left of what was stopped when it was lost."""
        await self._grounded()
        self._epoch = await self._means.lease.wait()

    async def _load(self) -> None:
        """The execution as the store has it, then all that came in before and is not in the store."""
        means = self._means
        loaded, self._first = self._first or await means.store.load(self.claim), None
        crash_point("load.after")
        self.record = loaded.record
        try:
            x = await self._loader.execution(loaded)
        except PluginError as exc:
            await self._doom(Failure("BadWorkflow", str(exc)))
            return
        self.x = x
        means.timers.drop(self.id)
        if self.effects is None:
            self.effects = Effects(
                means, self.claim, loaded, x, self.inbox, reported=self.reported, quarantined=self.quarantined
            )
        else:
            self.effects.renew(x, loaded)
        means.observers.taken(loaded.record, x.plan_of)
        for command in loaded.commands:
            self.requests.take(command)
        waiting = [*self._taken, *self.inbox.items]
        self._taken.clear()
        self.inbox.items.clear()
        batch = Batch(x)
        if x.phase is None:
            waiting.insert(0, (Begin(), 0))
        fresh = x.phase is None
        self._now = means.clock.now()
        for at, item in enumerate(waiting):
            if batch.size >= _ROWS:
                self.inbox.items.extend(waiting[at:])
                self.inbox.awake.set()
                break
            try:
                self._decide(batch, item)
            except Again:
                self._begins += isinstance(item[0], Begin)
                if self._begins == _BEGINS:
                    await self._doom(Failure("EngineFault", f"it cannot be begun; {_SEE_LOG}", FailureKind.SYSTEM))
                    return
                self.inbox.items.extend(waiting[at + 1 :])
                raise
        if not fresh:
            batch.add(redrive(x, self._now))
        owed, self._owed = self._owed, []
        batch.commands += [one for one in owed if (row := x.nodes.get(one.path)) is not None and row.phase.terminal]
        await self._finish(batch)

    async def _doom(self, failure: Failure) -> None:
        """End what cannot even be begun."""
        await self._commit(doomed(failure, self._means.clock.now()))
        self._closed = True

    async def _turns(self) -> None:
        """One turn after the other, until the execution is closed or the engine stops."""
        inbox, awake, taken, x = self.inbox.items, self.inbox.awake, self._taken, self.x
        while not self._closed:
            assert x is not None
            await awake.wait()
            awake.clear()
            if self._stopping:
                return
            if not self._means.lease.held(self._epoch):
                raise Again("the lease was lost")
            batch = Batch(x)
            self._now = self._means.clock.now()
            while inbox and len(taken) < _EVENTS and batch.size < _ROWS:
                self._decide(batch, inbox.popleft())
            if inbox:
                awake.set()
            self.inbox.crowded = len(taken) > 1 and self.effects is not None and self.effects.many
            await self._finish(batch)
            if awake.is_set():  # else the next turn waits by itself
                await asyncio.sleep(0)

    def _decide(self, batch: Batch, item: Item) -> None:
        self._taken.append(item)
        event, command = item
        assert self.x is not None
        try:
            batch.add(decide(self.x, event, self._now), command)
        except Exception:
            log.exception("session.event_failed", extra={"execution": self.id, "event": type(event).__name__})
            self._taken[-1] = self._instead(event), command
            raise Again(f"{type(event).__name__} could not be taken in") from None

    def _instead(self, event: Event) -> Event:
        """What is taken in for an event that cannot be: nothing may wait for it for ever."""
        if not isinstance(event, AttemptSucceeded | AttemptFailed):
            return Continue()
        what = f"its outcome could not be taken in; {_SEE_LOG}"
        failure = Failure("EngineFault", what, FailureKind.SYSTEM, recoverable=True)
        return AttemptFailed(event.path, event.attempt, failure, self._means.rng.random(), closed=event.closed)

    async def _finish(self, batch: Batch) -> None:
        """Commit what was decided, then perform what follows."""
        x, effects, record = self.x, self.effects, self.record
        assert x is not None
        assert effects is not None
        assert record is not None
        if batch.more:
            self.inbox.push(Continue())
        said = self._sayings.take(effects.attempts)
        over = x.phase is not None and x.phase.terminal and not x.attempts and not x.agenda
        closed = over and not effects.storing(batch.commands)
        self._owed += [command for command in batch.commands if isinstance(command, Release)]
        attempts = effects.attempts
        jobs, stuck = attempts.kept.take(), attempts.quarantine.take()
        if batch.rows or batch.done or said or closed or jobs or stuck:
            parting = attempts.parting(batch.rows.values())
            freed = tuple(filter(attempts.frees, parting))
            child = record.parent is not None
            changes = batch.changes(record.phase, said, closed=closed, child=child, jobs=jobs, stuck=stuck, freed=freed)
            since = self._means.clock.monotonic()
            await self._commit(changes)
            attempts.written(parting)
            if changes.execution is not None:
                self.record = record = _moved(record, changes.execution)
            if self._means.observers:
                took = self._means.clock.monotonic() - since
                done = Committed(tuple(batch.rows.values()), self._now, took, batch.events)
                self._means.observers.committed(record, done)
        self._taken.clear()
        await self._perform(effects, batch.commands)
        self._owed.clear()
        self._closed = closed

    async def _commit(self, changes: Changes) -> None:
        """Write changes, however long the store is away: the fence says whether they may still be written."""
        pause = _PAUSE
        while True:
            crash_point("commit.before")
            try:
                await self._means.store.commit(self.claim, changes)
            except StoreUnavailable as exc:
                if self._stopping:
                    raise
                if pause == _PAUSE:
                    log.warning("session.store_unavailable", extra={"execution": self.id, "error": str(exc)})
            else:
                crash_point("commit.after")
                return
            await asyncio.sleep(pause * (0.5 + self._means.rng.random()))
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _perform(self, effects: Effects, commands: Sequence[Command]) -> None:
        for at in range(0, len(commands), _AT_ONCE):
            if at:
                await asyncio.sleep(0)
            if not self._means.lease.held(self._epoch):
                raise Again("the lease was lost")
            for command in commands[at : at + _AT_ONCE]:
                effects.perform(command)
        if commands:
            crash_point("perform.after")


def _moved(record: ExecutionRecord, ending: Ending) -> ExecutionRecord:
    return replace(
        record,
        phase=ending.phase,
        started_at=ending.started_at,
        ended_at=ending.ended_at,
        outputs=ending.outputs,
        error=ending.error,
    )


def doomed(failure: Failure, now: datetime) -> Changes:
    """The end of an execution that cannot even be begun."""
    root = NodeState(ROOT, NodePhase.FAILED, since=now, failure=failure, ended_at=now)
    return Changes(nodes=(pack_node(root),), execution=ending(root), closed=True, tell_parent=True)
