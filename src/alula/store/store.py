"""The protocols of durable state, one for each room that looks at it.

All methods are safe to call from several tasks of one loop at once, and to call again after a failure. Every one may
raise StoreUnavailable (locked, full, unreachable: trying again later may help) and StoreDamaged (corrupt, or of a newer
version: it will not). "Durable" means what the store was opened with: see `config.Durability`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from alula.store.plan_records import AttributesRecord, NoticeRecord, PlanRecord, ProjectRecord
from alula.store.records import (
    AttemptRecord,
    CacheRecord,
    Changes,
    Claim,
    Command,
    DocumentRecord,
    EntityRecord,
    ExecutionFilter,
    ExecutionKey,
    ExecutionRecord,
    ExpansionRecord,
    JobRecord,
    LeaseRecord,
    Loaded,
    NameRecord,
    NewExecution,
    NodeRecord,
    Page,
    Place,
    Plain,
    PoolRecord,
    PoolUse,
    ProgressRecord,
    SignalRecord,
    StuckRecord,
)

Wake = Callable[[Collection[int]], None]
"""Told which executions have something new: they were created, asked for something, given back, have begun or ended.
Not at every node: whoever shows nodes reads them now and then. Empty: any of them may; a reservation was freed."""


class EngineStore(Protocol):
    """What an engine reads and writes. It is the only writer of nodes, attempts, expansions and signals."""

    async def beat(self, owner: str, *, lease: timedelta) -> None:
        """Say that an engine lives. Without it for `lease`, others may claim what it has. The store's clock counts."""
        ...

    async def retire(self, owner: str) -> None:
        """Give back all that an engine has, at once: it ends in good order."""
        ...

    async def claim(
        self, owner: str, *, limit: int, only: Collection[int] | None = None, having: Collection[int] | None = None
    ) -> Sequence[Claim]:
        """Take open executions that no living engine has, oldest first; of `only`, if given.

        An engine whose process is known to be gone (same machine, no such process) does not live, lease or not. Claims
        of executions that no engine had before bring along what there is of them.

        Args:
            having: What `owner` knows that it has, after an earlier answer was lost. What else the store thinks that
                it has is given back first, and so is among what can be taken, under a new fence.
        """
        ...

    async def load(self, claim: Claim) -> Loaded:
        """All that is needed to go on, and what is asked of it. Raises FenceLost."""
        ...

    async def commit(self, claim: Claim, changes: Changes) -> None:
        """Write changes, all or nothing, and return when they are durable. Commits of one claim keep their order.

        Commits of many executions may share a transaction; what goes wrong with one of them does not touch the others.

        Raises:
            FenceLost: Another engine has the execution; nothing was written.
        """
        ...

    async def release(self, claim: Claim) -> None:
        """Give one execution back, open as it is, for another engine to take."""
        ...

    async def commands(self, executions: Collection[int]) -> Sequence[Command]:
        """What is asked of these executions, in order. They stay until a commit names them as done."""
        ...

    async def create(self, new: NewExecution) -> tuple[ExecutionRecord, bool]:
        """Create an execution, and say whether it is new: the same name with the same fingerprint gives what is there.

        Raises:
            NameTaken: The name stands for something else.
            AtLimit: As many run as `NewExecution.limit` says, counted in the same transaction.
        """
        ...

    async def ask(self, execution: int, kind: str, *, path: str = "", attempt: int = 0, body: bytes = b"") -> None:
        """Put a command into the inbox of an execution, and wake its engine; nothing, if it is closed. Raises Unknown.

        Where a connection breaks at the wrong moment the command may be there twice.
        """
        ...

    def watch(self, wake: Wake) -> AbstractContextManager[None]:
        """Inside the block `wake` is called on this loop when something new is there, within a second at most, also
        when another process wrote it. It may be called for nothing."""
        ...


