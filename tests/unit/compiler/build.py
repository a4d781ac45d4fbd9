"""Workflows for tests, in few words: `n0 = task_node("n0", "add", x=ref("", "a"), y=const(1))`."""

from collections.abc import Iterable

from alula.compiler.compile import compile_workflow
from alula.errors import CompileError
from alula.idl import (
    Binding,
    BindingData,
    BindingDataCollection,
    BindingDataMap,
    BooleanExpression,
    BranchNode,
    ComparisonExpression,
    CompiledWorkflowClosure,
    ConjunctionExpression,
    Error,
    Identifier,
    IfBlock,
    IfElseBlock,
    Literal,
    LiteralType,
    Node,
    Operand,
    OutputReference,
    PromiseAttribute,
    ResourceType,
    TaskNode,
    TaskTemplate,
    TypedInterface,
    WorkflowNode,
    WorkflowTemplate,
)
from alula.idl import literals as l
from alula.idl.ids import Key, key
from tests.unit.idl.build import BOOL, FLOAT, INT, NONE, POINT, STR, list_of, map_of, typed, union_of

Plain = str | int | float | bool | None


def id_of(kind: ResourceType, name: str) -> Identifier:
    return Identifier(resource_type=kind, project="p", domain="d", name=name, version="v")


def task(name: str, inputs: dict[str, LiteralType], outputs: dict[str, LiteralType]) -> TaskTemplate:
    return TaskTemplate(id=id_of(ResourceType.TASK, name), interface=typed(inputs, outputs))


TASKS = [
    task("add", {"x": INT, "y": INT}, {"o0": INT}),
    task("name", {"x": INT}, {"o0": STR}),
    task("total", {"xs": list_of(INT)}, {"o0": INT}),
    task("merge", {"by": map_of(INT)}, {"o0": INT}),
    task("maybe", {"x": union_of(INT, NONE)}, {"o0": union_of(INT, NONE)}),
    task("any_of", {"x": union_of(INT, list_of(INT), map_of(STR))}, {"o0": INT}),
    task("point", {"x": INT}, {"o0": POINT, "o1": BOOL}),
    task("draw", {"p": POINT, "scale": FLOAT}, {}),
    task("split", {"n": INT}, {"o0": list_of(INT)}),
    task("map_add", {"x": list_of(INT), "y": INT}, {"o0": list_of(INT)}),
    task("clean", {"a": INT, "err": union_of(STR, NONE)}, {}),
    task("nothing", {}, {}),
]


def ref(node: str, var: str, *path: str | int) -> BindingData:
    attributes = [PromiseAttribute(**{"int_value" if isinstance(p, int) else "string_value": p}) for p in path]
    return BindingData(promise=OutputReference(node_id=node, var=var, attr_path=attributes))


def const(value: int | str | float | bool | Literal | None) -> BindingData:
    match value:
        case Literal():
            lit = value
        case bool():
            lit = l.boolean(value)
        case int():
            lit = l.integer(value)
        case float():
            lit = l.floating(value)
        case str():
            lit = l.string(value)
        case None:
            lit = l.none()
    return BindingData(scalar=lit.scalar)


def many(*items: BindingData) -> BindingData:
    return BindingData(collection=BindingDataCollection(bindings=items))


def named(**items: BindingData) -> BindingData:
    return BindingData(map=BindingDataMap(bindings=items))


def bind(**inputs: BindingData) -> list[Binding]:
    return [Binding(var=name, binding=data) for name, data in inputs.items()]


def task_node(id: str, name: str, *, after: Iterable[str] = (), **inputs: BindingData) -> Node:
    called = TaskNode(reference_id=id_of(ResourceType.TASK, name))
    return Node(id=id, inputs=bind(**inputs), upstream_node_ids=after, task_node=called)


def sub_node(id: str, name: str, **inputs: BindingData) -> Node:
    called = WorkflowNode(sub_workflow_ref=id_of(ResourceType.WORKFLOW, name))
    return Node(id=id, inputs=bind(**inputs), workflow_node=called)


def plan_node(id: str, name: str, **inputs: BindingData) -> Node:
    called = WorkflowNode(launchplan_ref=id_of(ResourceType.LAUNCH_PLAN, name))
    return Node(id=id, inputs=bind(**inputs), workflow_node=called)


def operand(value: Plain) -> Operand:
    """A variable of the branch if it starts with a dot or holds one, else a constant."""
    if isinstance(value, str) and "." in value:
        return Operand(var=value)
    scalar = const(value).scalar
    return Operand(primitive=scalar.primitive) if scalar.HasField("primitive") else Operand(scalar=scalar)


def compare(
    left: str | int | float | bool | None, op: str, right: str | int | float | bool | None
) -> BooleanExpression:
    comparison = ComparisonExpression(operator=op, left_value=operand(left), right_value=operand(right))
    return BooleanExpression(comparison=comparison)


def both(left: BooleanExpression, right: BooleanExpression) -> BooleanExpression:
    return BooleanExpression(conjunction=ConjunctionExpression(left_expression=left, right_expression=right))


def branch_node(
    id: str,
    inputs: dict[str, BindingData],
    cases: list[tuple[BooleanExpression, Node]],
    otherwise: Node | str | None,
) -> Node:
    first, *others = [IfBlock(condition=condition, then_node=node) for condition, node in cases]
    block = IfElseBlock(case=first, other=others)
    if isinstance(otherwise, Node):
        block.else_node.CopyFrom(otherwise)
    elif otherwise is not None:
        block.error.CopyFrom(Error(message=otherwise, failed_node_id=id))
    return Node(id=id, inputs=bind(**inputs), branch_node=BranchNode(if_else=block))


def workflow(
    nodes: Iterable[Node],
    outputs: dict[str, tuple[LiteralType, BindingData]] | None = None,
    *,
    name: str = "wf",
    inputs: dict[str, LiteralType] | None = None,
    on_failure: Node | None = None,
) -> WorkflowTemplate:
    given = outputs or {}
    interface = typed({"a": INT} if inputs is None else inputs, {name: t for name, (t, _) in given.items()})
    return WorkflowTemplate(
        id=id_of(ResourceType.WORKFLOW, name),
        interface=interface,
        nodes=nodes,
        outputs=bind(**{name: data for name, (_, data) in given.items()}),
        failure_node=on_failure,
    )


PLAN = key(id_of(ResourceType.LAUNCH_PLAN, "plan"))
PLANS: dict[Key, TypedInterface] = {PLAN: typed({"a": INT, "b": INT}, {"o0": INT})}


def compiled(template: WorkflowTemplate, *subs: WorkflowTemplate) -> CompiledWorkflowClosure:
    return compile_workflow(template, subs, TASKS, PLANS, defaults={PLAN: ["b"]})


def faults(template: WorkflowTemplate, *subs: WorkflowTemplate) -> list[str]:
    """All faults of a workflow; none if it compiles."""
    try:
        compiled(template, *subs)
    except CompileError as exc:
        return list(exc.faults)
    return []
