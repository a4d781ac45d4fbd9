"""Workflows for the machine, in few words: a `step` adds up its inputs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from alula.compiler.compile import compile_workflow
from alula.idl import (
    ArrayNode,
    BindingData,
    CompiledWorkflowClosure,
    GateNode,
    LiteralType,
    Node,
    ResourceType,
    SimpleType,
    TaskNode,
    TaskTemplate,
    Variable,
    WorkflowMetadata,
    WorkflowTemplate,
)
from tests.unit.compiler.build import PLANS, TASKS, bind, id_of, ref, task, task_node, workflow
from tests.unit.idl.build import BOOL, DICT, INT, NONE, STR, list_of, map_of, union_of

ERROR = LiteralType(simple=SimpleType.ERROR)


def cached(template: TaskTemplate, *, serializable: bool = False) -> TaskTemplate:
    template.metadata.discoverable = True
    template.metadata.discovery_version = "1"
    template.metadata.cache_serializable = serializable
    return template


MORE = [
    task("one", {"x": INT}, {"o0": INT}),
    task("keep", {"x": STR}, {"o0": STR}),
    task("clean_up", {"a": INT, "err": union_of(ERROR, NONE)}, {}),
    task("layers", {"x": INT}, {"o0": map_of(list_of(INT)), "o1": DICT}),
    task("flag", {}, {"o0": BOOL}),
    task("numbers", {}, {"o0": list_of(INT)}),
    task("loose", {"x": INT}, {"o1": DICT}),
    task("shelf", {"x": INT}, {"o1": map_of(map_of(list_of(INT)))}),
    task("text", {}, {"o0": STR}),
    task("free", {"x": INT}, {}),
    task("picks", {"x": list_of(INT), "y": INT}, {"o0": list_of(INT)}),
    task("sum_all", {"xs": list_of(union_of(INT, NONE))}, {"o0": INT}),
    cached(task("slow", {"x": INT}, {"o0": INT})),
    cached(task("single", {"x": INT}, {"o0": INT}), serializable=True),
]


def made(
    nodes: Iterable[Node],
    *subs: WorkflowTemplate,
    outputs: dict[str, tuple[LiteralType, BindingData]] | None = None,
    on_failure: Node | None = None,
    patient: bool = False,
) -> CompiledWorkflowClosure:
    """A compiled workflow with one input `a`."""
    template = workflow(nodes, outputs, on_failure=on_failure)
    if patient:
        template.metadata.on_failure = WorkflowMetadata.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
    [plan] = PLANS
    return compile_workflow(template, subs, [*TASKS, *MORE], PLANS, defaults={plan: ["b"]})


def step(id: str, *before: str, **settings: float) -> Node:
    """A node that adds up the outputs of others, or the workflow's input if there are none."""
    first, *others = before or ("",)
    x = ref(first, "o0" if first else "a")
    y = ref(others[0], "o0") if others else x
    node = task_node(id, "add", after=others[1:], x=x, y=y)
    return tuned(node, **settings)


def tuned(node: Node, *, retries: int = 0, timeout: float = 0, queued: float = 0, total: float = 0) -> Node:
    node.metadata.retries.retries = int(retries)
    if timeout:
        node.metadata.timeout.FromTimedelta(timedelta(seconds=timeout))
    if queued:
        node.metadata.config["queued_timeout_seconds"] = str(queued)
    if total:
        node.metadata.config["node_timeout_seconds"] = str(total)
    return node


def array_node(
    id: str,
    name: str,
    *,
    parallelism: int | None = None,
    needed: int | None = None,
    ratio: float | None = None,
    run_all: bool = False,
    retries: int = 0,
    **inputs: BindingData,
) -> Node:
    inner = Node(task_node=TaskNode(reference_id=id_of(ResourceType.TASK, name)))
    inner.metadata.retries.retries = retries
    array = ArrayNode(node=inner, run_all_sub_nodes=run_all)
    array.is_original_sub_node_interface.value = True
    if parallelism is not None:
        array.parallelism = parallelism
    if needed is not None:
        array.min_successes = needed
    if ratio is not None:
        array.min_success_ratio = ratio
    return Node(id=id, inputs=bind(**inputs), array_node=array)


def approve_node(id: str, signal: str, after: str, timeout: float = 0) -> Node:
    node = Node(id=id, inputs=bind(o0=ref(after, "o0")), gate_node=GateNode())
    node.gate_node.approve.signal_id = signal
    return tuned(node, timeout=timeout)


def signal_node(id: str, signal: str, t: LiteralType = INT) -> Node:
    node = Node(id=id, gate_node=GateNode())
    node.gate_node.signal.signal_id = signal
    node.gate_node.signal.type.CopyFrom(t)
    node.gate_node.signal.output_variable_name = "o0"
    return node


def sleep_node(id: str, seconds: float, after: Iterable[str] = ()) -> Node:
    node = Node(id=id, upstream_node_ids=after, gate_node=GateNode())
    node.gate_node.sleep.duration.FromTimedelta(timedelta(seconds=seconds))
    return node


def variable(t: LiteralType) -> Variable:
    return Variable(type=t)
