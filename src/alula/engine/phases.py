"""Phases of rows as Flyte's contract names them, for whoever speaks it to the outside."""

from __future__ import annotations

from collections.abc import Mapping

from alula.engine.state import AttemptPhase, AttemptState, NodePhase, NodeState
from alula.errors import ConversionError
from alula.idl import NodeExecution, TaskExecution

_NODE: Mapping[NodePhase, NodeExecution.Phase] = {
    NodePhase.RESOLVING: NodeExecution.QUEUED,
    NodePhase.LOOKUP: NodeExecution.QUEUED,
    NodePhase.RESERVING: NodeExecution.QUEUED,
    NodePhase.READY: NodeExecution.QUEUED,
    NodePhase.QUEUED: NodeExecution.QUEUED,
    NodePhase.RUNNING: NodeExecution.RUNNING,
    NodePhase.CLOSING: NodeExecution.RUNNING,
    NodePhase.BACKOFF: NodeExecution.RUNNING,
    NodePhase.STOPPING: NodeExecution.FAILING,
    NodePhase.FAILING: NodeExecution.FAILING,
    NodePhase.HANDLING: NodeExecution.FAILING,
    NodePhase.GATHERING: NodeExecution.RUNNING,
    NodePhase.SUCCEEDED: NodeExecution.SUCCEEDED,
    NodePhase.FAILED: NodeExecution.FAILED,
    NodePhase.TIMED_OUT: NodeExecution.TIMED_OUT,
    NodePhase.SKIPPED: NodeExecution.SKIPPED,
    NodePhase.ABORTED: NodeExecution.ABORTED,
    NodePhase.RECOVERED: NodeExecution.RECOVERED,
}
_ATTEMPT: Mapping[AttemptPhase, TaskExecution.Phase] = {
    AttemptPhase.QUEUED: TaskExecution.QUEUED,
    AttemptPhase.RUNNING: TaskExecution.RUNNING,
    AttemptPhase.STOPPING: TaskExecution.RUNNING,
    AttemptPhase.SUCCEEDED: TaskExecution.SUCCEEDED,
    AttemptPhase.FAILED: TaskExecution.FAILED,
    AttemptPhase.ABORTED: TaskExecution.ABORTED,
}
_AS_TASK: Mapping[NodeExecution.Phase, TaskExecution.Phase] = {
    NodeExecution.QUEUED: TaskExecution.QUEUED,
    NodeExecution.RUNNING: TaskExecution.RUNNING,
    NodeExecution.FAILING: TaskExecution.RUNNING,
    NodeExecution.SUCCEEDED: TaskExecution.SUCCEEDED,
    NodeExecution.FAILED: TaskExecution.FAILED,
    NodeExecution.TIMED_OUT: TaskExecution.FAILED,
    NodeExecution.SKIPPED: TaskExecution.ABORTED,
    NodeExecution.ABORTED: TaskExecution.ABORTED,
    NodeExecution.RECOVERED: TaskExecution.SUCCEEDED,
}


def node_phase(row: NodeState, *, dynamic: bool = False) -> NodeExecution.Phase:
    """The phase of a node.

    Args:
        dynamic: It runs the workflow that its task has made.
    """
    if dynamic and row.phase is NodePhase.RUNNING:
        return NodeExecution.DYNAMIC_RUNNING
    return _NODE[row.phase]


def node_phases() -> Mapping[str, tuple[str, ...]]:
    """Phases of rows by the name, and by the number, that Flyte has for them. A dynamic task that runs is RUNNING."""
    found: dict[int, list[str]] = {NodeExecution.DYNAMIC_RUNNING: [str(NodePhase.RUNNING)]}
    for phase, number in _NODE.items():
        found.setdefault(number, []).append(str(phase))
    names = {NodeExecution.Phase.Name(number): tuple(phases) for number, phases in found.items()}
    return names | {str(number): tuple(phases) for number, phases in found.items()}


def attempt_phase(attempt: AttemptState, waits: str = "") -> TaskExecution.Phase:
    """The phase of an attempt.

    Args:
        waits: What its backend says that it waits for.
    """
    if attempt.phase is AttemptPhase.QUEUED and waits:
        return TaskExecution.WAITING_FOR_RESOURCES
    if attempt.phase is AttemptPhase.FAILED and attempt.failure is not None and attempt.failure.recoverable:
        return TaskExecution.RETRYABLE_FAILED
    return _ATTEMPT[attempt.phase]


def element_phase(row: NodeState) -> TaskExecution.Phase:
    """The phase of a task that a node runs, from the node: of an element of an array, or of the array as a whole."""
    return _AS_TASK[_NODE[row.phase]]


def task_phase(number: int) -> TaskExecution.Phase:
    """A phase as somebody sent it. Raises ConversionError for one that the contract does not have."""
    if number not in TaskExecution.Phase.values():
        known = ", ".join(f"{value} {name}" for name, value in TaskExecution.Phase.items())
        raise ConversionError(f"{number} is no phase of a task; there are {known}")
    return TaskExecution.Phase.Value(TaskExecution.Phase.Name(number))  # type: ignore[return-value]
