"""What an execution is made of: one frozen row per node that has begun, and one per attempt.

A row is replaced, never changed. A node that still waits for others has no row. The execution as a whole is the node
at the empty path: a sub-workflow like any other, whose phase is the execution's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from alula.idl import Literal, LiteralMap, WorkflowExecution
from alula.plugin.failure import FailureKind as FailureKind

ROOT = ""
"""The path of the execution itself. Below it: `n0`, `n2/n1` (in a sub-workflow), `n3[7]` (of an array)."""


class NodePhase(StrEnum):
    """Where a node is. The names of Flyte where Flyte has one."""

    RESOLVING = "resolving"
    """Values that it must look into are being fetched."""
    LOOKUP = "lookup"
    """The cache is being asked."""
    RESERVING = "reserving"
    """It asks for the reservation of its cache entry, or waits for another node to give it back until `wake_at`."""
    READY = "ready"
    """It waits for a slot: max parallelism."""
    QUEUED = "queued"
    """An attempt is with its backend and has not started to run."""
    RUNNING = "running"
    """An attempt runs; of a composite: its nodes are under way; of a gate: it waits."""
    CLOSING = "closing"
    """The attempt failed by itself, and must be closed before what `then` says."""
    BACKOFF = "backoff"
    """It waits until `wake_at` for the next attempt."""
    STOPPING = "stopping"
    """The engine stops its attempt or its nodes; then comes what `then` says."""
    FAILING = "failing"
    """Of a composite: one of its nodes failed, the others are being stopped."""
    HANDLING = "handling"
    """Of a composite: its failure node runs."""
    GATHERING = "gathering"
    """Of a composite: its outputs are being put together."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"
    ABORTED = "aborted"
    RECOVERED = "recovered"

    @property
    def terminal(self) -> bool:
        return self in TERMINAL

    @property
    def good(self) -> bool:
        """Whether what comes after it may run."""
        return self is NodePhase.SUCCEEDED or self is NodePhase.RECOVERED


TERMINAL = frozenset(
    {
        NodePhase.SUCCEEDED,
        NodePhase.FAILED,
        NodePhase.TIMED_OUT,
        NodePhase.SKIPPED,
        NodePhase.ABORTED,
        NodePhase.RECOVERED,
    }
)
HOLDS_SLOT = frozenset({NodePhase.QUEUED, NodePhase.RUNNING, NodePhase.STOPPING})
"""Phases in which a task or child execution counts towards max parallelism: something of it may be running."""
ASKS_WITH_SLOT = frozenset({NodePhase.LOOKUP, NodePhase.RESERVING})
"""Phases in which a node may have a slot already: `NodeState.holds_slot` says whether it does."""


