"""What people see of executions: plain values that become JSON as they are (`plain`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from alula._kits import lazy
from alula.admin.desk import Desk
from alula.admin.sayings import Sayings, said
from alula.data.layout import Attempt
from alula.data.layout import Execution as Files
from alula.engine.codec import read_attempt
from alula.engine.execution import Execution
from alula.engine.loading import Loader
from alula.engine.plan import LEAVES, Kind, NodePlan
from alula.engine.state import ROOT, CacheStatus, Failure, NodePhase, NodeState, child, element, index_of, parent
from alula.engine.why import Reason, waiting
from alula.errors import Unknown
from alula.idl.ids import id_text
from alula.plugin.phase import Json, LogLink
from alula.store.records import ExecutionFilter, ExecutionKey, ExecutionRecord, Loaded

difflib = lazy.module("difflib")  # only a wrong path comes there
ELEMENTS = 100
"""How many elements of an array are shown where nobody asks for more."""


@dataclass(frozen=True, slots=True)
class ExecutionView:
    project: str
    domain: str
    name: str
    entity: str
    """`workflow:project:domain:name:version`."""
    phase: str
    open: bool
    """Something is left to do: it has not ended, or an attempt is still being cleaned up after."""
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float
    """From its start to its end, or till now."""
    error: str
    engine: str
    """Who drives it; empty: nobody."""
    reference: str = ""
    """The execution that it recovers."""
    parent: str = ""
    """The execution that launched it, and the path of the node: `nightly n2`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FailureView:
    code: str
    message: str
    kind: str
    path: str
    """The node that failed first."""


@dataclass(frozen=True, slots=True)
class NodeView:
    path: str
    """Empty: the execution as a whole."""
    title: str
    kind: str
    """`task`, `launch_plan`, `workflow`, `branch`, `array`, `gate`; `dynamic` for a task that made a workflow."""
    entity: str
    """The task that it runs, or what it launches: `task:project:domain:name:version`; empty for others."""
    depth: int
    phase: str
    """Empty: it has not begun."""
    since: datetime | None = None
    """When all that it waits for had ended."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    queued_seconds: float = 0.0
    """From when it could run to when it ran."""
    running_seconds: float = 0.0
    attempts: int = 0
    """How many there were, the present one included."""
    cache: str = CacheStatus.DISABLED
    cache_source: str = ""
    """Of a hit: who made the outputs."""
    failure: FailureView | None = None
    done: float | None = None
    """From 0 to 1, as the task says."""
    message: str = ""
    waiting: str = ""
    """Why it does not run; empty once it does, and when it has ended."""
    reason: str = ""
    """What its last attempt does, as its plugin says."""
    links: tuple[LogLink, ...] = ()
    """Pages about its last attempt."""
    custom: Mapping[str, Json] = field(default_factory=dict)
    """Facts that its plugin gives of its last attempt."""
    stuck: str = ""
    """Why its last attempt is in quarantine: its clean-up keeps failing."""
    size: int = 0
    """Of an array: how many elements it has."""
    ended: int = 0
    """Of an array: how many elements have ended."""


@dataclass(frozen=True, slots=True)
class AttemptView:
    path: str
    number: int
    phase: str
    open: bool
    since: datetime
    started_at: datetime | None
    ended_at: datetime | None
    queued_seconds: float
    running_seconds: float
    failure: FailureView | None
    interruptible: bool
    prefix: str
    """Where its files are."""
    log: str
    """URI of what it printed; there may be none."""
    deck: str
    """URI of its report; there may be none."""
    done: float | None = None
    message: str = ""
    waiting: str = ""
    """What of a pool it waits for."""
    outside: str = ""
    """Where it stands at its remote, as its plugin says: `queued`, `starting`, `running`, ..."""
    reason: str = ""
    """What it does, as its plugin says."""
    links: tuple[LogLink, ...] = ()
    custom: Mapping[str, Json] = field(default_factory=dict)
    stuck: str = ""
    """Why it is in quarantine: its clean-up keeps failing. It is tried again for ever."""


async def executions(
    desk: Desk, filter: ExecutionFilter | None = None, *, limit: int = 100, before: int = 0
) -> list[ExecutionView]:
    """Newest first."""
    return [await _view(desk, record) for record in await desk.store.executions(filter, limit=limit, before=before)]


async def execution(desk: Desk, key: ExecutionKey) -> ExecutionView:
    """Raises Unknown, with names that are close."""
    return await _view(desk, await desk.store.execution(key))


async def nodes(
    desk: Desk, key: ExecutionKey, path: str = ROOT, *, deep: bool = True, elements: int = ELEMENTS
) -> list[NodeView]:
    """A node and all below it, each after what it is in, in the order in which they are written.

    Nodes that have not begun are there too; of an array only elements that have.

    Args:
        path: Of the node; the root stands for the execution.
        deep: Below the nodes of a workflow too, not only one level.
        elements: How many elements of each array; those under way and those that failed come first. 0: all.

    Raises:
        Unknown: There is no such execution or node.
    """
    record = await desk.store.execution(key)
    told = await said(desk, record.id)
    tries = Counter(row.path for row in await desk.store.attempts(record.id))
    x = await loaded(desk, record)
    plan_of(x, path)
    tree = _Tree(x, told, tries, desk.clock.now(), elements=elements, deep=deep)
    tree.add(path, 0)
    return tree.found


async def attempts(desk: Desk, key: ExecutionKey, path: str | None = None) -> list[AttemptView]:
    """The attempts of one node, or all, by path and number. Raises Unknown."""
    record = await desk.store.execution(key)
    files = _files(desk, key)
    now = desk.clock.now()
    sayings = await said(desk, record.id, path)
    found = []
    for stored in await desk.store.attempts(record.id, path):
        row = read_attempt(stored)
        at = files.attempt(row.path, row.number)
        queued, running = durations(row.since, row.started_at, row.ended_at, now)
        told = sayings.of((row.path, row.number))
        found.append(
            AttemptView(
                path=row.path,
                number=row.number,
                phase=row.phase,
                open=row.open,
                since=row.since,
                started_at=row.started_at,
                ended_at=row.ended_at,
                queued_seconds=queued,
                running_seconds=running,
                failure=_failure(row.failure),
                interruptible=row.interruptible,
                prefix=at.prefix,
                log=at.log,
                deck=at.deck,
                done=told.done,
                message=told.message,
                waiting=told.quota,
                outside=str(told.shown.phase or ""),
                reason=told.shown.reason,
                links=told.shown.links,
                custom=told.shown.custom,
                stuck=told.stuck,
            )
        )
    if not found and path:
        plan_of(await loaded(desk, record), path)
    return sorted(found, key=lambda view: (view.path, view.number))


def no_attempt(where: str, number: int, there: Collection[int]) -> Unknown:
    """The error for an attempt that is not there, with those that are: people count from 1."""
    last = max(there, default=-1) + 1
    fix = f"the attempts are 1 to {last}" if last > 1 else "there is attempt 1 only" if last else "it has none"
    return Unknown(f"{where} has no attempt {number + 1}", fix=fix)


def files_of(desk: Desk, key: ExecutionKey, path: str, attempt: int) -> Attempt:
    """Where the files of an attempt are: its log, its report, its outputs."""
    return _files(desk, key).attempt(path, attempt)


def plain(value: Any) -> Any:
    """A view as JSON takes it: times in ISO 8601, spans in seconds."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Enum():
            return plain(value.value)
        case Mapping():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(inner) for inner in value]
    return value


