from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.compiler.compile import compile_workflow
from alula.errors import CompileError
from alula.idl import BindingData, LiteralType, Node, WorkflowTemplate
from tests.unit.compiler.build import (
    TASKS,
    branch_node,
    compare,
    compiled,
    const,
    faults,
    many,
    plan_node,
    ref,
    sub_node,
    task_node,
    workflow,
)
from tests.unit.idl.build import INT, STR, list_of

SOURCES = ["", "start-node"]


class Made(NamedTuple):
    """A valid workflow: node n<i> adds two ints, or totals a list, or branches over its predecessors."""

    template: WorkflowTemplate
    kinds: list[str]


@st.composite
def valid(draw: st.DrawFn) -> Made:
    kinds = draw(st.lists(st.sampled_from(["add", "total", "branch", "map"]), min_size=1, max_size=12))
    nodes = []
    for nth, kind in enumerate(kinds):
        nodes.append(draw(node_of(kind, nth)))
    outputs = {"o0": (INT, ref(f"n{len(kinds) - 1}", "o0")), "o1": (list_of(INT), many(ref("", "a"), const(3)))}
    shuffled = draw(st.permutations(nodes))
    return Made(workflow(shuffled, outputs), kinds)


def value(draw: st.DrawFn, nth: int) -> BindingData:
    sources = [ref(name, "a") for name in SOURCES] + [ref(f"n{i}", "o0") for i in range(nth)] + [const(nth)]
    return draw(st.sampled_from(sources))


@st.composite
def node_of(draw: st.DrawFn, kind: str, nth: int) -> Node:
    def v() -> BindingData:
        return value(draw, nth)

    before = draw(st.lists(st.sampled_from([f"n{i}" for i in range(nth)]), max_size=2, unique=True)) if nth else []
    match kind:
        case "add":
            return task_node(f"n{nth}", "add", after=before, x=v(), y=v())
        case "total":
            return task_node(f"n{nth}", "total", after=before, xs=many(v(), v(), v()))
        case "branch":
            condition = compare("v.", "LT", draw(st.integers(0, 9)))
            arm = task_node("n0", "add", after=before, x=v(), y=v())
            return branch_node(f"n{nth}", {"v.": v()}, [(condition, arm)], task_node("n1", "add", x=v(), y=v()))
        case _:
            return task_node(f"n{nth}", "merge", by=BindingData(map={"bindings": {"k": v(), "m": v()}}))


@given(valid())
def test_valid_workflows_compile_and_compile_again_to_the_same(made: Made) -> None:
    before = made.template.SerializeToString(deterministic=True)
    closure = compiled(made.template)
    assert made.template.SerializeToString(deterministic=True) == before
    assert compiled(closure.primary.template) == closure
    connected = closure.primary.connections
    for id, ids in connected.upstream.items():
        for before_id in ids.ids:
            inside = id not in {n.id for n in closure.primary.template.nodes}
            assert inside or id in connected.downstream[before_id].ids


def inputs_of(node: Node) -> Node:
    """The node whose inputs a mutation changes: of a branch, its first arm."""
    return node.branch_node.if_else.case.then_node if node.HasField("branch_node") else node


def path_of(node: Node) -> str:
    return f"{node.id}.if[0].then" if node.HasField("branch_node") else node.id


def drop_input(node: Node) -> str:
    gone = inputs_of(node).inputs.pop()
    return f"{path_of(node)}.inputs.{gone.var}: is not bound"


def unknown_input(node: Node) -> str:
    inputs_of(node).inputs.add(var="zz").binding.CopyFrom(const(1))
    return f"{path_of(node)}.inputs.zz: "


def unknown_node(node: Node) -> str:
    changed = inputs_of(node).inputs[0]
    changed.binding.CopyFrom(ref("n99", "o0"))
    return f"{path_of(node)}.inputs.{changed.var}: there is no node n99"


def unknown_variable(node: Node) -> str:
    changed = inputs_of(node).inputs[0]
    changed.binding.CopyFrom(ref("", "zz"))
    return f"{path_of(node)}.inputs.{changed.var}: workflow wf has no input zz"


def wrong_type(node: Node) -> str:
    changed = inputs_of(node).inputs[0]
    changed.binding.CopyFrom(const("text"))
    return f"{path_of(node)}.inputs.{changed.var}: expected "


def bound_twice(node: Node) -> str:
    target = inputs_of(node)
    target.inputs.add().CopyFrom(target.inputs[0])
    return f"{path_of(node)}.inputs.{target.inputs[0].var}: is bound twice"


