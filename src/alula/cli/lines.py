"""What happens in an execution, a line each, for whatever is no terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from alula.cli.board import Board
from alula.cli.said import Frame, gate_hint, last_line, mark, words
from alula.cli.width import Part, clean
from alula.engine.plan import Kind
from alula.engine.state import ROOT, NodePhase, NodeState

_PATIENCE = timedelta(seconds=5)
_MOST_RUNNING = 100
"""So many of the tasks that run are looked at, when those that take long are announced."""


class Lines:
    """A line when a node ends or is tried again, when a gate waits, and when something takes long.

    Args:
        solo: The execution is made of one node, whose end is told as that of the execution.
        slow: A task that runs for longer is announced while it does.
        patience: One that waits for longer is announced with what it waits for.
    """

    def __init__(
        self,
        board: Board,
        *,
        solo: bool = False,
        slow: timedelta = timedelta(seconds=1),
        patience: timedelta = _PATIENCE,
    ) -> None:
        self._board, self._solo, self._slow, self._patience = board, solo, slow, patience
        self._announced: dict[str, int] = {}
        """Attempts that were announced, by path."""
        self._retried: dict[str, int] = {}
        self._waits: dict[str, int] = {}
        """Attempts whose waiting was told, by path."""

    def of(self, former: NodeState | None, row: NodeState, now: datetime) -> Iterator[str]:
        """What a change of a node is worth saying."""
        path, board = row.path, self._board
        if path == ROOT:
            return
        kind = board.plan(path).kind
        if kind in (Kind.WORKFLOW, Kind.BRANCH) or (
            board.composite(path) and kind is Kind.TASK and not row.phase.terminal
        ):
            return
        if row.attempt > self._retried.get(path, 0):
            self._retried[path] = row.attempt
            yield self._retry(row)
        if path in board.gates and (former is None or former.phase is not row.phase):
            yield _joined(
                [Part("?", "magenta"), Part(f" {board.full_title(path)}  "), Part(gate_hint(board, path), "magenta")]
            )
        if row.phase.terminal and not (former is not None and former.phase.terminal):
            self._announced.pop(path, None)
            self._retried.pop(path, None)
            self._waits.pop(path, None)
            if self._worth(row):
                frame = Frame(now)
                yield _joined(
                    [mark(board, row, frame), Part(f" {clean(board.full_title(path))}"), *words(board, row, frame)]
                )

    def slow(self, now: datetime) -> Iterator[str]:
        """Tasks that have been running, or waiting for what their plugin says, for long, each once."""
        yield from self._stuck(now)
        for nth, path in enumerate(self._board.running):
            if nth == _MOST_RUNNING:
                return
            row = self._board.rows[path]
            since = row.started_at
            if since is not None and now - since > self._slow and self._announced.get(path) != row.attempt:
                self._announced[path] = row.attempt
                yield _joined(
                    [Part("…"), Part(f" {clean(self._board.full_title(path))}"), Part("  is running", dim=True)]
                )

    def _stuck(self, now: datetime) -> Iterator[str]:
        board = self._board
        for path, pace in islice(board.paces.items(), _MOST_RUNNING):
            row = board.rows.get(path)
            if row is None or row.phase is not NodePhase.QUEUED or not pace.message:
                continue
            if now - row.since > self._patience and self._waits.get(path) != row.attempt:
                self._waits[path] = row.attempt
                title = clean(board.full_title(path))
                yield _joined([Part("…"), Part(f" {title}"), Part(f"  waits: {clean(pace.message)}", dim=True)])

    def _worth(self, row: NodeState) -> bool:
        """Whether the end of a node is told: not of each good element of an array, and not of the only node."""
        if row.phase is NodePhase.SKIPPED or (self._solo and "/" not in row.path and not row.path.endswith("]")):
            return False
        return not (row.path.endswith("]") and row.phase.good) and row.phase is not NodePhase.ABORTED

    def _retry(self, row: NodeState) -> str:
        board = self._board
        retries = board.plan(row.path).policy.retries
        of = f" of {retries + 1}" if row.attempt <= retries else ""
        failure = board.faults.get(row.path)
        why = f" failed: {last_line(failure.message)}" if failure is not None else " ended early"
        title = clean(board.full_title(row.path))
        return _joined([Part("↻", "yellow"), Part(f" {title}"), Part(f"  attempt {row.attempt}{of}{why}", dim=True)])


def _joined(parts: list[Part]) -> str:
    return "".join(str(part) for part in parts)
