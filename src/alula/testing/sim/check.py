"""What must hold whatever goes wrong: looked at with every commit, every start of a job, and once more at the end."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from alula.data.objects import ObjectStore
from alula.engine.codec import read_attempt, read_node, read_settings, read_values
from alula.engine.execution import Execution
from alula.engine.invariants import change_faults, end_faults, state_faults
from alula.engine.state import (
    ROOT,
    AttemptState,
    CacheStatus,
    Expansion,
    NodePhase,
    NodeState,
    Row,
    SignalState,
    Values,
)
from alula.engine.turn import RowKey, row_key
from alula.idl import CompiledWorkflowClosure, LiteralMap
from alula.plugin.runner import Job
from alula.store.memory import MemoryStore
from alula.store.records import Changes, Claim, ExecutionRecord
from alula.testing.sim.flows import base, integers
from alula.testing.sim.runners import Cluster

T = TypeVar("T")

_FORGOTTEN = timedelta(seconds=85)
"""After so long a reservation must have run out, even if whoever had it died; or was paused, and extended it once more
before it knew (seed 4775): the longest pause, and a lease."""
_PORTION = 200
"""Rows from which on a decision may be made in portions, between which not all of the invariants hold."""


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing, as those of `MemoryStore` do."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise AssertionError(f"{work!r} waits")


@dataclass(slots=True)
class _Seen:
    """One execution as its commits told it."""

    mirror: Execution
    rows: dict[RowKey, Row] = field(default_factory=dict)
    written: dict[str, datetime] = field(default_factory=dict)
    """When the row of each node was written last."""
    most: int = 0
    ended: ExecutionRecord | None = None


class Checker:
    """Looks on, and keeps what it finds wrong in `faults`.

    Args:
        traced: Integers above 32 bits come from tasks of `flows.script`, and must be durable before others see them.
    """

    def __init__(
        self, store: MemoryStore, cluster: Cluster, objects: ObjectStore, log: Callable[[str], None], *, traced: bool
    ) -> None:
        self._store, self._cluster, self._objects, self._log = store, cluster, objects, log
        self._traced = traced
        self._seen: dict[int, _Seen] = {}
        self._durable: set[int] = set()
        self._names: dict[str, int] = {}
        self.commits = 0
        self.faults: list[str] = []
        cluster.on_start = self.starts

    # --- as it goes ---

    def committed(self, claim: Claim, changes: Changes) -> None:
        """A commit took effect."""
        self.commits += 1
        seen = self._of(claim.execution)
        rows: list[Row] = [Expansion(row.path, row.closure) for row in changes.expansions]
        rows += map(read_node, changes.nodes)
        rows += map(read_attempt, changes.attempts)
        rows += (SignalState(row.signal_id, row.value) for row in changes.signals)
        for row in rows:
            former = seen.rows.get(row_key(row))
            if former != row:  # a commit whose answer was lost is tried again
                self.faults += (f"execution {claim.execution}: {fault}" for fault in change_faults(former, row))
            seen.rows[row_key(row)] = row
            seen.mirror.put(row)
            if isinstance(row, NodeState):
                seen.written[row.path] = self._store.clock.now()
            if isinstance(row, NodeState) and row.outputs is not None:
                self._durable.update(self._integers(row.outputs))
            if isinstance(row, AttemptState) and row.open:
                others = [nth for nth in range(row.number) if (row.path, nth) in seen.mirror.attempts]
                self.faults += (f"attempts {nth} and {row.number} of {row.path} are both open" for nth in others)
        self._look_at_leases()
        limit, holding = seen.mirror.settings.max_parallelism, len(seen.mirror.holding)
        if limit and holding > limit:
            self.faults.append(f"{holding} nodes of execution {claim.execution} hold a slot, and {limit} may")
        if limit and holding == limit:
            reserved = [row.path for row in rows if isinstance(row, NodeState) and row.reserved]
            both = [path for path in reserved if path in seen.mirror.ready]
            self.faults += (f"{path} holds a reservation while it waits for a slot" for path in both)
        seen.most = max(seen.most, holding)
        if self.commits % 16 == 0 and len(seen.rows) < _PORTION:
            self._look_closely(claim.execution)
        self._log(f"commit {claim.execution}.{claim.fence} {_told(rows, changes)}")
        if changes.execution is not None:
            self._ended(claim, seen)

    def _look_at_leases(self) -> None:
        """Nobody has more of a pool than there is, and only open attempts have anything."""
        units = self._cluster.ledger.units
        leases = self._store.open_leases() if units else ()
        used = sum(lease.units for lease in leases if lease.granted)
        if used > units:
            self.faults.append(f"{used} units of {units} are given")
        for lease in leases:
            if not self._store.is_open(lease.execution, lease.path, lease.number):
                self.faults.append(f"{lease.path}#{lease.number} of {lease.execution} is closed, and has a lease")

    def starts(self, job: Job, by: str) -> None:
        """A job is about to start, as an engine asked."""
        name, path, number = job.id.execution, job.id.path, job.id.number
        where = f"{name}/{path}#{number}"
        execution = self._id(name)
        record = at_once(self._store.execution_by_id(execution))
        rows = {row.number: row for row in at_once(self._store.attempts(execution, path))}
        if number not in rows or not rows[number].open:
            self.faults.append(f"{where} starts before its row is durable, or after it was closed")
        if record.owner != by:
            self.faults.append(f"{where} is started by {by}, but its execution belongs to {record.owner or 'nobody'}")
        if self._traced:
            used = {value for value in integers(LiteralMap.FromString(job.inputs)) if value != base(value)}
            if used - self._durable:
                self.faults.append(f"{where} starts with results that are not durable: {sorted(used - self._durable)}")

    def _of(self, execution: int) -> _Seen:
        seen = self._seen.get(execution)
        if seen is None:
            record = at_once(self._store.execution_by_id(execution))
            self._names[record.key.name] = execution
            closure = CompiledWorkflowClosure.FromString(at_once(self._store.closure(record.closure)))
            settings = read_settings(record.settings)
            mirror = Execution(record.key.name, closure, Values(record.inputs), settings)
            seen = self._seen[execution] = _Seen(mirror)
        return seen

    def _id(self, name: str) -> int:
        if name not in self._names:
            for record in at_once(self._store.executions(limit=10_000)):
                self._names[record.key.name] = record.id
        return self._names[name]

    def _integers(self, values: Values) -> list[int]:
        found = integers(LiteralMap.FromString(values.data)) if values.data else []
        for ref in values.refs:
            found += integers(LiteralMap.FromString(at_once(self._objects.read(ref.uri))))
        return found

    def _loaded(self, execution: int) -> Execution:
        """The execution as an engine would load it now."""
        seen = self._seen[execution]
        rows = [row for row in seen.rows.values() if not (isinstance(row, AttemptState) and not row.open)]
        rows.sort(key=lambda row: (not isinstance(row, Expansion), len(row.path) if isinstance(row, Expansion) else 0))
        mirror = seen.mirror
        return Execution.load(mirror.name, mirror.closure, mirror.inputs, mirror.settings, rows=rows)

    def _look_closely(self, execution: int) -> None:
        self.faults += (f"execution {execution}: {fault}" for fault in state_faults(self._loaded(execution)))

    def _ended(self, claim: Claim, seen: _Seen) -> None:
        """The execution's own row changed: that is the end, or else it has just begun."""
        record = at_once(self._store.execution_by_id(claim.execution))
        if seen.ended is not None and (record.phase, record.outputs) != (seen.ended.phase, seen.ended.outputs):
            self.faults.append(f"execution {record.id} had ended {seen.ended.phase} and became {record.phase}")
        if record.phase != "queued" and NodePhase(record.phase).terminal:
            seen.ended = record
            self._log(f"execution {record.id} has ended: {record.phase}")

    def look_around(self, now: datetime) -> None:
        """To be called now and then: nobody holds what it has no use for."""
        for key, holder in self._store.open_reservations().items():
            name, _, path = holder.rpartition(":")[2].partition(" ")
            seen = self._of(self._id(name))
            row = seen.mirror.nodes.get(path)
            if row is None or not row.phase.terminal or row.cache is CacheStatus.PENDING:
                continue
            if now - seen.written[path] > _FORGOTTEN:
                self.faults.append(f"{holder} has ended, and its reservation {key[:12]} is kept alive")

    # --- at the end ---

    def unfinished(self) -> list[ExecutionRecord]:
        """Executions that have something left to do."""
        return [record for record in at_once(self._store.executions(limit=10_000)) if record.open]

    def waiting(self, execution: int) -> list[str]:
        """The signals that its gates wait for."""
        return list(self._of(execution).mirror.gates)

    def finish(self) -> list[str]:
        """All that was ever wrong, and what is left though nothing should be."""
        faults = [*self.faults, *self._cluster.faults, *self._cluster.ledger.faults]
        faults += [f"a lease of {lease.path} of {lease.execution} is left" for lease in self._store.open_leases()]
        faults += [f"{one.path} of {one.execution} stays in quarantine" for one in at_once(self._store.stuck())]
        for record in at_once(self._store.executions(limit=10_000)):
            faults += (f"execution {record.id} ({record.key.name}): {fault}" for fault in self._end_of(record))
        faults += (f"command {command.kind} of {command.execution} is left" for command in self._store.open_commands())
        faults += (f"reservation {key} is left to {by}" for key, by in self._store.open_reservations().items())
        return faults + self._cluster.left()

    def _end_of(self, record: ExecutionRecord) -> list[str]:
        seen = self._seen.get(record.id)
        if seen is None:
            return ["nothing was ever done for it"]
        if record.open:
            return [f"it has not ended: it is {record.phase}"]
        loaded = self._loaded(record.id)
        faults = end_faults(loaded, seen.rows)
        root = loaded.nodes[ROOT]
        if record.phase != root.phase:
            faults.append(f"its record says {record.phase}, its root {root.phase}")
        if root.outputs is not None and read_values(record.outputs) != root.outputs:
            faults.append("the outputs in its record are not those of its root")
        nodes = {row.path: read_node(row) for row in at_once(self._store.nodes(record.id))}
        kept = {path: row for (kind, path, _), row in seen.rows.items() if kind == "node"}
        if nodes != kept:
            faults.append("its rows in the store are not those that were committed last")
        return faults

    def results(self) -> dict[str, tuple[str, list[int]]]:
        """Phase and outputs of every execution that nobody launched as a part of another one, runs taken off."""
        found = {}
        for record in at_once(self._store.executions(limit=10_000)):
            if record.parent is None:
                outputs = self._integers(read_values(record.outputs))
                found[record.key.name] = record.phase, sorted(base(value) for value in outputs)
        return found


def _told(rows: list[Row], changes: Changes) -> str:
    words = []
    for row in rows:
        match row:
            case NodeState():
                why = f"({row.failure.code})" if row.failure is not None else ""
                words.append(f"{row.path or '.'}={row.phase}{why}")
            case AttemptState():
                words.append(f"{row.path}#{row.number}={row.phase}{'' if row.open else ',closed'}")
            case Expansion():
                words.append(f"{row.path}+")
            case SignalState():
                words.append(f"{row.signal_id}!")
    words += [f"done:{id}" for id in changes.commands_done]
    return " ".join(words + ["closed"] * changes.closed)
