"""How each kind of entity is registered: what a node of that kind runs, and what the entity's own spec is."""

from __future__ import annotations

from typing import Any

from alula.errors import CompileError
from alula.idl import (
    Error,
    Identifier,
    IfBlock,
    NodeMetadata,
    ParameterMap,
    ResourceType,
)
from alula.idl import Node as NodeMessage
from alula.idl.admin import LaunchPlan as LaunchPlanMessage
from alula.idl.admin import LaunchPlanSpec, WorkflowSpec
from alula.idl.ids import dns_label
from alula.sdk import templates
from alula.sdk.compiler import Compilation, inner_nodes, metadata, reference, sub_workflows, target
from alula.sdk.conditional import Arm, Branch
from alula.sdk.docs import description
from alula.sdk.gate import ApproveGate, Gate, InputGate, SleepGate
from alula.sdk.graph import Node
from alula.sdk.launch_plan import LaunchPlan
from alula.sdk.map import ArrayTask
from alula.sdk.reference import ReferenceLaunchPlan, ReferenceTask, ReferenceWorkflow
from alula.sdk.task import PythonTask
from alula.sdk.wire import Operands, condition
from alula.sdk.workflow import BaseWorkflow, ImperativeWorkflow
from alula.types import maps

__all__ = ["Compilation", "reference"]
"""What compiles an entity, with every kind known to it."""

# workflows


@reference.register(BaseWorkflow)
def _(entity: BaseWorkflow, work: Compilation) -> Identifier:
    id = work.id(ResourceType.WORKFLOW, entity.name)
    if work.first_time(ResourceType.WORKFLOW, entity):
        template = work.workflow_template(entity)
        spec = WorkflowSpec(template=template)
        spec.sub_workflows.extend(work.workflows[name].template for name in sub_workflows(inner_nodes(entity)))
        if not isinstance(entity, ImperativeWorkflow):
            spec.description.CopyFrom(description(entity.docs, entity.interface.doc))
        work.workflows[entity.name] = spec
    return id


@target.register(BaseWorkflow)
def _(entity: BaseWorkflow, work: Compilation, node: Node, into: NodeMessage) -> None:
    into.workflow_node.sub_workflow_ref.CopyFrom(reference(entity, work))


@metadata.register(BaseWorkflow)
def _(entity: BaseWorkflow, work: Compilation, node: Node, into: NodeMetadata) -> None:
    into.name = entity.short_name
    into.interruptible = entity.interruptible


# tasks


@reference.register(PythonTask)
def _(entity: PythonTask[..., Any], work: Compilation) -> Identifier:
    id = work.id(ResourceType.TASK, entity.name)
    if work.first_time(ResourceType.TASK, entity):
        work.tasks[entity.name] = templates.python_task(work, entity)
    return id


@target.register(PythonTask)
def _(entity: PythonTask[..., Any], work: Compilation, node: Node, into: NodeMessage) -> None:
    into.task_node.reference_id.CopyFrom(reference(entity, work))
    templates.overrides(work, node, into.task_node.overrides)


@metadata.register(PythonTask)
def _(entity: PythonTask[..., Any], work: Compilation, node: Node, into: NodeMetadata) -> None:
    templates.task_metadata_of_node(entity.short_name, entity.options, into)


# launch plans


@reference.register(LaunchPlan)
def _(entity: LaunchPlan, work: Compilation) -> Identifier:
    id = work.id(ResourceType.LAUNCH_PLAN, entity.name)
    if work.first_time(ResourceType.LAUNCH_PLAN, entity):
        work.launch_plans[entity.name] = LaunchPlanMessage(id=id, spec=_plan_spec(work, entity))
        work.launch_plans[entity.name].closure.expected_inputs.SetInParent()
        work.launch_plans[entity.name].closure.expected_outputs.SetInParent()
    return id


@target.register(LaunchPlan)
def _(entity: LaunchPlan, work: Compilation, node: Node, into: NodeMessage) -> None:
    into.workflow_node.launchplan_ref.CopyFrom(reference(entity, work))


@metadata.register(LaunchPlan)
def _(entity: LaunchPlan, work: Compilation, node: Node, into: NodeMetadata) -> None:
    into.name = entity.workflow.short_name
    into.interruptible = entity.workflow.interruptible


def _plan_spec(work: Compilation, plan: LaunchPlan) -> LaunchPlanSpec:
    settings = plan.settings
    made = LaunchPlanSpec(workflow_id=reference(plan.workflow, work), default_inputs=_parameters(work, plan))
    made.entity_metadata.SetInParent()
    if plan.schedule is not None:
        made.entity_metadata.schedule.CopyFrom(plan.schedule.to_message())
    made.entity_metadata.notifications.extend(one.to_message() for one in settings.notifications)
    made.fixed_inputs.SetInParent()
    for name, value in settings.fixed_inputs.items():
        converter = plan.workflow.interface.inputs[name].converter
        made.fixed_inputs.literals[name].CopyFrom(maps.literal(value, converter, work.place))
    made.labels.values.update(settings.labels.values if settings.labels else {})
    made.labels.SetInParent()
    made.annotations.values.update(settings.annotations.values if settings.annotations else {})
    made.annotations.SetInParent()
    made.raw_output_data_config.SetInParent()
    if settings.raw_output_data_config is not None:
        made.raw_output_data_config.MergeFrom(settings.raw_output_data_config)
    if settings.max_parallelism is not None:
        made.max_parallelism = settings.max_parallelism
    if settings.overwrite_cache is not None:
        made.overwrite_cache = settings.overwrite_cache
    if settings.security_context is not None and (security := settings.security_context.to_message()) is not None:
        made.security_context.CopyFrom(security)
    if settings.concurrency is not None:
        made.concurrency_policy.CopyFrom(settings.concurrency)
    return made


