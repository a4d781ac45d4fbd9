from __future__ import annotations

from typing import Any

import pytest

from alula.errors import CallError
from alula.idl import WorkflowExecution
from alula.sdk.notify import Email, Notification, PagerDuty, Slack, WorkflowExecutionPhase

Phase = WorkflowExecutionPhase


# What flytekit 1.16.31 writes.
@pytest.mark.parametrize(
    ("notification", "expected"),
    [
        (Email(phases=[Phase.SUCCEEDED, Phase.FAILED], recipients_email=["a@b.c"]), "0a02040612070a056140622e63"),
        (Slack([Phase.ABORTED], ["a@b.c", "d@e.f"]), "0a0107220e0a056140622e630a056440652e66"),
        (PagerDuty([8], ["a@b.c"]), "0a01081a070a056140622e63"),
    ],
)
def test_a_notification_has_the_bytes_that_flytekit_writes(notification: Notification, expected: str) -> None:
    assert notification.to_message().SerializeToString().hex() == expected


def test_phases_are_those_of_the_wire() -> None:
    assert {phase.name: phase.value for phase in Phase} == dict(WorkflowExecution.Phase.items())


@pytest.mark.parametrize("phase", [each for each in Phase if not each.terminal])
def test_only_an_end_can_be_told_about(phase: WorkflowExecutionPhase) -> None:
    with pytest.raises(CallError, match=f"{phase.name} is no end") as caught:
        Email([phase], ["a@b.c"])
    assert "SUCCEEDED, FAILED, ABORTED, TIMED_OUT" in caught.value.fix
    assert isinstance(caught.value, AssertionError)


@pytest.mark.parametrize(
    ("phases", "recipients", "words"),
    [([], ["a@b.c"], "no phase"), ([99], ["a@b.c"], "99"), ([4], [], "list of addresses"), ([4], "a@b.c", "'a@b.c'")],
)
def test_a_notification_that_tells_nobody_is_refused(phases: Any, recipients: Any, words: str) -> None:
    with pytest.raises(CallError, match=words):
        Slack(phases, recipients)
