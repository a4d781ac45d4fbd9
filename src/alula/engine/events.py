"""What the machine is told, and what it asks for.

Every event names what it answers (attempt number or generation), so one that is late, doubled or out of order is
harmless. Every command follows from the rows alone, so after a crash it is given again: it must be callable twice.
`jitter` is a random number from 0 to 1, drawn by the driver.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

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


class Begin(Struct, frozen=True, gc=False):
    """Start the execution."""


class Continue(Struct, frozen=True, gc=False):
    """Go on with what did not fit into the last decision. Harmless at any time."""


class AttemptStarted(Struct, frozen=True, gc=False):
    """User code runs, or the child execution does. Need not be told of an attempt that ends at once."""

    path: str
    attempt: int
    at: datetime | None = None
    """Since when; None: now."""


class AttemptProgressed(Struct, frozen=True, gc=False):
    """The attempt got further: what was charged for system failures is forgiven."""

    path: str
    attempt: int
    checkpoint: str = ""


class AttemptSucceeded(Struct, frozen=True, gc=False):
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


class AttemptFailed(Struct, frozen=True, gc=False):
    path: str
    attempt: int
    failure: Failure
    jitter: float = 0.0
    checkpoint: str = ""
    closed: bool = False
    started_at: datetime | None = None


class AttemptClosed(Struct, frozen=True, gc=False):
    """Abort (where asked for) and finalize have returned: nothing of the attempt is left."""

    path: str
    attempt: int


class TimerFired(Struct, frozen=True, gc=False):
    kind: TimerKind
    path: str
    generation: int
    jitter: float = 0.0


class Fetched(Struct, frozen=True, gc=False):
    uri: str
    data: bytes


class FetchFailed(Struct, frozen=True, gc=False):
    """The bytes are not there, or stayed out of reach for longer than the driver tries."""

    uri: str
    message: str


class CacheHit(Struct, frozen=True, gc=False):
    path: str
    generation: int
    outputs: Values
    source: str = ""
    """Who made them: the execution and node, as `CacheRecord.source`."""


class CacheMiss(Struct, frozen=True, gc=False):
    path: str
    generation: int
    failed: bool = False
    """The cache could not be asked, which counts as a miss."""


class Reserved(Struct, frozen=True, gc=False):
    path: str
    generation: int


class ReservationHeld(Struct, frozen=True, gc=False):
    """Another node makes the same entry; look again at `retry_at`, or when `ReservationFreed` comes."""

    path: str
    generation: int
    retry_at: datetime


class ReservationFreed(Struct, frozen=True, gc=False):
    """Whoever had the reservation has given it back; only to be sent after `ReservationHeld`."""

    path: str


class CacheStored(Struct, frozen=True, gc=False):
    path: str
    status: CacheStatus


class Gathered(Struct, frozen=True, gc=False):
    path: str
    generation: int
    outputs: Values


class GatherFailed(Struct, frozen=True, gc=False):
    """What the elements gave could not be read or written, for longer than the driver tries."""

    path: str
    generation: int
    message: str


class SignalSet(Struct, frozen=True, gc=False):
    signal_id: str
    value: bytes
    """A serialized Literal."""


class AbortRequested(Struct, frozen=True, gc=False):
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


class StartAttempt(Struct, frozen=True, gc=False):
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


class CloseAttempt(Struct, frozen=True, gc=False):
    """Abort it if `abort`, then finalize; try until both return, then answer `AttemptClosed`."""

    path: str
    attempt: int
    abort: bool
    reason: str = ""


class SetTimer(Struct, frozen=True, gc=False):
    """Answer `TimerFired` at a time; takes the place of an earlier timer of this kind and path."""

    kind: TimerKind
    path: str
    generation: int
    at: datetime


class CancelTimer(Struct, frozen=True, gc=False):
    """The timer is of no use any more; one that fires all the same is ignored."""

    kind: TimerKind
    path: str


class Fetch(Struct, frozen=True, gc=False):
    """Read the bytes at a URI: somebody must look inside."""

    uri: str


class LookUp(Struct, frozen=True, gc=False):
    """Ask the cache; answer `CacheHit` or `CacheMiss`."""

    path: str
    generation: int
    node: NodePlan
    inputs: Values


class Reserve(Struct, frozen=True, gc=False):
    """Take the reservation of a cache entry and keep it alive, or say who has it."""

    path: str
    generation: int
    node: NodePlan
    inputs: Values


class Release(Struct, frozen=True, gc=False):
    """Give a reservation back. No answer; a lost one expires."""

    path: str
    generation: int
    """Asked for by a `Reserve` of this generation or an earlier one. A later one asks anew."""
    node: NodePlan | None = None
    """With the inputs it says which one, to an engine that has not taken it; None if they are not at hand."""
    inputs: Values = NOTHING


class StoreInCache(Struct, frozen=True, gc=False):
    """Put outputs into the cache, over an older entry if `overwrite`; answer `CacheStored`."""

    path: str
    node: NodePlan
    inputs: Values
    outputs: Values
    overwrite: bool


class Gather(Struct, frozen=True, gc=False):
    """Write the lists of what an array's elements gave, None where one gave nothing.

    Answer `Gathered` or `GatherFailed`.
    """

    path: str
    generation: int
    names: tuple[str, ...]
    elements: tuple[Values | None, ...]


class RefuseSignal(Struct, frozen=True, gc=False):
    """The value does not fit the gate; nothing has changed."""

    signal_id: str
    reason: str


class Finished(Struct, frozen=True, gc=False):
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