async def loaded(desk: Desk, record: ExecutionRecord) -> Execution:
    """An execution in memory as its rows tell it, to look at. What it recovers is left out."""
    store = desk.store
    rows = Loaded(
        record=replace(record, reference=0),
        closure=await store.closure(record.closure),
        nodes=tuple(await store.nodes(record.id)),
        attempts=tuple(one for one in await store.attempts(record.id) if one.open),
        expansions=tuple(await store.expansions(record.id)),
        signals=tuple(await store.signals(record.id)),
    )
    return await Loader(store).execution(rows)


def plan_of(x: Execution, path: str) -> NodePlan:
    """The plan of a node. Raises Unknown, with nodes that there are."""
    try:
        plan = x.plan_of(path)
        outer = x.nodes.get(parent(path)) if path.endswith("]") else None
        if outer is not None and outer.size and index_of(path) >= outer.size:
            raise KeyError(path)
        return plan
    except (KeyError, ValueError) as exc:
        near = difflib.get_close_matches(path, x.nodes, n=5, cutoff=0.4) or [one for one in x.nodes if one][:20]
        raise Unknown(
            f"execution {x.name} has no node {path!r}", fix=f"there are: {', '.join(near) or 'none that have begun'}"
        ) from exc


class _Tree:
    """Collects the views of a node and of those below it."""

    def __init__(
        self,
        x: Execution,
        told: Sayings,
        tries: Mapping[str, int],
        now: datetime,
        *,
        elements: int,
        deep: bool,
    ) -> None:
        self._x, self._told, self._tries, self._now = x, told, tries, now
        self._elements, self._deep = elements, deep
        self._over = x.phase is not None and x.phase.terminal
        self.found: list[NodeView] = []

    def add(self, path: str, depth: int) -> None:
        plan, row = self._x.plan_of(path), self._x.nodes.get(path)
        self.found.append(self._view(path, plan, row, depth))
        if depth and not self._deep:
            return
        below = self._below(path, plan, row)
        if row is not None and row.phase.terminal and not any(one in self._x.nodes for one in below):
            return  # it was recovered or skipped as a whole
        for one in below:
            self.add(one, depth + 1)

    def _below(self, path: str, plan: NodePlan, row: NodeState | None) -> list[str]:
        x = self._x
        graph = x.graph_of(path)
        if graph is not None:
            paths = [child(path, inner.id) for inner in graph.nodes]
            failure = child(path, graph.failure.id) if graph.failure is not None else ""
            return [*paths, failure] if failure in x.nodes and failure else paths
        if plan.kind is Kind.BRANCH and row is not None and row.arm >= 0:
            return [child(path, plan.arms[row.arm].then.id)]
        if plan.kind is Kind.ARRAY and row is not None:
            return self._chosen([element(path, nth) for nth in range(row.size) if element(path, nth) in x.nodes])
        return []

    def _chosen(self, elements: list[str]) -> list[str]:
        if not self._elements or len(elements) <= self._elements:
            return elements
        urgent = [one for one in elements if not self._x.nodes[one].phase.good]
        kept = set(urgent[: self._elements])
        kept.update([one for one in elements if one not in kept][: self._elements - len(kept)])
        return [one for one in elements if one in kept]

    def _view(self, path: str, plan: NodePlan, row: NodeState | None, depth: int) -> NodeView:
        x = self._x
        kind = "dynamic" if path in x.expansions else str(plan.kind)
        made = NodeView(path, _title(x, path, plan), kind, _entity(plan), depth, "", waiting=self._waiting(path, row))
        if row is None:
            return made
        ran = row.started_at or (row.ended_at if plan.kind in LEAVES else row.since)
        queued, running = durations(row.since, ran, row.ended_at, self._now)
        told, busy = self._told.of((path, row.attempt)), not row.phase.terminal
        scope = x.scopes.get(path)
        return replace(
            made,
            phase=str(row.phase),
            since=row.since,
            started_at=row.started_at,
            ended_at=row.ended_at,
            queued_seconds=queued,
            running_seconds=running,
            attempts=self._tries.get(path, 0),
            cache=str(row.cache),
            cache_source=row.cache_source,
            failure=_failure(row.failure),
            done=told.done if busy else None,
            message=told.message if busy else "",
            reason=told.shown.reason,
            links=told.shown.links,
            custom=told.shown.custom,
            stuck=told.stuck,
            size=row.size,
            ended=scope.succeeded + scope.failed if scope is not None else row.size if row.phase.terminal else 0,
        )

    def _waiting(self, path: str, row: NodeState | None) -> str:
        if self._over or (row is not None and row.phase.terminal):
            return ""
        if row is not None and row.phase is NodePhase.READY:
            return "max parallelism is reached"  # who is before it takes a look at all that wait
        why = waiting(self._x, path, self._told.reports, self._told.quotas)
        return "" if why.reason in (Reason.INSIDE, Reason.RUNNING, Reason.ENDED) else why.text


