"""`QueryStore` and `Keeper` on a database."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TypeVar

from alula._kits.owners import gone
from alula.errors import NameTaken, Unknown
from alula.store.access import Access
from alula.store.connection import NO_LIMIT, Connection
from alula.store.engines import unknown_execution
from alula.store.records import (
    AttemptRecord,
    ExecutionFilter,
    ExecutionKey,
    ExecutionRecord,
    ExpansionRecord,
    NodeRecord,
    ProgressRecord,
    SignalRecord,
)
from alula.store.rows import attempt_record, execution_record, micros, moment, node_record

T = TypeVar("T")

_NO_FILTER = ExecutionFilter()
_HANGING = "nodes attempts expansions signals progress commands jobs stuck notices executions".split()
"""Tables with rows of an execution; its own comes last."""
_NAMES = 1_000
"""So many names at most are compared with one that was not found."""


class Queries(Access):
    """What people and consoles read, and what goes away with time."""

    async def execution(self, key: ExecutionKey) -> ExecutionRecord:
        where = {"project": key.project, "domain": key.domain}

        def work(connection: Connection) -> ExecutionRecord:
            row = connection.one("execution_named", **where, name=key.name)
            if row is not None:
                return execution_record(row)
            names = [name for (name,) in connection.rows("execution_names", **where, limit=_NAMES)]
            close = difflib.get_close_matches(key.name, names)
            raise Unknown(
                f"there is no execution {key.name!r}",
                where=f"project {key.project}, domain {key.domain}",
                fix=f"did you mean {' or '.join(close)}?" if close else "alula get executions lists what there is",
            )

        return await self._read(work)

    async def execution_by_id(self, id: int) -> ExecutionRecord:
        def work(connection: Connection) -> ExecutionRecord:
            row = connection.one("execution", id=id)
            return execution_record(row) if row is not None else unknown_execution(id)

        return await self._read(work)

    async def executions(
        self, filter: ExecutionFilter | None = None, *, limit: int = 100, before: int = 0
    ) -> Sequence[ExecutionRecord]:
        wanted = filter or _NO_FILTER
        after, until = wanted.created_after, wanted.created_before
        given: dict[str, object] = {
            "before": before,
            "project": wanted.project,
            "domain": wanted.domain,
            "phases": list(wanted.phases),
            "entity": wanted.entity,
            "name": wanted.name,
            "parent": wanted.parent,
            "after": None if after is None else micros(after),
            "until": None if until is None else micros(until),
        }
        conditions = [name for name, value in given.items() if value not in (0, "", None, [])]
        if wanted.open is not None:
            conditions.append("open" if wanted.open else "closed")
        if wanted.top:
            conditions.append("top")
        rows = await self._read(lambda connection: connection.listing("executions", conditions, limit=limit, **given))
        return [execution_record(row) for row in rows]

    async def count_open(self, limit: int) -> int:
        ((count,),) = await self._read(lambda connection: connection.rows("open_count", limit=limit))
        return int(count)

    async def closure(self, digest: str) -> bytes:
        row = await self._read(lambda connection: connection.one("closure", digest=digest))
        if row is None:
            raise Unknown(f"there is no closure {digest!r}", fix="take the digest from an execution")
        closure: bytes = row[0]
        return closure

    async def nodes(
        self, execution: int, *, after: str = "", limit: int = 0, phases: Collection[str] = ()
    ) -> Sequence[NodeRecord]:
        conditions = [*(["after"] if after else ()), *(["phases"] if phases else ())]
        given = {"execution": execution, "after": after, "phases": list(phases), "limit": limit or NO_LIMIT}
        return await self._of(
            execution, lambda connection: list(map(node_record, connection.listing("nodes", conditions, **given)))
        )

    async def node(self, execution: int, path: str) -> NodeRecord | None:
        def work(connection: Connection) -> NodeRecord | None:
            row = connection.one("node_at", execution=execution, path=path)
            return None if row is None else node_record(row)

        return await self._of(execution, work)

    async def attempts(self, execution: int, path: str | None = None) -> Sequence[AttemptRecord]:
        def work(connection: Connection) -> list[AttemptRecord]:
            if path is None:
                rows = connection.rows("attempts", execution=execution)
            else:
                rows = connection.rows("attempts_at", execution=execution, path=path)
            return list(map(attempt_record, rows))

        return await self._of(execution, work)

    async def expansions(self, execution: int) -> Sequence[ExpansionRecord]:
        rows = await self._of(execution, lambda connection: connection.rows("expansions", execution=execution))
        return [ExpansionRecord(*row) for row in rows]

    async def signals(self, execution: int) -> Sequence[SignalRecord]:
        rows = await self._of(execution, lambda connection: connection.rows("signals", execution=execution))
        return [SignalRecord(*row) for row in rows]

    async def progress(self, execution: int) -> Sequence[ProgressRecord]:
        rows = await self._of(execution, lambda connection: connection.rows("progress_of", execution=execution))
        return [ProgressRecord(*row) for row in rows]

    async def owners(self) -> Sequence[tuple[str, datetime, bool]]:
        def work(connection: Connection) -> list[tuple[str, datetime, bool]]:
            now = connection.now()
            return [(name, moment(until), until > now and not gone(name)) for name, until in connection.rows("owners")]

        return await self._read(work)

    async def delete(self, execution: int) -> None:
        done = False

        def work(connection: Connection) -> None:
            nonlocal done
            if not done or connection.rows("execution_exists", id=execution):  # it may have to be done again
                _delete(connection, execution)
            done = True

        await self._write(work)

    async def _of(self, execution: int, work: Callable[[Connection], T]) -> T:
        """What `work` reads of an execution. Raises Unknown if there is none."""

        def checked(connection: Connection) -> T:
            if not connection.rows("execution_exists", id=execution):
                unknown_execution(execution)
            return work(connection)

        return await self._read(checked)


def _delete(connection: Connection, execution: int) -> None:
    row = connection.one("deletable", execution=execution)
    if row is None:
        unknown_execution(execution)
    open, closure, name = row
    if open:
        raise NameTaken(f"execution {name!r} has not come to its end", fix="abort it, and delete it when it is closed")
    connection.news.pools.update(
        dict.fromkeys(pool for (pool,) in connection.rows("delete_leases", execution=execution))
    )
    for table in _HANGING:
        connection.rows(f"delete_{table}", execution=execution)
    connection.rows("closure_lock", digest=closure)
    connection.rows("closure_delete", digest=closure)
    connection.news.closures.discard(closure)
