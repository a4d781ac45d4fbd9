from __future__ import annotations

import pytest

from alula.errors import PluginError
from alula.idl import TaskExecution
from alula.plugin.phase import Phase, PhaseInfo
from alula.plugin.wire import flyte_phase, phase_of_flyte


def info(phase: Phase, *, recoverable: bool) -> PhaseInfo:
    if phase is Phase.FAILED:
        return PhaseInfo.failed("Code", "message", recoverable=recoverable)
    return PhaseInfo(phase)


@pytest.mark.parametrize("value", [value for name, value in TaskExecution.Phase.items() if name != "UNDEFINED"])
def test_every_phase_of_flyte_comes_back_as_it_was(value: int) -> None:
    phase, recoverable = phase_of_flyte(value)
    assert flyte_phase(info(phase, recoverable=recoverable)) == value


def test_undefined_means_that_nothing_is_known_but_that_it_was_handed_over() -> None:
    assert phase_of_flyte(TaskExecution.UNDEFINED) == (Phase.QUEUED, False)


def test_there_are_nine_and_each_of_ours_has_one() -> None:
    assert len(TaskExecution.Phase.items()) == 9
    assert len({flyte_phase(info(phase, recoverable=False)) for phase in Phase}) == len(Phase)


@pytest.mark.parametrize("value", [-1, 9, 77])
def test_a_value_of_another_version_is_an_error_that_says_so(value: int) -> None:
    with pytest.raises(PluginError, match=f"{value} is no TaskExecution.Phase"):
        phase_of_flyte(value)
