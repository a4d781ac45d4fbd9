"""`PoolStore` in memory."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence

from alula._kits.clock import Clock
from alula.errors import FenceLost, Unknown
from alula.store.granting import line, shortage
from alula.store.memory_rows import ExecutionRows, Rows
from alula.store.records import Claim, LeaseRecord, Place, PoolRecord, PoolUse


class PoolsInMemory(Rows):
    def __init__(self, clock: Clock | None = None, tag: str = "") -> None:
        super().__init__(clock)
        self._tag = tag or secrets.token_hex(4)
        self._knobs: dict[str, str] = {}

    async def acquire(
        self, claim: Claim, *, path: str, number: int, pool: str, units: int, priority: int = 0
    ) -> Place | None:
        row = self._claimed(claim)
        lease = self._lease(pool, claim.execution, (path, number))
        if lease is None:
            if (path, number) not in row.open_attempts:
                return None
            there = self._pools.get(pool)
            level = priority or (there.priority if there is not None else 0)
            self._asked += 1
            given = pool, claim.execution, path, number, units, row.record.key.project, level
            lease = LeaseRecord(self._asked, *given, self.clock.now())
            self._lines.setdefault(pool, {})[lease.id] = lease
        self._settle(pool, lease.id)
        lease = self._lines[pool][lease.id]
        return Place(True) if lease.granted else Place(False, self._waits(lease))

    async def set_pool(self, pool: PoolRecord) -> None:
        self._pools[pool.name] = pool
        self._settle(pool.name)

    async def change_pool(self, name: str, change: Callable[[PoolRecord | None], PoolRecord]) -> None:
        self._pools[name] = change(self._pools.get(name))
        self._settle(name)

    async def ensure_pool(self, name: str, units: int) -> None:
        self._pools.setdefault(name, PoolRecord(name, units))
        self._settle(name)

    async def pools(self) -> Sequence[PoolUse]:
        names = {*self._pools, *(name for name, line in self._lines.items() if line)}
        return [self._used(name) for name in sorted(names)]

    async def pool(self, name: str, *, limit: int = 100) -> tuple[PoolUse, Sequence[LeaseRecord]]:
        use, there = self._used(name), self._lines.get(name, {}).values()
        if name not in self._pools and not use.waiting:
            raise Unknown(
                f"there is no pool {name!r}", fix=f"alula pool list shows them; alula pool set {name} UNITS makes it"
            )
        waiting = line(lease for lease in there if not lease.granted)
        return use, [*[lease for lease in there if lease.granted][:limit], *waiting[:limit]]

    async def leases(self, execution: int) -> Sequence[tuple[LeaseRecord, str]]:
        return self._leases_of(execution)

    async def knobs(self) -> Mapping[str, str]:
        return dict(sorted(self._knobs.items()))

    async def set_knob(self, key: str, value: str) -> None:
        if value:
            self._knobs[key] = value
        else:
            self._knobs.pop(key, None)
        self._tell()

    async def tag(self) -> str:
        return self._tag

    def _claimed(self, claim: Claim) -> ExecutionRows:
        row = self._executions.get(claim.execution)
        if row is None or not row.record.open or (row.record.owner, row.fence) != (claim.owner, claim.fence):
            raise FenceLost(
                f"engine {claim.owner!r} has lost execution {claim.execution} (its fence is {claim.fence})",
                where="nobody" if row is None or not row.record.owner else f"engine {row.record.owner!r} has it",
                fix="nothing: whoever has it now goes on with it",
            )
        return row

    def _leases_of(self, execution: int) -> list[tuple[LeaseRecord, str]]:
        found = [one for line in self._lines.values() for one in line.values() if one.execution == execution]
        found.sort(key=lambda lease: lease.id)
        return [(lease, "" if lease.granted else self._waits(lease)) for lease in found]

    def _waits(self, lease: LeaseRecord) -> str:
        waiting = line(one for one in self._lines[lease.pool].values() if not one.granted)
        before = waiting.index(lease)
        return shortage(self._pools.get(lease.pool), lease.pool, self._use(lease.pool), lease, before)

    def _used(self, name: str) -> PoolUse:
        there = self._lines.get(name, {}).values()
        held = [lease.units for lease in there if lease.granted]
        return PoolUse(self._pools.get(name) or PoolRecord(name, 0), sum(held), len(held), len(there) - len(held))
