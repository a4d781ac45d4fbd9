"""Whether two versions of a workflow have the same nodes."""

from __future__ import annotations

from alula.compiler.shape import differences
from alula.idl import CompiledWorkflowClosure
from tests.unit.compiler.build import ref, task_node
from tests.unit.engine.build import made, step


def versioned(closure: CompiledWorkflowClosure, version: str) -> CompiledWorkflowClosure:
    """The same closure under another version, tasks changed inside."""
    other = CompiledWorkflowClosure()
    other.CopyFrom(closure)
    other.primary.template.id.version = version
    for node in other.primary.template.nodes:
        if node.HasField("task_node"):
            node.task_node.reference_id.version = version
    for task in other.tasks:
        task.template.id.version = version
        task.template.metadata.retries.retries = 7
    return other


def test_other_versions_of_the_same_nodes_do_not_differ() -> None:
    closure = made([step("n0"), step("n1", "n0")])
    assert differences(closure, versioned(closure, "v2")) == []


def test_nodes_that_come_go_and_change_are_named() -> None:
    old = made([step("n0"), step("n1", "n0"), step("n2", "n1")])
    new = made([step("n0"), task_node("n1", "name", x=ref("n0", "o0")), step("n3", "n0")])
    found = differences(old, new)
    assert any("n2" in one and "gone" in one for one in found)
    assert any("n3" in one and "new" in one for one in found)
    assert any(one.startswith("node n1") for one in found)


def test_another_order_of_the_same_nodes_differs() -> None:
    old = made([step("n0"), step("n1", "n0")])
    new = made([step("n0"), step("n1")])
    assert differences(old, new)
