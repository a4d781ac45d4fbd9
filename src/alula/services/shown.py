"""Rows of executions as flyteidl's messages: phases, times, errors, identifiers."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.duration_pb2 import Duration

from alula.engine.codec import read_node
from alula.engine.state import EXECUTION_PHASES, Failure, FailureKind, NodePhase
from alula.errors import ConfigError
from alula.idl import ExecutionError, Identifier, NodeExecutionIdentifier, ResourceType, WorkflowExecutionIdentifier
from alula.idl import WorkflowExecution as Phases
from alula.idl.ids import parse_id
from alula.idl.service import (
    AbortMetadata,
    Execution,
    ExecutionClosure,
    ExecutionMetadata,
    ExecutionSpec,
    ExecutionState,
)
from alula.services.answers import timestamp
from alula.store.records import ExecutionKey, ExecutionRecord, NodeRecord

ACTIVE, ARCHIVED = ExecutionState.EXECUTION_ACTIVE, ExecutionState.EXECUTION_ARCHIVED
_TEXT = 2_000
"""Of an error in a list; all of it is there where one execution is asked for."""


def execution_id(key: ExecutionKey) -> WorkflowExecutionIdentifier:
    return WorkflowExecutionIdentifier(project=key.project, domain=key.domain, name=key.name)


def key_of(id: WorkflowExecutionIdentifier) -> ExecutionKey:
    return ExecutionKey(id.project, id.domain, id.name)


def node_id(key: ExecutionKey, id: str) -> NodeExecutionIdentifier:
    return NodeExecutionIdentifier(node_id=id, execution_id=execution_id(key))


def duration(start: datetime | None, end: datetime | None) -> Duration | None:
    """How long something took; None until it has ended."""
    if start is None or end is None:
        return None
    made = Duration()
    made.FromTimedelta(max(end - start, end - end))
    return made


def error(failure: Failure, at: datetime | None = None, *, longest: int = 0) -> ExecutionError:
    """Why something failed."""
    kind = ExecutionError.USER if failure.kind is FailureKind.USER else ExecutionError.SYSTEM
    text = failure.message
    if longest and len(text) > longest:
        text = f"{text[:longest]} ... ({len(text) - longest:,} more characters)"
    return ExecutionError(code=failure.code, message=text, kind=kind, timestamp=timestamp(at))


def parsed(id: str) -> Identifier:
    """An identifier from its text; an empty one, where it is none."""
    try:
        return parse_id(id)
    except ConfigError:
        return Identifier()


def mode(number: int) -> ExecutionMetadata.ExecutionMode:
    """How an execution came about."""
    modes = ExecutionMetadata.ExecutionMode
    return modes.Value(modes.Name(number))  # type: ignore[return-value]


def execution_message(
    record: ExecutionRecord,
    root: NodeRecord | None,
    *,
    parent: NodeExecutionIdentifier | None = None,
    whole: bool = True,
) -> Execution:
    """An execution as clients see it.

    Args:
        root: The row of the execution as a node: where why it failed stands.
        parent: The node that it is the work of.
        whole: Errors in their full length.
    """
    made = Execution(id=execution_id(record.key), spec=spec_of(record, parent))
    closure = made.closure
    closure.phase = phase_of(record)
    _times(closure, record)
    if record.workflow:
        closure.workflow_id.CopyFrom(parsed(record.workflow))
    _result(closure, record, root, longest=0 if whole else _TEXT)
    state = closure.state_change_details
    if record.state_at is not None:
        state.state = ARCHIVED if record.archived else ACTIVE
        state.principal = record.state_by
    changed = timestamp(record.state_at or record.created_at)
    if changed is not None:
        state.occurred_at.CopyFrom(changed)
    return made


def spec_of(record: ExecutionRecord, parent: NodeExecutionIdentifier | None) -> ExecutionSpec:
    """How an execution was asked for; put together for one that nobody asked for over the wire."""
    spec = ExecutionSpec.FromString(record.spec)
    if not record.spec:
        spec.launch_plan.CopyFrom(parsed(record.entity))
        if spec.launch_plan.resource_type == ResourceType.WORKFLOW:
            spec.launch_plan.resource_type = ResourceType.LAUNCH_PLAN  # the default one, as in Flyte
        spec.labels.values.update(record.labels)
        spec.metadata.mode = mode(record.mode)
        spec.metadata.principal = record.principal
    if parent is not None:
        spec.metadata.parent_node_execution.CopyFrom(parent)
        spec.metadata.nesting = max(spec.metadata.nesting, 1)
    return spec


def phase_of(record: ExecutionRecord) -> Phases.Phase:
    """The phase of an execution, from its row."""
    return EXECUTION_PHASES.get(NodePhase(record.phase), Phases.QUEUED)


def _times(closure: ExecutionClosure, record: ExecutionRecord) -> None:
    for field, at in (
        (closure.created_at, record.created_at),
        (closure.started_at, record.started_at),
        (closure.updated_at, record.ended_at or record.started_at or record.created_at),
    ):
        if at is not None:
            field.FromDatetime(at)
    took = duration(record.started_at, record.ended_at)
    if took is not None:
        closure.duration.CopyFrom(took)


def _result(closure: ExecutionClosure, record: ExecutionRecord, root: NodeRecord | None, *, longest: int) -> None:
    """Why it ended, unless it ended well."""
    failure = read_node(root).failure if root is not None else None
    if record.phase == NodePhase.ABORTED:
        cause = failure.message if failure is not None else record.error
        closure.abort_metadata.CopyFrom(AbortMetadata(cause=cause, principal=record.aborted_by))
    elif record.phase in (NodePhase.FAILED, NodePhase.TIMED_OUT):
        failure = failure or Failure("Failed", record.error)
        closure.error.CopyFrom(error(failure, record.ended_at, longest=longest))