class AttemptPhase(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    """The engine gave it up; whatever it still says does not count."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"

    @property
    def live(self) -> bool:
        """Whether its outcome is still awaited."""
        return self is AttemptPhase.QUEUED or self is AttemptPhase.RUNNING


class CacheStatus(StrEnum):
    DISABLED = "disabled"
    MISS = "miss"
    HIT = "hit"
    LOOKUP_FAILURE = "lookup_failure"
    SKIPPED = "skipped"
    """Asked to overwrite: nothing was looked up."""
    PENDING = "pending"
    """The outputs are on their way into the cache."""
    POPULATED = "populated"
    PUT_FAILURE = "put_failure"


class Failure(Struct, frozen=True, gc=False):
    """Why an attempt, a node or an execution failed."""

    code: str
    message: str
    kind: FailureKind = FailureKind.USER
    recoverable: bool = False
    """Whether another attempt may succeed."""
    path: str = ROOT
    """The node that failed first. Filled in by the machine."""
    secondary: Failure | None = None
    """What the failure node failed with, if it did."""


class Ref(Struct, frozen=True, gc=False):
    """A value that lies elsewhere: variable `var` of the LiteralMap at `uri`."""

    name: str
    uri: str
    var: str


class Values(Struct, frozen=True, gc=False):
    """Named values: small ones as a serialized LiteralMap, others by reference."""

    data: bytes = b""
    refs: tuple[Ref, ...] = ()

    @staticmethod
    def of(literals: Mapping[str, Literal], refs: Iterable[Ref] = ()) -> Values:
        message = LiteralMap()
        for name, lit in literals.items():
            message.literals[name].CopyFrom(lit)
        return Values(message.SerializeToString(deterministic=True), tuple(refs))

    def literals(self) -> Mapping[str, Literal]:
        """Those that are not by reference. Shared: not to be changed."""
        return _parsed(self.data).literals if self.data else {}

    def get(self, name: str) -> Literal | Ref | None:
        for ref in self.refs:
            if ref.name == name:
                return ref
        return self.literals().get(name)


@lru_cache(maxsize=64)
def _parsed(data: bytes) -> LiteralMap:
    return LiteralMap.FromString(data)


NOTHING = Values()


class NodeState(Struct, frozen=True, gc=False):
    """The row of one node."""

    path: str
    phase: NodePhase
    since: datetime
    """When all that it waits for had ended."""
    order: int = 0
    """Its place among those that ever waited for a slot: first come, first served, after a restart too."""
    attempt: int = 0
    """The number of the present attempt, or of the next one while there is none."""
    user_failures: int = 0
    system_failures: int = 0
    """In a row: progress, or a failure of another kind, takes it back to zero."""
    interruptions: int = 0
    generation: int = 0
    """Goes up whenever an answer or a timer is asked for; what answers an earlier one is late."""
    wake_at: datetime | None = None
    """End of the back-off, of the sleep, of the patience with a stop, or of the wait for a reservation."""
    deadline: datetime | None = None
    """Of the node as a whole, all attempts together."""
    then: NodePhase | None = None
    """What follows CLOSING, STOPPING, FAILING and HANDLING; BACKOFF stands for another attempt."""
    arm: int = -1
    """Of a branch: which arm is taken."""
    size: int = 0
    """Of an array: how many elements it has."""
    cache: CacheStatus = CacheStatus.DISABLED
    cache_source: str = ""
    """Of a hit: the execution and node that made the outputs."""
    reserved: bool = False
    checkpoint: str = ""
    """Where the last attempt left its state for the next one."""
    outputs: Values | None = None
    """None unless it ended well."""
    failure: Failure | None = None
    started_at: datetime | None = None
    """When something of it first ran; of a composite or a gate: when it had its inputs."""
    ended_at: datetime | None = None

    @property
    def holds_slot(self) -> bool:
        """Whether a task or child execution counts towards max parallelism. Reservations are asked for with a slot in
        hand, and it is given back while another node has the reservation: so nobody waits for both."""
        if self.phase in ASKS_WITH_SLOT:
            return self.reserved if self.phase is NodePhase.LOOKUP else self.wake_at is None
        return self.phase in HOLDS_SLOT


class AttemptState(Struct, frozen=True, gc=False):
    """The row of one attempt: written before its first side effect, open until its backend has cleaned up."""

    path: str
    number: int
    phase: AttemptPhase
    since: datetime
    """When it was handed to its backend."""
    interruptible: bool = False
    open: bool = True
    deadline: datetime | None = None
    """To start by while QUEUED, to end by while RUNNING."""
    failure: Failure | None = None
    started_at: datetime | None = None
    """When it was told to run; None if that was never told."""
    ended_at: datetime | None = None
    """When its outcome was known, or the engine gave it up."""


class Expansion(Struct, frozen=True, gc=False):
    """The workflow that a dynamic task made of itself. Written once."""

    path: str
    closure: bytes
    """A serialized CompiledWorkflowClosure."""


class SignalState(Struct, frozen=True, gc=False):
    """The answer to a gate; may come before the gate is reached. Written once."""

    signal_id: str
    value: bytes
    """A serialized Literal."""


Row = NodeState | AttemptState | Expansion | SignalState


@dataclass(frozen=True, slots=True)
class Settings:
    """How an execution is run; fixed at its start and kept with it."""

    max_parallelism: int = 25
    """Tasks and child executions at a time; 0: no limit."""
    system_retries: int = 3
    """System failures in a row that a node survives, on top of its own retries."""
    interruptible: bool = False
    """For tasks and workflows that do not say."""
    interruptible_failures: int = -1
    """After so many interruptions a node leaves spot machines; -n: n before the system retries would end."""
    user_backoff: timedelta = timedelta(seconds=1)
    system_backoff: timedelta = timedelta(seconds=2)
    max_backoff: timedelta = timedelta(minutes=5)
    queued_timeout: timedelta | None = None
    """For an attempt to start running."""
    attempt_timeout: timedelta | None = None
    """For an attempt that runs, where neither node nor task has a timeout."""
    node_timeout: timedelta | None = None
    """For a task with all its attempts, waits included."""
    workflow_timeout: timedelta | None = None
    grace: timedelta = timedelta(seconds=4)
    """How long the end of a node waits for its attempt to be cleaned up. The clean-up goes on after that."""
    cache: bool = True
    """Whether tasks that ask for the cache get it."""
    overwrite_cache: bool = False
    inline_limit_bytes: int = 256 * 1024
    """What an array may gather in its row; beyond it, the outputs are written elsewhere."""
    rerun: tuple[str, ...] = ()
    """Of the nodes that ended well in the execution that this one recovers, paths of those that run all the same. What
    comes after them runs again too."""
    terms: str = ""
    """What tasks may ask for, and who runs them, as `compiler.terms` packs it; the closure is as they say."""


EXECUTION_PHASES = {
    NodePhase.RUNNING: WorkflowExecution.RUNNING,
    NodePhase.GATHERING: WorkflowExecution.SUCCEEDING,
    NodePhase.FAILING: WorkflowExecution.FAILING,
    NodePhase.HANDLING: WorkflowExecution.FAILING,
    NodePhase.STOPPING: WorkflowExecution.ABORTING,
    NodePhase.SUCCEEDED: WorkflowExecution.SUCCEEDED,
    NodePhase.FAILED: WorkflowExecution.FAILED,
    NodePhase.TIMED_OUT: WorkflowExecution.TIMED_OUT,
    NodePhase.ABORTED: WorkflowExecution.ABORTED,
}


def execution_phase(root: NodeState | None) -> WorkflowExecution.Phase:
    """The execution's phase in Flyte's contract, from the row of its root."""
    return EXECUTION_PHASES[root.phase] if root is not None else WorkflowExecution.QUEUED


def child(scope: str, id: str) -> str:
    """The path of a node in a workflow."""
    return f"{scope}/{id}" if scope else id


def element(array: str, index: int) -> str:
    """The path of an element of an array."""
    return f"{array}[{index}]"


@lru_cache(maxsize=1024)  # asked for a node some ten times in a row
def parent(path: str) -> str:
    """The path of what a node is in. Not for the root, which is in nothing."""
    if path.endswith("]"):
        return path[: path.rindex("[")]
    return path.rpartition("/")[0]


@lru_cache(maxsize=1024)
def last_id(path: str) -> str:
    """The node id that a path ends with. Not for elements of arrays."""
    return path.rpartition("/")[2]


def index_of(path: str) -> int:
    """The place of an array's element; -1 for other nodes."""
    return int(path[path.rindex("[") + 1 : -1]) if path.endswith("]") else -1
