"""A workflow as the machine wants it: nodes by number, who comes after whom, how many each one waits for.

Made once from a CompiledWorkflowClosure, in time linear to its nodes and edges. Never changed after that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct, field

from alula._kits.records import replace
from alula.compiler.bindings import END, START
from alula.compiler.graph import waits_for
from alula.compiler.nodes import arms, every_node
from alula.errors import PluginError
from alula.idl import (
    Binding,
    BooleanExpression,
    CompiledWorkflowClosure,
    Duration,
    LiteralType,
    Node,
    NodeMetadata,
    SimpleType,
    TaskMetadata,
    TaskTemplate,
    TypedInterface,
    WorkflowMetadata,
    WorkflowTemplate,
)
from alula.idl.deadlines import LONGEST, NODE, QUEUED, WORKFLOW, read_deadline
from alula.idl.ids import Key, key, short_text


class Kind(StrEnum):
    TASK = "task"
    LAUNCH_PLAN = "launch_plan"
    WORKFLOW = "workflow"
    BRANCH = "branch"
    ARRAY = "array"
    GATE = "gate"


_MAPPED = re.compile(r"(?:.*\.)?map_(\w+?)_[0-9a-f]{32}-arraynode")
LEAVES = frozenset({Kind.TASK, Kind.LAUNCH_PLAN})
"""Kinds of node that run in attempts."""


class Policy(Struct, frozen=True, gc=False):
    """What a node says about its retries, deadlines and cache. None: the execution's settings say it."""

    retries: int = 0
    timeout: timedelta | None = None
    queued_timeout: timedelta | None = None
    node_timeout: timedelta | None = None
    interruptible: bool | None = None
    cacheable: bool = False
    serializable: bool = False


class NodePlan(Struct, frozen=True, gc=False, eq=False):
    """One node of a workflow."""

    id: str
    kind: Kind
    node: Node
    policy: Policy
    interface: TypedInterface
    """Of what it calls; empty for a branch or a gate."""
    bindings: tuple[Binding, ...]
    aliases: Mapping[str, str]
    """Other names of outputs: alias to output."""
    task: TaskTemplate | None = None
    graph: Graph | None = None
    """Of a sub-workflow."""
    arms: tuple[Arm, ...] = ()
    element: NodePlan | None = None
    """Of an array: what runs for each element. It has no bindings of its own."""

    @property
    def title(self) -> str:
        """What people call it: the name of what it calls, `map_task(measure)` for a mapped task."""
        name = self.node.metadata.name or self.id
        mapped = _MAPPED.fullmatch(name)
        return f"map_task({mapped[1]})" if mapped else name


class Arm(Struct, frozen=True, gc=False, eq=False):
    """One way of a branch; no condition: else."""

    condition: BooleanExpression | None
    then: NodePlan


class Graph(Struct, frozen=True, gc=False, eq=False):
    """The nodes of a workflow without its start and end. Numbers are places in `nodes`."""

    name: str
    nodes: tuple[NodePlan, ...]
    number: Mapping[str, int]
    successors: tuple[tuple[int, ...], ...]
    waits: tuple[int, ...]
    """How many others each node waits for."""
    outputs: tuple[Binding, ...]
    interface: TypedInterface
    patient: bool
    """After a failure, go on with what does not depend on the failed node."""
    failure: NodePlan | None
    timeout: timedelta | None = None
    """From its begin to its end."""
    signals: Mapping[str, LiteralType] = field(default_factory=dict)
    """What gates wait for, sub-workflows included, by signal id."""


def compile_plan(closure: CompiledWorkflowClosure) -> Graph:
    """The plan of a closure's primary workflow.

    Raises:
        PluginError: A node calls what the closure does not hold, or has no kind: the closure was not compiled.
    """
    return _Compiler(closure).graph(closure.primary.template)


