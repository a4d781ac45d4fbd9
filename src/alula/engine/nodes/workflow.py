"""Workflows: the execution itself, sub-workflows, and what dynamic tasks make of themselves."""

from __future__ import annotations

from alula._kits.records import replace
from alula.engine.agenda import Act
from alula.engine.execution import Scope
from alula.engine.nodes import cache
from alula.engine.nodes.bind import Missing, workflow_outputs
from alula.engine.nodes.common import first_row, halt, origin, unbound
from alula.engine.plan import NodePlan
from alula.engine.state import ROOT, Failure, NodePhase, NodeState, child, last_id, parent
from alula.engine.turn import Turn
from alula.errors import ConversionError


def begin_execution(turn: Turn) -> None:
    """The root's row, once."""
    if ROOT in turn.x.nodes:
        return
    graph = turn.x.root.graph
    limit = turn.x.settings.workflow_timeout or (graph.timeout if graph is not None else None)
    deadline = turn.now + limit if limit is not None else None
    row = NodeState(ROOT, NodePhase.RUNNING, since=turn.now, deadline=deadline, started_at=turn.now)
    turn.begin(row)
    enter(turn, row)


def abort_execution(turn: Turn, failure: Failure) -> None:
    """Stop all of it; one that has not begun never will."""
    if ROOT in turn.x.nodes:
        turn.stop(ROOT, NodePhase.ABORTED, failure)
    else:
        turn.end(NodeState(ROOT, NodePhase.RUNNING, since=turn.now), NodePhase.ABORTED, failure=failure)


def begin(turn: Turn, path: str, plan: NodePlan) -> None:
    row = replace(first_row(turn, path, NodePhase.RUNNING, plan), started_at=turn.now)
    turn.begin(row)
    enter(turn, row)


def enter(turn: Turn, row: NodeState) -> None:
    """Begin all nodes that wait for nothing."""
    scope = turn.x.open_scope(row)
    assert scope.graph is not None
    for plan, waits in zip(scope.graph.nodes, scope.graph.waits, strict=True):
        if not waits:
            turn.later(Act.ACTIVATE, child(row.path, plan.id))
    if not scope.graph.nodes:
        complete(turn, row)


def child_ended(turn: Turn, scope: Scope, row: NodeState) -> None:
    owner, graph = turn.x.nodes[scope.path], scope.graph
    assert graph is not None
    at = graph.number.get(last_id(row.path))
    if at is None:
        _handled(turn, owner, row)
        return
    scope.unfinished -= 1
    if owner.phase is not NodePhase.RUNNING:
        if not scope.live:
            turn.later(Act.HALTED, scope.path)
        return
    if row.phase.good:
        for after in graph.successors[at]:
            scope.waiting[after] -= 1
            if not scope.waiting[after]:
                turn.later(Act.ACTIVATE, child(scope.path, graph.nodes[after].id))
    else:
        if row.phase is not NodePhase.SKIPPED and owner.failure is None:
            owner = replace(owner, failure=origin(turn.x, row))
            turn.put(owner)
        if not graph.patient and row.phase is not NodePhase.SKIPPED:
            halt(turn, owner, NodePhase.FAILING, NodePhase.FAILED, None)
            return
        for after in graph.successors[at]:
            turn.later(Act.SKIP, child(scope.path, graph.nodes[after].id))
    if not scope.unfinished:
        complete(turn, owner)


def complete(turn: Turn, owner: NodeState) -> None:
    """All nodes have ended: the outputs, or the failure that was put off."""
    if owner.failure is not None:
        halt(turn, owner, NodePhase.FAILING, NodePhase.FAILED, None)
        return
    graph = turn.x.scopes[owner.path].graph
    assert graph is not None
    try:
        outputs = workflow_outputs(turn.x, owner.path, graph)
    except Missing as exc:
        if owner.phase is not NodePhase.GATHERING:
            turn.put(replace(owner, phase=NodePhase.GATHERING))
        turn.fetch(owner.path, exc.uris)
    except ConversionError as exc:
        turn.stop(owner.path, NodePhase.FAILED, unbound(exc))
    else:
        plan = turn.x.plan_of(owner.path)
        if plan.policy.cacheable and turn.x.settings.cache:  # a dynamic task
            cache.store(turn, owner, plan, outputs)
        else:
            turn.end(owner, NodePhase.SUCCEEDED, outputs=outputs)


def halted(turn: Turn, owner: NodeState) -> None:
    """Nothing is live any more: run the failure node if there is one and the failure is the workflow's own."""
    graph = turn.x.graph_of(owner.path)
    if owner.phase is NodePhase.FAILING and graph is not None and graph.failure is not None:
        turn.put(replace(owner, phase=NodePhase.HANDLING))
        turn.later(Act.ACTIVATE, child(owner.path, graph.failure.id))
    else:
        turn.end(owner, owner.then or NodePhase.ABORTED)


def _handled(turn: Turn, owner: NodeState, row: NodeState) -> None:
    """The failure node has ended. It never saves the workflow, nor hides why it failed."""
    if owner.phase not in (NodePhase.HANDLING, NodePhase.STOPPING):
        return
    if not row.phase.good and owner.failure is not None and row.phase is not NodePhase.ABORTED:
        owner = replace(owner, failure=replace(owner.failure, secondary=origin(turn.x, row)))
    turn.end(owner, owner.then or NodePhase.FAILED)


def skip(turn: Turn, path: str) -> None:
    """Note that a node will not run."""
    if path not in turn.x.nodes and turn.x.nodes[parent(path)].phase is NodePhase.RUNNING:
        turn.end(NodeState(path, NodePhase.SKIPPED, since=turn.now), NodePhase.SKIPPED)
