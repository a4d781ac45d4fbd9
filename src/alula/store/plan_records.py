"""Rows of projects, of what counts for executions there, of launch plans that are active, and of notices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """A project. Key: `id`."""

    id: str
    name: str = ""
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    state: int = 0
    """A ProjectState: 0 active, 1 archived."""
    created_at: datetime | None = None
    """None: now."""


@dataclass(frozen=True, slots=True)
class AttributesRecord:
    """What somebody has said that counts for executions of a place. Key: all but `body`."""

    project: str
    domain: str
    """Empty: all domains of the project."""
    workflow: str
    """Empty: all workflows of the domain."""
    resource: int
    """A MatchableResource."""
    body: bytes = b""
    """Serialized MatchingAttributes."""


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """The version of a launch plan that is, or was last, active. Key: project, domain and name."""

    project: str
    domain: str
    name: str
    version: str
    active: bool
    changed_at: datetime
    """When it was made active, or inactive."""
    schedule: bytes = b""
    """A serialized Schedule; empty: it has none."""
    since: datetime | None = None
    """What a fixed rate counts from; None, and below: `changed_at`."""
    last: datetime | None = None
    """All ticks until then are dealt with."""
    note: str = ""
    """What came of the last tick, if it was not an execution; for people."""


@dataclass(frozen=True, slots=True)
class NoticeRecord:
    """Somebody who is to be told of the end of an execution."""

    id: int
    execution: int
    body: bytes
    """A serialized Notification."""
    tries: int
    error: str
    """Why the last try failed."""
