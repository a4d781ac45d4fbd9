"""What an execution takes over from the one that it recovers, and what it runs again though it has ended well there."""

from __future__ import annotations

from alula.compiler.graph import waits_for
from alula.engine.execution import Execution
from alula.engine.state import ROOT, NodePhase, NodeState, child, parent


def taken_over(x: Execution, path: str) -> NodeState | None:
    """The former row of a node that need not run: it has ended well, and nothing that it depends on runs again."""
    former = x.reference.nodes.get(path)
    if former is None or not former.phase.good or path in x.rerun_inside or again(x, path):
        return None
    return former


def former(x: Execution, path: str) -> NodeState | None:
    """The former row of a node that runs and may go on from there; None for one that is to start over."""
    row = x.reference.nodes.get(path)
    return None if row is None or again(x, path) else row


def named(x: Execution, path: str) -> bool:
    """Whether somebody asked for this node, or for something that it is part of, to run again."""
    if not x.settings.rerun:
        return False
    while path != ROOT:
        if path in x.settings.rerun:
            return True
        path = parent(path)
    return False


def again(x: Execution, path: str) -> bool:
    """Whether a node starts over: it was named, or something that it depends on was.

    To be asked once all that the node waits for has ended; the answer never changes after that.
    """
    if not x.settings.rerun or path == ROOT:
        return False
    known = x.starts_over.get(path)
    if known is None:
        known = path in x.settings.rerun or again(x, parent(path)) or _after_one_that_ran(x, path)
        if path in x.scopes or x.composite(path):
            x.starts_over[path] = known
    return known


def _after_one_that_ran(x: Execution, path: str) -> bool:
    around = parent(path)
    graph = x.graph_of(around) if not path.endswith("]") else None
    if graph is None:
        return False  # an element, or an arm of a branch: it depends on nothing but the whole
    before = (x.nodes.get(child(around, id)) for id in waits_for(x.plan_of(path).node) if id in graph.number)
    return any(row is None or row.phase is not NodePhase.RECOVERED for row in before)
