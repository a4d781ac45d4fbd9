"""Why an attempt failed, as whoever ran it says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureKind(StrEnum):
    """Who caused a failure, hence which budget pays for the next attempt."""

    USER = "user"
    SYSTEM = "system"
    INTERRUPTED = "interrupted"
    """The machine was taken away, as spot machines are."""


@dataclass(frozen=True, slots=True)
class AttemptFailure:
    """How an attempt ended badly."""

    code: str
    """Short and stable: `USER:ValueError`, `OutOfMemory`, `Killed`."""
    message: str
    kind: FailureKind = FailureKind.USER
    recoverable: bool = False
    """Whether another attempt may succeed; of the user's kind it costs one of the task's retries."""
