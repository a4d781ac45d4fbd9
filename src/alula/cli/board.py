"""What is known of an execution while it runs: its rows, and counts that each change keeps up in constant time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from alula.engine.execution import Execution
from alula.engine.plan import Kind, NodePlan
from alula.engine.state import (
    ROOT,
    AttemptState,
    CacheStatus,
    Expansion,
    Failure,
    NodePhase,
    NodeState,
    Row,
    child,
    element,
    index_of,
    parent,
)
from alula.idl import CompiledWorkflowClosure


@dataclass(slots=True)
class Scope:
    """The nodes in one composite, counted."""

    total: int
    live: dict[str, None] = field(default_factory=dict)
    """Paths of those under way, in the order in which they began."""
    bad: dict[str, None] = field(default_factory=dict)
    """Paths of those that failed, timed out or were aborted."""
    good: int = 0
    skipped: int = 0

    @property
    def ended(self) -> int:
        return self.good + self.skipped + len(self.bad)

    @property
    def to_come(self) -> int:
        return max(self.total - self.ended - len(self.live), 0)


@dataclass(slots=True)
class Pace:
    """What attempts tell beside their rows."""

    done: float | None = None
    message: str = ""


class Board:
    """The nodes of one execution as they are known here.

    Args:
        name: Of the execution.
        title: What runs: `workflow train`.
        closure: What it runs.
    """

    def __init__(self, name: str, title: str, closure: CompiledWorkflowClosure) -> None:
        self.name, self.title = name, title
        self._plans = Execution(name, closure)
        self.rows: dict[str, NodeState] = {}
        self.scopes: dict[str, Scope] = {}
        self.paces: dict[str, Pace] = {}
        """By path, of nodes under way."""
        self.faults: dict[str, Failure] = {}
        """By path, of nodes under way: how the latest attempt failed."""
        self.gates: dict[str, None] = {}
        """Paths of gates that wait for an answer."""
        self.running: dict[str, None] = {}
        """Paths of tasks whose code runs."""
        self.counts = Scope(0)
        """Tasks and child executions of the whole execution that ended; `live` stays empty."""

    def take(self, rows: Iterable[Row]) -> list[tuple[NodeState | None, NodeState]]:
        """Take changed rows in: each node's former row and its new one come back."""
        changed = []
        for row in sorted(rows, key=lambda one: isinstance(one, NodeState)):  # failures before what they lead to
            match row:
                case NodeState():
                    changed.append((self.note(row), row))
                case AttemptState():
                    if row.failure is not None:
                        self.faults[row.path] = row.failure
                case Expansion() if row.path not in self._plans.expansions:
                    self._plans.put(row)
        return changed

    def note(self, row: NodeState) -> NodeState | None:
        """Take a row in; the former one of its node comes back. The same row again changes nothing."""
        former = self.rows.get(row.path)
        self.rows[row.path] = row
        if row.path == ROOT:
            self.scopes.setdefault(ROOT, Scope(self._size(row)))
            return former
        if self.composite(row.path):
            scope = self.scopes.setdefault(row.path, Scope(self._size(row)))
            scope.total = self._size(row) or scope.total
        self._count(row, former)
        plan = self.plan(row.path)
        running = row.phase is NodePhase.RUNNING
        _mark(self.gates, row.path, running and bool(self.signal(row.path)))
        _mark(self.running, row.path, running and plan.kind is Kind.TASK and not self.composite(row.path))
        if row.phase.terminal or (former is not None and former.attempt != row.attempt):
            self.paces.pop(row.path, None)
        if row.phase.terminal:
            self.faults.pop(row.path, None)
        return former

    def pace(self, path: str) -> Pace:
        """What is known of the present attempt of a node, to be filled in."""
        return self.paces.setdefault(path, Pace())

    def plan(self, path: str) -> NodePlan:
        return self._plans.plan_of(path)

    def composite(self, path: str) -> bool:
        return self._plans.composite(path)

    def signal(self, path: str) -> str:
        """The signal that a gate waits for; empty for a sleep."""
        return self._plans.signal_id(self.plan(path))

    def children(self, path: str) -> Iterator[str]:
        """The paths of the nodes in a composite, in the order of its author."""
        graph = self._plans.graph_of(path)
        if graph is not None:
            yield from (child(path, node.id) for node in graph.nodes)
            if graph.failure is not None and child(path, graph.failure.id) in self.rows:
                yield child(path, graph.failure.id)
            return
        plan = self.plan(path)
        if plan.kind is Kind.ARRAY:
            yield from (element(path, nth) for nth in range(self.scopes[path].total))
        else:
            taken = self.rows[path].arm
            yield from (child(path, arm.then.id) for nth, arm in enumerate(plan.arms) if nth == taken)

    def title_of(self, path: str) -> str:
        """A node in a few words: `train`, `map_task(measure)`, `[7]`."""
        if path == ROOT:
            return self.title
        if path.endswith("]"):
            return f"[{index_of(path)}]"
        return self.plan(path).title

    def full_title(self, path: str) -> str:
        """As `title_of`, where the composite around is not seen: `map_task(measure)[7]`."""
        try:
            return self.title_of(parent(path)) + self.title_of(path) if path.endswith("]") else self.title_of(path)
        except KeyError:  # in what a dynamic task has made, which was not heard of yet
            return path

    def _size(self, row: NodeState) -> int:
        graph = self._plans.graph_of(row.path)
        if graph is not None:
            return len(graph.nodes)
        return row.size if self.plan(row.path).kind is Kind.ARRAY else 1

    def _count(self, row: NodeState, former: NodeState | None) -> None:
        scope = self.scopes.setdefault(parent(row.path), Scope(0))
        was = former.phase if former is not None else None
        if was is row.phase:
            return
        leaf = not self.composite(row.path)
        for counted in (scope, self.counts) if leaf else (scope,):
            if was is not None and was.terminal:
                _tally(counted, row.path, was, -1)
            if row.phase.terminal:
                _tally(counted, row.path, row.phase, 1)
        if row.phase.terminal:
            scope.live.pop(row.path, None)
        else:
            scope.live.setdefault(row.path)


def cached(row: NodeState) -> bool:
    """Whether a node ended with what the cache had."""
    return row.cache is CacheStatus.HIT


def _tally(scope: Scope, path: str, phase: NodePhase, by: int) -> None:
    if phase.good:
        scope.good += by
    elif phase is NodePhase.SKIPPED:
        scope.skipped += by
    elif by > 0:
        scope.bad[path] = None
    else:
        scope.bad.pop(path, None)


def _mark(paths: dict[str, None], path: str, there: bool) -> None:
    if there:
        paths.setdefault(path)
    else:
        paths.pop(path, None)