def unknown_task(node: Node) -> str:
    inputs_of(node).task_node.reference_id.name = "gone"
    return f"{path_of(node)}: task gone"


def unknown_upstream(node: Node) -> str:
    inputs_of(node).upstream_node_ids.append("n99")
    return f"{path_of(node)}.upstream: there is no node n99"


def waits_for_itself(node: Node) -> str:
    inputs_of(node).upstream_node_ids.append(node.id)
    return f"{node.id}: waits for itself: {node.id} -> {node.id}"


def without_target(node: Node) -> str:
    inputs_of(node).ClearField("task_node")
    return f"{path_of(node)}: calls nothing"


MUTATIONS = [
    drop_input,
    unknown_input,
    unknown_node,
    unknown_variable,
    wrong_type,
    bound_twice,
    unknown_task,
    unknown_upstream,
    waits_for_itself,
    without_target,
]


@given(valid(), st.data(), st.sampled_from(MUTATIONS))
def test_one_mutation_is_one_fault_with_its_path(
    made: Made, data: st.DataObject, mutate: Callable[[Node], str]
) -> None:
    node = data.draw(st.sampled_from(list(made.template.nodes)))
    nth = [n.id for n in made.template.nodes].index(node.id)
    expected = mutate(made.template.nodes[nth])
    found = faults(made.template)
    assert len(found) == 1
    assert found[0].startswith(expected)


@given(valid(), st.data())
def test_an_edge_back_is_a_cycle_that_lists_its_nodes(made: Made, data: st.DataObject) -> None:
    last = len(made.kinds)
    nodes = [*made.template.nodes, task_node(f"n{last}", "add", x=ref("n0", "o0"), y=const(1))]
    first = next(node for node in nodes if node.id == "n0")
    first.upstream_node_ids.append(f"n{last}")
    found = faults(workflow(nodes))
    assert f"n0: waits for itself: n0 -> n{last} -> n0" in found


def test_a_workflow_without_nodes_may_give_back_its_inputs() -> None:
    assert faults(workflow([], {"o0": (INT, ref("", "a"))})) == []
    assert faults(workflow([])) == []


def test_outputs_are_bound_once_each_and_castable() -> None:
    template = workflow([], {"o0": (STR, ref("", "a"))})
    template.interface.outputs.variables["o1"].type.CopyFrom(INT)
    template.outputs.add(var="o7").binding.CopyFrom(const(1))
    assert faults(template) == [
        "outputs.o0: expected str, got int (from inputs.a)",
        "outputs.o7: workflow wf has no output o7; it has o0, o1",
        "outputs.o1: is not bound; workflow wf declares int",
    ]


def test_ids_are_there_unique_and_not_reserved() -> None:
    nodes = [task_node(id, "nothing") for id in ("n0", "", "n0", "start-node")]
    assert faults(workflow(nodes)) == [
        "nodes[1]: has no id",
        "n0: is the id of two nodes",
        "start-node: is a reserved id",
    ]


@pytest.mark.parametrize("id", ["a/b", "../../etc", "n0[1]", "a\nb", "a\0b", "n" * 251])
def test_an_id_can_be_part_of_a_path(id: str) -> None:
    named = task_node(id, "nothing")
    inside = branch_node("n0", {"a": const(1)}, [(compare(".a", "EQ", 1), named)], None)
    failing = workflow([])
    failing.failure_node.CopyFrom(task_node(id, "nothing"))
    for template, where in (
        (workflow([task_node(id, "nothing")]), "nodes[0]"),
        (workflow([inside]), "nodes[0]"),
        (failing, "failure_node"),
    ):
        [fault] = faults(template)
        assert fault.startswith(f"{where}: has ")
        assert "may have 250" in fault or "no id has / or [ or ]" in fault


def test_arms_of_one_branch_have_ids_of_their_own() -> None:
    condition = compare("a.", "GT", 1)
    one, other = (task_node(id, "nothing") for id in ("same", "n0-same"))
    branch = branch_node("n0", {"a.": ref("", "a")}, [(condition, one)], other)
    assert faults(workflow([branch])) == ["n0.else: n0-same is the id of two nodes of this branch"]


