"""Who is told when an execution has ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from alula.errors import CallError
from alula.idl import WorkflowExecution, admin


class WorkflowExecutionPhase(IntEnum):
    """How far an execution is. Source: flyteidl core/execution.proto, WorkflowExecution.Phase."""

    UNDEFINED = WorkflowExecution.UNDEFINED
    QUEUED = WorkflowExecution.QUEUED
    RUNNING = WorkflowExecution.RUNNING
    SUCCEEDING = WorkflowExecution.SUCCEEDING
    SUCCEEDED = WorkflowExecution.SUCCEEDED
    FAILING = WorkflowExecution.FAILING
    FAILED = WorkflowExecution.FAILED
    ABORTED = WorkflowExecution.ABORTED
    TIMED_OUT = WorkflowExecution.TIMED_OUT
    ABORTING = WorkflowExecution.ABORTING

    @property
    def terminal(self) -> bool:
        return self.name in ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")


@dataclass(frozen=True)
class Notification(ABC):
    """A message to some people when an execution has come to one of some ends.

    Args:
        phases: The ends.
        recipients_email: The people.

    Raises:
        CallError: No phase, one that is no end, or nobody to tell.
    """

    phases: Sequence[int]
    recipients_email: Sequence[str]

    _ends: ClassVar[str] = ", ".join(phase.name for phase in WorkflowExecutionPhase if phase.terminal)

    def __post_init__(self) -> None:
        kind = type(self).__name__
        if isinstance(self.recipients_email, str) or not self.recipients_email:
            raise CallError(
                f"recipients_email takes a list of addresses, got {self.recipients_email!r}",
                where=kind,
                fix=f"write {kind}(phases=[...], recipients_email=['someone@example.com'])",
            )
        if not self.phases:
            raise CallError("no phase is given to tell about", where=kind, fix=f"choose from: {self._ends}")
        for phase in self.phases:
            if phase not in list(WorkflowExecutionPhase) or not WorkflowExecutionPhase(phase).terminal:
                known = phase in list(WorkflowExecutionPhase)
                name = WorkflowExecutionPhase(phase).name if known else repr(phase)
                raise CallError(
                    f"the phase {name} is no end of an execution", where=kind, fix=f"choose from: {self._ends}"
                )

    @abstractmethod
    def to_message(self) -> admin.Notification:
        """The notification on the wire. Pure."""

    def _phases(self) -> list[str]:
        return [WorkflowExecutionPhase(phase).name for phase in self.phases]


class Email(Notification):
    """A mail."""

    def to_message(self) -> admin.Notification:
        return admin.Notification(
            phases=self._phases(), email=admin.EmailNotification(recipients_email=self.recipients_email)
        )


class Slack(Notification):
    """A mail to an address of Slack."""

    def to_message(self) -> admin.Notification:
        return admin.Notification(
            phases=self._phases(), slack=admin.SlackNotification(recipients_email=self.recipients_email)
        )


class PagerDuty(Notification):
    """A mail to an address of PagerDuty."""

    def to_message(self) -> admin.Notification:
        return admin.Notification(
            phases=self._phases(), pager_duty=admin.PagerDutyNotification(recipients_email=self.recipients_email)
        )
