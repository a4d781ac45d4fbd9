"""`PoolStore` on a database, and what runners keep of attempts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence

from alula.errors import Unknown
from alula.store.access import Access
from alula.store.commits import check_fence
from alula.store.connection import Connection, Later, Use
from alula.store.leasing import alone_with, place, waits
from alula.store.records import Claim, JobRecord, LeaseRecord, Place, PoolRecord, PoolUse, StuckRecord
from alula.store.rows import job_record, lease_record, pool_record, pool_row, stuck_record


class Pools(Access):
    """Units that attempts of all executions share, and limits that change at run time."""

    async def acquire(
        self, claim: Claim, *, path: str, number: int, pool: str, units: int, priority: int = 0
    ) -> Place | None:
        at = claim.execution

        def work(connection: Connection) -> Later[Place | None]:
            check_fence(connection, claim)
            key = {"path": path, "number": number, "pool": pool}
            if connection.one("lease_at", execution=at, **key) is None:
                there = connection.one("pool", pool=pool)
                level = priority or (pool_record(there).priority if there is not None else 0)
                given = {"units": units, "priority": level, "since": connection.now()}
                connection.rows("lease_ask", execution=at, **key, **given)
            row = connection.one("lease_at", execution=at, **key)
            if row is not None and not (lease := lease_record(row)).granted:
                connection.news.pools[pool] = None
                connection.news.asked.add(lease.id)
            return Later(lambda connection: place(connection, at, path, number, pool))

        return await self._write_and_read(work)

    async def set_pool(self, pool: PoolRecord) -> None:
        await self.change_pool(pool.name, lambda _: pool)

    async def change_pool(self, name: str, change: Callable[[PoolRecord | None], PoolRecord]) -> None:
        def work(connection: Connection) -> None:
            alone_with(connection, name)
            row = connection.one("pool_lock", pool=name)
            connection.insert("pool_put", [pool_row(change(pool_record(row) if row is not None else None))])
            connection.news.pools[name] = None

        await self._write(work)

    async def ensure_pool(self, name: str, units: int) -> None:
        def work(connection: Connection) -> None:
            alone_with(connection, name)
            connection.insert("pool_keep", [pool_row(PoolRecord(name, units))])
            connection.news.pools[name] = None

        await self._write(work)

    async def pools(self) -> Sequence[PoolUse]:
        def work(connection: Connection) -> list[PoolUse]:
            found = {pool.name: pool for pool in map(pool_record, connection.rows("pools"))}
            names = {*found, *(name for (name,) in connection.rows("lease_pools"))}
            return [_use(connection, found.get(name) or PoolRecord(name, 0)) for name in sorted(names)]

        return await self._read(work)

    async def pool(self, name: str, *, limit: int = 100) -> tuple[PoolUse, Sequence[LeaseRecord]]:
        def work(connection: Connection) -> tuple[PoolUse, Sequence[LeaseRecord]]:
            row = connection.one("pool", pool=name)
            use = _use(connection, pool_record(row) if row is not None else PoolRecord(name, 0))
            if row is None and not use.waiting:
                raise unknown_pool(name)
            rows = connection.rows("lease_holders", pool=name, limit=limit)
            rows += connection.rows("lease_waiting", pool=name, limit=limit)
            return use, list(map(lease_record, rows))

        return await self._read(work)

    async def leases(self, execution: int) -> Sequence[tuple[LeaseRecord, str]]:
        def work(connection: Connection) -> list[tuple[LeaseRecord, str]]:
            rows = map(lease_record, connection.rows("leases_of", execution=execution))
            uses: dict[str, Use] = {}
            return [(lease, "" if lease.granted else waits(connection, lease, uses)) for lease in rows]

        return await self._read(work)

    async def knobs(self) -> Mapping[str, str]:
        return dict(await self._read(lambda connection: connection.rows("knobs")))

    async def set_knob(self, key: str, value: str) -> None:
        def work(connection: Connection) -> None:
            if value:
                connection.insert("knob_put", [(key, value)])
            else:
                connection.rows("knob_delete", key=key)
            connection.news.any = True

        await self._write(work)

    async def jobs(self, execution: int, path: str | None = None) -> Sequence[JobRecord]:
        def work(connection: Connection) -> list[JobRecord]:
            name = "job_of" if path is None else "job_at"
            return list(map(job_record, connection.rows(name, execution=execution, path=path)))

        return await self._read(work)

    async def stuck(self, execution: int | None = None) -> Sequence[StuckRecord]:
        def work(connection: Connection) -> list[StuckRecord]:
            if execution is None:
                return [stuck_record(tuple(rest), at) for at, *rest in connection.rows("stuck_all")]
            return [stuck_record(row, execution) for row in connection.rows("stuck_of", execution=execution)]

        return await self._read(work)

    async def tag(self) -> str:
        found = await self._read(lambda connection: connection.one("tag"))
        if found is not None:
            return str(found[0])
        made = secrets.token_hex(4)

        def work(connection: Connection) -> str:
            connection.insert("tag_keep", [(1, made)])
            row = connection.one("tag")
            assert row is not None
            return str(row[0])

        return await self._write(work)


def _use(connection: Connection, pool: PoolRecord) -> PoolUse:
    rows = connection.rows("lease_held", pool=pool.name)
    ((waiting,),) = connection.rows("lease_count", pool=pool.name)
    return PoolUse(pool, sum(row[1] for row in rows), sum(row[2] for row in rows), waiting)


def unknown_pool(name: str) -> Unknown:
    return Unknown(
        f"there is no pool {name!r}", fix=f"alula pool list shows them; alula pool set {name} UNITS makes it"
    )
