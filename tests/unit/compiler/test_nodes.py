from datetime import timedelta

import pytest
from google.protobuf.wrappers_pb2 import BoolValue

from alula.idl import (
    Alias,
    ApproveCondition,
    ArrayNode,
    BranchNode,
    GateNode,
    Identifier,
    IfElseBlock,
    Node,
    SignalCondition,
    SleepCondition,
    TaskNode,
    WorkflowNode,
)
from tests.unit.compiler.build import (
    bind,
    both,
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
from tests.unit.idl.build import BOOL, FLOAT, INT, NONE, STR, list_of, union_of

POSITIVE = compare(".a", "GT", 0)
A = {".a": ref("", "a")}


def add(id: str = "n0") -> Node:
    return task_node(id, "add", x=ref("", "a"), y=const(1))


def name(id: str = "n1") -> Node:
    return task_node(id, "name", x=ref("", "a"))


def gate(id: str, condition: ApproveCondition | SignalCondition | SleepCondition, **inputs: object) -> Node:
    node = Node(id=id, inputs=bind(**inputs))  # type: ignore[arg-type]
    match condition:
        case ApproveCondition():
            node.gate_node.approve.CopyFrom(condition)
        case SignalCondition():
            node.gate_node.signal.CopyFrom(condition)
        case SleepCondition():
            node.gate_node.sleep.CopyFrom(condition)
    return node


def array(
    inner: Node, *, original: bool = False, bound: tuple[str, ...] = (), ratio: float = 1, **inputs: object
) -> Node:
    node = Node(id="n0", inputs=bind(**inputs))  # type: ignore[arg-type]
    node.array_node.CopyFrom(ArrayNode(node=inner, bound_inputs=bound, min_success_ratio=ratio))
    node.array_node.is_original_sub_node_interface.CopyFrom(BoolValue(value=original))
    return node


MAP_ADD = task_node("inner", "map_add")
ADD = task_node("inner", "add")


class TestCalls:
    def test_tasks_workflows_and_launch_plans_are_called(self) -> None:
        sub = workflow([add()], {"o0": (INT, ref("n0", "o0"))}, name="sub")
        nodes = [add(), sub_node("n1", "sub", a=ref("n0", "o0")), plan_node("n2", "plan", a=ref("n1", "o0"))]
        assert faults(workflow(nodes, {"o0": (INT, ref("n2", "o0"))}), sub) == []

    def test_an_input_of_a_launch_plan_that_has_no_default_must_be_bound(self) -> None:
        assert faults(workflow([plan_node("n0", "plan")])) == [
            "n0.inputs.a: is not bound; launch plan plan declares int"
        ]

    @pytest.mark.parametrize(
        ("node", "fault"),
        [
            (task_node("n0", "gone", x=const(1)), "n0: task gone (version v) is not known"),
            (sub_node("n0", "gone"), "n0: workflow gone (version v) is not known"),
            (plan_node("n0", "gone"), "n0: launch plan gone (version v) is not known"),
            (Node(id="n0", task_node=TaskNode()), "n0: does not say what it calls"),
            (Node(id="n0", workflow_node=WorkflowNode()), "n0: does not say what it calls"),
            (
                Node(id="n0", task_node=TaskNode(reference_id=Identifier(name="x"))),
                "n0: entity x (version empty) is not known",
            ),
            (Node(id="n0"), "n0: calls nothing: it has no task, workflow, branch, gate or array"),
            (
                task_node("n0", "nothing", after=["n7"]),
                "n0.upstream: there is no node n7",
            ),
        ],
    )
    def test_what_is_not_there_is_a_fault_of_its_node(self, node: Node, fault: str) -> None:
        assert faults(workflow([node])) == [fault]

    def test_what_reads_from_an_unknown_task_is_not_blamed(self) -> None:
        nodes = [task_node("n0", "gone"), task_node("n1", "name", x=ref("n0", "anything"))]
        assert faults(workflow(nodes)) == ["n0: task gone (version v) is not known"]

    def test_an_output_may_be_read_by_its_alias(self) -> None:
        node = add()
        node.output_aliases.append(Alias(var="o0", alias="sum"))
        assert faults(workflow([node], {"o0": (INT, ref("n0", "sum"))})) == []

    def test_an_alias_of_nothing_or_over_another_output_is_a_fault(self) -> None:
        node = task_node("n0", "point", x=const(1))
        node.output_aliases.extend([Alias(var="o7", alias="q"), Alias(var="o0", alias="o1")])
        assert faults(workflow([node])) == [
            "n0.output_aliases.q: there is no output o7",
            "n0.output_aliases.o1: there is an output of that name already",
        ]


class TestBranches:
    def test_a_branch_gives_what_all_its_arms_give(self) -> None:
        node = branch_node("n0", A, [(POSITIVE, add())], task_node("n1", "point", x=const(1)))
        nodes = [node]
        out = faults(workflow(nodes, {"o0": (INT, ref("n0", "o0")), "o1": (BOOL, ref("n0", "o1"))}))
        assert out == [
            "outputs.o0: it may be Point(x: int, y: float): expected int, got Point(x: int, y: float) (from n0.o0)",
            "outputs.o1: n0 has no output o1; it has o0",
        ]

    def test_an_arm_that_fails_gives_nothing_and_takes_nothing_away(self) -> None:
        node = branch_node("n0", A, [(POSITIVE, add()), (POSITIVE, add("n1"))], "no")
        assert faults(workflow([node], {"o0": (INT, ref("n0", "o0"))})) == []

    def test_branches_nest_and_their_arms_may_have_ids_of_nodes_outside(self) -> None:
        inner = branch_node("n1", A, [(POSITIVE, task_node("n0", "add", x=ref("n0", "o0"), y=const(1)))], "no")
        outer = branch_node("n1", A, [(POSITIVE, inner)], add())
        assert faults(workflow([add(), outer], {"o0": (INT, ref("n1", "o0"))})) == []

    def test_faults_inside_a_branch_say_in_which_arm(self) -> None:
        bad = task_node("n5", "add", x=ref("n9", "o0"), y=const("y"))
        inner = branch_node("n1", A, [(compare(".b", "EQ", 1), bad)], None)
        node = branch_node("n0", A, [(POSITIVE, add()), (both(POSITIVE, compare(".a", "EQ", "x")), inner)], bad)
        assert faults(workflow([node])) == [
            "n0.if[1].condition.right: a number does not compare with text",
            "n0.if[1].then.if[0].condition.left: the branch has no input .b; it has .a",
            "n0.if[1].then.else: is missing: say what runs, or which error it is, when no condition holds",
            "n0.if[1].then.if[0].then.inputs.x: there is no node n9",
            "n0.if[1].then.if[0].then.inputs.y: expected int, got str 'y'",
            "n0.else.inputs.x: there is no node n9",
            "n0.else.inputs.y: expected int, got str 'y'",
        ]

    def test_a_branch_without_condition_or_node_is_a_fault(self) -> None:
        empty = Node(id="n0", branch_node=BranchNode(if_else=IfElseBlock()))
        assert faults(workflow([empty])) == ["n0.if[0]: is missing: a branch needs a condition"]
        node = branch_node("n0", A, [(POSITIVE, add())], "no")
        node.branch_node.if_else.case.ClearField("then_node")
        assert faults(workflow([node])) == ["n0.if[0].then: is missing"]

    def test_one_variable_that_stands_for_two_values_is_a_fault(self) -> None:
        node = branch_node("n0", A, [(POSITIVE, add())], "no")
        node.inputs.extend(bind(**{".a": ref("", "a")}))
        assert faults(workflow([node])) == []
        node.inputs.extend(bind(**{".a": const(1)}))
        assert faults(workflow([node])) == ["n0.inputs..a: is bound twice"]

    def test_an_arm_waits_for_what_it_reads(self) -> None:
        node = branch_node("n1", A, [(POSITIVE, task_node("n0", "split", n=ref("n2", "o0")))], "no")
        later = task_node("n2", "total", xs=ref("n1", "o0"))
        assert faults(workflow([node, later])) == ["n1: waits for itself: n1 -> n2 -> n1"]


class TestGates:
    def test_an_approval_passes_on_what_it_is_given(self) -> None:
        nodes = [add(), gate("n1", ApproveCondition(signal_id="ok"), o0=ref("n0", "o0"))]
        assert faults(workflow(nodes, {"o0": (INT, ref("n1", "o0"))})) == []
        assert faults(workflow(nodes, {"o0": (STR, ref("n1", "o0"))})) == [
            "outputs.o0: expected str, got int (from n1.o0)"
        ]

    def test_a_chain_of_a_thousand_approvals_keeps_the_type(self) -> None:
        gates = [gate(f"n{n}", ApproveCondition(signal_id="ok"), o0=ref(f"n{n - 1}", "o0")) for n in range(1, 1001)]
        assert faults(workflow([*reversed(gates), add()], {"o0": (FLOAT, ref("n1000", "o0"))})) == [
            "outputs.o0: expected float, got int (from n1000.o0)"
        ]

    def test_a_signal_gives_its_type(self) -> None:
        condition = SignalCondition(signal_id="s", type=STR, output_variable_name="o0")
        assert faults(workflow([gate("n0", condition)], {"o0": (STR, ref("n0", "o0"))})) == []
        assert faults(workflow([gate("n0", condition)], {"o0": (INT, ref("n0", "o0"))})) == [
            "outputs.o0: expected int, got str (from n0.o0)"
        ]

    def test_a_sleep_gives_nothing(self) -> None:
        node = gate("n0", SleepCondition(duration=timedelta(seconds=0)))
        assert faults(workflow([node])) == []

    @pytest.mark.parametrize(
        ("node", "fault"),
        [
            (Node(id="n0", gate_node=GateNode()), "n0: waits for nothing: it has no approval, signal or duration"),
            (gate("n0", ApproveCondition()), "n0.signal: has no id to be answered by"),
            (gate("n0", SignalCondition(signal_id="s")), "n0.signal: does not say the type that it waits for"),
            (gate("n0", SignalCondition(signal_id="s", type=INT)), "n0.signal: does not name its output"),
            (
                gate("n0", SignalCondition(type=INT, output_variable_name="o0")),
                "n0.signal: has no id to be answered by",
            ),
            (
                gate("n0", SleepCondition(duration=timedelta(seconds=-1))),
                "n0.sleep: the duration is negative",
            ),
            (
                gate("n0", SleepCondition(duration=timedelta(seconds=1)), x=const(1)),
                "n0.inputs: a gate that waits for a sleep takes no inputs: x",
            ),
        ],
    )
    def test_a_gate_that_nothing_can_open_is_a_fault(self, node: Node, fault: str) -> None:
        assert faults(workflow([node])) == [fault]

    def test_gates_of_one_signal_wait_for_one_type(self) -> None:
        approve = gate("n0", ApproveCondition(signal_id="s"), x=const(1))
        signal = gate("n1", SignalCondition(signal_id="s", type=INT, output_variable_name="o0"))
        assert faults(workflow([approve, signal])) == ["n1.signal: another gate waits for 's' as bool, this one as int"]


class TestArrays:
    def test_a_task_that_declares_lists_is_mapped_as_it_is(self) -> None:
        node = array(MAP_ADD, bound=("y",), x=many(const(1), const(2)), y=ref("", "a"))
        assert faults(workflow([node], {"o0": (list_of(INT), ref("n0", "o0"))})) == []

    def test_a_task_that_declares_elements_is_lifted_to_lists(self) -> None:
        node = array(ADD, original=True, bound=("y",), x=many(const(1)), y=const(2))
        assert faults(workflow([node], {"o0": (list_of(INT), ref("n0", "o0"))})) == []
        node = array(ADD, original=True, x=const(1), y=many(const("s")))
        assert faults(workflow([node])) == [
            "n0.inputs.x: expected list[int], got int 1",
            "n0.inputs.y[0]: expected int, got str 's'",
        ]

    def test_results_may_be_missing_where_elements_may_fail(self) -> None:
        node = array(ADD, original=True, ratio=0.5, x=many(const(1)), y=many(const(2)))
        assert faults(workflow([node], {"o0": (list_of(union_of(INT, NONE)), ref("n0", "o0"))})) == []
        assert faults(workflow([node], {"o0": (list_of(INT), ref("n0", "o0"))})) == [
            "outputs.o0: element: it may be None: expected int, got None (from n0.o0)"
        ]

    def test_launch_plans_are_mapped_with_their_defaults(self) -> None:
        node = array(plan_node("inner", "plan"), original=True, a=many(const(1)))
        assert faults(workflow([node], {"o0": (list_of(INT), ref("n0", "o0"))})) == []

    @pytest.mark.parametrize(
        ("node", "fault"),
        [
            (array(name(), x=const(1)), "n0.node: output o0 of task name is str, not the list of all results"),
            (array(task_node("i", "gone"), x=const(1)), "n0.node: task gone (version v) is not known"),
            (array(Node(id="i"), x=const(1)), "n0.node: an array maps a task, a workflow or a launch plan"),
            (array(task_node("i", "nothing")), "n0.node: task nothing has no input to map over"),
            (
                array(MAP_ADD, bound=("q",), x=many(const(1)), y=const(1)),
                "n0.bound_inputs: task map_add has no input q",
            ),
            (
                array(MAP_ADD, ratio=1.5, x=many(const(1)), y=const(1)),
                "n0.min_success_ratio: 1.5 is not between 0 and 1",
            ),
            (
                array(MAP_ADD, ratio=-0.5, x=many(const(1)), y=const(1)),
                "n0.min_success_ratio: -0.5 is not between 0 and 1",
            ),
            (
                array(ADD, original=True, x=many(const(1)), y=many(const(1), const(2))),
                "n0.inputs: lists that are mapped together have one length: x has 1, y has 2",
            ),
            (array(MAP_ADD, x=many(const(1))), "n0.inputs.y: is not bound; task map_add declares int"),
        ],
    )
    def test_an_array_that_cannot_run_is_a_fault(self, node: Node, fault: str) -> None:
        assert faults(workflow([node])) == [fault]

    def test_more_successes_than_elements_cannot_be(self) -> None:
        node = array(MAP_ADD, x=many(const(1)), y=const(1))
        node.array_node.min_successes = 2
        assert faults(workflow([node])) == ["n0.min_successes: 2 of 1 cannot succeed"]


class TestFailureNodes:
    def test_it_takes_the_inputs_of_the_workflow_and_more_that_is_optional(self) -> None:
        node = task_node("fn0", "clean", a=ref("", "a"))
        assert faults(workflow([add()], on_failure=node)) == []

    def test_it_must_take_every_input_of_the_workflow(self) -> None:
        node = task_node("fn0", "clean", a=ref("", "a"))
        assert faults(workflow([], inputs={"a": INT, "b": INT}, on_failure=node)) == [
            "fn0.inputs.b: task clean must take every input of the workflow, and has no b"
        ]

    def test_what_it_takes_beyond_must_be_optional(self) -> None:
        node = task_node("fn0", "add", x=ref("", "x"))
        assert faults(workflow([], inputs={"x": INT}, on_failure=node)) == [
            "fn0.inputs.y: is not bound; task add declares int"
        ]

    def test_it_reads_from_no_node(self) -> None:
        node = task_node("fn0", "clean", a=ref("n0", "o0"))
        assert faults(workflow([add()], on_failure=node)) == [
            "fn0.inputs: reads from n0, which may not have run; only workflow inputs are there"
        ]

    def test_its_own_faults_are_reported_too(self) -> None:
        node = task_node("n0", "gone")
        assert faults(workflow([add()], on_failure=node)) == [
            "n0: is the id of two nodes",
            "n0: task gone (version v) is not known",
        ]

    def test_it_is_part_of_the_closure(self) -> None:
        closure = compiled(workflow([add()], on_failure=task_node("fn0", "clean", a=ref("", "a"))))
        assert {t.template.id.name for t in closure.tasks} == {"add", "clean"}
        template = closure.primary.template
        assert template.failure_node.inputs[0].binding.promise.node_id == "start-node"
        assert list(closure.primary.connections.upstream["fn0"].ids) == ["start-node"]