class QueryStore(Protocol):
    """What people and consoles read. Never writes, never waits for a writer."""

    async def execution(self, key: ExecutionKey) -> ExecutionRecord:
        """Raises Unknown, with names that are close."""
        ...

    async def execution_by_id(self, id: int) -> ExecutionRecord: ...

    async def executions(
        self, filter: ExecutionFilter | None = None, *, limit: int = 100, before: int = 0
    ) -> Sequence[ExecutionRecord]:
        """Newest first; from those whose id is below `before`, if it is given."""
        ...

    async def count_open(self, limit: int) -> int:
        """How many executions are open, counted no further than `limit`."""
        ...

    async def closure(self, digest: str) -> bytes: ...

    async def nodes(
        self, execution: int, *, after: str = "", limit: int = 0, phases: Collection[str] = ()
    ) -> Sequence[NodeRecord]:
        """By path, in the order of its bytes; from those after the path `after`. Limit 0: all."""
        ...

    async def node(self, execution: int, path: str) -> NodeRecord | None: ...

    async def attempts(self, execution: int, path: str | None = None) -> Sequence[AttemptRecord]: ...

    async def expansions(self, execution: int) -> Sequence[ExpansionRecord]: ...

    async def signals(self, execution: int) -> Sequence[SignalRecord]: ...

    async def progress(self, execution: int) -> Sequence[ProgressRecord]:
        """Of attempts that are open."""
        ...

    async def jobs(self, execution: int, path: str | None = None) -> Sequence[JobRecord]:
        """What runners keep and show of attempts, open or not. Most attempts have none."""
        ...

    async def stuck(self, execution: int | None = None) -> Sequence[StuckRecord]:
        """Attempts in quarantine: of one execution, or of all."""
        ...

    async def owners(self) -> Sequence[tuple[str, datetime, bool]]:
        """Engines: name, when its lease ends, whether it lives."""
        ...

    async def tag(self) -> str:
        """What tells this store from all others: 8 hexadecimal digits, made once."""
        ...


class PageStore(Protocol):
    """Long listings, page after page; and what is noted of an execution beside what its engine writes."""

    async def page_executions(
        self, project: str, domain: str, page: Page
    ) -> Sequence[tuple[tuple[Plain, Plain], ExecutionRecord]]:
        """Executions without their inputs, outputs and settings, each with its place: what `Page.after` takes."""
        ...

    async def page_nodes(
        self, execution: int, inside: str, page: Page, *, elements: bool = False
    ) -> Sequence[tuple[tuple[Plain, Plain], NodeRecord]]:
        """Nodes directly in a node (the root: the empty path), or the elements of an array, each with its place."""
        ...

    async def page_named(
        self, execution: int, paths: Collection[str], page: Page
    ) -> Sequence[tuple[tuple[Plain, Plain], NodeRecord]]:
        """Of some nodes those that have begun, each with its place."""
        ...

    async def nodes_at(self, execution: int, paths: Collection[str]) -> Mapping[str, NodeRecord]:
        """Those that have begun, by path."""
        ...

    async def expanded(self, execution: int, paths: Collection[str]) -> Collection[str]:
        """Which of some nodes have become workflows."""
        ...

    async def expansion(self, execution: int, path: str) -> bytes | None:
        """The closure of the workflow that a node has become; None: it has not."""
        ...

    async def roots(self, executions: Collection[int]) -> Mapping[int, NodeRecord]:
        """The root nodes of executions, of those that have begun."""
        ...

    async def keys(self, executions: Collection[int]) -> Mapping[int, ExecutionKey]:
        """Their names, of those that are there."""
        ...

    async def archive(self, execution: int, *, away: bool, who: str) -> None:
        """Put an execution away, or take it out again: lists may leave it out."""
        ...

    async def note_abort(self, execution: int, who: str) -> None:
        """Note who asked for the end of an execution; the first one counts."""
        ...

    async def page_entities(
        self, kind: str, project: str, domain: str, page: Page
    ) -> Sequence[tuple[tuple[Plain, Plain], EntityRecord]]:
        """With their specs, without their closures, each with its place. Columns: `created_at`, `name`, `version`."""
        ...

    async def page_names(
        self, kind: str, project: str, domain: str, page: Page
    ) -> Sequence[tuple[tuple[Plain, Plain], NameRecord]]:
        """Names that have a version, each with its place. Columns: `name`, `state`."""
        ...

    async def name_of(self, kind: str, project: str, domain: str, name: str) -> NameRecord:
        """Raises Unknown, if no version has the name."""
        ...

    async def describe(self, name: NameRecord) -> None:
        """Keep what is said of a name that is there. Raises Unknown, as `name_of` does."""
        ...


