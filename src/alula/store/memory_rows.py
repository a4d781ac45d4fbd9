"""What all parts of `MemoryStore` share: its rows, and who is told of news."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from alula._kits.clock import Clock, SystemClock
from alula.errors import Unknown
from alula.store.granting import grant
from alula.store.records import (
    AttemptRecord,
    Changes,
    Command,
    ExecutionKey,
    ExecutionRecord,
    ExpansionRecord,
    JobRecord,
    LeaseRecord,
    NodeRecord,
    PoolRecord,
    ProgressRecord,
    SignalRecord,
    StuckRecord,
)
from alula.store.store import Wake

Key = tuple[str, int]


@dataclass(slots=True)
class ExecutionRows:
    """All rows of one execution."""

    record: ExecutionRecord
    fence: int = 0
    nodes: dict[str, NodeRecord] = field(default_factory=dict)
    attempts: dict[tuple[str, int], AttemptRecord] = field(default_factory=dict)
    open_attempts: dict[tuple[str, int], None] = field(default_factory=dict)
    expansions: dict[str, ExpansionRecord] = field(default_factory=dict)
    signals: dict[str, SignalRecord] = field(default_factory=dict)
    progress: dict[tuple[str, int], ProgressRecord] = field(default_factory=dict)
    jobs: dict[Key, JobRecord] = field(default_factory=dict)
    stuck: dict[Key, StuckRecord] = field(default_factory=dict)
    inbox: dict[int, Command] = field(default_factory=dict)

    def write(self, changes: Changes) -> None:
        for node in changes.nodes:
            self.nodes[node.path] = node
        for attempt in changes.attempts:
            key = attempt.path, attempt.number
            self.attempts[key] = attempt
            if attempt.open:
                self.open_attempts[key] = None
            else:
                self.open_attempts.pop(key, None)
        for expansion in changes.expansions:
            self.expansions.setdefault(expansion.path, expansion)
        for signal in changes.signals:
            self.signals.setdefault(signal.signal_id, signal)
        for progress in changes.progress:
            self.progress[progress.path, progress.number] = progress
        for job in changes.jobs:
            self.jobs[job.path, job.number] = job
        for stuck in changes.stuck:
            self.stuck[stuck.path, stuck.number] = replace(stuck, execution=self.record.id)
        for freed in changes.freed:
            self.stuck.pop(freed, None)
        for done in changes.commands_done:
            self.inbox.pop(done, None)
        if changes.execution is not None:
            ending = changes.execution
            self.record = replace(
                self.record,
                phase=ending.phase,
                started_at=ending.started_at or self.record.started_at,
                ended_at=ending.ended_at,
                outputs=ending.outputs,
                error=ending.error,
            )
        if changes.closed:
            self.record = replace(self.record, open=False, owner="")
            self.inbox.clear()
            self.progress.clear()


class Rows:
    """What all parts of the store share."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self._executions: dict[int, ExecutionRows] = {}
        self._open: dict[int, None] = {}
        self._ids: dict[ExecutionKey, int] = {}
        self._closures: dict[str, bytes] = {}
        self._leases: dict[str, tuple[float, datetime]] = {}
        """By engine: when its lease ends, on the monotonic clock and on the wall."""
        self._created = self._commands = 0
        self._pools: dict[str, PoolRecord] = {}
        self._lines: dict[str, dict[int, LeaseRecord]] = {}
        """All that have units of a pool or wait for them, in the order in which they asked."""
        self._asked = 0
        self._watchers: list[Wake] = []
        self._news: dict[int, None] | None = None
        """What the watchers are told next; None: nothing is under way."""
        self._context = contextvars.copy_context()
        """Watchers are told in the context of the store, not of whoever wrote: in a simulation that may die."""

    async def aclose(self) -> None:
        self._watchers.clear()

    def _at(self, execution: int) -> ExecutionRows:
        try:
            return self._executions[execution]
        except KeyError:
            raise Unknown(
                f"there is no execution with the id {execution}", fix="alula get executions lists what there is"
            ) from None

    def _lives(self, owner: str) -> bool:
        lease = self._leases.get(owner)
        return lease is not None and lease[0] > self.clock.monotonic()

    def _put(self, execution: int, kind: str, path: str, attempt: int, body: bytes) -> None:
        self._commands += 1
        command = Command(self._commands, execution, kind, path, attempt, body)
        self._executions[execution].inbox[command.id] = command
        self._tell(execution)

    def _tell(self, *executions: int) -> None:
        """Wake the watchers once the loop gets to it, with all that has come together by then."""
        if not self._watchers:
            return
        if self._news is None:
            self._news = {}
            asyncio.get_running_loop().call_soon(self._deliver, context=self._context)
        self._news.update(dict.fromkeys(executions or self._open))

    def _deliver(self) -> None:
        news, self._news = self._news, None
        for wake in list(self._watchers):
            wake(list(news or ()))

    # --- pools ---

    def _lease(self, pool: str, execution: int, key: Key) -> LeaseRecord | None:
        mine = execution, *key
        for lease in self._lines.get(pool, {}).values():
            if (lease.execution, lease.path, lease.number) == mine:
                return lease
        return None

    def _use(self, pool: str) -> dict[str, int]:
        """The units that projects have."""
        found: dict[str, int] = {}
        for lease in self._lines.get(pool, {}).values():
            if lease.granted:
                found[lease.project] = found.get(lease.project, 0) + lease.units
        return found

    def _free(self, execution: int, keys: Sequence[Key] | None = None) -> None:
        """Give back what attempts have: those named, or all of an execution."""
        for pool, line in self._lines.items():
            gone = [
                lease.id
                for lease in line.values()
                if lease.execution == execution and (keys is None or (lease.path, lease.number) in keys)
            ]
            for id in gone:
                del line[id]
            if gone:
                self._settle(pool)

    def _settle(self, name: str, asking: int = 0) -> None:
        """Grant what can be granted; who asks just now is not told."""
        pool, line = self._pools.get(name), self._lines.get(name, {})
        if pool is None:
            return
        grants = grant(pool, self._use(name), [lease for lease in line.values() if not lease.granted])
        for lease in (*grants.granted, *grants.passed):
            line[lease.id] = lease
        for lease in grants.granted:
            if lease.id != asking and lease.execution in self._open:
                self._put(lease.execution, "granted", lease.path, lease.number, name.encode())
