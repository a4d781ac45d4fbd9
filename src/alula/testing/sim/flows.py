"""Workflows by seed, of all kinds of node that there are, and what their tasks do.

Every task adds up the integers that it is given. What it returns also says which run of it that was (`base` takes that
off again), so that whoever looks on sees where each value came from.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

from alula._kits.records import replace
from alula.compiler.compile import compile_workflow
from alula.idl import (
    ArrayNode,
    Binding,
    BindingData,
    BooleanExpression,
    BranchNode,
    ComparisonExpression,
    DynamicJobSpec,
    GateNode,
    Identifier,
    IfBlock,
    IfElseBlock,
    LiteralMap,
    LiteralType,
    Node,
    Operand,
    OutputReference,
    ResourceType,
    SimpleType,
    TaskNode,
    TaskTemplate,
    TypedInterface,
    UnionType,
    Variable,
    VariableMap,
    WorkflowMetadata,
    WorkflowNode,
    WorkflowTemplate,
    literals,
)
from alula.idl.admin import LaunchPlan
from alula.idl.ids import key
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.runner import Failed, Job, Progressed, Succeeded
from alula.store.records import EntityRecord
from alula.testing.sim.runners import Deed, Script

PROJECT, DOMAIN, VERSION = "sim", "development", "v1"
_MASK = (1 << 32) - 1
_LARGEST = 1_000_003

INT = LiteralType(simple=SimpleType.INTEGER)
_NONE = LiteralType(simple=SimpleType.NONE)
_MAYBE = LiteralType(union_type=UnionType(variants=[INT, _NONE]))
_ERROR = LiteralType(union_type=UnionType(variants=[LiteralType(simple=SimpleType.ERROR), _NONE]))
_LIST = LiteralType(collection_type=_MAYBE)


@dataclass(frozen=True, slots=True)
class Flow:
    """A workflow that can be run, and what must be registered for it."""

    closure: bytes
    inputs: bytes
    signals: Mapping[str, bytes]
    """What its gates wait for, and what they are to be told: a serialized literal."""
    entities: tuple[EntityRecord, ...]


def base(value: int) -> int:
    """The part of a value that is the same in every run."""
    return value & _MASK


# --- Building blocks ------------------------------------------------------------------------------------------------


def _id(kind: ResourceType, name: str) -> Identifier:
    return Identifier(resource_type=kind, project=PROJECT, domain=DOMAIN, name=name, version=VERSION)


def _typed(inputs: dict[str, LiteralType], outputs: dict[str, LiteralType]) -> TypedInterface:
    def variables(types: dict[str, LiteralType]) -> VariableMap:
        return VariableMap(variables={name: Variable(type=t) for name, t in types.items()})

    return TypedInterface(inputs=variables(inputs), outputs=variables(outputs))


def _task(name: str, inputs: dict[str, LiteralType], *, cached: bool = False, single: bool = False) -> TaskTemplate:
    outputs = {} if name == "clean_up" else {"o0": INT}
    template = TaskTemplate(id=_id(ResourceType.TASK, name), interface=_typed(inputs, outputs))
    if cached:
        template.metadata.discoverable = True
        template.metadata.discovery_version = "1"
        template.metadata.cache_serializable = single
    return template


_TASKS = [
    _task("add", {"x": INT, "y": INT}),
    _task("slow", {"x": INT}),
    _task("one", {"x": INT}),
    _task("grow", {"x": INT}),
    _task("total", {"xs": _LIST}),
    _task("clean_up", {"a": INT, "err": _ERROR}),
    _task("kept", {"x": INT}, cached=True),
    _task("single", {"x": INT}, cached=True, single=True),
]
_GIVES = _typed({"a": INT}, {"o0": INT})


def _ref(node: str, name: str) -> BindingData:
    return BindingData(promise=OutputReference(node_id=node, var=name))


def _const(value: int) -> BindingData:
    return BindingData(scalar=literals.integer(value).scalar)


def _bind(**inputs: BindingData) -> list[Binding]:
    return [Binding(var=name, binding=data) for name, data in inputs.items()]


def _call(id: str, name: str, after: Iterable[str] = (), **inputs: BindingData) -> Node:
    target = TaskNode(reference_id=_id(ResourceType.TASK, name))
    return Node(id=id, inputs=_bind(**inputs), upstream_node_ids=after, task_node=target)


def _list(size: int) -> BindingData:
    data = BindingData()
    data.collection.SetInParent()
    for nth in range(size):
        data.collection.bindings.add().scalar.CopyFrom(literals.integer(nth).scalar)
    return data


# --- The generator --------------------------------------------------------------------------------------------------

_SIZES = [*[0, 1, 3, 3, 6, 6] * 5, 300]
"""Of arrays. A large one makes decisions that come in portions."""
_KINDS = [
    *"step step step step flaky flaky timed branch sub sub".split(),
    *"kept single single grow child signal approve sleep array".split(),
]


class _Maker:
    """Makes nodes and workflows. `depth` is how deep workflows may still lie in one another.

    Args:
        prefix: Of the names of what lies inside.
        child: The name of the launch plan that it may call.
    """

    def __init__(self, rng: random.Random, prefix: str, child: str) -> None:
        self.rng, self.prefix = rng, prefix
        self.plan = _id(ResourceType.LAUNCH_PLAN, child)
        self.subs: list[WorkflowTemplate] = []
        self.signals: dict[str, bytes] = {}
        self.names = count()

    def nodes(self, most: int, depth: int) -> tuple[list[Node], list[str]]:
        """Some nodes, and the ids of those that give an integer `o0`."""
        made: list[Node] = []
        givers: list[str] = []
        for nth in range(self.rng.randint(1, most)):
            made += self.node(f"n{nth}", givers, [node.id for node in made], depth)
        if not givers:
            made.append(_call("last", "one", x=_ref("", "a")))
            givers.append("last")
        return made, givers

    def node(self, id: str, givers: list[str], before: list[str], depth: int) -> list[Node]:
        rng = self.rng
        chosen = rng.sample(givers, min(len(givers), rng.randint(0, 2)))
        x = _ref(chosen[0], "o0") if chosen else _ref("", "a")
        after = rng.sample(before, min(len(before), rng.choice([0, 0, 1])))
        kind = rng.choice(_KINDS)
        if kind == "sleep":
            node = Node(id=id, upstream_node_ids=after, gate_node=GateNode())
            node.gate_node.sleep.duration.FromTimedelta(timedelta(seconds=rng.choice([1, 7, 40])))
            return [node]
        givers.append(id)
        match kind:
            case "branch":
                return [self.branch(id, x, after)]
            case "sub" if depth:
                return [self.sub(id, x, after, depth)]
            case "child" if depth:
                target = WorkflowNode(launchplan_ref=self.plan)
                node = Node(id=id, inputs=_bind(a=x), upstream_node_ids=after, workflow_node=target)
                node.metadata.retries.retries = rng.choice([0, 2])
                return [node]
            case "signal" | "approve":
                return [self.gate(kind, id, x, after)]
            case "array":
                return self.array(id, after)
        return [self.task(kind, id, x, chosen, after)]

    def task(self, kind: str, id: str, x: BindingData, chosen: list[str], after: list[str]) -> Node:
        rng = self.rng
        if kind in ("kept", "single", "grow", "timed"):
            name = {"timed": "slow"}.get(kind, kind)
            node = _call(id, name, after, x=x)
        else:
            node = _call(id, "add", after, x=x, y=_ref(chosen[1], "o0") if len(chosen) > 1 else _const(1))
        if kind in ("flaky", "grow", "timed"):
            node.metadata.retries.retries = rng.choice([1, 2])
        elif kind == "single":
            node.metadata.retries.retries = 1
        if kind == "timed":
            node.metadata.timeout.FromTimedelta(timedelta(seconds=rng.choice([5, 20])))
            if rng.random() < 0.5:
                node.metadata.config["node_timeout_seconds"] = "200"
        return node

    def branch(self, id: str, x: BindingData, after: list[str]) -> Node:
        arms = [
            IfBlock(condition=_equals(".x", nth), then_node=_call(f"{id}t{nth}", "one", x=x))
            for nth in range(1, self.rng.randint(2, 3))
        ]
        block = IfElseBlock(case=arms[0], other=arms[1:], else_node=_call(f"{id}e", "add", x=x, y=_const(7)))
        inputs = [Binding(var=".x", binding=x)]
        return Node(id=id, inputs=inputs, upstream_node_ids=after, branch_node=BranchNode(if_else=block))

    def sub(self, id: str, x: BindingData, after: list[str], depth: int) -> Node:
        name = f"{self.prefix}inner{next(self.names)}"
        self.subs.append(self.workflow(name, 3, depth - 1))
        target = WorkflowNode(sub_workflow_ref=_id(ResourceType.WORKFLOW, name))
        return Node(id=id, inputs=_bind(a=x), upstream_node_ids=after, workflow_node=target)

    def gate(self, kind: str, id: str, x: BindingData, after: list[str]) -> Node:
        rng = self.rng
        signal = f"{self.prefix}go{next(self.names)}"
        answer = literals.boolean(rng.random() < 0.9) if kind == "approve" else literals.integer(5)
        self.signals[signal] = answer.SerializeToString(deterministic=True)
        node = Node(id=id, upstream_node_ids=after, gate_node=GateNode())
        if kind == "approve":
            node.inputs.extend(_bind(o0=x))
            node.gate_node.approve.signal_id = signal
        else:
            node.gate_node.signal.signal_id = signal
            node.gate_node.signal.type.CopyFrom(INT)
            node.gate_node.signal.output_variable_name = "o0"
        return node

    def array(self, id: str, after: list[str]) -> list[Node]:
        """An array, and a task that adds its list up."""
        rng = self.rng
        inner = Node(task_node=TaskNode(reference_id=_id(ResourceType.TASK, "one")))
        inner.metadata.retries.retries = rng.choice([0, 1])
        spec = ArrayNode(node=inner, run_all_sub_nodes=rng.random() < 0.3)
        spec.is_original_sub_node_interface.value = True
        parallelism = rng.choice([None, 0, 1, 3])
        if parallelism is not None:
            spec.parallelism = parallelism
        spec.min_success_ratio = rng.choice([1.0, 0.5])
        array = Node(id=f"{id}m", inputs=_bind(x=_list(rng.choice(_SIZES))), upstream_node_ids=after, array_node=spec)
        return [array, _call(id, "total", xs=_ref(array.id, "o0"))]

    def workflow(self, name: str, most: int, depth: int) -> WorkflowTemplate:
        rng = self.rng
        nodes, givers = self.nodes(most, depth)
        handler = _call("fn0", "clean_up", a=_ref("", "a")) if rng.random() < 0.3 else None
        template = WorkflowTemplate(
            id=_id(ResourceType.WORKFLOW, name),
            interface=_typed({"a": INT}, {"o0": INT}),
            nodes=nodes,
            outputs=_bind(o0=_ref(rng.choice(givers), "o0")),
            failure_node=handler,
        )
        if rng.random() < 0.4:
            template.metadata.on_failure = WorkflowMetadata.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
        return template


def _equals(left: str, right: int) -> BooleanExpression:
    primitive = literals.integer(right).scalar.primitive
    operator = ComparisonExpression.EQ
    return BooleanExpression(
        comparison=ComparisonExpression(
            operator=operator, left_value=Operand(var=left), right_value=Operand(primitive=primitive)
        )
    )


def flow(rng: random.Random, *, name: str = "main", most: int = 7) -> Flow:
    """Any workflow: up to `most` nodes at its top, and what they hold."""
    maker = _Maker(rng, f"{name}-", f"{name}-child")
    template = maker.workflow(name, most, 2)
    inputs = literals.literal_map({"a": literals.integer(rng.randint(1, 3))})
    closure = compile_workflow(template, maker.subs, _TASKS, {key(maker.plan): _GIVES})
    entities: tuple[EntityRecord, ...] = ()
    if closure.launch_plans:
        below = _Maker(rng, f"{name}-c-", "none")
        child = below.workflow(maker.plan.name, 3, 0)
        entities = _registered(child, maker.plan)
        maker.signals |= below.signals
    return Flow(
        closure.SerializeToString(deterministic=True),
        inputs.SerializeToString(deterministic=True),
        maker.signals,
        entities,
    )


def _registered(child: WorkflowTemplate, id: Identifier) -> tuple[EntityRecord, ...]:
    closure = compile_workflow(child, [], _TASKS).SerializeToString(deterministic=True)
    plan = LaunchPlan(id=id)
    plan.spec.workflow_id.CopyFrom(child.id)
    spec = plan.SerializeToString(deterministic=True)
    workflow = EntityRecord(
        "workflow", PROJECT, DOMAIN, id.name, VERSION, hashlib.sha256(closure).hexdigest(), b"", closure
    )
    digest = hashlib.sha256(spec).hexdigest()
    return workflow, replace(workflow, kind="launch_plan", digest=digest, spec=spec, closure=b"")


# --- What tasks do --------------------------------------------------------------------------------------------------


def script(seed: str, *, failing: float = 0.1, hanging: float = 0.05) -> Script:
    """What attempts do, the same for a seed: most of them succeed, after some seconds.

    Args:
        failing: How often an attempt fails.
        hanging: How often one with a timeout never ends.
    """
    runs = count(1)

    def deed(job: Job) -> Deed:
        dice = random.Random(f"{seed} {job.id.execution} {job.id.path} {job.id.number}")
        takes, queued = dice.choice([*[0.01, 1.0, 3.0] * 4, 30.0]) * dice.random(), dice.choice([0.0, 0.0, 0.5])
        closed = dice.random() < 0.5
        if job.template.id.name == "slow" and dice.random() < hanging:
            return Deed(None, queued=queued)  # its node has a timeout
        if dice.random() < failing:
            kind = dice.choice(list(FailureKind))
            failure = AttemptFailure("Dice", "bad luck", kind, recoverable=dice.random() < 0.8)
            return Deed(Failed(failure, closed=closed), queued=queued, runs=takes)
        ends = _result(job, next(runs), closed=closed)
        progress = ((takes / 2, Progressed(0.5)),) if dice.random() < 0.3 else ()
        return Deed(ends, queued=queued, runs=takes, progress=progress)

    return deed


def _result(job: Job, run: int, *, closed: bool) -> Succeeded:
    if "o0" not in job.template.interface.outputs.variables:
        return Succeeded(closed=closed)
    if job.template.id.name == "grow":
        return Succeeded(futures=_GROWN, closed=closed)
    total = sum(base(value) for value in integers(LiteralMap.FromString(job.inputs))) % _LARGEST
    outputs = literals.literal_map({"o0": literals.integer(total | run << 32)})
    return Succeeded(outputs.SerializeToString(deterministic=True), closed=closed)


def _grown() -> bytes:
    nodes = [
        _call("d0", "add", x=_const(3), y=_const(4)),
        _call("d1", "one", x=_ref("d0", "o0")),
        _call("d2", "add", x=_ref("d0", "o0"), y=_ref("d1", "o0")),
    ]
    spec = DynamicJobSpec(nodes=nodes, outputs=_bind(o0=_ref("d2", "o0")), tasks=_TASKS)
    return spec.SerializeToString(deterministic=True)


_GROWN = _grown()


def integers(values: LiteralMap) -> list[int]:
    """All integers in some values."""
    found: list[int] = []
    rest = [lit for _, lit in sorted(values.literals.items())]
    while rest:
        lit = literals.unpacked(rest.pop())
        rest.extend(lit.collection.literals)
        if lit.scalar.primitive.WhichOneof("value") == "integer":
            found.append(lit.scalar.primitive.integer)
    return found
