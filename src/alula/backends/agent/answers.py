"""What an agent says of a job, as the engine reads it. Pure."""

from __future__ import annotations

from google.protobuf.json_format import MessageToDict

from alula.errors import PluginError, Rejected, RemoteError
from alula.idl import ExecutionError, LiteralMap, TaskExecution
from alula.idl.agent import AgentError, ExecuteTaskSyncResponse, Resource, State
from alula.plugin.failure import FailureKind
from alula.plugin.phase import LogLink, Phase, PhaseInfo
from alula.plugin.wire import phase_of_flyte

FAILED_CODE = "TaskFailedWithError"
"""What failures are called for which the agent gives no code."""

_STATES = {
    State.RETRYABLE_FAILURE: TaskExecution.RETRYABLE_FAILED,
    State.PERMANENT_FAILURE: TaskExecution.FAILED,
    State.PENDING: TaskExecution.QUEUED,
    State.RUNNING: TaskExecution.RUNNING,
    State.SUCCEEDED: TaskExecution.SUCCEEDED,
}
"""The deprecated field, which counts where there is no phase."""
_UNSAID = "the agent said neither a phase nor a state, which the protocol reads as a failure that may be tried again"


def info_of(resource: Resource, *, where: str) -> PhaseInfo:
    """Where the job stands.

    Raises:
        RemoteError: The agent gave a phase that there is not.
    """
    said = resource.phase
    if said == TaskExecution.UNDEFINED:
        if resource.state not in _STATES:
            raise RemoteError(f"the agent gave the state {resource.state}, which there is not", where=where)
        said = _STATES[resource.state]
    try:
        phase, again = phase_of_flyte(said)
    except PluginError as exc:
        raise RemoteError(f"the agent gave a phase that there is not: {exc.what}", where=where, fix=exc.fix) from exc
    assert phase is not None  # UNDEFINED was replaced by the state
    links = links_of(resource)
    custom = MessageToDict(resource.custom_info) if resource.HasField("custom_info") else {}
    if phase is Phase.FAILED:
        reason = resource.message or (
            _UNSAID if resource.phase == TaskExecution.UNDEFINED else "the agent gave no reason"
        )
        error = resource.agent_error
        again = again or (resource.HasField("agent_error") and error.kind == AgentError.RECOVERABLE)
        kind = FailureKind.SYSTEM if error.origin == ExecutionError.SYSTEM else FailureKind.USER
        code = error.code or FAILED_CODE
        failed = PhaseInfo.failed(code, reason, kind=kind, recoverable=again, links=links)
        return PhaseInfo(Phase.FAILED, reason, links=links, custom=custom, failure=failed.failure)
    outputs = None
    if phase is Phase.SUCCEEDED and resource.outputs.literals:
        outputs = resource.outputs
    return PhaseInfo(phase, resource.message, links=links, custom=custom, outputs=outputs)


def said(details: str) -> str:
    """What an agent's own code raised, the message first: connectors of flytekit put it after the traceback."""
    trace, found, message = details.rpartition("\nMessage:\n")
    return f"{message.strip()}\n{trace.strip()}" if found and message.strip() else details


def links_of(resource: Resource) -> tuple[LogLink, ...]:
    return tuple(LogLink(link.name or link.uri, link.uri) for link in resource.log_links if link.uri)


class Gathered:
    """An answer at once, put together from its parts.

    Args:
        limit: The most bytes that outputs may have in all.
    """

    def __init__(self, limit: int) -> None:
        self.resource: Resource | None = None
        self._outputs = LiteralMap()
        self._limit, self._bytes = limit, 0

    def add(self, part: ExecuteTaskSyncResponse) -> None:
        """Take the next part.

        Raises:
            Rejected: The outputs are too large.
            RemoteError: It has no place there.
        """
        kind = part.WhichOneof("res")
        if kind == "header" and self.resource is None:
            self.resource = Resource()
            self.resource.CopyFrom(part.header.resource)
            self._count(self.resource.outputs)
        elif kind == "outputs" and self.resource is not None:
            self._count(part.outputs)
            for name, value in part.outputs.literals.items():
                self._outputs.literals[name].CopyFrom(value)
        else:
            raise RemoteError(f"the agent sent {kind or 'nothing'} {'twice' if self.resource else 'before the header'}")

    def done(self) -> Resource:
        """The whole answer. Raises RemoteError if there was none."""
        if self.resource is None:
            raise RemoteError("the agent ended its answer before it gave one")
        for name, value in self._outputs.literals.items():
            self.resource.outputs.literals[name].CopyFrom(value)
        return self.resource

    def _count(self, outputs: LiteralMap) -> None:
        self._bytes += outputs.ByteSize()
        if self._bytes > self._limit:
            raise Rejected(
                f"the agent answered with more than {self._limit} bytes of outputs",
                fix="have it write a file or a data set and answer with its URI, or raise max_dataset_bytes of "
                "[backends.agent]",
                code="OutputSizeExceeded",
            )
