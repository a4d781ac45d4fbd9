"""Whether two versions of a workflow have the same nodes, so that what one has done counts for the other; pure."""

from __future__ import annotations

from collections.abc import Iterator

from alula.compiler.nodes import every_node, reference
from alula.idl import CompiledWorkflowClosure, Node, WorkflowTemplate


def differences(old: CompiledWorkflowClosure, new: CompiledWorkflowClosure) -> list[str]:
    """In what the nodes of two versions differ, a phrase each; empty: they are the same. Tasks may differ inside."""
    before, after = _templates(old), _templates(new)
    found = [f"{name} is not called any more" for name in before if name not in after]
    found += [f"{name} is called now" for name in after if name not in before]
    for name, template in after.items():
        if name in before and template != before[name]:
            found += list(_of_one(before[name], template)) or [f"{name} has other inputs, outputs or settings"]
    return found


def _templates(closure: CompiledWorkflowClosure) -> dict[str, WorkflowTemplate]:
    """Workflows by name, without the versions of what they call."""
    found = {}
    for compiled in (closure.primary, *closure.sub_workflows):
        template = WorkflowTemplate()
        template.CopyFrom(compiled.template)
        template.id.version = ""
        for node in [*template.nodes, template.failure_node]:
            for inner in every_node(node):
                called = reference(inner)
                if called is not None:
                    called.version = ""
        found[template.id.name] = template
    return found


def _of_one(old: WorkflowTemplate, new: WorkflowTemplate) -> Iterator[str]:
    before = {node.id: node for node in old.nodes}
    after = {node.id: node for node in new.nodes}
    for id in sorted({*before, *after}):
        if id not in after:
            yield f"node {_named(before[id])} is gone"
        elif id not in before:
            yield f"node {_named(after[id])} is new"
        elif before[id] != after[id]:
            was, now = before[id].metadata.name, after[id].metadata.name
            yield (
                f"node {id} was {was} and is {now}" if was != now else f"node {_named(after[id])} is called differently"
            )


def _named(node: Node) -> str:
    return f"{node.id} ({node.metadata.name})" if node.metadata.name else node.id
