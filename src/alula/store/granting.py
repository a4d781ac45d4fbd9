"""Who gets units of a pool next: pure, so that every kind of store decides alike.

The highest priority goes first. Among equals it is the project that has least of its share; within a project whoever
asked first. Who does not fit yet lets smaller ones pass, `BYPASS` times at most: from then on units are kept for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from alula.store.records import LeaseRecord, PoolRecord

BYPASS = 8
"""So often smaller ones may pass somebody who does not fit yet."""
AHEAD = 64
"""How much further than the free units a project's line is looked at: those in front of it may all not fit."""


MANY = 1_000
"""Of those before somebody in the line no more are counted."""


@dataclass(frozen=True, slots=True)
class Grants:
    """What has changed in a pool."""

    granted: tuple[LeaseRecord, ...] = ()
    passed: tuple[LeaseRecord, ...] = ()
    """Those that were passed, with their new count."""


def look(pool: PoolRecord, held: Mapping[str, int]) -> int:
    """How much of each project's line must be known; 0: nothing can be granted."""
    free = pool.units - sum(held.values())
    return free + AHEAD if free > 0 else 0


def line(waiting: Iterable[LeaseRecord]) -> list[LeaseRecord]:
    """Those who wait, of one project or of all, in the order in which they wait."""
    return sorted(waiting, key=_place)


def grant(pool: PoolRecord, held: Mapping[str, int], waiting: Iterable[LeaseRecord]) -> Grants:
    """Who gets units now.

    Args:
        held: The units that each project has.
        waiting: Who waits: of each project at least the first `look` in its line.
    """
    return _Round(pool, held, waiting).run()


def shortage(pool: PoolRecord | None, name: str, held: Mapping[str, int], lease: LeaseRecord, before: int) -> str:
    """Why somebody waits, in a sentence.

    Args:
        before: How many are before it in the line, counted no further than `MANY`.
    """
    if pool is None:
        return f"quota {name}: there is no such pool; make it: alula pool set {name} UNITS"
    cap, ahead = pool.per_project, f", {before} before it" if before < MANY else f", {MANY:,} or more before it"
    if lease.units > pool.units:
        return f"quota {name}: it needs {lease.units} units and the pool has {pool.units}: alula pool set {name} UNITS"
    if cap and lease.units > cap:
        return f"quota {name}: it needs {lease.units} units, and a project may have {cap}"
    mine = held.get(lease.project, 0)
    if cap and mine + lease.units > cap:
        return f"quota {name}: project {lease.project} has {mine} of the {cap} units that it may have{ahead}"
    needs = f"it needs {lease.units}, and " if lease.units > 1 else ""
    return f"quota {name}: {needs}{sum(held.values())} of {pool.units} units in use{ahead}"


def _place(lease: LeaseRecord) -> tuple[int, int]:
    return -lease.priority, lease.id


@dataclass(slots=True, eq=False)
class _Line:
    """One project's line."""

    project: str
    weight: float
    has: int
    waiting: Sequence[LeaseRecord]
    at: int = 0
    capped: list[LeaseRecord] = field(default_factory=list)
    """Those for whom there is no room below the project's own limit."""

    def order(self) -> tuple[int, float, int]:
        head = self.waiting[self.at]
        return -head.priority, self.has / self.weight, head.id


class _Round:
    def __init__(self, pool: PoolRecord, held: Mapping[str, int], waiting: Iterable[LeaseRecord]) -> None:
        self.pool = pool
        self.free = pool.units - sum(held.values())
        by_project: dict[str, list[LeaseRecord]] = {}
        for lease in waiting:
            by_project.setdefault(lease.project, []).append(lease)
        length = look(pool, held)
        self.lines = [
            _Line(project, pool.weights.get(project, 1.0), held.get(project, 0), line(leases)[:length])
            for project, leases in by_project.items()
            if length
        ]
        self.blocked: list[LeaseRecord] = []
        """Those for whom too little is free."""
        self.granted: list[LeaseRecord] = []
        self.counts: dict[int, int] = {}
        self.passed: dict[int, LeaseRecord] = {}

    def run(self) -> Grants:
        while self.free > 0 and self.lines:
            first = min(self.lines, key=_Line.order)
            if not self._consider(first, first.waiting[first.at]):
                break
            first.at += 1
            if first.at == len(first.waiting):
                self.lines.remove(first)
        gone = {lease.id for lease in self.granted}
        passed = [replace(one, bypassed=self._count(one)) for one in self.passed.values() if one.id not in gone]
        return Grants(tuple(self.granted), tuple(passed))

    def _consider(self, project: _Line, lease: LeaseRecord) -> bool:
        """Look at who is next; gives whether anybody behind it may have a look, too."""
        cap = self.pool.per_project
        if lease.units > self.pool.units or (cap and lease.units > cap):
            return True  # it never fits as the pool is now, and is in nobody's way
        if cap and project.has + lease.units > cap:
            project.capped.append(lease)
            return True
        if lease.units > self.free:
            self.blocked.append(lease)
            return self._count(lease) < BYPASS
        if any(self._count(one) >= BYPASS for one in project.capped):
            return True  # its project keeps room for another one
        for one in (*self.blocked, *project.capped):
            self.counts[one.id] = self._count(one) + 1
            self.passed[one.id] = one
        self.granted.append(replace(lease, granted=True))
        self.free -= lease.units
        project.has += lease.units
        return all(self._count(one) < BYPASS for one in self.blocked)

    def _count(self, lease: LeaseRecord) -> int:
        return self.counts.get(lease.id, lease.bypassed)
