"""What a plugin says of an attempt, in the words of agents. Pure."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.json_format import ParseDict

from alula.idl import ExecutionError, LiteralMap, Struct, TaskExecution
from alula.idl.agent import AgentError, Resource, TaskLog
from alula.plugin.failure import FailureKind
from alula.plugin.phase import Phase, PhaseInfo

_PHASES = {
    Phase.WAITING: TaskExecution.WAITING_FOR_RESOURCES,
    Phase.QUEUED: TaskExecution.QUEUED,
    Phase.STARTING: TaskExecution.INITIALIZING,
    Phase.RUNNING: TaskExecution.RUNNING,
    Phase.SUCCEEDED: TaskExecution.SUCCEEDED,
    Phase.ABORTED: TaskExecution.ABORTED,
    Phase.FAILED: TaskExecution.FAILED,
}
_STRUCT_BYTES = 16 * 1024


def resource_of(info: PhaseInfo, outputs: LiteralMap | None, struck: Callable[[str], str]) -> Resource:
    """A phase as a resource; `struck` takes secrets out of a text."""
    failure = info.failure if info.phase is Phase.FAILED else None
    again = failure is not None and failure.recoverable
    made = Resource(
        phase=TaskExecution.RETRYABLE_FAILED if again else _PHASES[info.phase],
        message=struck(failure.message if failure is not None else info.reason),
        log_links=[TaskLog(name=struck(link.name), uri=struck(link.uri)) for link in info.links],
        outputs=outputs if info.phase is Phase.SUCCEEDED else None,
    )
    facts = dict(info.custom)
    if info.progress is not None:
        facts.setdefault("progress", info.progress)
    if facts:
        custom = Struct()
        ParseDict(facts, custom)
        if custom.ByteSize() <= _STRUCT_BYTES:
            made.custom_info.CopyFrom(custom)
    if failure is not None:
        made.agent_error.code = struck(failure.code)
        made.agent_error.kind = AgentError.RECOVERABLE if again else AgentError.NON_RECOVERABLE
        made.agent_error.origin = ExecutionError.USER if failure.kind is FailureKind.USER else ExecutionError.SYSTEM
    return made
