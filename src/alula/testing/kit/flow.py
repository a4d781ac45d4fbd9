"""Workflows of one task, for runs of the kit."""

from __future__ import annotations

from datetime import timedelta

from alula.compiler.compile import compile_workflow
from alula.idl import (
    Binding,
    BindingData,
    Identifier,
    Node,
    OutputReference,
    ResourceType,
    TaskNode,
    WorkflowTemplate,
)
from alula.testing.kit.harness import DOMAIN, PROJECT, VERSION, Case
from alula.testing.kit.scenarios import Scenario


def closure_of(case: Case, scenario: Scenario) -> bytes:
    """A workflow of this one task, as the scenario wants it."""
    task = case.task("kit")
    id = Identifier(resource_type=ResourceType.WORKFLOW, project=PROJECT, domain=DOMAIN, name="main", version=VERSION)
    inputs = [
        Binding(var=name, binding=BindingData(promise=OutputReference(node_id="", var=name)))
        for name in task.interface.inputs.variables
    ]
    node = Node(id="n0", inputs=inputs, task_node=TaskNode(reference_id=task.id))
    node.metadata.retries.retries = scenario.retries
    if scenario.timeout:
        node.metadata.timeout.FromTimedelta(timedelta(seconds=scenario.timeout))
    outputs = [
        Binding(var=name, binding=BindingData(promise=OutputReference(node_id="n0", var=name)))
        for name in task.interface.outputs.variables
    ]
    template = WorkflowTemplate(id=id, interface=task.interface, nodes=[node], outputs=outputs)
    return compile_workflow(template, (), [task]).SerializeToString(deterministic=True)
