"""What several decisions come to: one commit, and the commands after it."""

from __future__ import annotations

from collections.abc import Sequence

from alula.engine.codec import pack_attempt, pack_expansion, pack_node, pack_signal, pack_values
from alula.engine.events import Command
from alula.engine.execution import Execution
from alula.engine.state import ROOT, AttemptState, Expansion, Failure, NodeState, Row, SignalState
from alula.engine.turn import Decision, RowKey, row_key
from alula.store.records import (
    AttemptRecord,
    Changes,
    Ending,
    ExpansionRecord,
    JobRecord,
    NodeRecord,
    ProgressRecord,
    SignalRecord,
    StuckRecord,
)

_ERROR_LIMIT = 4_000


class Batch:
    """Decisions of one execution that are committed together. Of several versions of a row the last one counts."""

    __slots__ = ("commands", "done", "events", "more", "rows", "x")

    def __init__(self, x: Execution) -> None:
        self.x = x
        self.rows: dict[RowKey, Row] = {}
        self.commands: list[Command] = []
        self.done: list[int] = []
        """Commands of the store that these decisions carry out."""
        self.more = False
        self.events = 0

    def add(self, decision: Decision, command: int = 0) -> None:
        rows = self.rows
        for row in decision.changes:
            rows[row_key(row)] = row
        self.commands += decision.commands
        self.more = decision.more
        self.events += 1
        if command:
            self.done.append(command)

    @property
    def size(self) -> int:
        return len(self.rows) + len(self.commands)

    def changes(
        self,
        before: str,
        progress: Sequence[ProgressRecord],
        *,
        closed: bool,
        child: bool = True,
        jobs: tuple[JobRecord, ...] = (),
        stuck: tuple[StuckRecord, ...] = (),
        freed: tuple[tuple[str, int], ...] = (),
    ) -> Changes:
        """What is to be written.

        Args:
            before: The phase that the store knows of the execution.
            progress: What attempts say, to be written as well.
            closed: Nothing is left to do after it.
            child: Another execution may wait for it.
            jobs, stuck, freed: As `Changes` has them.
        """
        nodes: list[NodeRecord] = []
        attempts: list[AttemptRecord] = []
        expansions: list[ExpansionRecord] = []
        signals: list[SignalRecord] = []
        for row in self.rows.values():
            match row:
                case NodeState():
                    nodes.append(pack_node(row))
                case AttemptState():
                    attempts.append(pack_attempt(row))
                case Expansion():
                    expansions.append(pack_expansion(row))
                case SignalState():
                    signals.append(pack_signal(row))
        root = self.x.nodes.get(ROOT)
        moved = root is not None and root.phase != before
        return Changes(
            nodes=tuple(nodes),
            attempts=tuple(attempts),
            expansions=tuple(expansions),
            signals=tuple(signals),
            progress=tuple(progress),
            jobs=jobs,
            stuck=stuck,
            freed=freed,
            execution=ending(root) if moved and root is not None else None,
            closed=closed,
            commands_done=tuple(self.done),
            tell_parent=child and moved and root is not None and root.phase.terminal,
        )


def ending(root: NodeState) -> Ending:
    """What an execution's own row says, from the row of its root."""
    return Ending(
        phase=str(root.phase),
        started_at=root.started_at or root.since,
        ended_at=root.ended_at,
        outputs=pack_values(root.outputs) if root.outputs is not None else b"",
        error=error_text(root.failure) if root.failure is not None else "",
    )


def error_text(failure: Failure) -> str:
    """A failure for people: its code, its message, and what the failure node failed with."""
    where = f" (node {failure.path})" if failure.path else ""
    text = f"{failure.code}{where}: {failure.message}"
    if failure.secondary is not None:
        text += f"\nthe failure node failed as well: {failure.secondary.code}: {failure.secondary.message}"
    return text if len(text) <= _ERROR_LIMIT else text[: _ERROR_LIMIT - 4] + " ..."
