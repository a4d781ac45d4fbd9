"""Pools: units that attempts of all executions share, how many there are, who has them, who waits."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from alula.admin.desk import Desk, refuse
from alula.store.records import LeaseRecord, PoolRecord, PoolUse

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
_MOST = 2**31
_APPLIED = "pools."
"""The knob that says what of the settings was applied to a pool."""


@dataclass(frozen=True, slots=True)
class PoolView:
    name: str
    units: int
    used: int
    holders: int
    """Attempts that have units."""
    waiting: int
    """Attempts that wait for some."""
    per_project: int
    """The most that one project has at a time; 0: all."""
    weights: Mapping[str, float]
    priority: int
    """Of attempts that say nothing about theirs."""


@dataclass(frozen=True, slots=True)
class LeaseView:
    """An attempt that has units of a pool, or waits for some."""

    place: int
    """In the line, from 1; 0: it has them."""
    project: str
    execution: str
    path: str
    number: int
    units: int
    priority: int
    since: datetime
    bypassed: int
    """How many smaller ones were let pass."""


@dataclass(frozen=True, slots=True)
class PoolChange:
    """What is to be changed of a pool; None: leave it."""

    units: int | None = None
    per_project: int | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    """Of these projects; a weight of 1 is that of everybody else."""
    priority: int | None = None


async def pools(desk: Desk) -> list[PoolView]:
    """All pools, by name; those that are asked for and that nobody has made have no units."""
    return [_view(use) for use in await desk.store.pools()]


async def pool(desk: Desk, name: str, *, limit: int = 100) -> tuple[PoolView, list[LeaseView]]:
    """One pool: who has units, then the line. Raises Unknown."""
    use, leases = await desk.store.pool(name, limit=limit)
    names: dict[int, str] = {}
    for id in {lease.execution for lease in leases}:
        names[id] = (await desk.store.execution_by_id(id)).key.name
    line = iter(range(1, len(leases) + 1))
    return _view(use), [_lease(one, names[one.execution], 0 if one.granted else next(line)) for one in leases]


async def set_pool(desk: Desk, name: str, change: PoolChange) -> PoolView:
    """Make a pool, or change it while it is used. What is held stays held.

    Raises:
        RequestError: With every fault.
    """

    def changed(before: PoolRecord | None) -> PoolRecord:
        faults = _faults(name, change, before)
        if faults:
            raise refuse(f"pool {name!r} was not changed", faults, fix="alula pool set NAME UNITS")
        was = before or PoolRecord(name, 0)
        weights = {**was.weights, **change.weights}
        return replace(
            was,
            units=was.units if change.units is None else change.units,
            per_project=was.per_project if change.per_project is None else change.per_project,
            weights={project: weight for project, weight in sorted(weights.items()) if weight != 1},
            priority=was.priority if change.priority is None else change.priority,
        )

    await desk.store.change_pool(name, changed)
    return (await pool(desk, name, limit=1))[0]


async def apply(desk: Desk, wanted: Mapping[str, int]) -> None:
    """Have the pools that settings name. A number that was applied before is not applied again, so that what somebody
    has changed since then stays until the settings change. Raises RequestError."""
    if not wanted:
        return
    knobs = await desk.store.knobs()
    for name, units in wanted.items():
        if knobs.get(_APPLIED + name) != str(units):
            await set_pool(desk, name, PoolChange(units))
            await desk.store.set_knob(_APPLIED + name, str(units))


def _faults(name: str, change: PoolChange, before: PoolRecord | None) -> list[str]:
    faults = []
    if not _NAME.fullmatch(name):
        faults.append(f"{name!r} is no name: letters, digits and . _ / - make one, 100 at most")
    if change.units is None and before is None:
        faults.append("there is no such pool: say how many units it has")
    for what, number in (("units", change.units), ("the most per project", change.per_project)):
        if number is not None and not 0 <= number <= _MOST:
            faults.append(f"{what} is {number}: from 0 to {_MOST}")
    if change.priority is not None and abs(change.priority) > _MOST:
        faults.append(f"the priority is {change.priority}: from -{_MOST} to {_MOST}")
    for project, weight in change.weights.items():
        if not (math.isfinite(weight) and 0 < weight <= 1_000_000):
            faults.append(f"the weight of project {project} is {weight:g}: above 0, and a million at most")
    return faults


def _view(use: PoolUse) -> PoolView:
    pool = use.pool
    counts = use.used, use.holders, use.waiting
    return PoolView(pool.name, pool.units, *counts, pool.per_project, pool.weights, pool.priority)


def _lease(lease: LeaseRecord, execution: str, place: int) -> LeaseView:
    about = lease.project, execution, lease.path, lease.number
    return LeaseView(place, *about, lease.units, lease.priority, lease.since, lease.bypassed)
