"""Units of pools inside of a transaction: `granting` decides, this reads and writes what it is about."""

from __future__ import annotations

from collections.abc import Mapping

from alula.store.connection import Connection, Use
from alula.store.granting import grant, look, shortage
from alula.store.records import LeaseRecord, Place, PoolRecord
from alula.store.rows import lease_record, pool_record


def free(connection: Connection, execution: int, path: str, number: int) -> None:
    """Give back all that an attempt has, and let it out of quarantine."""
    key = {"execution": execution, "path": path, "number": number}
    connection.news.pools.update(dict.fromkeys(pool for (pool,) in connection.rows("lease_free", **key)))
    connection.rows("stuck_free", **key)


def settle(connection: Connection) -> None:
    """Grant what can be granted in all pools that this transaction has touched. The last thing that it does.

    Pools are locked in the order of their names, so that no two transactions wait for each other.
    """
    for name in sorted(connection.news.pools):
        row = connection.one("pool_lock", pool=name)
        if row is None:  # whoever makes it hears of those who wait, or these of the pool
            alone_with(connection, name)
            row = connection.one("pool_lock", pool=name)
        if row is not None:
            _settle(connection, pool_record(row))


def alone_with(connection: Connection, pool: str) -> None:
    """Until this transaction is over, nobody else makes a pool, or asks for units of one that is not there."""
    connection.rows("name_lock", name=f"pool:{pool}")


def place(connection: Connection, execution: int, path: str, number: int, pool: str) -> Place | None:
    """Where an attempt stands in a pool."""
    row = connection.one("lease_at", execution=execution, path=path, number=number, pool=pool)
    if row is None:
        return None
    lease = lease_record(row)
    return Place(True) if lease.granted else Place(False, waits(connection, lease, connection.news.uses))


def waits(connection: Connection, lease: LeaseRecord, uses: dict[str, Use]) -> str:
    """What a lease waits for, in a sentence.

    Args:
        uses: What is known of pools by now.
    """
    use = uses.get(lease.pool)
    if use is None:
        found = connection.one("pool", pool=lease.pool)
        pool = pool_record(found) if found is not None else None
        use = uses[lease.pool] = pool, held(connection, lease.pool)
    ((before,),) = connection.rows("lease_before", pool=lease.pool, priority=lease.priority, id=lease.id)
    return shortage(use[0], lease.pool, use[1], lease, before)


def held(connection: Connection, pool: str) -> Mapping[str, int]:
    """The units that projects have."""
    return {project: units for project, units, _ in connection.rows("lease_held", pool=pool)}


def _settle(connection: Connection, pool: PoolRecord) -> None:
    has = held(connection, pool.name)
    length = look(pool, has)
    waiting: list[LeaseRecord] = []
    project = ""
    while length and (row := connection.one("lease_project", pool=pool.name, after=project)) is not None:
        project = row[0]
        found = connection.rows("lease_line", pool=pool.name, project=project, limit=length)
        waiting += map(lease_record, found)
    if not waiting:
        return
    grants = grant(pool, has, waiting)
    if grants.granted:
        connection.rows("lease_grant", ids=[lease.id for lease in grants.granted])
    for lease in grants.passed:
        connection.rows("lease_passed", at=lease.id, count=lease.bypassed)
    for lease in grants.granted:
        if lease.id not in connection.news.asked:
            _tell(connection, lease)


def _tell(connection: Connection, lease: LeaseRecord) -> None:
    """Put word of a grant into the inbox of an execution that does not expect it right now."""
    row = connection.one("asked", execution=lease.execution)
    if row is not None and row[0]:
        body = lease.pool.encode()
        given = {"execution": lease.execution, "path": lease.path, "attempt": lease.number, "body": body}
        connection.rows("command_insert", kind="granted", **given)
        connection.news.executions[lease.execution] = None
