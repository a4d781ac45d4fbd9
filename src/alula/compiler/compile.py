"""A workflow and all that it calls, checked as a whole: a closure that can run, or every fault at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from alula.compiler.bindings import END, START, Scope, check_inputs, promises
from alula.compiler.graph import connections, direct, order
from alula.compiler.nodes import Entities, arms, called, check_node, every_node, reference
from alula.errors import CompileError
from alula.idl import (
    Binding,
    CompiledLaunchPlan,
    CompiledTask,
    CompiledWorkflow,
    CompiledWorkflowClosure,
    LaunchPlanTemplate,
    Node,
    TaskTemplate,
    TypedInterface,
    WorkflowTemplate,
)
from alula.idl.ids import Key, id_text, key, short_text

_LONGEST_ID = 250
_NO_ID = re.compile(r"[/\[\]\x00-\x1f\x7f]")


def compile_workflow(
    primary: WorkflowTemplate,
    sub_workflows: Iterable[WorkflowTemplate] = (),
    tasks: Iterable[TaskTemplate] = (),
    launch_plans: Mapping[Key, TypedInterface] | None = None,
    *,
    defaults: Mapping[Key, Collection[str]] | None = None,
) -> CompiledWorkflowClosure:
    """The closure of a workflow, in the form that Flyte gives it. Its arguments are not changed.

    Start and end node are added, promises of workflow inputs refer to the start node, and a node inside a branch has
    the branch's id before its own. Of tasks, workflows and launch plans the closure holds those that are called.
    Compiling a template of a closure again gives the same.

    Args:
        sub_workflows: Templates that nodes of any of the workflows may call.
        launch_plans: What launch plans take (fixed inputs left out) and give, by `alula.idl.ids.key`.
        defaults: Names of the launch plans' inputs that have a default, and so may be left out.

    Raises:
        CompileError: Its `faults` lists everything that is wrong, each with its path: `n3.inputs.x: ...`,
            `n2.if[1].condition.left: ...`, `outputs.o0: ...`; in a sub-workflow, `its.name/n3.inputs.x: ...`.
    """
    given = [primary, *sub_workflows]
    entities = Entities(
        tasks={key(task.id): task for task in tasks},
        workflows={key(template.id): template for template in reversed(given)},
        launch_plans=launch_plans or {},
        defaults=defaults or {},
    )
    needed = _reachable(primary, entities)
    faults = _containment_faults(primary, entities)
    compiled = []
    for template in needed:
        found, result = _compile_one(template, entities)
        prefix = "" if template is primary else f"{template.id.name}/"
        faults += [prefix + fault for fault in found]
        compiled.append(result)
    if faults:
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        what = f"workflow {primary.id.name} does not hold together: {count}"
        raise CompileError(what, where=id_text(primary.id), faults=faults)
    return _closure(compiled, needed, entities)


def _own_nodes(template: WorkflowTemplate) -> list[Node]:
    """The nodes that the author wrote: a compiled template has two more, without a target."""
    return [n for n in template.nodes if n.id not in (START, END) or n.WhichOneof("target") is not None]


def _all_nodes(template: WorkflowTemplate) -> Iterator[Node]:
    for node in [*template.nodes, template.failure_node]:
        yield from every_node(node)


def _called_workflows(template: WorkflowTemplate, entities: Entities) -> list[WorkflowTemplate]:
    found: dict[Key, WorkflowTemplate] = {}
    for node in _all_nodes(template):
        id = reference(node)
        if id is not None and key(id) in entities.workflows:
            found.setdefault(key(id), entities.workflows[key(id)])
    return list(found.values())


def _reachable(primary: WorkflowTemplate, entities: Entities) -> list[WorkflowTemplate]:
    found = {key(primary.id): primary}
    todo = [primary]
    while todo:
        for template in _called_workflows(todo.pop(), entities):
            if key(template.id) not in found:
                found[key(template.id)] = template
                todo.append(template)
    return list(found.values())


def _containment_faults(primary: WorkflowTemplate, entities: Entities) -> list[str]:
    """Workflows that contain themselves, and so would never end."""
    faults: list[str] = []
    state: dict[Key, bool] = {}  # True while its inner workflows are being walked
    trail: list[WorkflowTemplate] = []
    todo: list[tuple[WorkflowTemplate, bool]] = [(primary, True)]
    while todo:
        template, entering = todo.pop()
        at = key(template.id)
        if not entering:
            state[at] = False
            trail.pop()
        elif state.get(at):
            names = [t.id.name for t in trail]
            loop = " -> ".join([*names[names.index(template.id.name) :], template.id.name])
            faults.append(f"{template.id.name}: contains itself: {loop}; call it through a launch plan instead")
        elif at not in state:
            state[at] = True
            trail.append(template)
            todo.append((template, False))
            todo.extend((inner, True) for inner in _called_workflows(template, entities))
    return faults


def _compile_one(template: WorkflowTemplate, entities: Entities) -> tuple[list[str], CompiledWorkflow]:
    scope = Scope([])
    nodes = _own_nodes(template)
    unique = _check_ids(nodes, scope)
    scope.outputs[START] = {name: v.type for name, v in template.interface.inputs.variables.items()}
    scope.described[START] = short_text(template.id)
    for node in unique.values():
        id = reference(node)
        scope.outputs[node.id] = None
        scope.described[node.id] = f"{node.id} ({short_text(id)})" if id and id.name else node.id
    running_order, cycles = order(list(unique.values()))
    for cycle in cycles:
        scope.fault(cycle[0], "waits for itself: " + " -> ".join([*cycle, cycle[0]]))
    found: dict[str, list[str]] = {}
    for at in running_order:
        start = len(scope.faults)
        scope.outputs[at] = check_node(unique[at], at, scope, entities)
        found[at] = scope.faults[start:]
        del scope.faults[start:]
    for at in unique:  # in the order of the source, which is how people read
        scope.faults.extend(found[at])
    declared = {name: v.type for name, v in template.interface.outputs.variables.items()}
    check_inputs(template.outputs, declared, "outputs", scope, owner=short_text(template.id))
    if template.HasField("failure_node"):
        _check_failure_node(template, scope, entities)
    return scope.faults, _compiled(template, list(unique.values()))


def _check_ids(nodes: Sequence[Node], scope: Scope) -> dict[str, Node]:
    unique: dict[str, Node] = {}
    for nth, node in enumerate(nodes):
        if not node.id:
            scope.fault(f"nodes[{nth}]", "has no id")
        elif fault := next(filter(None, (_id_fault(one.id) for one in every_node(node))), ""):
            scope.fault(f"nodes[{nth}]", fault)
        elif node.id in (START, END):
            scope.fault(node.id, "is a reserved id")
        elif node.id in unique:
            scope.fault(node.id, "is the id of two nodes")
        else:
            unique[node.id] = node
    return unique


def _id_fault(id: str) -> str:
    """Why nothing can be called so: paths of nodes are made of ids, by `/` and `[0]`."""
    if len(id) > _LONGEST_ID:
        return f"has an id of {len(id):,} characters, and it may have {_LONGEST_ID}"
    return f"has the id {id!r}: no id has / or [ or ] or control characters" if _NO_ID.search(id) else ""


def _check_failure_node(template: WorkflowTemplate, scope: Scope, entities: Entities) -> None:
    """It runs when any node may have failed: so it reads workflow inputs only, and takes them all."""
    node = template.failure_node
    path = node.id or "failure_node"
    if fault := _id_fault(node.id):
        scope.fault("failure_node", fault)
        return
    if path in scope.outputs:
        scope.fault(path, "is the id of two nodes")
    check_node(node, path, scope, entities)
    for other in sorted(direct(node) - {START}):
        if other in scope.outputs:
            scope.fault(f"{path}.inputs", f"reads from {other}, which may not have run; only workflow inputs are there")
    target = called(node, entities)
    if target is None:
        return
    inputs = template.interface.inputs.variables
    for name in sorted(set(inputs) - set(target.inputs)):
        scope.fault(f"{path}.inputs.{name}", f"{target.text} must take every input of the workflow, and has no {name}")


def _compiled(template: WorkflowTemplate, nodes: Sequence[Node]) -> CompiledWorkflow:
    result = CompiledWorkflow()
    into = result.template
    into.CopyFrom(template)
    del into.nodes[:]
    into.nodes.add(id=START)
    into.nodes.add(id=END).inputs.extend(template.outputs)
    into.nodes.extend(nodes)
    for node in [*into.nodes, into.failure_node]:
        _prefix_arms(node)
    for node in _all_nodes(into):
        _name_start(node.inputs)
        if node.HasField("array_node"):
            _name_start(node.array_node.node.inputs)
    _name_start(into.outputs)
    result.connections.CopyFrom(connections(into, into.nodes[2:]))
    return result


def _prefix_arms(node: Node) -> None:
    for _, arm in arms(node):
        if not arm.id.startswith(f"{node.id}-"):
            arm.id = f"{node.id}-{arm.id}"
        _prefix_arms(arm)


def _name_start(bindings: Iterable[Binding]) -> None:
    for binding in bindings:
        for promise in promises(binding.binding):
            promise.node_id = promise.node_id or START


def _closure(
    compiled: Sequence[CompiledWorkflow], templates: Iterable[WorkflowTemplate], entities: Entities
) -> CompiledWorkflowClosure:
    primary, *subs = compiled
    closure = CompiledWorkflowClosure(primary=primary, sub_workflows=subs)
    seen: set[Key] = set()
    for template in templates:
        for node in _all_nodes(template):
            id = reference(node)
            if id is None or key(id) in seen:
                continue
            seen.add(key(id))
            if key(id) in entities.tasks:
                closure.tasks.append(CompiledTask(template=entities.tasks[key(id)]))
            elif key(id) in entities.launch_plans:
                plan = LaunchPlanTemplate(id=id, interface=entities.launch_plans[key(id)])
                closure.launch_plans.append(CompiledLaunchPlan(template=plan))
    return closure
