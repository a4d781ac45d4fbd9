"""Why a node is not running, or has not ended: in one word for programs and in a sentence for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alula.compiler.graph import waits_for
from alula.engine.execution import Execution, Scope
from alula.engine.nodes.gate import expected
from alula.engine.plan import Kind, NodePlan
from alula.engine.state import ROOT, NodePhase, NodeState, child, index_of, last_id, parent
from alula.idl.types import type_text

_SHOWN = 5


class Reason(StrEnum):
    ENDED = "ended"
    """It waits for nothing: it has ended, or never will begin."""
    RUNNING = "running"
    NOT_BEGUN = "not_begun"
    """The execution waits for an engine."""
    UPSTREAM = "upstream"
    """Nodes before it have not ended."""
    INSIDE = "inside"
    """Nodes that it is made of have not ended."""
    PARALLELISM = "parallelism"
    """As many run already as may."""
    BACKOFF = "backoff"
    """An attempt failed, and the next one is not due yet."""
    GATE = "gate"
    """Somebody must answer."""
    SLEEP = "sleep"
    CACHE = "cache"
    """The cache is being asked."""
    RESERVATION = "reservation"
    """Another node makes the same outputs, and it will take those."""
    QUOTA = "quota"
    """An attempt waits for units of a pool."""
    BACKEND = "backend"
    """An attempt is with its backend, and has not started."""
    FETCHING = "fetching"
    """Values are being read or written."""
    CLEANUP = "cleanup"
    """An attempt is being stopped and cleaned up after."""


Reports = Mapping[tuple[str, int], str]
"""Sentences about attempts, by path and number."""


@dataclass(frozen=True, slots=True)
class Waiting:
    reason: Reason
    text: str
    """A sentence, without the node's own name."""
    on: tuple[str, ...] = ()
    """Paths of the nodes that it waits for, or their signal's id, or URIs."""
    until: datetime | None = None


def waiting(x: Execution, path: str, reports: Reports | None = None, quotas: Reports | None = None) -> Waiting:
    """What a node waits for right now.

    Args:
        reports: What backends say of attempts: what they wait for, what they do (`plugin.runner.Waits`, `Shows`).
        quotas: What of pools attempts wait for.

    Raises:
        KeyError: The workflow has no such node, as far as it is known yet.
    """
    row = x.nodes.get(path)
    if row is None:
        return _not_begun(x, path)
    plan, scope = x.plan_of(path), x.scopes.get(path)
    match row.phase:
        case NodePhase.READY:
            return _slot(x, path)
        case NodePhase.BACKOFF:
            text = f"attempt {row.attempt} failed, and attempt {row.attempt + 1} is not due before {_time(row.wake_at)}"
            return Waiting(Reason.BACKOFF, text, until=row.wake_at)
        case NodePhase.LOOKUP:
            return Waiting(Reason.CACHE, "the cache is asked whether it has the outputs")
        case NodePhase.RESERVING:
            text = (
                "another node makes the same outputs right now, and it takes no slot meanwhile: it asks again at "
                f"{_time(row.wake_at)}, should the engine of that one be gone"
            )
            if row.wake_at is None:
                text = "it has a slot, and asks whether another node makes the same outputs right now"
            return Waiting(Reason.RESERVATION, text, until=row.wake_at)
        case NodePhase.RESOLVING | NodePhase.GATHERING:
            return _bytes(x, row)
        case NodePhase.QUEUED if quota := (quotas or {}).get((path, row.attempt)):
            return Waiting(Reason.QUOTA, quota)
        case NodePhase.QUEUED:
            said = (reports or {}).get((path, row.attempt), "")
            text = said or f"attempt {row.attempt + 1} was handed to its backend, which has not started it"
            return Waiting(Reason.BACKEND, text)
        case NodePhase.CLOSING | NodePhase.STOPPING if scope is None:
            said = (reports or {}).get((path, row.attempt), "")
            text = f"attempt {row.attempt + 1} is being stopped and cleaned up" + (f": {said}" if said else "")
            return Waiting(Reason.CLEANUP, text, until=row.wake_at)
        case NodePhase.RUNNING if plan.kind is Kind.GATE:
            return _gate(x, row, plan)
        case NodePhase.RUNNING | NodePhase.FAILING | NodePhase.STOPPING | NodePhase.HANDLING if scope is not None:
            return _inside(row, scope)
        case NodePhase.RUNNING:
            said = (quotas or {}).get((path, row.attempt)) or (reports or {}).get((path, row.attempt), "")
            text = f"attempt {row.attempt + 1} runs since {_time(row.started_at)}" + (f": {said}" if said else "")
            return Waiting(Reason.RUNNING, text)
        case _:
            why = f": {row.failure.code}: {row.failure.message}" if row.failure is not None else ""
            return Waiting(Reason.ENDED, f"it has ended: it is {row.phase}{why}")


