"""Phases in Flyte's words: `TaskExecution.Phase` of flyteidl; pure."""

from __future__ import annotations

from collections.abc import Mapping

from alula.errors import PluginError
from alula.idl import TaskExecution
from alula.plugin.phase import Phase, PhaseInfo

_TO_FLYTE: Mapping[Phase, int] = {
    Phase.WAITING: TaskExecution.WAITING_FOR_RESOURCES,
    Phase.QUEUED: TaskExecution.QUEUED,
    Phase.STARTING: TaskExecution.INITIALIZING,
    Phase.RUNNING: TaskExecution.RUNNING,
    Phase.SUCCEEDED: TaskExecution.SUCCEEDED,
    Phase.ABORTED: TaskExecution.ABORTED,
    Phase.FAILED: TaskExecution.FAILED,
}
_FROM_FLYTE: Mapping[int, Phase] = {
    **{flyte: phase for phase, flyte in _TO_FLYTE.items()},
    TaskExecution.UNDEFINED: Phase.QUEUED,
    TaskExecution.RETRYABLE_FAILED: Phase.FAILED,
}


def flyte_phase(info: PhaseInfo) -> int:
    """The `TaskExecution.Phase` of an info; a failure that another attempt may mend is RETRYABLE_FAILED."""
    if info.phase is Phase.FAILED and info.failure is not None and info.failure.recoverable:
        return int(TaskExecution.RETRYABLE_FAILED)
    return _TO_FLYTE[info.phase]


def phase_of_flyte(phase: int) -> tuple[Phase, bool]:
    """A phase for `TaskExecution.Phase`, and whether a failure is recoverable. UNDEFINED: handed over, no more known.

    Raises:
        PluginError: It is no value of that enum.
    """
    if phase not in _FROM_FLYTE:
        raise PluginError(f"{phase} is no TaskExecution.Phase", fix="the remote speaks another version of flyteidl")
    return _FROM_FLYTE[phase], phase == TaskExecution.RETRYABLE_FAILED
