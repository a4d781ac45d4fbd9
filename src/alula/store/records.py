"""The rows, as frozen values. Bodies are bytes that the engine packs and reads; what people ask for has a field.

Times are aware and UTC. Nothing here knows SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Struct


@dataclass(frozen=True, slots=True)
class ExecutionKey:
    """The name of an execution: unique in the store."""

    project: str
    domain: str
    name: str


@dataclass(frozen=True, slots=True)
class Parent:
    """The attempt whose work an execution is."""

    execution: int
    path: str
    attempt: int


@dataclass(frozen=True, slots=True)
class NewExecution:
    """What an execution is created with, and keeps."""

    key: ExecutionKey
    entity: str
    """What runs, for people: `workflow project:domain:name:version`."""
    closure: bytes
    """A serialized CompiledWorkflowClosure; stored once however many executions share it."""
    inputs: bytes
    """A serialized LiteralMap, complete: defaults filled in."""
    fingerprint: str
    """Of the interface's inputs and what runs: creation again under the same name must agree in it."""
    settings: bytes = b""
    """As the engine packs its `Settings`."""
    reference: int = 0
    """The execution that this one recovers; 0: none."""
    parent: Parent | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    """For whoever runs or shows it, opaque to the engine: where the program lies, who asked for it, ..."""
    signals: Mapping[str, bytes] = field(default_factory=dict)
    """Answers given beforehand: serialized literals by signal id."""
    workflow: str = ""
    """The workflow that runs, if `entity` is not it: `workflow:project:domain:name:version`."""
    spec: bytes = b""
    """A serialized ExecutionSpec, as it was asked for over the wire; empty: it was not."""
    principal: str = ""
    """Who asked for it; empty: nobody in particular."""
    mode: int = 0
    """How it came about, in the numbers of ExecutionMetadata.ExecutionMode."""
    tags: tuple[str, ...] = ()
    notices: tuple[bytes, ...] = ()
    """Who is told of its end, one row for each; serialized Notifications."""
    limited: str = ""
    """The launch plan that limits how many of its executions run: `project:domain:name`; empty: none does."""
    limit: int = 0
    """So many at most, this one counted."""


@dataclass(frozen=True, slots=True)
class ExecutionRecord:
    """One execution as it stands."""

    id: int
    key: ExecutionKey
    entity: str
    fingerprint: str
    phase: str
    """`queued` until it has begun, then that of its root node."""
    open: bool
    """Something is left to do: it has not ended, or some attempt is not closed."""
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    inputs: bytes = b""
    outputs: bytes = b""
    """As the engine packs values; empty until it has succeeded."""
    error: str = ""
    """Why it failed, cut to some thousand characters."""
    settings: bytes = b""
    closure: str = ""
    """Digest of its closure."""
    reference: int = 0
    parent: Parent | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    """The engine that has it; empty: none."""
    workflow: str = ""
    """Empty: not known without a look into its closure."""
    principal: str = ""
    aborted_by: str = ""
    """Who asked for it to be stopped."""
    tags: tuple[str, ...] = ()
    mode: int = 0
    archived: bool = False
    state_at: datetime | None = None
    """When somebody put it away or took it out again, and who."""
    state_by: str = ""
    spec: bytes = b""


class NodeRecord(Struct, frozen=True, gc=False):
    """One node that has begun. Key: `path`."""

    path: str
    phase: str
    since: datetime
    ended_at: datetime | None
    body: bytes


class AttemptRecord(Struct, frozen=True, gc=False):
    """One attempt. Key: `path` and `number`."""

    path: str
    number: int
    phase: str
    open: bool
    since: datetime
    started_at: datetime | None
    ended_at: datetime | None
    body: bytes


@dataclass(frozen=True, slots=True)
class ExpansionRecord:
    """The workflow that a dynamic task made. Key: `path`. Written once."""

    path: str
    closure: bytes


@dataclass(frozen=True, slots=True)
class SignalRecord:
    """The answer to a gate. Key: `signal_id`. Written once."""

    signal_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class ProgressRecord:
    """How far an attempt says it is. Key: `path` and `number`. Not a decision: may be lost, may come late."""

    path: str
    number: int
    done: float | None
    message: str


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What is kept of an attempt for its runner, and shown of it to people. Key: `path` and `number`."""

    path: str
    number: int
    state: bytes = b""
    """The runner's own; empty: nothing."""
    version: int = 0
    info: bytes = b""
    """JSON, as `plugin.showing` packs it; empty: nothing."""


@dataclass(frozen=True, slots=True)
class StuckRecord:
    """An attempt in quarantine: its clean-up keeps failing. Key: `path` and `number`."""

    path: str
    number: int
    since: datetime
    """When it failed for the first time."""
    tries: int
    error: str
    execution: int = 0
    """Filled by who lists those of all executions."""


@dataclass(frozen=True, slots=True)
class PoolRecord:
    """Units that attempts of all executions share. Key: `name`."""

    name: str
    units: int
    per_project: int = 0
    """The most that attempts of one project have at a time; 0: all."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """The share of a project against that of others, which is 1."""
    priority: int = 0
    """Of attempts that say nothing about theirs."""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """Units of a pool that an attempt has, or waits for. Key: execution, path, number and pool."""

    id: int
    """Who asked first has the lower one."""
    pool: str
    execution: int
    path: str
    number: int
    units: int
    project: str
    priority: int
    """The higher, the sooner."""
    since: datetime
    """When it asked."""
    granted: bool = False
    bypassed: int = 0
    """How many smaller ones were let pass while it waits."""


@dataclass(frozen=True, slots=True)
class Place:
    """What came of asking for units."""

    granted: bool
    text: str = ""
    """What it waits for, in a sentence."""


@dataclass(frozen=True, slots=True)
class PoolUse:
    """A pool, and what of it is in use."""

    pool: PoolRecord
    used: int = 0
    holders: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """What an execution's own row becomes when it begins and when it ends."""

    phase: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outputs: bytes = b""
    error: str = ""


