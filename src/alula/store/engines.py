"""`EngineStore` on a database: claims, commits, inboxes, creation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

from alula._kits.owners import gone
from alula.errors import StoreUnavailable, Unknown
from alula.store.access import Access
from alula.store.commits import fence_lost
from alula.store.connection import NO_LIMIT, Connection
from alula.store.records import (
    Changes,
    Claim,
    Command,
    ExecutionRecord,
    ExpansionRecord,
    Loaded,
    NewExecution,
    SignalRecord,
)
from alula.store.rows import (
    Row,
    attempt_record,
    execution_fence,
    execution_record,
    job_record,
    lease_record,
    node_record,
    span,
    stuck_record,
)

_FORGET = span(timedelta(hours=1))
"""An engine that was not heard of for so long, and has nothing left, is forgotten."""


class Engines(Access):
    """What an engine reads and writes."""

    async def beat(self, owner: str, *, lease: timedelta) -> None:
        def work(connection: Connection) -> None:
            connection.rows("owner_beat", name=owner, until=connection.now() + span(lease))

        await self._write(work)

    async def retire(self, owner: str) -> None:
        def work(connection: Connection) -> None:
            _give_back(connection, owner)
            connection.rows("owner_forget", name=owner)

        await self._write(work)

    async def claim(
        self, owner: str, *, limit: int, only: Collection[int] | None = None, having: Collection[int] | None = None
    ) -> Sequence[Claim]:
        claims: list[Claim] = []

        def work(connection: Connection) -> Sequence[Claim] | None:
            ((alone,),) = connection.rows("name_try", name=f"claims:{owner}")
            if not alone:
                return None
            if claims and _held(connection, claims):
                return claims  # it is done again, since nobody knew whether it was done
            if having is not None:
                _give_back(connection, owner, but=having)
            found = _claimable(connection, limit, only)
            if not found:
                return []
            # Who has executions is listed, so that its end is noticed, also if it never says that it lives.
            connection.rows("owner_known", name=owner, until=0)
            claims[:] = _claims(connection, sorted(connection.rows("claim", owner=owner, ids=found)))
            return claims

        done = await self._write(work)
        if done is None:  # nobody knows yet what it takes
            raise StoreUnavailable(
                "a claim of this engine whose answer was lost is still under way",
                fix="nothing: it ends, or the server ends it (pg_stat_activity)",
            )
        return done

    async def load(self, claim: Claim) -> Loaded:
        def work(connection: Connection) -> Loaded:
            with connection.snapshot():
                row = connection.one("execution", id=claim.execution)
                holder = ("", 0) if row is None else execution_fence(row)
                if row is None or holder != (claim.owner, claim.fence):
                    raise fence_lost(claim, holder[0])
                record, at = execution_record(row), claim.execution
                ((closure,),) = connection.rows("closure", digest=record.closure)
                attempts = tuple(map(attempt_record, connection.rows("attempts_open", execution=at)))
                loaded = Loaded(
                    record=record,
                    closure=closure,
                    nodes=tuple(map(node_record, connection.listing("nodes", (), execution=at, limit=NO_LIMIT))),
                    attempts=attempts,
                    expansions=tuple(ExpansionRecord(*one) for one in connection.rows("expansions", execution=at)),
                    signals=tuple(SignalRecord(*one) for one in connection.rows("signals", execution=at)),
                    commands=tuple(Command(*one) for one in connection.rows("commands", ids=[at])),
                )
                return _with_jobs(connection, loaded) if attempts else loaded

        return await self._read(work)

    async def commit(self, claim: Claim, changes: Changes) -> None:
        await self._writer.commit(claim, changes)

    async def release(self, claim: Claim) -> None:
        def work(connection: Connection) -> None:
            for (id,) in connection.rows("release", execution=claim.execution, holder=claim.owner, at=claim.fence):
                connection.news.executions[id] = None

        await self._write(work)

    async def commands(self, executions: Collection[int]) -> Sequence[Command]:
        ids = list(executions)
        if not ids:
            return []
        rows = await self._read(lambda connection: connection.rows("commands", ids=ids))
        return [Command(*row) for row in rows]

    async def create(self, new: NewExecution) -> tuple[ExecutionRecord, bool]:
        return await self._writer.create(new)

    async def ask(self, execution: int, kind: str, *, path: str = "", attempt: int = 0, body: bytes = b"") -> None:
        def work(connection: Connection) -> None:
            row = connection.one("asked", execution=execution)
            if row is None:
                unknown_execution(execution)
            if row[0]:
                given = {"execution": execution, "kind": kind, "path": path, "attempt": attempt, "body": body}
                connection.rows("command_insert", **given)
                connection.news.executions[execution] = None

        await self._write(work)


def _claims(connection: Connection, taken: Sequence[Row]) -> list[Claim]:
    """Claims of executions, of rows as they are now; with what there is of those that nobody had before."""
    claims: dict[int, Claim] = {}
    for row in taken:
        owner, fence = execution_fence(row)
        first = Loaded(execution_record(row)) if fence == 1 else None
        claims[row[0]] = Claim(row[0], owner, fence, first)
    if ids := [id for id, claim in claims.items() if claim.first is not None]:
        for id, *signal in connection.rows("signals_of", ids=ids):
            claims[id] = _also(claims[id], signals=(SignalRecord(*signal),))
        for one in connection.rows("commands", ids=ids):
            claims[one[1]] = _also(claims[one[1]], commands=(Command(*one),))
    return list(claims.values())


def _also(claim: Claim, *, signals: tuple[SignalRecord, ...] = (), commands: tuple[Command, ...] = ()) -> Claim:
    first = claim.first
    assert first is not None
    return replace(claim, first=replace(first, signals=first.signals + signals, commands=first.commands + commands))


def _with_jobs(connection: Connection, loaded: Loaded) -> Loaded:
    """With all else that there is of the attempts that are open."""
    at, open = loaded.record.id, {(attempt.path, attempt.number) for attempt in loaded.attempts}
    jobs = map(job_record, connection.rows("job_of", execution=at))
    leases = map(lease_record, connection.rows("leases_of", execution=at))
    stuck = (stuck_record(row, at) for row in connection.rows("stuck_of", execution=at))
    return replace(
        loaded,
        jobs=tuple(job for job in jobs if (job.path, job.number) in open),
        leases=tuple(leases),
        stuck=tuple(stuck),
    )


def unknown_execution(id: int) -> NoReturn:
    raise Unknown(f"there is no execution with the id {id}", fix="alula get executions lists what there is")


def _held(connection: Connection, claims: Sequence[Claim]) -> bool:
    rows = connection.rows("fences", ids=[claim.execution for claim in claims])
    return {(claim.execution, claim.owner, claim.fence) for claim in claims} == set(rows)


def _give_back(connection: Connection, owner: str, *, but: Collection[int] = ()) -> None:
    kept = frozenset(but)
    left = [id for (id,) in connection.rows("had", owner=owner) if id not in kept]
    if left:
        connection.rows("give_back", ids=left, holder=owner)
        connection.news.executions.update(dict.fromkeys(left))


def _claimable(connection: Connection, limit: int, only: Collection[int] | None) -> list[int]:
    """The oldest open executions that no living engine has."""
    now = connection.now()
    dead = [""]
    for name, until in connection.rows("owners"):
        if until <= now - _FORGET:
            connection.rows("owner_forget", name=name)
        if until <= now or gone(name):
            dead.append(name)
    found: list[int] = []
    for owner in dead:
        if only is None:
            rows = connection.rows("owned", owner=owner, limit=limit)
        else:
            rows = connection.rows("owned_of", owner=owner, limit=limit, ids=sorted(only))
        found += [id for (id,) in rows]
    return sorted(found)[:limit]
