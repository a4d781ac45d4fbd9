from __future__ import annotations

import pytest

from alula.backends.docker.states import View, phase_of
from alula.containers.engine.records import Container, Status
from alula.plugin.failure import FailureKind
from alula.plugin.phase import Phase


def ended(code: int, *, out_of_memory: bool = False, status: Status = Status.EXITED) -> Container:
    return Container("17", "a1", status, exit_code=code, out_of_memory=out_of_memory)


@pytest.mark.parametrize(
    ("view", "code", "kind", "recoverable"),
    [
        (View(ended(3), tail="last words"), "USER:Exited", FailureKind.USER, True),
        (View(ended(139)), "USER:SIGSEGV", FailureKind.USER, True),
        (View(ended(127)), "CannotRun", FailureKind.USER, False),
        (View(ended(137, out_of_memory=True)), "OOMKilled", FailureKind.USER, True),
        (View(ended(137)), "Killed", FailureKind.SYSTEM, True),
        (View(ended(143)), "Killed", FailureKind.SYSTEM, True),
        (View(ended(0), told=True), "Killed", FailureKind.SYSTEM, True),
        (
            View(ended(1), tail="ERROR (catatonit:2): failed to exec pid1: No such file"),
            "CannotRun",
            FailureKind.USER,
            False,
        ),
        (View(ended(1), tail="failed to exec pid1: No such file\n"), "CannotRun", FailureKind.USER, False),
        (View(ended(1), tail="it failed to exec pid1: so I stop"), "USER:Exited", FailureKind.USER, True),
        (View(ended(143), restarted=True), "EngineRestarted", FailureKind.SYSTEM, True),
        (View(ended(255), restarted=True), "EngineRestarted", FailureKind.SYSTEM, True),
        (View(ended(255)), "USER:Exited", FailureKind.USER, True),
        (View(ended(3), restarted=True), "USER:Exited", FailureKind.USER, True),
        (View(ended(0, status=Status.DEAD)), "ContainerLost", FailureKind.SYSTEM, True),
        (View(ended(1), said="no such column"), "USER:ContainerError", FailureKind.USER, True),
        (View(ended(0), said="no such column"), "USER:ContainerError", FailureKind.USER, True),
    ],
)
def test_an_end_says_who_caused_it(view: View, code: str, kind: FailureKind, recoverable: bool) -> None:
    info = phase_of(view)
    assert info.failure is not None
    assert (info.failure.code, info.failure.kind, info.failure.recoverable) == (code, kind, recoverable)


def test_a_failure_shows_the_end_of_the_log() -> None:
    info = phase_of(View(ended(3), tail="a\nlast words\n"))
    assert info.reason.endswith("its log ends with:\na\nlast words")
    assert "has printed nothing" in phase_of(View(ended(3))).reason


def test_what_the_task_itself_reports_is_left_to_the_engine() -> None:
    assert phase_of(View(ended(1), reported=True)).phase is Phase.SUCCEEDED
    assert phase_of(View(ended(137), reported=True)).phase is Phase.FAILED


def test_memory_that_ran_out_for_a_child_is_no_failure_of_one_that_succeeds() -> None:
    assert phase_of(View(ended(0, out_of_memory=True))).phase is Phase.SUCCEEDED


@pytest.mark.parametrize(
    ("status", "phase"),
    [(Status.CREATED, Phase.STARTING), (Status.RUNNING, Phase.RUNNING), (Status.PAUSED, Phase.RUNNING)],
)
def test_what_has_not_ended_runs_or_starts(status: Status, phase: Phase) -> None:
    assert phase_of(View(Container("17", "a1", status))).phase is phase