class Changes(Struct, frozen=True, gc=False):
    """What one commit writes, all or nothing. Every row replaces the one with its key."""

    nodes: tuple[NodeRecord, ...] = ()
    attempts: tuple[AttemptRecord, ...] = ()
    expansions: tuple[ExpansionRecord, ...] = ()
    signals: tuple[SignalRecord, ...] = ()
    progress: tuple[ProgressRecord, ...] = ()
    jobs: tuple[JobRecord, ...] = ()
    stuck: tuple[StuckRecord, ...] = ()
    freed: tuple[tuple[str, int], ...] = ()
    """Attempts, by path and number, that are closed with these changes, and have leases or are in quarantine: both end
    with it. Attempts that have neither need not be named, and cost nothing."""
    execution: Ending | None = None
    """Present when the phase of the execution changed."""
    closed: bool = False
    """Nothing is left to do: the execution is no longer given to engines, and the claim ends with this commit."""
    commands_done: tuple[int, ...] = ()
    """Ids of commands that these changes carry out; they are removed."""
    tell_parent: bool = False
    """The execution has ended: put a `child_ended` command into its parent, if it has one."""


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks of an execution: the durable inbox of its engine, in order of `id`."""

    id: int
    execution: int
    kind: str
    """`abort` (body: the reason), `signal` (path: signal id, body: a serialized Literal), `child_ended` (path and
    attempt: of the node whose child ended), `granted` (of an attempt that has waited for units; body: the pool's name),
    `wake` (somebody outside says that there is something new about an attempt)."""
    path: str = ""
    attempt: int = 0
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to change one execution. `fence` grows with every new owner; a commit under an older one fails."""

    execution: int
    owner: str
    fence: int
    first: Loaded | None = field(default=None, compare=False, repr=False)
    """What there is of an execution that no engine had before, so that it need not be loaded; it has no nodes yet."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that an engine needs to go on with an execution."""

    record: ExecutionRecord
    closure: bytes = b""
    """Empty with a first claim: whoever does not know it asks for it, by the digest that the record has."""
    nodes: tuple[NodeRecord, ...] = ()
    attempts: tuple[AttemptRecord, ...] = ()
    """Those that are open."""
    expansions: tuple[ExpansionRecord, ...] = ()
    signals: tuple[SignalRecord, ...] = ()
    commands: tuple[Command, ...] = ()
    """What is asked of it."""
    jobs: tuple[JobRecord, ...] = ()
    """Of attempts that are open, as the next two."""
    leases: tuple[LeaseRecord, ...] = ()
    stuck: tuple[StuckRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class EntityRecord:
    """Something registered. Key: kind, project, domain, name, version. Never changed after it was written."""

    kind: str
    """`task`, `workflow` or `launch_plan`."""
    project: str
    domain: str
    name: str
    version: str
    digest: str
    """Of `spec`: registering the same again is fine, something else under the same version is not."""
    spec: bytes
    """A serialized TaskSpec, WorkflowSpec or LaunchPlan."""
    closure: bytes = b""
    """Of a workflow: a serialized CompiledWorkflowClosure."""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NameRecord:
    """A name that entities have, and what people say of it, whatever its versions are."""

    kind: str
    project: str
    domain: str
    name: str
    description: str = ""
    state: int = 0
    """A NamedEntityState: 0 active, 1 archived, 2 made by the system."""


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """Some bytes under a name. Key: kind, scope, name."""

    kind: str
    scope: str
    """What it belongs to: listings are of one scope."""
    name: str
    body: bytes
    created_at: datetime | None = None
    """None: now; when it is overwritten, too."""


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """Outputs of a task, kept for the next one that asks with the same inputs."""

    key: str
    task: str
    outputs: bytes
    """As the engine packs values."""
    source: str
    """The execution and node that made them: `project:domain:name path`."""
    size_bytes: int
    created_at: datetime
    used_at: datetime


Plain = str | int


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of a column of what is listed: `phase in ("failed",)`."""

    column: str
    """A key of `pages.EXECUTIONS` or `pages.NODES`; times are microseconds since 1970."""
    test: str
    """`in`, `not_in` (value: a tuple), `gt`, `gte`, `lt`, `lte`, `holds`, `starts`, `ends`."""
    value: Plain | tuple[Plain, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a listing. No two conditions have the same column and test."""

    where: tuple[Condition, ...] = ()
    sort: str = "created_at"
    descending: bool = True
    limit: int = 100
    after: tuple[Plain, Plain] | None = None
    """The value that the last row seen is sorted by, and its id or path; None: from the first one."""


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """Which executions; all that is given must hold."""

    project: str = ""
    domain: str = ""
    phases: tuple[str, ...] = ()
    entity: str = ""
    """A part of the name of what runs."""
    name: str = ""
    """A part of the execution's name."""
    open: bool | None = None
    top: bool = False
    """Only those that nobody launched as a part of another one."""
    parent: int = 0
    created_after: datetime | None = None
    created_before: datetime | None = None
