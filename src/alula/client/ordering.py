"""The order in which a program is registered: a workflow after the launch plans that it calls, these after theirs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alula.compiler.nodes import every_node, reference
from alula.idl import ResourceType
from alula.idl.admin import LaunchPlan, WorkflowSpec


def in_order(workflows: Sequence[WorkflowSpec], plans: Sequence[LaunchPlan]) -> list[WorkflowSpec | LaunchPlan]:
    """Each of them after all of them that it refers to, else as they are given."""
    by_name = {one.template.id.name: one for one in workflows}
    plans_by_name = {one.id.name: one for one in plans}
    found: dict[int, WorkflowSpec | LaunchPlan] = {}
    begun: set[int] = set()

    def put(one: WorkflowSpec | LaunchPlan) -> None:
        if id(one) in begun:
            return
        begun.add(id(one))
        if isinstance(one, LaunchPlan):
            needed = by_name.get(one.spec.workflow_id.name)
            if needed is not None:
                put(needed)
        else:
            for name in _called(one):
                if name in plans_by_name:
                    put(plans_by_name[name])
        found[id(one)] = one

    everything: list[WorkflowSpec | LaunchPlan] = [*workflows, *plans]
    for one in everything:
        put(one)
    return list(found.values())


def _called(spec: WorkflowSpec) -> Iterator[str]:
    """Names of the launch plans that a workflow calls, or workflows inside of it."""
    for template in (spec.template, *spec.sub_workflows):
        for outer in (*template.nodes, template.failure_node):
            for node in every_node(outer):
                id = reference(node)
                if id is not None and id.resource_type == ResourceType.LAUNCH_PLAN:
                    yield id.name
