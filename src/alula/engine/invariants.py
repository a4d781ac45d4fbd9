"""What holds after every decision, whatever happened before it. Each check gives the faults that it found, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alula.engine.execution import Execution, Scope
from alula.engine.plan import Kind
from alula.engine.state import ROOT, AttemptPhase, AttemptState, NodePhase, NodeState, Row, parent
from alula.engine.turn import RowKey

_EMPTY_IN_THE_END = (
    *("ready", "unbound", "holding", "keepers", "gates", "scopes", "attempts"),
    *("prepared", "at_hand", "lists", "agenda"),
)
_ENDING = (NodePhase.FAILING, NodePhase.STOPPING)


def change_faults(before: Row | None, after: Row) -> list[str]:
    """Terminal states never move: of one row, as it was and as it is to be."""
    match before, after:
        case NodeState(), NodeState():
            if before.phase.terminal and (before.phase, before.outputs, before.failure) != (
                after.phase,
                after.outputs,
                after.failure,
            ):
                return [f"node {after.path!r} was {before.phase} and became {after.phase}, or its result changed"]
            if after.attempt < before.attempt or after.generation < before.generation:
                return [f"node {after.path!r} went back to an earlier attempt or generation"]
        case AttemptState(), AttemptState():
            if not before.open:
                return [f"attempt {after.number} of {after.path!r} was closed and has changed"]
            if not before.phase.live and after.phase not in (before.phase, AttemptPhase.ABORTED):
                return [f"attempt {after.number} of {after.path!r} was {before.phase} and became {after.phase}"]
        case None, AttemptState():
            if not after.open and after.phase.live:
                return [f"attempt {after.number} of {after.path!r} was closed before it was opened"]
        case None, _:
            return []
        case _:
            return [f"a row that is written once was written again: {after}"]
    return []


def state_faults(x: Execution) -> list[str]:
    """One open attempt per node at most; parallelism and windows kept; nothing goes on in what ends or has ended."""
    faults = []
    limit = x.settings.max_parallelism
    if limit and len(x.holding) > limit:
        faults.append(f"{len(x.holding)} nodes hold a slot, and max parallelism is {limit}")
    still_open: dict[str, int] = {}
    live: set[str] = set()
    for (path, number), attempt in x.attempts.items():
        row = x.nodes[path]
        if path in still_open:
            faults.append(f"{path!r} has two open attempts: {still_open[path]} and {number}")
        still_open[path] = number
        if not attempt.phase.live:
            continue
        live.add(path)
        if row.attempt != number or row.phase not in (NodePhase.QUEUED, NodePhase.RUNNING):
            faults.append(f"attempt {number} of {path!r} is live, but the node is {row.phase} with {row.attempt}")
    for path, row in x.nodes.items():
        inside = x.nodes[parent(path)].phase if path != ROOT else NodePhase.RUNNING
        ends = row.phase in (NodePhase.STOPPING, NodePhase.CLOSING) and row.then is not NodePhase.BACKOFF
        if not row.phase.terminal and (inside.terminal or (inside in _ENDING and not ends and not x.agenda)):
            faults.append(f"{path!r} is {row.phase}, but what it is part of is {inside}")
        idle = path not in live and path not in x.scopes and x.plan_of(path).kind in (Kind.TASK, Kind.LAUNCH_PLAN)
        if idle and row.phase in (NodePhase.QUEUED, NodePhase.RUNNING):
            faults.append(f"{path!r} is {row.phase} without a live attempt")
        if row.phase is NodePhase.READY and row.reserved and not x.agenda and path != x.startable():
            faults.append(f"{path!r} holds a reservation while it waits for a slot")
    for scope in x.scopes.values():
        window = x.window(scope.plan) if scope.plan.kind is Kind.ARRAY else 0
        if window and len(scope.live) > window:
            faults.append(f"{len(scope.live)} elements of {scope.path!r} are under way, and {window} may be")
    return faults


def index_faults(x: Execution, again: Execution) -> list[str]:
    """What is kept beside the rows is what a restart would make of them: `again` is loaded from the same rows."""
    faults = []
    for name in ("nodes", "attempts", "signals", "holding", "keepers", "gates"):
        mine, theirs = getattr(x, name), getattr(again, name)
        if mine != theirs:
            faults.append(f"{name} differ after a restart: {mine} and {theirs}")
    for mine, theirs in ((x.ready, again.ready), (x.unbound, again.unbound)):
        if list(mine) != list(theirs):
            faults.append(f"those that wait to start differ after a restart: {list(mine)} and {list(theirs)}")
    for path in dict.fromkeys([*x.scopes, *again.scopes]):
        mine, theirs = x.scopes.get(path), again.scopes.get(path)
        if mine is None or theirs is None:
            faults.append(f"scope {path!r} is there only {'before' if theirs is None else 'after'} a restart")
        elif x.nodes[path].phase is NodePhase.RUNNING and _counts(mine, x) != _counts(theirs, x):
            faults.append(f"scope {path!r} counts differently after a restart: {mine} and {theirs}")
        elif mine.live.keys() != theirs.live.keys():
            faults.append(f"scope {path!r} has other live nodes after a restart: {mine.live} and {theirs.live}")
    return faults


def _counts(scope: Scope, x: Execution) -> tuple[object, ...]:
    begun = 0 if x.agenda else scope.next  # elements on the agenda have no rows yet
    return scope.waiting, scope.unfinished, scope.size, begun, scope.succeeded, scope.failed


def end_faults(x: Execution, rows: Mapping[RowKey, Row]) -> list[str]:
    """Nothing is left when all is over: `rows` are all that were ever written."""
    faults = []
    if x.phase is None or not x.phase.terminal:
        faults.append(f"the execution has not ended: it is {x.phase}")
    faults += [f"attempt {a.number} of {a.path!r} was never closed" for a in _attempts(rows.values()) if a.open]
    faults += [
        f"node {row.path!r} has not ended: it is {row.phase}"
        for row in rows.values()
        if isinstance(row, NodeState) and not row.phase.terminal
    ]
    for name in _EMPTY_IN_THE_END:
        if left := getattr(x, name):
            faults.append(f"{name} are left at the end: {left}")
    return faults


def _attempts(rows: Iterable[Row]) -> Iterable[AttemptState]:
    return (row for row in rows if isinstance(row, AttemptState))
