"""Phases in Flyte's words: `TaskExecution.Phase` of flyteidl; pure."""

from __future__ import annotations

from collections.abc import Mapping

from alula.errors import PluginError
from alula.idl import TaskExecution
from alula.plugin.phase import Phase

_TO_FLYTE: Mapping[tuple[Phase | None, bool], TaskExecution.Phase] = {
    (None, False): TaskExecution.UNDEFINED,
    (Phase.WAITING, False): TaskExecution.WAITING_FOR_RESOURCES,
    (Phase.QUEUED, False): TaskExecution.QUEUED,
    (Phase.STARTING, False): TaskExecution.INITIALIZING,
    (Phase.RUNNING, False): TaskExecution.RUNNING,
    (Phase.SUCCEEDED, False): TaskExecution.SUCCEEDED,
    (Phase.ABORTED, False): TaskExecution.ABORTED,
    (Phase.FAILED, False): TaskExecution.FAILED,
    (Phase.FAILED, True): TaskExecution.RETRYABLE_FAILED,
}
"""By phase, None for one that nobody said, and whether another attempt may succeed."""
_FROM_FLYTE: Mapping[int, tuple[Phase | None, bool]] = {flyte: ours for ours, flyte in _TO_FLYTE.items()}


def flyte_phase(phase: Phase | None, *, recoverable: bool = False) -> TaskExecution.Phase:
    """The `TaskExecution.Phase` of a phase. Whether another attempt may succeed counts for failures only."""
    return _TO_FLYTE[phase, recoverable and phase is Phase.FAILED]


def phase_of_flyte(phase: int) -> tuple[Phase | None, bool]:
    """A `TaskExecution.Phase` as ours, None for UNDEFINED; and whether it is a failure that may be tried again.

    Raises:
        PluginError: It is no value of that enum.
    """
    if phase not in _FROM_FLYTE:
        raise PluginError(
            f"{phase} is no phase of flyteidl's TaskExecution", fix="the remote speaks another version of it; upgrade"
        )
    return _FROM_FLYTE[phase]
