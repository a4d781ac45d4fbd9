"""What an entity calls, directly or not."""

from __future__ import annotations

from collections.abc import Iterator

from alula.sdk.conditional import Branch
from alula.sdk.graph import Entity, Node
from alula.sdk.launch_plan import LaunchPlan
from alula.sdk.map import ArrayTask
from alula.sdk.workflow import BaseWorkflow


def reachable(entity: Entity) -> Iterator[Entity]:
    """An entity, and all that its nodes run, each once. What a dynamic task will call is not known yet.

    Raises:
        AlulaError: what is wrong with the body of a workflow.
    """
    seen: set[int] = set()
    waiting = [entity]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += reversed(_called(one))


def _called(entity: Entity) -> list[Entity]:
    match entity:
        case LaunchPlan():
            return [entity.workflow]
        case ArrayTask():
            return [entity.target]
        case Branch():
            return _run_by([node for arm in entity.arms for node in arm.nodes])
        case BaseWorkflow():
            failure = entity.graph.failure
            return _run_by([*entity.nodes, *([failure] if failure is not None else [])])
    return []


def _run_by(nodes: list[Node]) -> list[Entity]:
    return [node.entity for node in nodes if node.entity is not None]
