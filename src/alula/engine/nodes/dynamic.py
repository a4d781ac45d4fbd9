"""Dynamic tasks: an attempt ends with a workflow in place of outputs, and the node goes on as that workflow."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from alula._kits.records import replace
from alula.compiler.compile import compile_workflow
from alula.compiler.terms import read_terms
from alula.engine.execution import Execution
from alula.engine.nodes import workflow
from alula.engine.nodes.recover import again
from alula.engine.plan import NodePlan
from alula.engine.state import Expansion, Failure, NodePhase, NodeState
from alula.engine.turn import Turn
from alula.errors import AlulaError, CompileError
from alula.idl import DynamicJobSpec, Identifier, ResourceType, WorkflowTemplate
from alula.idl.ids import key


def expand(turn: Turn, row: NodeState, plan: NodePlan, spec: bytes) -> None:
    """Go on as the workflow that the task made. One that does not hold together is the user's failure, for good."""
    try:
        closure = compiled(turn.x, plan, DynamicJobSpec.FromString(spec))
        turn.put(Expansion(row.path, closure))
    except (AlulaError, DecodeError) as exc:
        turn.end(row, NodePhase.FAILED, failure=Failure("DynamicWorkflowBuildFailed", str(exc)))
        return
    _enter(turn, row)


def recover(turn: Turn, row: NodeState) -> bool:
    """Whether the node takes up the workflow that it made in the execution that is recovered: its ids are the same."""
    closure = turn.x.reference.expansions.get(row.path)
    if closure is None or again(turn.x, row.path):
        return False
    turn.put(Expansion(row.path, closure))
    _enter(turn, row)
    return True


def compiled(x: Execution, plan: NodePlan, spec: DynamicJobSpec) -> bytes:
    """The closure of what a dynamic task made. Raises CompileError."""
    if plan.task is None:
        raise CompileError(f"node {plan.id} is no task, and makes no workflow")
    id = plan.task.id
    template = WorkflowTemplate(
        id=Identifier(
            resource_type=ResourceType.WORKFLOW,
            project=id.project,
            domain=id.domain,
            name=id.name,
            version=id.version,
        ),
        interface=plan.interface,
        nodes=spec.nodes,
        outputs=spec.outputs,
    )
    compiled = compile_workflow(
        template,
        [*spec.subworkflows, *(sub.template for sub in x.closure.sub_workflows)],
        [*(task.template for task in x.closure.tasks), *spec.tasks],
        {key(plan.template.id): plan.template.interface for plan in x.closure.launch_plans},
    )
    terms = read_terms(x.settings.terms)
    closure, cut = terms.applied(compiled)
    if cut and terms.reject:
        raise CompileError(f"{len(cut)} tasks of {id.name} ask for more than they may have", faults=cut)
    return closure.SerializeToString(deterministic=True)


def _enter(turn: Turn, row: NodeState) -> None:
    row = replace(row, phase=NodePhase.RUNNING, started_at=row.started_at or turn.now)
    turn.put(row)
    workflow.enter(turn, row)