class PoolStore(Protocol):
    """Units that attempts of all executions share, and limits that change at run time.

    Units are granted inside the transaction in which somebody asks, gives back, or changes the pool. Whoever had to
    wait is told by a `granted` command in the inbox of its execution. A commit that names an attempt in
    `Changes.freed` gives its units back.
    """

    async def acquire(
        self, claim: Claim, *, path: str, number: int, pool: str, units: int, priority: int = 0
    ) -> Place | None:
        """Take units of a pool for an open attempt, or a place in the line; again: where it stands now.

        A pool that is not there has no units, until somebody makes it. None: the attempt is not open.

        Args:
            priority: The higher, the sooner; 0: that of the pool.

        Raises:
            FenceLost: Another engine has the execution.
        """
        ...

    async def set_pool(self, pool: PoolRecord) -> None:
        """Make a pool or change it. What is held stays held, also if that is more than there are units now."""
        ...

    async def change_pool(self, name: str, change: Callable[[PoolRecord | None], PoolRecord]) -> None:
        """Make of a pool, or of none, what `change` gives, which may refuse; nobody else changes it meanwhile."""
        ...

    async def ensure_pool(self, name: str, units: int) -> None:
        """Make a pool, unless there is one with this name."""
        ...

    async def pools(self) -> Sequence[PoolUse]:
        """All of them, by name, with those that are asked for and not there as pools without units."""
        ...

    async def pool(self, name: str, *, limit: int = 100) -> tuple[PoolUse, Sequence[LeaseRecord]]:
        """One pool: who has units, oldest first, then who waits, in the order of the line. Raises Unknown."""
        ...

    async def leases(self, execution: int) -> Sequence[tuple[LeaseRecord, str]]:
        """What attempts of an execution have of pools and wait for; with what it waits for, in a sentence."""
        ...

    async def knobs(self) -> Mapping[str, str]:
        """Limits that somebody has changed at run time, by name."""
        ...

    async def set_knob(self, key: str, value: str) -> None:
        """Change a limit, in all processes: whoever watches is woken. Empty: back to what the configuration says."""
        ...


class EntityStore(Protocol):
    """What is registered."""

    async def register(self, entities: Sequence[EntityRecord]) -> None:
        """Keep entities, all or nothing; those that are there with the same digest stay as they are.

        Raises:
            NameTaken: A version is there with another content.
        """
        ...

    async def entity(self, kind: str, project: str, domain: str, name: str, version: str = "") -> EntityRecord:
        """One version, or the newest. Raises Unknown, with what there is."""
        ...

    async def entities(
        self, kind: str, *, project: str = "", domain: str = "", name: str = "", limit: int = 100
    ) -> Sequence[EntityRecord]:
        """Newest first, without their specs and closures."""
        ...


class CacheStore(Protocol):
    """Outputs of tasks by key, and who is making which one right now."""

    async def find(self, key: str) -> CacheRecord | None:
        """The entry, which counts as used now."""
        ...

    async def put(self, record: CacheRecord, *, overwrite: bool = False) -> None:
        """Keep an entry. One that is there stays, unless it is to be overwritten."""
        ...

    async def reserve(self, key: str, owner: str, *, lease: timedelta) -> datetime | None:
        """Take or extend the reservation of a key; None: `owner` has it, else until when another one does."""
        ...

    async def reserved(self, key: str) -> bool:
        """Whether anybody has the reservation of a key."""
        ...

    async def free(self, key: str, owner: str) -> None:
        """Give a reservation back; one that is not `owner`'s stays. Whoever watches is woken."""
        ...

    async def evict(
        self,
        *,
        older_than: timedelta | None = None,
        unused_for: timedelta | None = None,
        above_bytes: int | None = None,
        dry_run: bool = False,
    ) -> Sequence[CacheRecord]:
        """Remove entries by age, by last use, and the longest unused above a total size; gives those that went.

        With `dry_run` nothing is removed: those that would go.
        """
        ...

    async def cached(self, *, after: str = "", limit: int = 1_000) -> Sequence[CacheRecord]:
        """Entries in the order of their keys, from those after the key `after`. They do not count as used."""
        ...


