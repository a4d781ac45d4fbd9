"""Rows of nodes as flyteidl's messages: what they are made of, what they launched, what the cache had to say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from alula.admin.desk import Desk
from alula.admin.outline import Outline, Plans, outline_of, spec_id
from alula.data.layout import Attempt
from alula.data.layout import Execution as Files
from alula.engine.nodes.task import child_name
from alula.engine.phases import node_phase
from alula.engine.plan import Kind, NodePlan
from alula.engine.state import CacheStatus, NodePhase, NodeState, parent
from alula.errors import Unknown
from alula.idl import Identifier, ResourceType, TaskExecutionIdentifier, TaskTemplate
from alula.idl.ids import dns_label
from alula.idl.reports import CatalogCacheStatus, CatalogMetadata
from alula.idl.service import NodeExecution
from alula.services.blobs import plain
from alula.services.shown import duration, error, execution_id, node_id
from alula.store.records import Condition, ExecutionKey, Page

CACHE: Mapping[CacheStatus, CatalogCacheStatus] = {
    CacheStatus.DISABLED: CatalogCacheStatus.CACHE_DISABLED,
    CacheStatus.MISS: CatalogCacheStatus.CACHE_MISS,
    CacheStatus.HIT: CatalogCacheStatus.CACHE_HIT,
    CacheStatus.PENDING: CatalogCacheStatus.CACHE_MISS,
    CacheStatus.POPULATED: CatalogCacheStatus.CACHE_POPULATED,
    CacheStatus.LOOKUP_FAILURE: CatalogCacheStatus.CACHE_LOOKUP_FAILURE,
    CacheStatus.PUT_FAILURE: CatalogCacheStatus.CACHE_PUT_FAILURE,
    CacheStatus.SKIPPED: CatalogCacheStatus.CACHE_SKIPPED,
}


class Shower:
    """Makes messages of rows."""

    def __init__(self, desk: Desk, plans: Plans) -> None:
        self._desk, self._plans = desk, plans

    async def messages(self, outline: Outline, rows: Sequence[NodeState]) -> list[NodeExecution]:
        """Nodes of one execution as clients see them."""
        plans = {row.path: await outline.plan(row.path) for row in rows}
        ids = await outline.ids(plans)
        tasks = [path for path, plan in plans.items() if plan.kind is Kind.TASK]
        made = await self._desk.store.expanded(outline.record.id, tasks) if tasks else ()
        launched = await self._launched(outline, [row for row in rows if plans[row.path].kind is Kind.LAUNCH_PLAN])
        return [
            await self._message(
                outline, row, plans[row.path], ids[row.path], dynamic=row.path in made, child=launched.get(row.path)
            )
            for row in rows
        ]

    def files(self, key: ExecutionKey, path: str, attempt: int) -> Attempt:
        """Where the files of an attempt are."""
        return Files.under(self._desk.data, project=key.project, domain=key.domain, name=key.name).attempt(
            path, attempt
        )

    async def _message(
        self, outline: Outline, row: NodeState, plan: NodePlan, id: str, *, dynamic: bool, child: str | None
    ) -> NodeExecution:
        key = outline.record.key
        made = NodeExecution(id=node_id(key, id))
        said, closure = made.metadata, made.closure
        said.spec_node_id = spec_id(row.path)
        said.is_dynamic = dynamic
        said.is_parent_node = dynamic or plan.kind is Kind.WORKFLOW
        said.is_array = plan.kind is Kind.ARRAY
        if parent(row.path):
            said.retry_group = id[: -len(said.spec_node_id) - 1].rpartition("-")[2]
        closure.phase = node_phase(row, dynamic=dynamic)
        _times(made, row)
        if row.failure is not None and row.phase in (NodePhase.FAILED, NodePhase.TIMED_OUT):
            closure.error.CopyFrom(error(row.failure, row.ended_at))
        if child:
            closure.workflow_node_metadata.executionId.CopyFrom(
                execution_id(ExecutionKey(key.project, key.domain, child))
            )
        task = plan.task
        if task is not None and plan.policy.cacheable:
            cached = closure.task_node_metadata
            cached.cache_status = CACHE[row.cache]
            cached.catalog_key.CopyFrom(await self._catalog(outline, row, task))
        if task is not None and row.checkpoint:
            closure.task_node_metadata.checkpoint_uri = plain(row.checkpoint)
            if not closure.task_node_metadata.HasField("catalog_key"):
                closure.task_node_metadata.catalog_key.dataset_id.CopyFrom(_dataset(task))
        if row.phase.terminal and has_deck(plan) and row.cache is not CacheStatus.HIT:
            closure.deck_uri = plain(self.files(key, row.path, row.attempt).deck)
        return made

    async def _launched(self, outline: Outline, rows: Sequence[NodeState]) -> Mapping[str, str]:
        """Names of the executions that nodes have launched, of those that are there."""
        key = outline.record.key
        names = {row.path: child_name(key.name, row.path, row.attempt) for row in rows}
        if not names:
            return {}
        where = (Condition("name", "in", tuple(names.values())),)
        found = await self._desk.store.page_executions(key.project, key.domain, Page(where, "name", limit=len(names)))
        there = {record.key.name for _, record in found}
        return {path: name for path, name in names.items() if name in there}

    async def _catalog(self, outline: Outline, row: NodeState, task: TaskTemplate) -> CatalogMetadata:
        """What the outputs of a task are called in the catalog, and of a hit who has made them."""
        made = CatalogMetadata(dataset_id=_dataset(task))
        if row.cache is not CacheStatus.HIT:
            return made
        made.artifact_tag.name = made.artifact_tag.artifact_id = _tag(row.cache_source)
        source = await self._source(row.cache_source, task)
        if source is not None:
            made.source_task_execution.CopyFrom(source)
        return made

    async def _source(self, source: str, task: TaskTemplate) -> TaskExecutionIdentifier | None:
        """Who a source is: `project:domain:name path`."""
        where, _, path = source.partition(" ")
        parts = where.split(":")
        if len(parts) != 3:
            return None
        key = ExecutionKey(*parts)
        id, attempt = path, 0
        try:
            outline = await outline_of(self._desk, self._plans, await self._desk.store.execution(key))
            id, attempt = await outline.id(path), (await outline.row(path)).attempt
        except Unknown:  # it is gone, and is named all the same
            pass
        return TaskExecutionIdentifier(task_id=task.id, node_execution_id=node_id(key, id), retry_attempt=attempt)


def has_deck(plan: NodePlan) -> bool:
    """Whether a task says that it leaves a report."""
    return plan.task is not None and plan.task.metadata.generates_deck.value


def _times(made: NodeExecution, row: NodeState) -> None:
    made.closure.created_at.FromDatetime(row.since)
    made.closure.updated_at.FromDatetime(row.ended_at or row.started_at or row.since)
    if row.started_at is not None:
        made.closure.started_at.FromDatetime(row.started_at)
    took = duration(row.started_at, row.ended_at)
    if took is not None:
        made.closure.duration.CopyFrom(took)


def _dataset(task: TaskTemplate) -> Identifier:
    """The data set of a task's outputs: named after the task, its cache version and its interface."""
    interface = hashlib.sha256(task.interface.SerializeToString(deterministic=True)).hexdigest()[:16]
    return Identifier(
        resource_type=ResourceType.DATASET,
        project=task.id.project,
        domain=task.id.domain,
        name=f"flyte_task-{task.id.name}",
        version="-".join(part for part in (task.metadata.discovery_version, interface) if part),
    )


def _tag(source: str) -> str:
    return f"flyte_cached-{dns_label(source)}"
