"""What is said of one node: a mark, and a few words on how it stands. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alula._kits.units import shown_duration
from alula.cli.board import Board, Scope, cached
from alula.cli.traces import read
from alula.cli.width import Part, clean
from alula.engine.plan import Kind
from alula.engine.state import ROOT, NodePhase, NodeState
from alula.idl.types import type_text

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_MARKS = {
    NodePhase.SUCCEEDED: Part("✓", "green"),
    NodePhase.RECOVERED: Part("✓", "cyan"),
    NodePhase.FAILED: Part("✗", "red"),
    NodePhase.TIMED_OUT: Part("✗", "red"),
    NodePhase.ABORTED: Part("⊘", "yellow"),
    NodePhase.SKIPPED: Part("-", dim=True),
    NodePhase.BACKOFF: Part("↻", "yellow"),
    NodePhase.CLOSING: Part("↻", "yellow"),
    NodePhase.STOPPING: Part("⊘", "yellow"),
    NodePhase.FAILING: Part("✗", "red"),
    NodePhase.HANDLING: Part("✗", "red"),
}
_WAITING = frozenset({NodePhase.RESOLVING, NodePhase.LOOKUP, NodePhase.RESERVING, NodePhase.READY, NodePhase.QUEUED})


@dataclass(frozen=True, slots=True)
class Frame:
    """The moment that is shown."""

    now: datetime
    beat: int = 0
    """Counts frames, for what turns."""


def mark(board: Board, row: NodeState, frame: Frame) -> Part:
    if row.path in board.gates:
        return Part("?", "magenta")
    if row.phase.good and cached(row):
        return Part("✓", "cyan")
    if row.phase in _WAITING:
        return Part("◌", dim=True)
    return _MARKS.get(row.phase) or Part(SPINNER[frame.beat % len(SPINNER)], "cyan")


def words(board: Board, row: NodeState, frame: Frame) -> list[Part]:
    """How a node stands, in parts that begin with two spaces."""
    if row.phase.terminal:
        return _of_ended(row)
    plan = board.plan(row.path)
    if row.path in board.gates:
        return [Part(f"  {gate_hint(board, row.path)}", "magenta")]
    if board.composite(row.path) or row.path == ROOT:
        return _of_composite(board, row, frame)
    pace = board.paces.get(row.path)
    if row.phase is NodePhase.RUNNING and plan.kind is Kind.GATE:
        until = f" for another {shown_duration(row.wake_at - frame.now)}" if row.wake_at else ""
        return [Part(f"  sleeps{until}", dim=True)]
    if row.phase is NodePhase.RUNNING:
        since = row.started_at or row.since
        said = [Part(f"  {_span(since, frame.now)}", dim=True)]
        if pace is not None and pace.done is not None:
            said += [Part("  "), *bar(pace.done, 16), Part(f" {pace.done:4.0%}")]
        if pace is not None and pace.message:
            said.append(Part(f"  {clean(pace.message)}", dim=True))
        return said + _attempt(row, plan.policy.retries)
    return [Part(f"  {waiting(board, row, frame.now)}", dim=True), *_attempt(row, plan.policy.retries)]


def waiting(board: Board, row: NodeState, now: datetime) -> str:
    """Why a node does not run."""
    pace = board.paces.get(row.path)
    match row.phase:
        case NodePhase.RESOLVING:
            return "reads its inputs"
        case NodePhase.LOOKUP:
            return "asks the cache"
        case NodePhase.RESERVING:
            return "waits for another execution that makes the same result"
        case NodePhase.READY:
            return "waits for a slot: as many run as may at a time"
        case NodePhase.QUEUED:
            return f"waits: {clean(pace.message)}" if pace is not None and pace.message else "is about to start"
        case NodePhase.BACKOFF:
            left = max((row.wake_at - now).total_seconds(), 0) if row.wake_at else 0
            return f"is tried again in {left:.0f} s{_after(board, row)}"
        case NodePhase.CLOSING:
            return f"is being cleaned up{_after(board, row)}"
        case NodePhase.STOPPING:
            return "is being stopped"
    return str(row.phase)


def gate_hint(board: Board, path: str) -> str:
    """The command that opens a gate."""
    gate = board.plan(path).node.gate_node
    signal = board.signal(path)
    if gate.HasField("approve"):
        return f"waits for you: alula approve {board.name} {signal}"
    return f"waits for you: alula signal {board.name} {signal} VALUE ({type_text(gate.signal.type)})"


def reason(row: NodeState) -> str:
    """Why a node failed, in a line: `ValueError: no 4 today`."""
    return last_line(row.failure.message) if row.failure is not None else ""


def _after(board: Board, row: NodeState) -> str:
    failure = row.failure or board.faults.get(row.path)
    return f": {last_line(failure.message)}" if failure is not None else ""


def last_line(message: str) -> str:
    """The error that a traceback ends with, in a line, or the first line of a message without one."""
    return clean(next((line for line in read(message).error if line.strip()), ""))


def counts(scope: Scope) -> list[Part]:
    """How many nodes of a composite stand how."""
    said = [Part(f"  {scope.ended:,}/{scope.total:,}")]
    if scope.bad:
        said.append(Part(f"  ✗ {len(scope.bad):,}", "red"))
    if scope.live:
        said.append(Part(f"  {len(scope.live):,} under way", dim=True))
    return said


def bar(done: float, width: int) -> list[Part]:
    """A bar that is filled as far as something is done."""
    full = round(min(max(done, 0.0), 1.0) * width)
    return [Part("━" * full, "cyan"), Part("━" * (width - full), dim=True)]


def _of_composite(board: Board, row: NodeState, frame: Frame) -> list[Part]:
    scope = board.scopes.get(row.path)
    said = [Part(f"  {_span(row.since, frame.now)}", dim=True)]
    if scope is None or not scope.total:
        return said
    if row.path != ROOT and board.plan(row.path).kind is Kind.ARRAY:
        said += [Part("  "), *bar(scope.ended / scope.total, 16)]
    said += counts(scope)
    if row.phase in (NodePhase.FAILING, NodePhase.STOPPING, NodePhase.HANDLING):
        words = {NodePhase.FAILING: "stops after a failure", NodePhase.STOPPING: "is being stopped"}
        said.append(Part(f"  {words.get(row.phase, 'its failure node runs')}", "yellow"))
    return said


def _of_ended(row: NodeState) -> list[Part]:
    if row.phase is NodePhase.RECOVERED:
        return [Part("  recovered", dim=True)]
    if row.phase.good:
        took = _span(row.started_at or row.since, row.ended_at)
        return [Part("  cached" if cached(row) else f"  {took}" if took else "", dim=True)]
    if row.phase is NodePhase.SKIPPED:
        return [Part("  skipped", dim=True)]
    if row.phase is NodePhase.ABORTED:
        return [Part("  aborted", dim=True)]
    return [Part(f"  {reason(row)}", "red")]


def _attempt(row: NodeState, retries: int) -> list[Part]:
    if not row.attempt:
        return []
    of = f" of {retries + 1}" if retries and row.attempt <= retries else ""
    return [Part(f"  attempt {row.attempt + 1}{of}", "yellow")]


def _span(since: datetime, until: datetime | None) -> str:
    """A duration worth being told; empty below a tenth of a second."""
    if until is None or (until - since).total_seconds() < 0.1:
        return ""
    return shown_duration(until - since)
