"""Who is told of the end of an execution, and what: rows that are written with it, and the words; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from email.message import EmailMessage

from alula.engine.launch import notices
from alula.idl import WorkflowExecution as Phases
from alula.idl.service import ExecutionSpec, LaunchPlanSpec, Notification, NotificationList
from alula.store.records import ExecutionRecord

_FAILED = (Phases.FAILED, Phases.TIMED_OUT)
_SHOWN = 4_000
"""Characters of an error that are told."""


def told(spec: ExecutionSpec, plan: LaunchPlanSpec) -> NotificationList:
    """Who is told: as the request says, or else as the launch plan does."""
    if spec.WhichOneof("notification_overrides") == "notifications":
        return spec.notifications
    if spec.disable_all:
        return NotificationList()
    return NotificationList(notifications=plan.entity_metadata.notifications)


def rows_of(notifications: Iterable[Notification], failures: Sequence[str] = ()) -> tuple[bytes, ...]:
    """A row for each who is told, so that one who cannot be reached does not keep the others waiting.

    Args:
        failures: Who is told of failures, whoever runs it.
    """
    always = Notification(phases=_FAILED)
    always.email.recipients_email.extend(failures)
    return notices(notifications if not failures else (*notifications, always))


def said_of(record: ExecutionRecord, phase: str, id: str) -> Mapping[str, object]:
    """What is told of an end."""
    key = record.key
    return {
        "id": id,
        "execution": {"project": key.project, "domain": key.domain, "name": key.name},
        "entity": record.entity,
        "phase": phase,
        "error": record.error[:_SHOWN],
        "started_at": record.started_at.isoformat() if record.started_at else None,
        "ended_at": record.ended_at.isoformat() if record.ended_at else None,
    }


def mail_of(record: ExecutionRecord, phase: str, id: str, *, sender: str, recipient: str) -> EmailMessage:
    """The mail that tells of an end."""
    key = record.key
    made = EmailMessage()
    made["From"], made["To"] = sender, recipient
    made["Subject"] = " ".join(f"{phase}: execution {key.name} in {key.project}/{key.domain}".split())
    made["Message-ID"] = f"<{id}@alula>"  # the same mail twice has the same, so that readers show one
    lines = [f"Execution {key.name} of {record.entity} ended as {phase}."]
    if record.started_at and record.ended_at:
        lines.append(f"It ran from {record.started_at:%Y-%m-%d %H:%M:%S} to {record.ended_at:%Y-%m-%d %H:%M:%S} UTC.")
    if record.error:
        lines += ["", record.error[:_SHOWN]]
    made.set_content("\n".join(lines) + "\n")
    return made


def hook_body(record: ExecutionRecord, phase: str, id: str) -> bytes:
    """What a webhook is sent: JSON, with the text that chat services show."""
    said = said_of(record, phase, id)
    text = f"{phase}: execution {record.key.name} in {record.key.project}/{record.key.domain}"
    return json.dumps({**said, "text": text}).encode()
