"""What a plugin says of an attempt, in the words of agents. Pure."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.json_format import ParseDict

from alula.idl import ExecutionError, LiteralMap, Struct
from alula.idl.agent import AgentError, Resource, TaskLog
from alula.plugin.failure import FailureKind
from alula.plugin.phase import Phase, PhaseInfo
from alula.plugin.wire import flyte_phase

_STRUCT_BYTES = 16 * 1024


def resource_of(info: PhaseInfo, outputs: LiteralMap | None, struck: Callable[[str], str]) -> Resource:
    """A phase as a resource; `struck` takes secrets out of a text."""
    failure = info.failure if info.phase is Phase.FAILED else None
    again = failure is not None and failure.recoverable
    made = Resource(
        phase=flyte_phase(info.phase, recoverable=again),
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
