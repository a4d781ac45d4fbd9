"""Nodes: what each kind of them needs, and the types of what it gives."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from alula.compiler.bindings import Scope, Types, bound_types, check_inputs, merged_type
from alula.compiler.conditions import check_condition
from alula.idl import (
    ArrayNode,
    GateNode,
    Identifier,
    LiteralType,
    Node,
    SimpleType,
    TaskTemplate,
    TypedInterface,
    UnionType,
    WorkflowTemplate,
)
from alula.idl.ids import Key, key, short_text
from alula.idl.types import type_text

_NONE = LiteralType(simple=SimpleType.NONE)


@dataclass(frozen=True, slots=True)
class Entities:
    """What the nodes of a workflow may call, by the key of its identifier."""

    tasks: Mapping[Key, TaskTemplate]
    workflows: Mapping[Key, WorkflowTemplate]
    launch_plans: Mapping[Key, TypedInterface]
    defaults: Mapping[Key, Collection[str]]
    """Names of the launch plans' inputs that have a default."""


@dataclass(frozen=True, slots=True)
class Called:
    """The signature of what a node calls."""

    text: str
    inputs: Mapping[str, LiteralType]
    outputs: Mapping[str, LiteralType]
    optional: Collection[str] = ()


def reference(node: Node) -> Identifier | None:
    """The task, workflow or launch plan that a node calls; for an array node, that its elements call."""
    match node.WhichOneof("target"):
        case "task_node":
            return node.task_node.reference_id
        case "workflow_node" if node.workflow_node.WhichOneof("reference") == "sub_workflow_ref":
            return node.workflow_node.sub_workflow_ref
        case "workflow_node":
            return node.workflow_node.launchplan_ref
        case "array_node":
            return reference(node.array_node.node)
        case _:
            return None


def arms(node: Node) -> Iterator[tuple[str, Node]]:
    """The nodes inside a branch node, each with its path there: `if[0].then`, ..., `else`."""
    if node.WhichOneof("target") != "branch_node":
        return
    if_else = node.branch_node.if_else
    for nth, block in enumerate([if_else.case, *if_else.other]):
        if block.HasField("then_node"):
            yield f"if[{nth}].then", block.then_node
    if if_else.HasField("else_node"):
        yield "else", if_else.else_node


def every_node(node: Node) -> Iterator[Node]:
    """A node, and all inside it that stand in for it: arms of branches, at any depth."""
    yield node
    for _, arm in arms(node):
        yield from every_node(arm)


def called(node: Node, entities: Entities) -> Called | None:
    """The signature of the task, workflow or launch plan that a node calls; None if it is not among the entities."""
    id = reference(node)
    if id is None:
        return None
    at = key(id)
    interface: TypedInterface | None
    if node.WhichOneof("target") == "task_node":
        interface = entities.tasks[at].interface if at in entities.tasks else None
    elif node.workflow_node.WhichOneof("reference") == "sub_workflow_ref":
        interface = entities.workflows[at].interface if at in entities.workflows else None
    else:
        interface = entities.launch_plans.get(at)
    if interface is None:
        return None
    return Called(
        text=short_text(id),
        inputs={name: v.type for name, v in interface.inputs.variables.items()},
        outputs={name: v.type for name, v in interface.outputs.variables.items()},
        optional=entities.defaults.get(at, ()),
    )


def check_node(node: Node, path: str, scope: Scope, entities: Entities) -> Types | None:
    """The output types of a node, None if unknown; adds its faults and those of the nodes inside it."""
    outputs: Types | None
    match node.WhichOneof("target"):
        case "task_node" | "workflow_node":
            outputs = _check_call(node, path, scope, entities)
        case "branch_node":
            outputs = _check_branch(node, path, scope, entities)
        case "gate_node":
            outputs = _check_gate(node, path, scope)
        case "array_node":
            outputs = _check_array(node, path, scope, entities)
        case _:
            bound_types(node.inputs, f"{path}.inputs", scope)
            scope.fault(path, "calls nothing: it has no task, workflow, branch, gate or array")
            return None
    for upstream in node.upstream_node_ids:
        if upstream not in scope.outputs:
            scope.fault(f"{path}.upstream", f"there is no node {upstream}")
    return _with_aliases(node, path, outputs, scope)


