"""What the machine is told, and what it asks for.

Every event names what it answers (attempt number or generation), so one that is late, doubled or out of order is
harmless. Every command follows from the rows alone, so after a crash it is given again: it must be callable twice.
`jitter` is a random number from 0 to 1, drawn by the driver.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alula.engine.plan import NodePlan
from alula.engine.state import NOTHING, CacheStatus, Failure, Values


class TimerKind(StrEnum):
    NODE = "node"
    """The deadline of a node, or at the root of the execution."""
    WAKE = "wake"
    """End of a back-off, a sleep, a wait for a reservation, or of the patience with a stop."""
    QUEUED = "queued"
    """An attempt should have started."""
    ATTEMPT = "attempt"
    """An attempt should have ended."""


# --- Events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begin:
    """Start the execution."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on with what did not fit into the last decision. Harmless at any time."""


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """User code runs, or the child execution does. Need not be told of an attempt that ends at once."""

    path: str
    attempt: int
    at: datetime | None = None
    """Since when; None: now."""


@dataclass(frozen=True, slots=True)
class AttemptProgressed:
    """The attempt got further: what was charged for system failures is forgiven."""

    path: str
    attempt: int
    checkpoint: str = ""


@dataclass(frozen=True, slots=True)
class AttemptSucceeded:
    """The outputs are durable and fit the interface."""

    path: str
    attempt: int
    outputs: Values
    expansion: bytes = b""
    """A serialized DynamicJobSpec, if the task made one in place of outputs."""
    closed: bool = False
    """Whether the backend has cleaned up already, so that nothing is left to close."""
    started_at: datetime | None = None
    """When it began to run, if `AttemptStarted` was not told."""


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    path: str
    attempt: int
    failure: Failure
    jitter: float = 0.0
    checkpoint: str = ""
    closed: bool = False
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AttemptClosed:
    """Abort (where asked for) and finalize have returned: nothing of the attempt is left."""

    path: str
    attempt: int


@dataclass(frozen=True, slots=True)
class TimerFired:
    kind: TimerKind
    path: str
    generation: int
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Fetched:
    uri: str
    data: bytes


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """The bytes are not there, or stayed out of reach for longer than the driver tries."""

    uri: str
    message: str


@dataclass(frozen=True, slots=True)
class CacheHit:
    path: str
    generation: int
    outputs: Values
    source: str = ""
    """Who made them: the execution and node, as `CacheRecord.source`."""


@dataclass(frozen=True, slots=True)
class CacheMiss:
    path: str
    generation: int
    failed: bool = False
    """The cache could not be asked, which counts as a miss."""


@dataclass(frozen=True, slots=True)
class Reserved:
    path: str
    generation: int


@dataclass(frozen=True, slots=True)
class ReservationHeld:
    """Another node makes the same entry; look again at `retry_at`, or when `ReservationFreed` comes."""

    path: str
    generation: int
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class ReservationFreed:
    """Whoever had the reservation has given it back; only to be sent after `ReservationHeld`."""

    path: str


@dataclass(frozen=True, slots=True)
class CacheStored:
    path: str
    status: CacheStatus


@dataclass(frozen=True, slots=True)
class Gathered:
    path: str
    generation: int
    outputs: Values


@dataclass(frozen=True, slots=True)
class GatherFailed:
    """What the elements gave could not be read or written, for longer than the driver tries."""

    path: str
    generation: int
    message: str


@dataclass(frozen=True, slots=True)
class SignalSet:
    signal_id: str
    value: bytes
    """A serialized Literal."""


@dataclass(frozen=True, slots=True)
class AbortRequested:
    reason: str


Event = (
    Begin
    | Continue
    | AttemptStarted
    | AttemptProgressed
    | AttemptSucceeded
    | AttemptFailed
    | AttemptClosed
    | TimerFired
    | Fetched
    | FetchFailed
    | CacheHit
    | CacheMiss
    | Reserved
    | ReservationHeld
    | ReservationFreed
    | CacheStored
    | Gathered
    | GatherFailed
    | SignalSet
    | AbortRequested
)

# --- Commands -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """Run a task, or a child execution if `child` is set; take up what runs already under this path and number."""

    path: str
    attempt: int
    node: NodePlan
    inputs: Values
    interruptible: bool = False
    checkpoint: str = ""
    """What the former attempt left."""
    index: int = -1
    """The place in the array."""
    child: str = ""
    """The name of the child execution: the same whenever it is asked for."""
    recovers: str = ""
    """The child execution that this one recovers."""


@dataclass(frozen=True, slots=True)
class CloseAttempt:
    """Abort it if `abort`, then finalize; try until both return, then answer `AttemptClosed`."""

    path: str
    attempt: int
    abort: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Answer `TimerFired` at a time; takes the place of an earlier timer of this kind and path."""

    kind: TimerKind
    path: str
    generation: int
    at: datetime


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """The timer is of no use any more; one that fires all the same is ignored."""

    kind: TimerKind
    path: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read the bytes at a URI: somebody must look inside."""

    uri: str


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask the cache; answer `CacheHit` or `CacheMiss`."""

    path: str
    generation: int
    node: NodePlan
    inputs: Values


@dataclass(frozen=True, slots=True)
class Reserve:
    """Take the reservation of a cache entry and keep it alive, or say who has it."""

    path: str
    generation: int
    node: NodePlan
    inputs: Values


@dataclass(frozen=True, slots=True)
class Release:
    """Give a reservation back. No answer; a lost one expires."""

    path: str
    generation: int
    """Asked for by a `Reserve` of this generation or an earlier one. A later one asks anew."""
    node: NodePlan | None = None
    """With the inputs it says which one, to an engine that has not taken it; None if they are not at hand."""
    inputs: Values = NOTHING


@dataclass(frozen=True, slots=True)
class StoreInCache:
    """Put outputs into the cache, over an older entry if `overwrite`; answer `CacheStored`."""

    path: str
    node: NodePlan
    inputs: Values
    outputs: Values
    overwrite: bool


@dataclass(frozen=True, slots=True)
class Gather:
    """Write the lists of what an array's elements gave, None where one gave nothing.

    Answer `Gathered` or `GatherFailed`.
    """

    path: str
    generation: int
    names: tuple[str, ...]
    elements: tuple[Values | None, ...]


@dataclass(frozen=True, slots=True)
class RefuseSignal:
    """The value does not fit the gate; nothing has changed."""

    signal_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The execution is terminal. Attempts that are still open go on being closed."""


Command = (
    StartAttempt
    | CloseAttempt
    | SetTimer
    | CancelTimer
    | Fetch
    | LookUp
    | Reserve
    | Release
    | StoreInCache
    | Gather
    | RefuseSignal
    | Finished
)
