"""One decision while it is being made: the rows that it changed, and the commands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

from msgspec import Struct

from alula._kits.records import replace
from alula.engine.agenda import Act, Work
from alula.engine.events import CancelTimer, Command, Fetch, Finished, Release, SetTimer, TimerKind
from alula.engine.execution import Execution
from alula.engine.nodes.bind import Missing, node_inputs
from alula.engine.state import (
    ROOT,
    AttemptState,
    CacheStatus,
    Expansion,
    Failure,
    NodePhase,
    NodeState,
    Row,
    SignalState,
    Values,
)
from alula.errors import ConversionError


class Decision(Struct, frozen=True, gc=False):
    changes: tuple[Row, ...]
    """To be committed together, before any command is performed. Each row once, as it is at the end."""
    commands: tuple[Command, ...]
    more: bool = False
    """There is more to do than fits into one decision: send `Continue` at once."""


RowKey = tuple[str, str, int]


def row_key(row: Row) -> RowKey:
    """What two versions of one row have in common."""
    match row:
        case NodeState():
            return "node", row.path, 0
        case AttemptState():
            return "attempt", row.path, row.number
        case Expansion():
            return "expansion", row.path, 0
        case SignalState():
            return "signal", row.signal_id, 0
        case _:
            assert_never(row)


class Turn:
    def __init__(self, x: Execution, now: datetime) -> None:
        self.x, self.now = x, now
        self.commands: list[Command] = []
        self.more = False
        self._changes: dict[RowKey, Row] = {}

    def decision(self) -> Decision:
        return Decision(tuple(self._changes.values()), tuple(self.commands), self.more)

    def size(self) -> int:
        """How many rows and commands the decision has so far."""
        return len(self._changes) + len(self.commands)

    def put(self, row: Row) -> None:
        self._changes[row_key(row)] = row
        self.x.put(row)

    def emit(self, command: Command) -> None:
        self.commands.append(command)

    def later(self, act: Act, path: str, attempt: int = 0) -> None:
        agenda = self.x.agenda
        queue = agenda.urgent if act in (Act.ENDED, Act.HALTED) else agenda.bulk
        queue.append(Work(act, path, attempt=attempt))

    def stop(self, path: str, then: NodePhase = NodePhase.ABORTED, failure: Failure | None = None) -> None:
        """End a node before its time, within this decision."""
        self.x.agenda.urgent.append(Work(Act.STOP, path, then, failure))

    def stop_soon(self, path: str, then: NodePhase = NodePhase.ABORTED, failure: Failure | None = None) -> None:
        """End one of many nodes. What it is for must follow from the rows: a crash forgets it."""
        self.x.agenda.stops.append(Work(Act.STOP, path, then, failure))

    def wake(self, row: NodeState, at: datetime) -> NodeState:
        """The row with a timer set; the row is still to be put."""
        row = replace(row, wake_at=at, generation=row.generation + 1)
        self.emit(SetTimer(TimerKind.WAKE, row.path, row.generation, at))
        return row

    def begin(self, row: NodeState) -> None:
        """Put the first row of a node, and set its deadline's timer."""
        self.put(row)
        if row.deadline is not None:
            self.emit(SetTimer(TimerKind.NODE, row.path, 0, row.deadline))

    def end(
        self,
        row: NodeState,
        phase: NodePhase,
        *,
        outputs: Values | None = None,
        failure: Failure | None = None,
        started_at: datetime | None = None,
    ) -> None:
        """Make a node terminal, and tell what it is part of. `started_at`: if nobody has said it before."""
        if failure is not None and not failure.path and row.path:
            failure = replace(failure, path=row.path)
        if row.wake_at is not None:
            self.emit(CancelTimer(TimerKind.WAKE, row.path))
        if row.deadline is not None:
            self.emit(CancelTimer(TimerKind.NODE, row.path))
        # One that asked for a reservation may have been given it, and not know yet; one that waits for it does no more.
        if (row.reserved or row.phase is NodePhase.RESERVING) and row.cache is not CacheStatus.PENDING:
            row = self.release(row)
        self.put(
            replace(
                row,
                phase=phase,
                then=None,
                wake_at=None,
                outputs=outputs,
                failure=failure or row.failure,
                started_at=row.started_at or started_at,
                ended_at=self.now,
            )
        )
        self.x.close_scope(row.path)
        self.x.prepared.pop(row.path, None)
        self.x.at_hand.pop(row.path, None)
        if row.path == ROOT:
            self.x.agenda.finish()
            self.emit(Finished())
        else:
            self.later(Act.ENDED, row.path)

    def release(self, row: NodeState) -> NodeState:
        """Give the reservation of a node back; the row without it is still to be put."""
        plan = self.x.plan_of(row.path)
        try:
            self.emit(Release(row.path, row.generation, plan, node_inputs(self.x, row.path, plan)))
        except (Missing, ConversionError):
            self.emit(Release(row.path, row.generation))
        return replace(row, reserved=False)

    def fetch(self, path: str, uris: Iterable[str]) -> None:
        """Ask for bytes; the node is resumed when they have come."""
        for uri in uris:
            if uri not in self.x.fetching:
                self.emit(Fetch(uri))
            self.x.fetching.setdefault(uri, {}).setdefault(path)
