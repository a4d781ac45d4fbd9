"""M7: all nine phases of Flyte's contract, there and back; what is none of them is an error."""

from __future__ import annotations

import pytest

from alula.errors import PluginError
from alula.idl import TaskExecution
from alula.plugin.phase import Phase
from alula.plugin.wire import flyte_phase, phase_of_flyte


@pytest.mark.parametrize("value", TaskExecution.Phase.values())
def test_m7_every_phase_of_flyte_comes_back_as_it_was(value: int) -> None:
    phase, recoverable = phase_of_flyte(value)
    assert flyte_phase(phase, recoverable=recoverable) == value


def test_there_are_nine_and_each_of_ours_has_one() -> None:
    assert len(TaskExecution.Phase.values()) == 9
    assert len({flyte_phase(phase) for phase in Phase}) == len(Phase)


def test_what_is_recoverable_counts_for_failures_only() -> None:
    assert flyte_phase(Phase.FAILED, recoverable=True) == TaskExecution.RETRYABLE_FAILED
    assert flyte_phase(Phase.RUNNING, recoverable=True) == TaskExecution.RUNNING


@pytest.mark.parametrize("value", [-1, 9, 77])
def test_a_value_of_another_version_is_an_error_that_says_so(value: int) -> None:
    with pytest.raises(PluginError, match=f"{value} is no phase"):
        phase_of_flyte(value)