def _with_aliases(node: Node, path: str, outputs: Types | None, scope: Scope) -> Types | None:
    if outputs is None or not node.output_aliases:
        return outputs
    aliased = dict(outputs)
    for alias in node.output_aliases:
        if alias.var not in outputs:
            scope.fault(f"{path}.output_aliases.{alias.alias}", f"there is no output {alias.var}")
        elif alias.alias in aliased:
            scope.fault(f"{path}.output_aliases.{alias.alias}", "there is an output of that name already")
        else:
            aliased[alias.alias] = outputs[alias.var]
    return aliased


def _check_call(node: Node, path: str, scope: Scope, entities: Entities) -> Types | None:
    target = _called_or_fault(node, path, scope, entities)
    if target is None:
        bound_types(node.inputs, f"{path}.inputs", scope)
        return None
    check_inputs(node.inputs, target.inputs, f"{path}.inputs", scope, owner=target.text, optional=target.optional)
    return target.outputs


def _called_or_fault(node: Node, path: str, scope: Scope, entities: Entities) -> Called | None:
    target = called(node, entities)
    if target is None:
        id = reference(node)
        if id is None or not id.name:
            scope.fault(path, "does not say what it calls")
        else:
            scope.fault(path, f"{short_text(id)} (version {id.version or 'empty'}) is not known")
    return target


def _check_branch(node: Node, path: str, scope: Scope, entities: Entities) -> Types | None:
    inputs = bound_types(node.inputs, f"{path}.inputs", scope)
    if_else = node.branch_node.if_else
    if not if_else.HasField("case"):
        scope.fault(f"{path}.if[0]", "is missing: a branch needs a condition")
        return None
    for nth, block in enumerate([if_else.case, *if_else.other]):
        check_condition(block.condition, f"{path}.if[{nth}].condition", inputs, scope)
        if not block.HasField("then_node"):
            scope.fault(f"{path}.if[{nth}].then", "is missing")
    if if_else.WhichOneof("default") is None:
        scope.fault(f"{path}.else", "is missing: say what runs, or which error it is, when no condition holds")
    _check_arm_ids(node, path, scope)
    return _common([check_node(arm, f"{path}.{at}", scope, entities) for at, arm in arms(node)])


def _check_arm_ids(node: Node, path: str, scope: Scope) -> None:
    """Arms are told apart by their ids, with and without the branch's before them."""
    seen: set[str] = set()
    for at, arm in arms(node):
        id = arm.id.removeprefix(f"{node.id}-")
        if id in seen:
            scope.fault(f"{path}.{at}", f"{arm.id} is the id of two nodes of this branch")
        seen.add(id)


def _common(outputs: list[Types | None]) -> Types | None:
    """What all arms of a branch give. One that differs in type may be of either, which a reader must accept."""
    known = [types for types in outputs if types is not None]
    if not known or len(known) < len(outputs):
        return None
    names = [name for name in known[0] if all(name in types for types in known)]
    return {name: merged_type(types[name] for types in known) for name in names}


def _check_gate(node: Node, path: str, scope: Scope) -> Types | None:
    gate = node.gate_node
    inputs = bound_types(node.inputs, f"{path}.inputs", scope)
    kind = gate.WhichOneof("condition")
    if kind is None:
        scope.fault(path, "waits for nothing: it has no approval, signal or duration")
        return None
    if kind != "approve" and inputs:
        scope.fault(f"{path}.inputs", f"a gate that waits for a {kind} takes no inputs: {', '.join(inputs)}")
    match kind:
        case "approve":
            _check_signal(gate.approve.signal_id, LiteralType(simple=SimpleType.BOOLEAN), path, scope)
            return inputs
        case "signal":
            return _check_typed_signal(gate, path, scope)
        case "sleep":
            duration = gate.sleep.duration
            if duration.seconds < 0 or duration.nanos < 0:
                scope.fault(f"{path}.sleep", "the duration is negative")
            return {}
    return None