def durations(
    since: datetime, started_at: datetime | None, ended_at: datetime | None, now: datetime
) -> tuple[float, float]:
    """Seconds in which something waited to run, and in which it ran; till now if it still does."""
    end = ended_at or now
    queued = ((started_at or end) - since).total_seconds()
    running = (end - started_at).total_seconds() if started_at is not None else 0.0
    return max(queued, 0.0), max(running, 0.0)


async def _view(desk: Desk, record: ExecutionRecord) -> ExecutionView:
    now = desk.clock.now()
    reference = await _name(desk, record.reference)
    outer = await _name(desk, record.parent.execution) if record.parent is not None else ""
    return ExecutionView(
        project=record.key.project,
        domain=record.key.domain,
        name=record.key.name,
        entity=record.entity,
        phase=record.phase,
        open=record.open,
        created_at=record.created_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        seconds=durations(record.created_at, record.started_at, record.ended_at, now)[1],
        error=record.error,
        engine=record.owner,
        reference=reference,
        parent=f"{outer} {record.parent.path}" if record.parent is not None else "",
        labels=record.labels,
        facts=record.facts,
    )


async def _name(desk: Desk, id: int) -> str:
    """The name of an execution by its id; empty for none, and for one that is gone."""
    try:
        return (await desk.store.execution_by_id(id)).key.name if id else ""
    except Unknown:
        return ""


def _files(desk: Desk, key: ExecutionKey) -> Files:
    return Files.under(desk.data, project=key.project, domain=key.domain, name=key.name)


def _title(x: Execution, path: str, plan: NodePlan) -> str:
    if path == ROOT:
        return plan.graph.name if plan.graph is not None else x.name
    return f"[{index_of(path)}]" if path.endswith("]") else plan.title


def _entity(plan: NodePlan) -> str:
    if plan.task is not None:
        return id_text(plan.task.id)
    return id_text(plan.node.workflow_node.launchplan_ref) if plan.kind is Kind.LAUNCH_PLAN else ""


def _failure(failure: Failure | None) -> FailureView | None:
    if failure is None:
        return None
    return FailureView(failure.code, failure.message, str(failure.kind), failure.path)
