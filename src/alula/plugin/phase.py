"""Where an attempt stands, as its plugin says it. Plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from alula.idl import LiteralMap
from alula.plugin.failure import AttemptFailure, FailureKind

StateT = TypeVar("StateT")
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Phase(StrEnum):
    WAITING = "waiting"
    """For units of a pool, or for the remote to take more."""
    QUEUED = "queued"
    """Handed over, not begun."""
    STARTING = "starting"
    """An image is pulled, a cluster comes up."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """`PhaseInfo.failure` says whether another attempt may succeed, and who pays for it."""
    ABORTED = "aborted"
    """Somebody stopped the job at the remote, by hand."""

    @property
    def terminal(self) -> bool:
        return self in _TERMINAL


_TERMINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.ABORTED})


@dataclass(frozen=True, slots=True)
class LogLink:
    """A page of the remote's own about the job."""

    name: str
    uri: str


@dataclass(frozen=True, slots=True)
class PhaseInfo:
    """What people see of an attempt. Two that are equal are one event; there are no versions to count up."""

    phase: Phase
    reason: str = ""
    """A sentence: what it waits for, what it does."""
    progress: float | None = None
    """From 0 to 1."""
    links: tuple[LogLink, ...] = ()
    custom: Mapping[str, Json] = field(default_factory=dict)
    """Facts for panels: rows scanned, stages, bytes. A few KiB at most, and never a secret."""
    failure: AttemptFailure | None = None
    """Present if the phase is FAILED."""
    outputs: LiteralMap | None = None
    """Of SUCCEEDED. None: they lie under the attempt's prefix, or the task has none."""

    @classmethod
    def succeeded(cls, outputs: LiteralMap | None = None, *, links: tuple[LogLink, ...] = ()) -> PhaseInfo:
        return cls(Phase.SUCCEEDED, progress=1.0, links=links, outputs=outputs)

    @classmethod
    def failed(
        cls,
        code: str,
        message: str,
        *,
        kind: FailureKind = FailureKind.USER,
        recoverable: bool = False,
        links: tuple[LogLink, ...] = (),
    ) -> PhaseInfo:
        """A failed attempt.

        Args:
            code: Short and stable: `QueryFailed`, `OutOfMemory`.
            kind: Whose retries pay for another attempt; SYSTEM and INTERRUPTED are never charged to the user.
            recoverable: Whether another attempt may succeed.
        """
        return cls(Phase.FAILED, message, links=links, failure=AttemptFailure(code, message, kind, recoverable))


@dataclass(frozen=True, slots=True)
class Transition(Generic[StateT]):
    """One step of an attempt: what to show, what to remember, when to look again."""

    info: PhaseInfo
    state: StateT
    """Durable before the next call. The same state as before costs nothing."""
    check_after: timedelta | None = timedelta(seconds=10)
    """When to be handled again; None: only when woken."""
