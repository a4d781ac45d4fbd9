"""The plan of a workflow: who waits for whom, and what each node says about itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.engine.plan import Kind, compile_plan, span_of
from alula.errors import PluginError
from alula.idl import CompiledWorkflowClosure, Duration
from alula.idl.deadlines import LONGEST
from tests.unit.compiler.build import branch_node, compare, ref, sub_node, task_node, workflow
from tests.unit.engine.build import approve_node, array_node, made, signal_node, step, tuned
from tests.unit.idl.build import INT


def test_it_counts_for_each_node_how_many_it_waits_for() -> None:
    nodes = [step("n2", "n0", "n1"), step("n0"), step("n1", "n0")]
    graph = compile_plan(made(nodes))
    found = {
        plan.id: (graph.waits[at], [graph.nodes[n].id for n in graph.successors[at]])
        for plan, at in zip(graph.nodes, range(3), strict=True)
    }
    assert found == {"n0": (0, ["n2", "n1"]), "n1": (1, ["n2"]), "n2": (2, [])}


def test_a_branch_waits_for_what_its_arms_read() -> None:
    arm = step("n2", "n1")
    nodes = [step("n1"), branch_node("n0", {".a": ref("", "a")}, [(compare(".a", "EQ", 1), arm)], "no")]
    graph = compile_plan(made(nodes))
    assert graph.waits[graph.number["n0"]] == 1
    assert graph.nodes[graph.number["n0"]].arms[0].then.id == "n0-n2"


def test_a_sub_workflow_that_is_called_twice_has_one_graph() -> None:
    inner = workflow([step("n0")], {"o0": (INT, ref("n0", "o0"))}, name="inner")
    graph = compile_plan(made([sub_node(id, "inner", a=ref("", "a")) for id in ("n0", "n1")], inner))
    assert graph.nodes[0].graph is graph.nodes[1].graph


def test_a_node_overrides_what_its_task_says() -> None:
    closure = made([tuned(step("n0"), retries=3, timeout=1.5, queued=2, total=9), step("n1")])
    [task] = closure.tasks
    task.template.metadata.retries.retries = 1
    task.template.metadata.timeout.seconds = 60
    task.template.metadata.interruptible = True
    first, second = (plan.policy for plan in compile_plan(closure).nodes)
    assert (first.retries, second.retries) == (3, 1)
    assert (first.timeout, second.timeout) == (timedelta(seconds=1.5), timedelta(minutes=1))
    assert (first.queued_timeout, first.node_timeout) == (timedelta(seconds=2), timedelta(seconds=9))
    assert second.interruptible


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1), st.integers(min_value=-(2**31), max_value=2**31 - 1))
def test_any_length_of_time_ends_before_the_calendar_does(seconds: int, nanos: int) -> None:
    found = span_of(Duration(seconds=seconds, nanos=nanos))
    assert found is None or timedelta(0) < found <= LONGEST
    if 0 < seconds < 10**9 and nanos >= 0:
        assert found == timedelta(seconds=seconds, microseconds=nanos // 1_000)


def test_it_knows_what_every_gate_waits_for() -> None:
    inner = workflow([signal_node("n0", "deep")], {"o0": (INT, ref("n0", "o0"))}, name="inner")
    nodes = [step("n0"), approve_node("n1", "ok?", "n0"), sub_node("n2", "inner", a=ref("", "a"))]
    graph = compile_plan(made(nodes, inner))
    assert set(graph.signals) == {"ok?", "deep"}
    assert graph.signals["deep"] == INT


def test_every_kind_of_node_is_told_apart() -> None:
    listed = array_node("n2", "one", x=ref("n1", "o0"))
    graph = compile_plan(made([step("n0"), task_node("n1", "numbers"), listed, signal_node("n3", "s")]))
    assert [plan.kind for plan in graph.nodes] == [Kind.TASK, Kind.TASK, Kind.ARRAY, Kind.GATE]


def test_a_closure_that_lacks_a_task_is_refused() -> None:
    closure = CompiledWorkflowClosure()
    closure.CopyFrom(made([step("n0")]))
    del closure.tasks[:]
    with pytest.raises(PluginError, match="task add"):
        compile_plan(closure)


def test_an_item_of_a_mapped_task_gives_one_value_where_the_task_declares_a_list() -> None:
    node = array_node("m", "map_add", x=ref("n0", "o0"), y=ref("", "a"))
    node.array_node.is_original_sub_node_interface.value = False
    graph = compile_plan(made([task_node("n0", "split", n=ref("", "a")), node]))
    element = graph.nodes[1].element
    assert element is not None
    assert element.interface.outputs.variables["o0"].type == INT
    assert element.interface.inputs.variables["x"].type.HasField("collection_type")
