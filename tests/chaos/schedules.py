"""Replicas that make up for an hour of starts each minute, and are killed while they do."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import psycopg

from alula.client.asynchronous import AsyncClient
from alula.idl import Identifier, LiteralMap, ResourceType, literals
from alula.idl.service import ExecutionSpec, LaunchPlanState, LaunchPlanUpdateRequest
from alula.services.binding import Call
from alula.services.launch_plans import LaunchPlans
from alula.services.registry import Registry
from alula.store.plan_records import PlanRecord
from alula.store.records import ExecutionRecord
from tests.chaos.arena import Arena, kill, stop
from tests.chaos.timed import SAID

_AGO, _MINUTE = timedelta(hours=1), timedelta(minutes=1)
_PLANS = (*SAID, "rate")
_PATIENCE = 120.0


async def missed(arena: Arena, kills: int, rng: random.Random, *, replicas: int = 3) -> list[str]:
    """Kill one of some replicas, again and again, while they make up for starts; gives what is wrong in the end."""
    versions = [arena.process("register", "tests/chaos/timed.py", "--version", one) for one in ("v1", "v2")]
    if sum(one.wait() for one in versions):
        return [f"timed.py could not be registered: {(arena.home / 'stderr.txt').read_text()[-2000:]}"]
    engines = [arena.engine() for _ in range(replicas)]
    faults: list[str] = []
    try:
        async with AsyncClient(config=arena.config) as client:
            await _set(client, "v1", *_PLANS)
            _turn_back(arena)
            for nth in range(kills):
                await asyncio.sleep(rng.uniform(0.2, 1.5))
                at = rng.randrange(replicas)
                faults += kill(engines[at])
                engines[at] = arena.engine()
                if nth == 0:
                    await _set(client, "v2", "switched")
                    await _set(client, "v1", "paused", active=False)
            await _caught_up(client)
            faults += [fault for engine in engines for fault in stop(engine)]
            return faults + await _faults(client)
    finally:
        for engine in engines:
            kill(engine)


async def _set(client: AsyncClient, version: str, *names: str, active: bool = True) -> None:
    calls = LaunchPlans(Registry(client.desk))
    state = LaunchPlanState.ACTIVE if active else LaunchPlanState.INACTIVE
    for name in names:
        id = Identifier(project="default", domain="development", name=name, version=version)
        id.resource_type = ResourceType.LAUNCH_PLAN
        await calls.UpdateLaunchPlan(LaunchPlanUpdateRequest(id=id, state=state), Call())


def _turn_back(arena: Arena) -> None:
    """Have it that nobody was there for an hour."""
    with psycopg.connect(arena.url, autocommit=True) as connection:
        ago = int(_AGO.total_seconds()) * 1_000_000
        connection.execute(
            "UPDATE plans SET last = last - %s, since = since - %s, changed_at = changed_at - %s", [ago] * 3
        )


async def _caught_up(client: AsyncClient) -> None:
    """Wait until nothing is owed and all that was started has ended."""
    store = client.house.store
    async with asyncio.timeout(_PATIENCE):
        while True:
            late = [one for one in await store.plans() if one.active and _last(one) <= datetime.now(UTC) - _MINUTE]
            if not late and not any(record.open for record in await store.executions(limit=10_000)):
                return
            await asyncio.sleep(0.1)


def _last(plan: PlanRecord) -> datetime:
    return plan.last or plan.changed_at


async def _faults(client: AsyncClient) -> list[str]:
    records = await client.house.store.executions(limit=10_000)
    bad = [one for one in records if one.ended_at and one.phase != "succeeded"]  # one may have begun just now
    faults = [f"{one.key.name} ended as {one.phase}: {one.error}" for one in bad]
    for plan in await client.house.store.plans():
        name, mine = plan.name, [one for one in records if one.entity.split(":")[3] == plan.name]
        found = sorted(_tick(one) for one in mine)
        faults += [f"{name} has {len(found)} starts for {len(set(found))} times"] * (len(found) != len(set(found)))
        faults += [f"{name} was not given its time" for one in mine if _given(one) != _tick(one)]
        owed = _owed(plan, max([_last(plan), *found]))
        kept = {"latest": 1, "few": 7, "queued": 3, "none": 0}.get(name)
        if name == "paused":
            faults += [f"paused left out {set(owed[: len(found)]) - set(found)}"] * (found != owed[: len(found)])
        elif kept is None:
            faults += [f"{name}: {len(owed)} starts were owed, and {len(found)} made"] * (found != owed)
        else:  # and those whose time came meanwhile
            faults += [f"{name} made {len(found)} starts"] * (not kept <= len(found) <= kept + 2)
            faults += [f"{name} made up for what it should not"] * (found != owed[len(owed) - len(found) :])
    faults += _meeting([one for one in records if ":queued:" in one.entity])
    versions = {one.entity.rpartition(":")[2] for one in records if ":switched:" in one.entity}
    return faults + [f"switched ran as {versions}"] * ("v2" not in versions)


def _owed(plan: PlanRecord, until: datetime) -> list[datetime]:
    """All times of a launch plan from the hour that was turned back on."""
    changed = plan.since or plan.changed_at
    found, at = [], changed + _MINUTE if plan.name == "rate" else changed.replace(second=0, microsecond=0) + _MINUTE
    while at <= until:
        found.append(at)
        at += _MINUTE
    return found


def _meeting(records: list[ExecutionRecord]) -> list[str]:
    """Executions that ran at the same time, where one has to wait for the other."""
    spans = sorted((one.created_at, one.ended_at or datetime.max.replace(tzinfo=UTC)) for one in records)
    return ["queued starts met"] * sum(one[1] > other[0] for one, other in pairwise(spans))


def _tick(record: ExecutionRecord) -> datetime:
    return ExecutionSpec.FromString(record.spec).metadata.scheduled_at.ToDatetime(tzinfo=UTC)


def _given(record: ExecutionRecord) -> object:
    return literals.to_datetime(LiteralMap.FromString(record.inputs).literals["at"])
