"""What the states of Slurm jobs mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from alula.backends.slurm.states import SlurmView, phase_of
from alula.backends.slurm.transport import LIVE, SlurmState
from alula.plugin.failure import FailureKind
from alula.plugin.phase import Phase

STATES = [
    *sorted(LIVE),
    *"COMPLETED FAILED TIMEOUT OUT_OF_MEMORY NODE_FAIL BOOT_FAIL PREEMPTED CANCELLED DEADLINE REVOKED".split(),
]


def row(state: str, *, reason: str = "", status: int = 0) -> SlurmState:
    return SlurmState(17, "a1", state, reason, status, "node1")


@pytest.mark.parametrize(
    ("state", "phase", "code", "kind"),
    [
        ("PENDING", Phase.QUEUED, "", None),
        ("CONFIGURING", Phase.STARTING, "", None),
        ("RUNNING", Phase.RUNNING, "", None),
        ("SUSPENDED", Phase.RUNNING, "", None),
        ("COMPLETING", Phase.RUNNING, "", None),
        ("COMPLETED", Phase.SUCCEEDED, "", None),
        ("CANCELLED", Phase.ABORTED, "", None),
        ("TIMEOUT", Phase.FAILED, "SlurmTimeLimit", FailureKind.USER),
        ("OUT_OF_MEMORY", Phase.FAILED, "OutOfMemory", FailureKind.USER),
        ("DEADLINE", Phase.FAILED, "SlurmDeadline", FailureKind.USER),
        ("NODE_FAIL", Phase.FAILED, "SlurmNodeFail", FailureKind.SYSTEM),
        ("BOOT_FAIL", Phase.FAILED, "SlurmBootFail", FailureKind.SYSTEM),
        ("REVOKED", Phase.FAILED, "SlurmRevoked", FailureKind.SYSTEM),
        ("PREEMPTED", Phase.FAILED, "SlurmPreempted", FailureKind.INTERRUPTED),
    ],
)
def test_each_state_has_a_phase_and_whoever_pays(state: str, phase: Phase, code: str, kind: FailureKind | None) -> None:
    info = phase_of(SlurmView((row(state),)))
    assert info.phase is phase
    assert (info.failure.code if info.failure else "") == code
    assert (info.failure.kind if info.failure else None) is kind


def test_an_exit_code_is_told_and_a_signal_by_its_name() -> None:
    exited = phase_of(SlurmView((row("FAILED", status=7 << 8),))).failure
    killed = phase_of(SlurmView((row("FAILED", status=11),))).failure
    assert exited is not None
    assert killed is not None
    assert (exited.code, exited.message) == ("USER:Exit7", "Slurm job 17 ended with exit code 7")
    assert killed.code == "USER:SIGSEGV"


def test_a_job_that_waits_says_for_what_in_plain_words() -> None:
    assert phase_of(SlurmView((row("PENDING", reason="Resources"),))).reason == (
        "Slurm job 17 waits: nodes are busy (Resources)"
    )
    assert "limit of the account" in phase_of(SlurmView((row("PENDING", reason="QOSMaxCpuPerUserLimit"),))).reason
    assert "NewReason" in phase_of(SlurmView((row("PENDING", reason="NewReason"),))).reason


@given(some.lists(some.sampled_from(STATES), min_size=1, max_size=6))
def test_an_array_is_over_when_all_its_elements_are(states: list[str]) -> None:
    view = SlurmView(tuple(row(state, status=256) for state in states))
    info = phase_of(view)
    assert info.phase.terminal is not any(state in LIVE for state in states)
    assert info.phase.terminal is not view.live
    if info.phase is Phase.SUCCEEDED:
        assert set(states) == {"COMPLETED"}


def test_a_failed_element_fails_the_array_with_its_reason() -> None:
    info = phase_of(SlurmView((row("COMPLETED"), row("FAILED", status=3 << 8), row("FAILED", status=3 << 8))))
    assert info.failure is not None
    assert info.failure.code == "USER:Exit3"
    assert info.reason.startswith("2 of 3 elements of the array failed")
