"""What is asked of a cluster, whichever way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from alula.errors import Rejected, RemoteError, Throttled


@dataclass(frozen=True, slots=True)
class Submission:
    """A job to be made."""

    name: str
    script: str
    directory: str
    """Where it runs, and where its log goes."""
    log: str
    comment: str
    environment: Mapping[str, str] = field(repr=False)
    """May hold secrets: it is handed over in a way that nobody else can read."""
    options: Mapping[str, str | int | bool]
    """Long options of `sbatch`, without dashes; True: one without a value."""


@dataclass(frozen=True, slots=True)
class SlurmState:
    """What the cluster says of a job."""

    id: int
    name: str
    state: str
    """`PENDING`, `RUNNING`, `COMPLETED`, ..."""
    reason: str = ""
    """Why it waits, or ended: `Resources`, `NonZeroExitCode`."""
    status: int = 0
    """As `wait` gives it: the exit code times 256, plus a signal."""
    nodes: str = ""

    @property
    def exit_code(self) -> int:
        return self.status >> 8

    @property
    def signal(self) -> int:
        return self.status & 0x7F

    @property
    def live(self) -> bool:
        """It may still do something."""
        return self.state in LIVE


LIVE = frozenset(
    "PENDING CONFIGURING RUNNING COMPLETING SUSPENDED STOPPED SIGNALING STAGE_OUT REQUEUED REQUEUE_HOLD REQUEUE_FED "
    "RESIZING SPECIAL_EXIT RESV_DEL_HOLD POWER_UP_NODE".split()
)


class Transport(Protocol):
    """A way to a cluster. Every call may raise RemoteError, when the cluster does not answer, and be made again."""

    async def submit(self, job: Submission) -> int:
        """The id of a new job. Raises Rejected for what the cluster will never take, Throttled where it has enough."""
        ...

    async def named(self, name: str) -> list[SlurmState]:
        """The jobs of that name, ended ones too as far as the cluster remembers; one row per element of an array."""
        ...

    async def states(self, ids: Sequence[int]) -> list[SlurmState]:
        """What there is of these jobs; nothing of those that the cluster has forgotten."""
        ...

    async def live(self) -> list[SlurmState]:
        """All jobs of this user that have not ended."""
        ...

    async def cancel(self, ids: Sequence[int]) -> None:
        """End jobs with all that they started; those that are over or gone are fine."""
        ...

    async def aclose(self) -> None: ...


_FULL = (
    "submit limit",
    "too many",
    "maxsubmit",
    "job count limit",
    "temporarily unable to accept",
    "resource temporar",
)
_AWAY = (
    "unable to contact",
    "timed out",
    "timeout",
    "connection refused",
    "connection reset",
    "communication",
    "standby",
    "not responding",
    "zero bytes",
    "unspecified error",
    "protocol authentication",
    "unable to establish",
    "address already in use",
)
_NEVER = (
    "invalid",
    "not permitted",
    "violates",
    "not available",
    "more processors requested",
    "too large",
    "access/permission denied",
    "unrecognized option",
    "user's group",
    "not supported",
    "required",
    "exceed",
    "unknown",
    "denied",
)


def refused(said: str, what: str) -> RemoteError:
    """Why the cluster did not take a job, by what it said."""
    text = " ".join(line.strip() for line in said.splitlines() if line.strip())[-500:]
    low = text.lower()
    away = any(word in low for word in _AWAY)  # said of a try that may have taken effect, after others that did not
    if not away and any(word in low for word in _FULL):
        return Throttled(f"Slurm takes no more jobs now: {text}", where=what)
    if not away and any(word in low for word in _NEVER):
        return Rejected(
            f"Slurm refuses the job: {text}",
            where=what,
            fix="ask in Slurm(...) for what `sinfo` shows and your account may use",
            code="SlurmRefused",
        )
    return RemoteError(f"Slurm did not take the job: {text or 'it said nothing'}", where=what)