def _parameters(work: Compilation, plan: LaunchPlan) -> ParameterMap:
    made = ParameterMap()
    described = plan.interface.message().inputs.variables
    for name, one in plan.interface.inputs.items():
        parameter = made.parameters[name]
        parameter.var.CopyFrom(described[name])
        if one.required:
            parameter.required = True
        elif one.default is None and name not in plan.settings.default_inputs:
            # The function's own default comes without its variant, as flytekit writes it.
            parameter.default.scalar.none_type.SetInParent()
        else:
            parameter.default.CopyFrom(maps.literal(one.default, one.converter, work.place))
    return made


# references to what is registered elsewhere


@reference.register(ReferenceTask)
def _(entity: ReferenceTask[..., Any], work: Compilation) -> Identifier:
    return entity.id


@target.register(ReferenceTask)
def _(entity: ReferenceTask[..., Any], work: Compilation, node: Node, into: NodeMessage) -> None:
    into.task_node.reference_id.CopyFrom(entity.id)


@target.register(ReferenceWorkflow)
def _(entity: ReferenceWorkflow[..., Any], work: Compilation, node: Node, into: NodeMessage) -> None:
    into.workflow_node.sub_workflow_ref.CopyFrom(entity.id)


@target.register(ReferenceLaunchPlan)
def _(entity: ReferenceLaunchPlan[..., Any], work: Compilation, node: Node, into: NodeMessage) -> None:
    into.workflow_node.launchplan_ref.CopyFrom(entity.id)


# gates


@target.register(SleepGate)
def _(entity: SleepGate, work: Compilation, node: Node, into: NodeMessage) -> None:
    into.gate_node.sleep.duration.FromTimedelta(entity.duration)


@target.register(InputGate)
def _(entity: InputGate, work: Compilation, node: Node, into: NodeMessage) -> None:
    signal = into.gate_node.signal
    signal.signal_id, signal.output_variable_name = entity.name, entity.output.name
    signal.type.CopyFrom(entity.output.converter.literal_type)


@target.register(ApproveGate)
def _(entity: ApproveGate, work: Compilation, node: Node, into: NodeMessage) -> None:
    into.gate_node.approve.signal_id = entity.name


@metadata.register(Gate)
def _(entity: Gate, work: Compilation, node: Node, into: NodeMetadata) -> None:
    into.name = entity.name
    into.timeout.FromTimedelta(entity.timeout)


# branches


@target.register(Branch)
def _(entity: Branch, work: Compilation, node: Node, into: NodeMessage) -> None:
    operands = Operands()
    made = into.branch_node.if_else
    for position, arm in enumerate(entity.arms):
        if arm.target is None:
            error = Error(failed_node_id=entity.name, message=arm.error)
            if arm.condition is not None:
                raise CompileError(
                    f'conditional("{entity.name}") fails in a branch that is not the last',
                    where=node.where,
                    fix="call a task that raises there, or order the conditions so that else_() fails",
                )
            made.error.CopyFrom(error)
        elif arm.condition is None:
            made.else_node.CopyFrom(_arm_node(work, entity, arm, node))
        else:
            block = IfBlock(condition=condition(arm.condition, operands), then_node=_arm_node(work, entity, arm, node))
            if position == 0:
                made.case.CopyFrom(block)
            else:
                made.other.append(block)
    into.inputs.extend(operands.bindings())


def _arm_node(work: Compilation, branch: Branch, arm: Arm, node: Node) -> NodeMessage:
    if len(arm.nodes) != 1:
        raise CompileError(
            f'a branch of conditional("{branch.name}") holds {len(arm.nodes)} calls: '
            + ", ".join(f"'{n.title}'" for n in arm.nodes),
            where=node.where,
            fix="put them into a @workflow of their own, and call that in then(...)",
        )
    return work.node(arm.nodes[0])


# arrays


@target.register(ArrayTask)
def _(entity: ArrayTask[Any], work: Compilation, node: Node, into: NodeMessage) -> None:
    array = into.array_node
    array.node.id = entity.name if entity.picks else dns_label(entity.name)
    array.node.inputs.extend(into.inputs)
    array.node.metadata.CopyFrom(into.metadata)
    array.node.metadata.name = entity.name
    into.metadata.Clear()
    into.metadata.name = entity.name
    into.metadata.retries.SetInParent()
    if entity.concurrency is not None:
        array.parallelism = entity.concurrency
    if entity.min_successes is not None and entity.min_success_ratio == 1:
        array.min_successes = entity.min_successes
    else:
        array.min_success_ratio = entity.min_success_ratio
    array.is_original_sub_node_interface.value = not entity.picks
    array.bound_inputs.extend(sorted(entity.bound))
    if entity.picks:
        array.node.task_node.reference_id.CopyFrom(reference(entity, work))
        templates.overrides(work, node, array.node.task_node.overrides)
        return
    target(entity.target, work, node, array.node)
    if isinstance(entity.target, LaunchPlan | ReferenceLaunchPlan):
        array.execution_mode = array.FULL_STATE
    else:
        array.data_mode = array.INDIVIDUAL_INPUT_FILES


@metadata.register(ArrayTask)
def _(entity: ArrayTask[Any], work: Compilation, node: Node, into: NodeMetadata) -> None:
    if isinstance(entity.target, PythonTask):
        templates.task_metadata_of_node(entity.name, entity.target.options, into)
    else:
        into.name = entity.name


@reference.register(ArrayTask)
def _(entity: ArrayTask[Any], work: Compilation) -> Identifier:
    id = work.id(ResourceType.TASK, entity.name)
    if work.first_time(ResourceType.TASK, entity):
        work.tasks[entity.name] = templates.array_task(work, entity)
    return id