def _not_begun(x: Execution, path: str) -> Waiting:
    if path == ROOT:
        return Waiting(Reason.NOT_BEGUN, "no engine has begun the execution")
    plan, around = x.plan_of(path), parent(path)
    outer = x.nodes.get(around)
    if outer is None:
        deeper = waiting(x, around)
        return Waiting(deeper.reason, f"{_name(around)} has not begun: {deeper.text}", deeper.on, deeper.until)
    if path.endswith("]") and outer.size and index_of(path) >= outer.size:
        raise KeyError(path)
    if outer.phase.terminal or outer.phase in (NodePhase.FAILING, NodePhase.STOPPING):
        return Waiting(Reason.ENDED, f"it will not run: {_name(around)} is {outer.phase}")
    scope = x.scopes.get(around)
    if scope is None:
        return waiting(x, around)
    if scope.graph is not None:
        return _upstream(x, scope, plan)
    if scope.plan.kind is Kind.ARRAY:
        text = f"{len(scope.live)} elements are under way, and {x.window(scope.plan)} may be at a time"
        return Waiting(Reason.PARALLELISM, text)
    return Waiting(Reason.UPSTREAM, f"{_name(around)} has not chosen its way", (around,))


def _upstream(x: Execution, scope: Scope, plan: NodePlan) -> Waiting:
    graph = scope.graph
    assert graph is not None
    if plan is graph.failure:
        return Waiting(Reason.UPSTREAM, f"it runs only if {_name(scope.path)} fails")
    before = sorted((id for id in waits_for(plan.node) if id in graph.number), key=lambda id: graph.number[id])
    paths = [child(scope.path, id) for id in before]
    missing = tuple(path for path in paths if (row := x.nodes.get(path)) is None or not row.phase.good)
    if not missing:
        return Waiting(Reason.UPSTREAM, "all before it has ended, and it is about to begin")
    shown = (f"{path} ({row.phase})" if (row := x.nodes.get(path)) else f"{path} (not begun)" for path in missing)
    return Waiting(Reason.UPSTREAM, f"it comes after {_several(shown, len(missing))}", missing)


def _slot(x: Execution, path: str) -> Waiting:
    ahead = next((nth for nth, other in enumerate(x.ready) if other == path), 0)
    limit = x.settings.max_parallelism
    if not limit or len(x.holding) < limit:
        return Waiting(Reason.PARALLELISM, "it is about to start")
    text = f"{len(x.holding)} tasks run, as many as may (max parallelism), and {ahead} others are before it"
    return Waiting(Reason.PARALLELISM, text)


def _bytes(x: Execution, row: NodeState) -> Waiting:
    uris = tuple(uri for uri, paths in x.fetching.items() if row.path in paths)
    if uris:
        return Waiting(Reason.FETCHING, f"it reads {_several(uris, len(uris))}", uris)
    text = "its inputs are being put together" if row.phase is NodePhase.RESOLVING else "its outputs are being written"
    return Waiting(Reason.FETCHING, text)


def _gate(x: Execution, row: NodeState, plan: NodePlan) -> Waiting:
    gate = plan.node.gate_node
    if gate.HasField("sleep"):
        return Waiting(Reason.SLEEP, f"it sleeps until {_time(row.wake_at)}", until=row.wake_at)
    signal = x.signal_id(plan)
    if gate.HasField("approve"):
        text = f"somebody must approve: alula approve {x.name} {signal}"
    else:
        text = f"somebody must give a value of type {type_text(expected(plan))}: alula signal {x.name} {signal} VALUE"
    return Waiting(Reason.GATE, text, (signal,), until=row.deadline)


def _inside(row: NodeState, scope: Scope) -> Waiting:
    does = {
        NodePhase.FAILING: "it fails, and stops",
        NodePhase.STOPPING: "it is being stopped, and with it",
        NodePhase.HANDLING: "it failed, and runs its failure node",
    }.get(row.phase, "under way in it:")
    live = tuple(scope.live)
    shown = (last_id(path) if not path.endswith("]") else path for path in live)
    return Waiting(Reason.INSIDE, f"{does} {_several(shown, len(live))}", live)


def _several(items: Iterable[str], count: int) -> str:
    shown = [item for item, _ in zip(items, range(_SHOWN), strict=False)]
    more = f" and {count - len(shown)} more" if count > len(shown) else ""
    return (", ".join(shown) or "nothing yet") + more


def _name(path: str) -> str:
    return f"node {path}" if path else "the workflow"


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at is not None else "it was told to"