class _Compiler:
    def __init__(self, closure: CompiledWorkflowClosure) -> None:
        self.tasks = {key(task.template.id): task.template for task in closure.tasks}
        self.workflows = {key(sub.template.id): sub.template for sub in closure.sub_workflows}
        self.launch_plans = {key(plan.template.id): plan.template.interface for plan in closure.launch_plans}
        self.graphs: dict[Key, Graph] = {}

    def graph(self, template: WorkflowTemplate) -> Graph:
        known = self.graphs.get(key(template.id))
        if known is None:
            known = self.graphs[key(template.id)] = self._graph(template)
        return known

    def _graph(self, template: WorkflowTemplate) -> Graph:
        own = [node for node in template.nodes if node.id not in (START, END)]
        number = {node.id: nth for nth, node in enumerate(own)}
        successors: list[list[int]] = [[] for _ in own]
        waits = []
        for nth, node in enumerate(own):
            before = sorted(number[id] for id in waits_for(node) if id in number and id != node.id)
            for other in before:
                successors[other].append(nth)
            waits.append(len(before))
        default = template.metadata_defaults.interruptible or None
        nodes = tuple(self.node(node, default) for node in own)
        failure = self.node(template.failure_node, default) if template.HasField("failure_node") else None
        return Graph(
            name=template.id.name,
            nodes=nodes,
            number=number,
            successors=tuple(map(tuple, successors)),
            waits=tuple(waits),
            outputs=tuple(template.outputs),
            interface=template.interface,
            patient=template.metadata.on_failure == WorkflowMetadata.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
            failure=failure,
            timeout=read_deadline(template.metadata.tags, name=WORKFLOW),
            signals=_signals(nodes, template),
        )

    def node(self, node: Node, interruptible: bool | None) -> NodePlan:
        match node.WhichOneof("target"):
            case "task_node":
                return self._task(node, interruptible)
            case "workflow_node" if node.workflow_node.WhichOneof("reference") == "sub_workflow_ref":
                id = node.workflow_node.sub_workflow_ref
                if key(id) not in self.workflows:
                    raise _missing(node, short_text(id))
                graph = self.graph(self.workflows[key(id)])
                return _made(node, Kind.WORKFLOW, graph.interface, interruptible, graph=graph)
            case "workflow_node":
                id = node.workflow_node.launchplan_ref
                if key(id) not in self.launch_plans:
                    raise _missing(node, short_text(id))
                return _made(node, Kind.LAUNCH_PLAN, self.launch_plans[key(id)], interruptible)
            case "branch_node":
                blocks = node.branch_node.if_else
                conditions = [block.condition for block in [blocks.case, *blocks.other]]
                thens = [self.node(inner, interruptible) for _, inner in arms(node)]
                ways = [Arm(conditions[n] if n < len(conditions) else None, then) for n, then in enumerate(thens)]
                return _made(node, Kind.BRANCH, TypedInterface(), interruptible, arms=tuple(ways))
            case "gate_node":
                return _made(node, Kind.GATE, TypedInterface(), interruptible)
            case "array_node":
                inner = Node()
                inner.CopyFrom(node.array_node.node)
                del inner.inputs[:]
                inner.id = node.id
                if not inner.HasField("metadata"):
                    inner.metadata.CopyFrom(node.metadata)
                element = self.node(inner, interruptible)
                if not node.array_node.is_original_sub_node_interface.value:
                    element = replace(element, interface=_of_item(element.interface))
                return _made(node, Kind.ARRAY, element.interface, interruptible, element=element)
            case _:
                raise _missing(node, "nothing")

    def _task(self, node: Node, interruptible: bool | None) -> NodePlan:
        id = node.task_node.reference_id
        if key(id) not in self.tasks:
            raise _missing(node, short_text(id))
        task = self.tasks[key(id)]
        return _made(node, Kind.TASK, task.interface, interruptible, task=task)


def _made(
    node: Node,
    kind: Kind,
    interface: TypedInterface,
    interruptible: bool | None,
    *,
    task: TaskTemplate | None = None,
    graph: Graph | None = None,
    arms: tuple[Arm, ...] = (),
    element: NodePlan | None = None,
) -> NodePlan:
    return NodePlan(
        id=node.id,
        kind=kind,
        node=node,
        policy=_policy(node, task, interruptible),
        interface=interface,
        bindings=tuple(node.inputs),
        aliases={alias.alias: alias.var for alias in node.output_aliases},
        task=task,
        graph=graph,
        arms=arms,
        element=element,
    )


def _of_item(interface: TypedInterface) -> TypedInterface:
    """What one item of a mapped task gives: the task declares lists, of None too where items may fail."""
    made = TypedInterface()
    made.CopyFrom(interface)
    for variable in made.outputs.variables.values():
        if variable.type.HasField("collection_type"):
            item = LiteralType()
            item.CopyFrom(variable.type.collection_type)
            given = [
                one for one in item.union_type.variants if one.simple != SimpleType.NONE or not one.HasField("simple")
            ]
            variable.type.CopyFrom(given[0] if len(given) == 1 else item)
    return made


def _policy(node: Node, task: TaskTemplate | None, interruptible: bool | None) -> Policy:
    template = task or TaskTemplate()
    theirs, ours = template.metadata, node.metadata
    if theirs.HasField("interruptible"):
        interruptible = theirs.interruptible
    if ours.HasField("interruptible"):
        interruptible = ours.interruptible
    return Policy(
        retries=ours.retries.retries or theirs.retries.retries,
        timeout=_timeout(ours) or _timeout(theirs),
        queued_timeout=read_deadline(ours.config, template.config, name=QUEUED),
        node_timeout=read_deadline(ours.config, template.config, name=NODE),
        interruptible=interruptible,
        cacheable=task is not None and (ours.cacheable if ours.HasField("cacheable") else theirs.discoverable),
        serializable=ours.cache_serializable if ours.HasField("cache_serializable") else theirs.cache_serializable,
    )


def _timeout(metadata: NodeMetadata | TaskMetadata) -> timedelta | None:
    return span_of(metadata.timeout) if metadata.HasField("timeout") else None


def span_of(duration: Duration) -> timedelta | None:
    """How long, and never so long that no calendar has its end; None: nothing is said, or what cannot be."""
    return min(max(timedelta(0), _span(duration)), LONGEST) or None


def _span(duration: Duration) -> timedelta:
    try:
        return duration.ToTimedelta()
    except OverflowError:
        return LONGEST if duration.seconds > 0 else timedelta(0)


def _signals(nodes: tuple[NodePlan, ...], template: WorkflowTemplate) -> dict[str, LiteralType]:
    found: dict[str, LiteralType] = {}
    for node in template.nodes:
        for inner in every_node(node):
            gate = inner.gate_node
            match gate.WhichOneof("condition"):
                case "approve":
                    found[gate.approve.signal_id] = LiteralType(simple=SimpleType.BOOLEAN)
                case "signal":
                    found[gate.signal.signal_id] = gate.signal.type
    for node_plan in nodes:
        for plan in _inside(node_plan):
            if plan.graph is not None:
                found.update(plan.graph.signals)
    return found


def _inside(plan: NodePlan) -> list[NodePlan]:
    found = [plan]
    for at in found:  # grows while it is walked
        found.extend(arm.then for arm in at.arms)
        if at.element is not None:
            found.append(at.element)
    return found


def _missing(node: Node, what: str) -> PluginError:
    return PluginError(
        f"node {node.id!r} calls {what}, which the closure does not hold",
        fix="compile the workflow with alula.compiler.compile_workflow before it is run",
    )
