"""What starting something takes and gives: the inputs of launch plans, and the workflow around a single task; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alula.idl import (
    Identifier,
    Literal,
    LiteralMap,
    LiteralType,
    ResourceType,
    TaskTemplate,
    TypedInterface,
    WorkflowTemplate,
    literals,
)
from alula.idl.admin import LaunchPlanSpec
from alula.idl.interface import unfit_values
from alula.idl.types import accepts_none, type_text

GENERATED = ".flytegen."
"""What the name of a workflow around a single task begins with, as in Flyte."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What may be given to a workflow when it is started."""

    interface: TypedInterface
    """The workflow's own."""
    defaults: Mapping[str, Literal] = field(default_factory=dict)
    fixed: Mapping[str, Literal] = field(default_factory=dict)
    """Values that a launch plan insists on."""


def intake(plan: LaunchPlanSpec, workflow: TypedInterface) -> Intake:
    """What a launch plan takes for its workflow."""
    parameters = plan.default_inputs.parameters
    defaults = {name: p.default for name, p in parameters.items() if p.WhichOneof("behavior") == "default"}
    return Intake(workflow, defaults, dict(plan.fixed_inputs.literals))


def open_interface(taken: Intake) -> TypedInterface:
    """What somebody who calls it sees: fixed inputs are left out."""
    made = TypedInterface()
    made.CopyFrom(taken.interface)
    for name in taken.fixed:
        made.inputs.variables.pop(name, None)
    return made


def complete(taken: Intake, given: Mapping[str, Literal]) -> tuple[LiteralMap, list[str]]:
    """All inputs, defaults filled in; and every fault of those that were given, one line each with its name.

    An input that accepts None and has no default is None.
    """
    declared = taken.interface.inputs.variables
    faults = [f"{name}: is fixed by the launch plan, and cannot be given" for name in taken.fixed if name in given]
    whole = LiteralMap()
    for name, lit in {**taken.defaults, **given, **taken.fixed}.items():
        whole.literals[name].CopyFrom(lit)
    for name, variable in declared.items():
        if name not in whole.literals and accepts_none(variable.type):
            whole.literals[name].CopyFrom(_none(variable.type))
    unfit = unfit_values(whole, taken.interface.inputs)
    if any(name not in declared for name in whole.literals):
        unfit.append(
            "there are: " + (", ".join(f"{n}: {type_text(v.type)}" for n, v in sorted(declared.items())) or "no inputs")
        )
    return whole, sorted(faults) + unfit


def around(task: TaskTemplate) -> WorkflowTemplate:
    """A workflow of one node that calls a task, with the task's inputs and outputs."""
    made = WorkflowTemplate(interface=task.interface)
    made.id.CopyFrom(task.id)
    made.id.resource_type = ResourceType.WORKFLOW
    made.id.name = GENERATED + task.id.name
    made.metadata.SetInParent()
    made.metadata_defaults.SetInParent()
    node = made.nodes.add(id="n0")
    node.metadata.name = short_name(task.id)
    node.task_node.reference_id.CopyFrom(task.id)
    for name in sorted(task.interface.inputs.variables):
        node.inputs.add(var=name).binding.promise.var = name
    for name in sorted(task.interface.outputs.variables):
        bound = made.outputs.add(var=name).binding.promise
        bound.node_id, bound.var = node.id, name
    return made


def short_name(id: Identifier) -> str:
    """The last part of a dotted name."""
    return id.name.rpartition(".")[2] or id.name


def _none(declared: LiteralType) -> Literal:
    for variant in declared.union_type.variants:
        if accepts_none(variant):
            return literals.union(_none(variant), variant)
    return literals.none()