class PlanStore(Protocol):
    """What people decide about projects and launch plans, and who is told of the ends of executions."""

    async def put_project(self, project: ProjectRecord, *, new: bool = False) -> None:
        """Keep a project, or what is said of it now. Raises NameTaken, if it must be new and is not."""
        ...

    async def keep_project(self, project: ProjectRecord) -> None:
        """Keep a project, unless there is one with its id."""
        ...

    async def projects(self) -> Sequence[ProjectRecord]:
        """All of them, by id."""
        ...

    async def put_attributes(self, attributes: AttributesRecord) -> None: ...

    async def drop_attributes(self, resource: int, project: str, domain: str = "", workflow: str = "") -> None:
        """Forget some; nothing happens if there are none."""
        ...

    async def attributes(self, resource: int, project: str = "") -> Sequence[AttributesRecord]:
        """All of a resource: of one project, or of all."""
        ...

    async def attributes_for(self, project: str, domain: str, workflow: str) -> Sequence[AttributesRecord]:
        """All that count for a workflow in a place: the project's own, the domain's, the workflow's."""
        ...

    async def set_plan(self, plan: PlanRecord) -> PlanRecord:
        """Make a version of a launch plan the active one, or no longer active; as it stands then.

        Its time begins at `changed_at`. But where the same schedule was active just before, it goes on as it was.
        Making a version inactive that is not active changes nothing.
        """
        ...

    async def plans(self, project: str = "", domain: str = "", name: str = "") -> Sequence[PlanRecord]:
        """Those that are or were active, by project, domain and name; only those of a place, if it is given."""
        ...

    async def scheduled(self) -> Sequence[PlanRecord]:
        """All that are active and have a schedule."""
        ...

    async def ticked(self, plan: PlanRecord, *, last: datetime, note: str = "") -> bool:
        """Note that all ticks until `last` are dealt with; False, and nothing happens, if somebody changed the plan."""
        ...

    async def take_notices(self, *, limit: int, lease: timedelta) -> Sequence[tuple[NoticeRecord, ExecutionRecord]]:
        """Notices of executions that have ended which are due; nobody else is given them for `lease`."""
        ...

    async def drop_notice(self, id: int) -> None:
        """Somebody was told, or nobody can be."""
        ...

    async def put_off_notice(self, id: int, *, wait: timedelta, error: str) -> None:
        """It did not work: try again after `wait`."""
        ...


class DocumentStore(Protocol):
    """What engines of others keep here."""

    async def document(self, kind: str, scope: str, name: str) -> DocumentRecord | None: ...

    async def put_documents(self, documents: Sequence[DocumentRecord], *, overwrite: bool = False) -> None:
        """Keep documents, all or nothing. Raises NameTaken, if one is there and is not to be overwritten."""
        ...

    async def drop_document(self, kind: str, scope: str, name: str) -> None:
        """Forget a document; one that is not there is fine."""
        ...

    async def page_documents(
        self, kind: str, scope: str, page: Page
    ) -> Sequence[tuple[tuple[Plain, Plain], DocumentRecord]]:
        """Documents of a scope by `created_at`, each with its place. There are no conditions."""
        ...


class Keeper(Protocol):
    """What goes away with time."""

    async def delete(self, execution: int) -> None:
        """Remove an execution that is not open, with all its rows and leases. Children stay. Raises Unknown, and
        NameTaken while it is open."""
        ...


class WorkStore(EngineStore, PoolStore, QueryStore, EntityStore, CacheStore, Keeper, Protocol):
    """What it takes to run executions."""

    async def aclose(self) -> None:
        """Finish what was begun, and let go of the database."""
        ...


class Store(WorkStore, PageStore, PlanStore, DocumentStore, Protocol):
    """A whole store, as it is opened: `alula.store.opening.open_store`."""