def test_faults_of_inner_workflows_are_reported_with_their_names() -> None:
    deep = workflow([task_node("n0", "gone")], name="deep")
    sub = workflow([sub_node("n0", "deep", a=const("x"))], {"o0": (INT, const(1))}, name="sub")
    template = workflow([sub_node("n0", "sub", a=const(1)), sub_node("n1", "sub")])
    assert faults(template, sub, deep, workflow([task_node("n0", "gone")], name="not called")) == [
        "n1.inputs.a: is not bound; workflow sub declares int",
        "sub/n0.inputs.a: expected int, got str 'x'",
        "deep/n0: task gone (version v) is not known",
    ]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_workflow_that_contains_itself_is_a_fault(length: int) -> None:
    subs = [
        workflow([sub_node("n0", f"s{(n + 1) % length}", a=const(1)), sub_node("n1", "leaf", a=const(1))], name=f"s{n}")
        for n in range(length)
    ]
    leaf = workflow([], name="leaf")
    loop = " -> ".join([f"s{n}" for n in range(length)] + ["s0"])
    template = workflow([sub_node("n0", "s0", a=const(1)), sub_node("n1", "leaf", a=const(1))])
    assert faults(template, *subs, leaf) == [
        f"s0: contains itself: {loop}; call it through a launch plan instead",
    ]


def test_one_workflow_called_from_many_places_is_fine() -> None:
    leaf = workflow([], name="leaf")
    middle = workflow([sub_node(f"n{n}", "leaf", a=const(1)) for n in range(3)], name="middle")
    template = workflow([sub_node("n0", "middle", a=const(1)), sub_node("n1", "leaf", a=const(1))])
    closure = compiled(template, middle, leaf)
    assert [s.template.id.name for s in closure.sub_workflows] == ["middle", "leaf"]


def test_the_closure_holds_what_is_called_and_nothing_else() -> None:
    inner = branch_node("n0", {}, [(compare(1, "EQ", 1), task_node("n0", "name", x=const(1)))], "no")
    sub = workflow([task_node("n0", "split", n=const(1))], name="sub")
    template = workflow([inner, sub_node("n1", "sub", a=const(1)), plan_node("n2", "plan", a=const(1))])
    closure = compiled(template, sub, workflow([], name="other"))
    assert [t.template.id.name for t in closure.tasks] == ["name", "split"]
    assert [s.template.id.name for s in closure.sub_workflows] == ["sub"]
    assert [p.template.id.name for p in closure.launch_plans] == ["plan"]
    assert closure.launch_plans[0].template.interface.inputs.variables.keys() == {"a", "b"}


def test_the_compiled_template_has_the_form_that_flyte_gives_it() -> None:
    arm = task_node("n0", "name", x=ref("", "a"))
    node = branch_node("n1", {"v.": ref("", "a")}, [(compare("v.", "EQ", 1), arm)], task_node("n1", "name", x=const(1)))
    template = workflow([node], {"o0": (list_of(INT), many(ref("", "a")))})
    nodes = compiled(template).primary.template.nodes
    assert [n.id for n in nodes] == ["start-node", "end-node", "n1"]
    assert nodes[1].inputs[0].binding.collection.bindings[0].promise.node_id == "start-node"
    block = nodes[2].branch_node.if_else
    assert block.case.then_node.id == "n1-n0"
    assert block.else_node.id == "n1-n1"
    assert block.case.then_node.inputs[0].binding.promise.node_id == "start-node"


def test_the_error_names_the_workflow_and_counts() -> None:
    with pytest.raises(CompileError) as caught:
        compile_workflow(workflow([task_node("n0", "gone"), task_node("n1", "gone")]), (), TASKS)
    assert str(caught.value).splitlines() == [
        "workflow wf does not hold together: 2 faults",
        "  - n0: task gone (version v) is not known",
        "  - n1: task gone (version v) is not known",
        "  where: workflow:p:d:wf:v",
    ]


def chain(length: int) -> WorkflowTemplate:
    first = task_node("n0", "add", x=ref("", "a"), y=const(1))
    rest = [task_node(f"n{n}", "add", x=ref(f"n{n - 1}", "o0"), y=const(1)) for n in range(1, length)]
    return workflow([*reversed(rest), first], {"o0": (INT, ref(f"n{length - 1}", "o0"))})


def test_a_chain_of_thousands_compiles() -> None:
    assert len(compiled(chain(5_000)).primary.template.nodes) == 5_002


def test_types_of_unknown_kind_are_not_refused() -> None:
    template = workflow([task_node("n0", "name", x=ref("", "a"))], inputs={"a": LiteralType()})
    assert faults(template) == []
