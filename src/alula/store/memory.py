"""A store in this process's memory, for tests and simulation: the contract of `store.store`, and nothing survives.

One event loop, no threads, no waiting: what a call does, it does before it returns. The same calls in the same order
give the same ids, the same order of rows and the same wakes.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from alula._kits.clock import Clock
from alula.errors import NameTaken, Unknown
from alula.store.memory_documents import DocumentsInMemory
from alula.store.memory_entities import EntitiesInMemory
from alula.store.memory_pages import PagesInMemory
from alula.store.memory_plans import PlansInMemory
from alula.store.memory_pools import PoolsInMemory
from alula.store.memory_rows import ExecutionRows, Rows
from alula.store.records import (
    AttemptRecord,
    CacheRecord,
    Changes,
    Claim,
    Command,
    ExecutionFilter,
    ExecutionKey,
    ExecutionRecord,
    ExpansionRecord,
    JobRecord,
    LeaseRecord,
    Loaded,
    NewExecution,
    NodeRecord,
    ProgressRecord,
    SignalRecord,
    StuckRecord,
)
from alula.store.rows import workflow_of
from alula.store.store import Wake

_NO_FILTER = ExecutionFilter()


class _Engines(PoolsInMemory, PlansInMemory):
    """`EngineStore`"""

    async def beat(self, owner: str, *, lease: timedelta) -> None:
        seconds = lease.total_seconds()
        self._leases[owner] = self.clock.monotonic() + seconds, self.clock.now() + lease

    async def retire(self, owner: str) -> None:
        self._leases.pop(owner, None)
        left = [id for id in self._open if self._executions[id].record.owner == owner]
        for id in left:
            row = self._executions[id]
            row.record = replace(row.record, owner="")
        if left:
            self._tell(*left)

    async def claim(
        self, owner: str, *, limit: int, only: Collection[int] | None = None, having: Collection[int] | None = None
    ) -> Sequence[Claim]:
        for id in self._open if having is not None else ():
            row = self._executions[id]
            if row.record.owner == owner and id not in (having or ()):
                row.record = replace(row.record, owner="")
        among = self._open if only is None else sorted(set(only) & self._open.keys())
        found = list(islice((id for id in among if not self._held(id)), limit))
        claims = []
        for id in found:
            row = self._executions[id]
            row.fence += 1
            row.record = replace(row.record, owner=owner)
            first = None
            if row.fence == 1:
                first = Loaded(row.record, signals=tuple(row.signals.values()), commands=tuple(row.inbox.values()))
            claims.append(Claim(id, owner, row.fence, first))
        return claims

    def _held(self, execution: int) -> bool:
        owner = self._executions[execution].record.owner
        return bool(owner) and self._lives(owner)

    async def load(self, claim: Claim) -> Loaded:
        row = self._claimed(claim)
        return Loaded(
            record=row.record,
            closure=self._closures[row.record.closure],
            nodes=tuple(row.nodes.values()),
            attempts=tuple(row.attempts[key] for key in row.open_attempts),
            expansions=tuple(row.expansions.values()),
            signals=tuple(row.signals.values()),
            commands=tuple(row.inbox.values()),
            jobs=tuple(row.jobs[key] for key in sorted(row.jobs) if key in row.open_attempts),
            leases=tuple(lease for lease, _ in self._leases_of(claim.execution)) if row.open_attempts else (),
            stuck=tuple(row.stuck[key] for key in sorted(row.stuck)) if row.open_attempts else (),
        )

    async def commit(self, claim: Claim, changes: Changes) -> None:
        row = self._claimed(claim)
        row.write(changes)
        if changes.freed:
            self._free(claim.execution, changes.freed)
        if changes.closed:
            self._open.pop(claim.execution, None)
        parent = row.record.parent
        if changes.tell_parent and parent is not None and parent.execution in self._open:
            self._put(parent.execution, "child_ended", parent.path, parent.attempt, b"")
        if changes.closed or changes.execution is not None:
            self._tell(claim.execution)

    async def release(self, claim: Claim) -> None:
        row = self._executions.get(claim.execution)
        if row is not None and (row.record.owner, row.fence) == (claim.owner, claim.fence):
            row.record = replace(row.record, owner="")
            self._tell(claim.execution)

    async def commands(self, executions: Collection[int]) -> Sequence[Command]:
        rows = (self._executions[id] for id in executions if id in self._open)
        return sorted((command for row in rows for command in row.inbox.values()), key=lambda command: command.id)

    async def create(self, new: NewExecution) -> tuple[ExecutionRecord, bool]:
        known = self._ids.get(new.key)
        if known is not None:
            self._created += not new.limited  # databases have given away an id by the time they see that it is there
            record = self._executions[known].record
            if record.fingerprint != new.fingerprint:
                raise NameTaken(
                    f"execution {new.key.name!r} is there already, of {record.entity} or with other inputs",
                    where=f"project {new.key.project}, domain {new.key.domain}",
                    fix="give another name, or the same inputs",
                )
            return record, False
        if new.limited:
            self._see_limit(new)
        digest = hashlib.sha256(new.closure).hexdigest()
        self._closures.setdefault(digest, new.closure)
        self._created += 1
        id = self._created
        record = ExecutionRecord(
            id=id,
            key=new.key,
            entity=new.entity,
            fingerprint=new.fingerprint,
            phase="queued",
            open=True,
            created_at=self.clock.now(),
            inputs=new.inputs,
            settings=new.settings,
            closure=digest,
            reference=new.reference,
            parent=new.parent,
            labels=dict(new.labels),
            facts=dict(new.facts),
            workflow=workflow_of(new),
            principal=new.principal,
            tags=new.tags,
            mode=new.mode,
            spec=new.spec,
        )
        signals = {name: SignalRecord(name, value) for name, value in new.signals.items()}
        self._executions[id] = ExecutionRows(record, signals=signals)
        self._ids[new.key] = id
        self._open[id] = None
        self._note(new, id)
        self._tell(id)
        return record, True

    async def ask(self, execution: int, kind: str, *, path: str = "", attempt: int = 0, body: bytes = b"") -> None:
        if self._at(execution).record.open:
            self._put(execution, kind, path, attempt, body)

    @contextmanager
    def watch(self, wake: Wake) -> Iterator[None]:
        self._watchers.append(wake)
        try:
            yield
        finally:
            if wake in self._watchers:
                self._watchers.remove(wake)


class _Queries(PlansInMemory):
    """`QueryStore` and `Keeper`"""

    async def execution(self, key: ExecutionKey) -> ExecutionRecord:
        known = self._ids.get(key)
        if known is not None:
            return self._executions[known].record
        names = [one.name for one in self._ids if (one.project, one.domain) == (key.project, key.domain)]
        close = difflib.get_close_matches(key.name, names)
        raise Unknown(
            f"there is no execution {key.name!r}",
            where=f"project {key.project}, domain {key.domain}",
            fix=f"did you mean {' or '.join(close)}?" if close else "alula get executions lists what there is",
        )

    async def execution_by_id(self, id: int) -> ExecutionRecord:
        return self._at(id).record

    async def executions(
        self, filter: ExecutionFilter | None = None, *, limit: int = 100, before: int = 0
    ) -> Sequence[ExecutionRecord]:
        wanted = filter or _NO_FILTER
        records = (row.record for row in reversed(self._executions.values()))
        found = (record for record in records if (not before or record.id < before) and _fits(record, wanted))
        return list(islice(found, limit))

    async def count_open(self, limit: int) -> int:
        return min(len(self._open), limit)

    async def closure(self, digest: str) -> bytes:
        try:
            return self._closures[digest]
        except KeyError:
            raise Unknown(f"there is no closure {digest!r}", fix="take the digest from an execution") from None

    async def nodes(
        self, execution: int, *, after: str = "", limit: int = 0, phases: Collection[str] = ()
    ) -> Sequence[NodeRecord]:
        rows = self._at(execution).nodes
        paths = (path for path in sorted(rows) if not after or path > after)
        found = (rows[path] for path in paths if not phases or rows[path].phase in phases)
        return list(islice(found, limit or None))

    async def node(self, execution: int, path: str) -> NodeRecord | None:
        return self._at(execution).nodes.get(path)

    async def attempts(self, execution: int, path: str | None = None) -> Sequence[AttemptRecord]:
        rows = self._at(execution).attempts
        return [rows[key] for key in sorted(rows) if path is None or key[0] == path]

    async def expansions(self, execution: int) -> Sequence[ExpansionRecord]:
        return list(self._at(execution).expansions.values())

    async def signals(self, execution: int) -> Sequence[SignalRecord]:
        return list(self._at(execution).signals.values())

    async def progress(self, execution: int) -> Sequence[ProgressRecord]:
        row = self._at(execution)
        return [told for key, told in row.progress.items() if key in row.open_attempts]

    async def jobs(self, execution: int, path: str | None = None) -> Sequence[JobRecord]:
        rows = self._at(execution).jobs
        return [rows[key] for key in sorted(rows) if path is None or key[0] == path]

    async def stuck(self, execution: int | None = None) -> Sequence[StuckRecord]:
        among = self._executions.items() if execution is None else [(execution, self._at(execution))]
        return [row.stuck[key] for _, row in sorted(among) for key in sorted(row.stuck)]

    async def owners(self) -> Sequence[tuple[str, datetime, bool]]:
        return [(owner, ends, self._lives(owner)) for owner, (_, ends) in self._leases.items()]

    async def delete(self, execution: int) -> None:
        row = self._at(execution)
        if row.record.open:
            raise NameTaken(
                f"execution {row.record.key.name!r} has not come to its end",
                fix="abort it, and delete it when it is closed",
            )
        del self._executions[execution], self._ids[row.record.key]
        self._notices = {id: one for id, one in self._notices.items() if one[0].execution != execution}
        self._free(execution)


def _fits(record: ExecutionRecord, wanted: ExecutionFilter) -> bool:
    return (
        wanted.project in ("", record.key.project)
        and wanted.domain in ("", record.key.domain)
        and (not wanted.phases or record.phase in wanted.phases)
        and wanted.entity in record.entity
        and wanted.name in record.key.name
        and (wanted.open is None or record.open == wanted.open)
        and not (wanted.top and record.parent is not None)
        and (not wanted.parent or (record.parent is not None and record.parent.execution == wanted.parent))
        and (wanted.created_after is None or record.created_at > wanted.created_after)
        and (wanted.created_before is None or record.created_at < wanted.created_before)
    )


class _Cache(Rows):
    """`CacheStore`"""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._cache: dict[str, CacheRecord] = {}
        self._reservations: dict[str, tuple[str, float, datetime]] = {}

    async def find(self, key: str) -> CacheRecord | None:
        record = self._cache.get(key)
        if record is not None:
            record = self._cache[key] = replace(record, used_at=self.clock.now())
        return record

    async def put(self, record: CacheRecord, *, overwrite: bool = False) -> None:
        if overwrite or record.key not in self._cache:
            self._cache[record.key] = record

    async def reserve(self, key: str, owner: str, *, lease: timedelta) -> datetime | None:
        holder, ends, until = self._reservations.get(key, ("", 0.0, None))
        if holder not in ("", owner) and ends > self.clock.monotonic():
            return until
        seconds = lease.total_seconds()
        self._reservations[key] = owner, self.clock.monotonic() + seconds, self.clock.now() + lease
        return None

    async def reserved(self, key: str) -> bool:
        _, ends, _ = self._reservations.get(key, ("", 0.0, None))
        return ends > self.clock.monotonic()

    def open_reservations(self) -> Mapping[str, str]:
        """Who holds which cache reservation that has not run out."""
        now = self.clock.monotonic()
        return {key: owner for key, (owner, ends, _) in self._reservations.items() if ends > now}

    async def free(self, key: str, owner: str) -> None:
        if self._reservations.get(key, ("", 0.0, None))[0] == owner:
            del self._reservations[key]
            self._tell()

    async def evict(
        self,
        *,
        older_than: timedelta | None = None,
        unused_for: timedelta | None = None,
        above_bytes: int | None = None,
        dry_run: bool = False,
    ) -> Sequence[CacheRecord]:
        now = self.clock.now()
        kept = sorted(self._cache.values(), key=lambda record: record.used_at)
        gone = [
            record
            for record in kept
            if (older_than is not None and now - record.created_at > older_than)
            or (unused_for is not None and now - record.used_at > unused_for)
        ]
        going = {record.key for record in gone}
        left = [record for record in kept if record.key not in going]
        total = sum(record.size_bytes for record in left)
        for record in left:
            if above_bytes is None or total <= above_bytes:
                break
            total -= record.size_bytes
            gone.append(record)
        if not dry_run:
            for record in gone:
                del self._cache[record.key]
        return gone

    async def cached(self, *, after: str = "", limit: int = 1_000) -> Sequence[CacheRecord]:
        keys = sorted(key for key in self._cache if key > after)
        return [self._cache[key] for key in keys[:limit]]


class MemoryStore(_Engines, _Queries, PagesInMemory, EntitiesInMemory, DocumentsInMemory, _Cache):
    """A whole store in memory.

    Args:
        clock: What leases and times go by; the machine's if none is given.
    """

    def bury(self, owner: str) -> None:
        """Take note that the process of an engine is gone: it does not live, lease or not."""
        self._leases.pop(owner, None)

    def open_commands(self) -> Sequence[Command]:
        """What is asked of executions and was not carried out."""
        return [command for row in self._executions.values() for command in row.inbox.values()]

    def is_open(self, execution: int, path: str, number: int) -> bool:
        """Whether an attempt is there and open."""
        row = self._executions.get(execution)
        return row is not None and (path, number) in row.open_attempts

    def open_leases(self) -> Sequence[LeaseRecord]:
        """All that have units of a pool, or wait for them."""
        return [lease for line in self._lines.values() for lease in line.values()]
