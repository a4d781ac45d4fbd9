"""The graph of a workflow: who waits for whom, in what order nodes can run, and which wait for each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from alula.compiler.bindings import END, START, node_id, promises
from alula.compiler.nodes import every_node
from alula.idl import Binding, ConnectionSet, Node, WorkflowTemplate


def sources(bindings: Iterable[Binding]) -> set[str]:
    """The ids of the nodes that bindings read from; the start node's for inputs of the workflow."""
    return {node_id(promise) for binding in bindings for promise in promises(binding.binding)}


def waits_for(node: Node) -> set[str]:
    """The ids of all nodes that must end before this one can: for itself, and for what is inside a branch."""
    return {id for inner in every_node(node) for id in direct(inner)}


def direct(node: Node) -> set[str]:
    """The ids of the nodes that this one reads from or is ordered after."""
    return sources(node.inputs) | {id or START for id in node.upstream_node_ids}


def order(nodes: Sequence[Node]) -> tuple[list[str], list[list[str]]]:
    """Node ids, each after all that it waits for, and the cycles that forbid it.

    Nodes of a cycle are in the first list too, where it was cut. Linear in nodes and edges.
    """
    known = {node.id for node in nodes}
    upstream = {node.id: waits_for(node) & known for node in nodes}
    downstream: dict[str, list[str]] = {id: [] for id in upstream}
    for id, ids in upstream.items():
        for before in ids:
            downstream[before].append(id)
    waiting = {id: len(ids) for id, ids in upstream.items()}
    done: dict[str, None] = {}
    cycles: list[list[str]] = []
    _drain([id for id, count in waiting.items() if not count], downstream, waiting, done)
    for id in upstream:
        while id not in done:
            cycles.append(_cycle(id, upstream, done))
            _drain(cycles[-1], downstream, waiting, done)
    return list(done), cycles


def _drain(
    ready: Iterable[str], downstream: Mapping[str, Iterable[str]], waiting: dict[str, int], done: dict[str, None]
) -> None:
    """Move what is ready, and what gets ready by that, into `done`."""
    queue = list(ready)
    for id in queue:  # grows while it is walked
        if id in done:
            continue
        done[id] = None
        for after in downstream[id]:
            waiting[after] -= 1
            if not waiting[after]:
                queue.append(after)


def _cycle(start: str, upstream: Mapping[str, Iterable[str]], done: Mapping[str, None]) -> list[str]:
    """A cycle found by walking up from a node that cannot run: ids in the direction of the data."""
    place: dict[str, int] = {}
    walked: list[str] = []
    at = start
    while at not in place:
        place[at] = len(walked)
        walked.append(at)
        at = min(id for id in upstream[at] if id not in done)
    cycle = walked[place[at] :][::-1]
    first = cycle.index(min(cycle))
    return cycle[first:] + cycle[:first]


def connections(template: WorkflowTemplate, nodes: Sequence[Node]) -> ConnectionSet:
    """Who is next to whom, as Flyte lists it: ids sorted, nothing that waits for nothing left without the start node,
    nothing that nobody waits for left without the end node.

    Nodes inside a branch, and the failure node, are listed by what they wait for only: no one waits for them.
    """
    up: dict[str, set[str]] = {node.id: direct(node) or {START} for node in nodes}
    up[END] = sources(template.outputs)
    leaves = set(up).difference(*up.values()) - {END}
    up[END] = up[END] | leaves or {START}
    down: dict[str, set[str]] = {}
    for id, before in up.items():
        for other in before:
            down.setdefault(other, set()).add(id)
    inside = [inner for node in nodes for inner in every_node(node) if inner is not node]
    if template.HasField("failure_node"):
        inside.append(template.failure_node)
    for node in inside:
        up[node.id] = direct(node)
    result = ConnectionSet()
    for id, others in up.items():
        if others:
            result.upstream[id].ids.extend(sorted(others))
    for id, others in down.items():
        result.downstream[id].ids.extend(sorted(others))
    return result
