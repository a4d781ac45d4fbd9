"""What changed, told from what is: rows come as they are now, and metrics and spans want to know what has become."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alula._kits.clock import Clock
from alula.engine.state import AttemptState, CacheStatus, FailureKind, NodePhase, NodeState, Row
from alula.store.records import ExecutionRecord


@dataclass(frozen=True, slots=True)
class NodeEnded:
    row: NodeState


@dataclass(frozen=True, slots=True)
class AttemptBegan:
    """It was handed to its backend."""

    row: AttemptState


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """Its outcome is known, or the engine gave it up; it may still have to be cleaned up."""

    row: AttemptState


@dataclass(frozen=True, slots=True)
class Retried:
    """A node will have another attempt."""

    row: NodeState
    charged: FailureKind
    """Whose budget pays."""


@dataclass(frozen=True, slots=True)
class CacheAnswered:
    """The cache was asked, or has taken outputs, or has not."""

    row: NodeState


_A_DAY = timedelta(days=1)
"""Clocks differ by less. An execution that has not begun has nothing that ended before."""

Change = NodeEnded | AttemptBegan | AttemptEnded | Retried | CacheAnswered


@dataclass(slots=True)
class Ledger:
    """What is known of one execution. Holds no more than its engine does: the rows that may still change.

    An engine that takes an execution over does not tell the rows that it finds, so what ended before that time is not
    counted again when its row changes once more.
    """

    since: datetime
    """When the engine took the execution: what ended before has ended for somebody else."""
    nodes: dict[str, NodeState] = field(default_factory=dict)
    attempts: dict[tuple[str, int], AttemptState] = field(default_factory=dict)

    @classmethod
    def of(cls, execution: ExecutionRecord, clock: Clock) -> Ledger:
        """The ledger of an execution that was just taken."""
        return cls(clock.now() if execution.started_at is not None else execution.created_at - _A_DAY)

    def changes(self, rows: Iterable[Row]) -> Iterator[Change]:
        """What the rows of one commit say that those before did not."""
        for row in rows:
            if isinstance(row, NodeState):
                yield from self._node(row)
            elif isinstance(row, AttemptState):
                yield from self._attempt(row)

    def _attempt(self, row: AttemptState) -> Iterator[Change]:
        key = row.path, row.number
        before = self.attempts.pop(key, None)
        if row.open:
            self.attempts[key] = row
        if before is None and row.since >= self.since:
            yield AttemptBegan(row)
        if self._new(row.ended_at, before.ended_at if before is not None else None):
            yield AttemptEnded(row)

    def _node(self, row: NodeState) -> Iterator[Change]:
        before = self.nodes.pop(row.path, None)
        if row.ended_at is None or row.cache is CacheStatus.PENDING:
            self.nodes[row.path] = row
        if row.cache is not (before.cache if before is not None else CacheStatus.DISABLED):
            yield CacheAnswered(row)
        if before is not None and row.ended_at is None and row.then in (None, NodePhase.BACKOFF):
            charged = _charged(before, row)
            if charged is not None:
                yield Retried(row, charged)
        if self._new(row.ended_at, before.ended_at if before is not None else None):
            yield NodeEnded(row)

    def _new(self, ended_at: datetime | None, before: datetime | None) -> bool:
        return ended_at is not None and before is None and ended_at > self.since


def _charged(before: NodeState, row: NodeState) -> FailureKind | None:
    """Whose budget has paid for a failure between two states of a node that goes on."""
    if row.user_failures > before.user_failures:
        return FailureKind.USER
    if row.interruptions > before.interruptions:
        return FailureKind.INTERRUPTED
    return FailureKind.SYSTEM if row.system_failures > before.system_failures else None