def _check_typed_signal(gate: GateNode, path: str, scope: Scope) -> Types | None:
    signal = gate.signal
    if signal.type.WhichOneof("type") is None:
        scope.fault(f"{path}.signal", "does not say the type that it waits for")
        return None
    _check_signal(signal.signal_id, signal.type, path, scope)
    if not signal.output_variable_name:
        scope.fault(f"{path}.signal", "does not name its output")
        return None
    return {signal.output_variable_name: signal.type}


def _check_signal(signal_id: str, t: LiteralType, path: str, scope: Scope) -> None:
    if not signal_id:
        scope.fault(f"{path}.signal", "has no id to be answered by")
    elif (other := scope.signals.setdefault(signal_id, t)) != t:
        text = f"another gate waits for {signal_id!r} as {type_text(other)}, this one as {type_text(t)}"
        scope.fault(f"{path}.signal", text)


def _check_array(node: Node, path: str, scope: Scope, entities: Entities) -> Types | None:
    array = node.array_node
    if array.node.WhichOneof("target") not in ("task_node", "workflow_node"):
        scope.fault(f"{path}.node", "an array maps a task, a workflow or a launch plan")
        bound_types(node.inputs, f"{path}.inputs", scope)
        return None
    target = _called_or_fault(array.node, f"{path}.node", scope, entities)
    _check_success(node, path, scope)
    if target is None:
        bound_types(node.inputs, f"{path}.inputs", scope)
        return None
    if not target.inputs:
        scope.fault(f"{path}.node", f"{target.text} has no input to map over")
    for name in array.bound_inputs:
        if name not in target.inputs:
            scope.fault(f"{path}.bound_inputs", f"{target.text} has no input {name}")
    inputs, outputs = _listed(array, target)
    for name, t in outputs.items():
        if t.WhichOneof("type") != "collection_type":
            scope.fault(
                f"{path}.node", f"output {name} of {target.text} is {type_text(t)}, not the list of all results"
            )
    check_inputs(node.inputs, inputs, f"{path}.inputs", scope, owner=target.text, optional=target.optional)
    return outputs


def _listed(array: ArrayNode, target: Called) -> tuple[Mapping[str, LiteralType], Mapping[str, LiteralType]]:
    """Inputs and outputs of an array: as they are where the task declares lists already, else lists of its own."""
    if not array.is_original_sub_node_interface.value:
        return target.inputs, target.outputs
    inputs = {
        name: t if name in array.bound_inputs else LiteralType(collection_type=t) for name, t in target.inputs.items()
    }
    may_fail = 0 < array.min_success_ratio < 1
    outputs = {}
    for name, t in target.outputs.items():
        element = LiteralType(union_type=UnionType(variants=[t, _NONE])) if may_fail else t
        outputs[name] = LiteralType(collection_type=element)
    return inputs, outputs


def _check_success(node: Node, path: str, scope: Scope) -> None:
    array = node.array_node
    if not 0 <= array.min_success_ratio <= 1:
        scope.fault(f"{path}.min_success_ratio", f"{array.min_success_ratio:g} is not between 0 and 1")
    lengths = {
        binding.var: len(binding.binding.collection.bindings)
        for binding in node.inputs
        if binding.var not in array.bound_inputs and binding.binding.WhichOneof("value") == "collection"
    }
    if len(set(lengths.values())) > 1:
        text = ", ".join(f"{name} has {length}" for name, length in sorted(lengths.items()))
        scope.fault(f"{path}.inputs", f"lists that are mapped together have one length: {text}")
    elif lengths and array.min_successes > min(lengths.values()):
        scope.fault(f"{path}.min_successes", f"{array.min_successes} of {min(lengths.values())} cannot succeed")
