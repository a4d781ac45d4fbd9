"""Starts launch plans at the times of their schedules. Every replica has one; each start is made exactly once.

Where something is due, one of the replicas has a reservation and does it; that saves work, and is not what makes it
safe. The execution of a start has a name that follows from the launch plan and the time, so whoever makes it a second
time finds it. Only then it is noted that the start was dealt with; so a start is made after a crash, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from alula._kits.aio import gather
from alula.admin.desk import Desk
from alula.admin.executions import abort
from alula.admin.schedules import Act, Timetable, due, meeting, settled, tick_name, timetable
from alula.engine.state import NodePhase
from alula.errors import AtLimit, AuthoringError, Busy, DataError, NameTaken, RequestError, StoreError, Untimely
from alula.idl import Identifier, ResourceType, literals
from alula.idl.admin import LaunchPlan, Schedule
from alula.idl.service import ExecutionCreateRequest, ExecutionMetadata, ExecutionSpec
from alula.sections import SchedulesConfig
from alula.services.binding import Call
from alula.services.launching import Launchables
from alula.store.plan_records import PlanRecord
from alula.store.records import Condition, ExecutionKey, Page

log = logging.getLogger(__name__)

_KEY = "alula.schedules"
_LEASE = timedelta(seconds=5)
"""After that another replica goes on, where the one that was at it has died."""
_RENEW = 1.0
"""Seconds after which who is at it says that it still is."""
_REFRESH = 5.0
"""Seconds after which the launch plans are read again, whatever is heard of them."""
_AT_A_TIME = 8
_LONGEST_WAIT = timedelta(minutes=1)
_LOOK_AGAIN = timedelta(seconds=1)
_RUNNING = (*(str(phase) for phase in NodePhase if not phase.terminal), "queued")
_MANY = 1_000
_SCHEDULED = int(ExecutionMetadata.SCHEDULED)

Name = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Known:
    """A launch plan that starts by itself, as it was read."""

    plan: PlanRecord
    times: Timetable
    config: SchedulesConfig
    next: datetime | None
    """None: never again."""


@dataclass(slots=True)
class _Trouble:
    """A start that did not work, for a reason that passes."""

    tries: int
    until: datetime


class Ticks:
    """Starts what is due.

    Args:
        owner: A name of this process that no other one has.
    """

    def __init__(self, desk: Desk, config: SchedulesConfig, launchables: Launchables, *, owner: str) -> None:
        self._desk, self._config, self._launchables, self._owner = desk, config, launchables, owner
        self._known: dict[Name, _Known] = {}
        self._troubled: dict[Name, _Trouble] = {}
        self._changed = asyncio.Event()
        self._renewed = 0.0

    async def run(self) -> None:
        """Start what is due, until it is cancelled. Never raises on its own account."""
        with self._desk.store.watch(self._hear):
            while True:
                self._changed.clear()
                wait = _REFRESH
                try:
                    wait = self._until(await self._turn())
                except StoreError as exc:
                    log.warning("schedules.store", extra={"why": str(exc)})
                except Exception:  # the last line of defence: schedules must go on
                    log.exception("schedules.failed")
                try:
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def leave(self) -> None:
        """Let another replica go on at once; if the store is away, after some seconds."""
        try:
            await self._desk.store.free(_KEY, self._owner)
        except StoreError as exc:
            log.warning("schedules.store", extra={"why": str(exc)})

    async def round(self) -> datetime | None:
        """Start what is due now; gives when something will be due next, None: never, or not soon."""
        await self._read()
        now = self._desk.clock.now()
        ready = [name for name, one in self._known.items() if one.next is not None and one.next <= now]
        ready = [name for name in ready if name not in self._troubled or self._troubled[name].until <= now]
        await gather(self._deal_with, ready, limit=_AT_A_TIME)
        return self._soonest()

    async def _turn(self) -> datetime | None:
        """A round, if anything is due and nobody else is at it."""
        await self._read()
        when, now = self._soonest(), self._desk.clock.now()
        if when is None or when > now:
            return when
        return await self.round() if await self._mine() else now + _LOOK_AGAIN

    def _soonest(self) -> datetime | None:
        waiting = [one.next for name, one in self._known.items() if one.next and name not in self._troubled]
        waiting += [one.until for one in self._troubled.values()]
        return min(waiting, default=None)

    def _hear(self, executions: Collection[int]) -> None:
        if not executions:
            self._changed.set()

    async def _mine(self) -> bool:
        self._renewed = self._desk.clock.monotonic()
        return await self._desk.store.reserve(_KEY, self._owner, lease=_LEASE) is None

    def _until(self, when: datetime | None) -> float:
        if when is None:
            return _REFRESH
        return min(max((when - self._desk.clock.now()).total_seconds(), 0.05), _REFRESH)

    async def _read(self) -> None:
        """See which launch plans there are; what did not change is not worked out again."""
        found: dict[Name, _Known] = {}
        for plan in await self._desk.store.scheduled():
            name = plan.project, plan.domain, plan.name
            known = self._known.get(name)
            if known is None or known.plan != plan:
                known = await self._understood(plan)
            found[name] = known
        self._known = found
        self._troubled = {name: one for name, one in self._troubled.items() if name in found}

    async def _understood(self, plan: PlanRecord) -> _Known:
        last = plan.last or plan.changed_at
        try:
            record = await self._desk.store.entity("launch_plan", plan.project, plan.domain, plan.name, plan.version)
            said = LaunchPlan.FromString(record.spec).spec
            config = settled(self._config, said.annotations.values)
            schedule = Schedule.FromString(plan.schedule)
            times = timetable(schedule, plan.since or plan.changed_at, config.timezone)
        except (ValueError, RequestError) as exc:
            log.error("schedule.unreadable", extra={"plan": plan.name, "why": str(exc)})
            return _Known(plan, Timetable(None), self._config, None)
        return _Known(plan, times, config, times.next(last))

    async def _deal_with(self, name: Name) -> None:
        """Start what is due of one launch plan."""
        known = self._known[name]
        try:
            waits = await self._start_all(known)
        except (StoreError, DataError, Busy) as exc:
            self._put_off(name)
            log.warning("schedule.put_off", extra={"plan": known.plan.name, "why": str(exc)})
        except Exception:  # the last line of defence: one launch plan keeps no other one from starting
            self._put_off(name)
            log.exception("schedule.failed", extra={"plan": known.plan.name})
        else:
            self._troubled.pop(name, None)
            if waits:
                self._troubled[name] = _Trouble(0, self._desk.clock.now() + _LOOK_AGAIN)

    def _put_off(self, name: Name) -> None:
        tries = self._troubled[name].tries + 1 if name in self._troubled else 0
        wait = min(timedelta(seconds=2.0 ** min(tries, 10)), _LONGEST_WAIT)
        self._troubled[name] = _Trouble(tries, self._desk.clock.now() + wait)

    async def _start_all(self, known: _Known) -> bool:
        """Whether one of them has to wait for the one before it."""
        plan, now = known.plan, self._desk.clock.now()
        found = due(known.times, known.config, last=plan.last or plan.changed_at, now=now)
        note = f"starts until {found.left_out:%Y-%m-%d %H:%M} were missed and are left out" if found.left_out else ""
        if found.left_out is not None:
            log.warning("schedule.left_out", extra={"plan": plan.name, "until": found.left_out.isoformat()})
        if not found.ticks and found.left_out is not None:
            await self._note(plan, found.left_out, note)
        for tick in found.ticks:
            said = await self._start(known, tick)
            if said is None:
                return True
            if not await self._note(plan, tick, said or note):
                return False  # somebody has changed the launch plan meanwhile
            plan = replace(plan, last=tick)
        return False

    async def _note(self, plan: PlanRecord, last: datetime, note: str) -> bool:
        return await self._desk.store.ticked(plan, last=last, note=note)

    async def _start(self, known: _Known, tick: datetime) -> str | None:
        """Deal with one start. What is to be said of it, if it is none; None: it has to wait."""
        if self._desk.clock.monotonic() - self._renewed > _RENEW:
            await self._mine()
        plan = known.plan
        name = tick_name(plan.project, plan.domain, plan.name, tick)
        running = await self._running(plan, tick, name)
        act = meeting(known.config.overlap, len(running))
        if act is Act.WAIT:
            return None
        if act is Act.SKIP:
            log.info("schedule.skipped", extra={"plan": plan.name, "tick": tick.isoformat()})
            return f"the start at {tick:%Y-%m-%d %H:%M} was left out: {running[0].name} still ran"
        if act is Act.REPLACE:
            for one in running:
                try:
                    await abort(self._desk, one, reason=f"replaced by {name}, its next start", principal="schedule")
                except Untimely:
                    continue  # it has just ended
        try:
            await self._launchables.launch(_request(plan, known.times, tick, name), Call(principal="schedule"))
        except NameTaken:
            return ""  # it was made before, by another version or by hand
        except (AtLimit, RequestError, AuthoringError) as exc:
            if isinstance(exc, Busy) and not isinstance(exc, AtLimit):
                raise
            if isinstance(exc, AtLimit) and act is Act.REPLACE:
                return None  # what it replaces is still ending
            log.error("schedule.not_started", extra={"plan": plan.name, "tick": tick.isoformat(), "why": str(exc)})
            return f"the start at {tick:%Y-%m-%d %H:%M} failed: {exc}"
        return ""

    async def _running(self, plan: PlanRecord, tick: datetime, name: str) -> list[ExecutionKey]:
        """Earlier starts that still run."""
        where = (
            Condition("entity_name", "in", (plan.name,)),
            Condition("mode", "in", (_SCHEDULED,)),
            Condition("phase", "in", _RUNNING),
        )
        page = Page(where, descending=False, limit=_MANY)
        found = await self._desk.store.page_executions(plan.project, plan.domain, page)
        earlier = []
        for _, record in found:
            at = ExecutionSpec.FromString(record.spec).metadata.scheduled_at.ToDatetime(tzinfo=UTC)
            if record.key.name != name and at < tick:
                earlier.append(record.key)
        return earlier


def _request(plan: PlanRecord, times: Timetable, tick: datetime, name: str) -> ExecutionCreateRequest:
    made = ExecutionCreateRequest(project=plan.project, domain=plan.domain, name=name)
    id = Identifier(
        resource_type=ResourceType.LAUNCH_PLAN,
        project=plan.project,
        domain=plan.domain,
        name=plan.name,
        version=plan.version,
    )
    made.spec.launch_plan.CopyFrom(id)
    made.spec.metadata.mode = ExecutionMetadata.SCHEDULED
    made.spec.metadata.scheduled_at.FromDatetime(tick)
    made.inputs.SetInParent()
    if times.kickoff:
        made.inputs.literals[times.kickoff].CopyFrom(literals.timestamp(tick))
    return made
