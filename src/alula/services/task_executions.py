"""Attempts of tasks: look up and list, with what they were given and gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.json_format import ParseDict, ParseError

from alula.admin.desk import Desk
from alula.admin.filters import Field, numbers, prefixed, times, words
from alula.admin.outline import Outline, Plans, outline_of
from alula.admin.sayings import Said, said
from alula.data.layout import Attempt
from alula.data.layout import Execution as Files
from alula.engine.codec import read_attempt, read_node
from alula.engine.phases import attempt_phase, element_phase
from alula.engine.plan import Kind, NodePlan
from alula.engine.state import AttemptPhase, AttemptState, NodeState, index_of
from alula.errors import Unknown
from alula.idl import LiteralMap, NodeExecutionIdentifier, TaskExecutionIdentifier, TaskTemplate
from alula.idl import TaskExecution as Phases
from alula.idl.service import (
    Sort,
    TaskExecution,
    TaskExecutionGetDataRequest,
    TaskExecutionGetDataResponse,
    TaskExecutionGetRequest,
    TaskExecutionList,
    TaskExecutionListRequest,
)
from alula.services import blobs
from alula.services.binding import Call
from alula.services.links import Links
from alula.services.listing import asked, page_of
from alula.services.logs import Logs, told_by_plugins
from alula.services.node_shown import CACHE
from alula.services.shown import duration, error, key_of
from alula.store.memory_pages import chosen
from alula.store.records import Page, Plain

_ELEMENTS = 200
"""Of an array, how many elements the one attempt names that stands for all of them."""
_OWN: Mapping[str, Field] = {
    "retry_attempt": numbers("number"),
    "phase": words("phase", {name: (number,) for name, number in Phases.Phase.items()}),
    "created_at": times("created_at"),
}
FIELDS = prefixed(_OWN, "task_execution")
SORTS = {"created_at": "created_at", "retry_attempt": "number", "phase": "phase"}
_FIRST_FIRST = Sort(key="retry_attempt", direction=Sort.ASCENDING)


@dataclass(frozen=True, slots=True)
class _Node:
    """A node that somebody asks for the attempts of."""

    id: NodeExecutionIdentifier
    outline: Outline
    path: str
    plan: NodePlan


@dataclass(frozen=True, slots=True)
class _Times:
    """Of an attempt, or of a node that stands for some."""

    since: datetime
    started_at: datetime | None
    ended_at: datetime | None


class TaskExecutions:
    """Attempts of tasks. An array has one, which stands for all of its elements.

    Args:
        links: None: there is no HTTP server to read logs from.
    """

    def __init__(self, desk: Desk, plans: Plans, links: Links | None = None) -> None:
        self._desk, self._plans, self._logs = desk, plans, Logs(desk, links)

    async def GetTaskExecution(self, request: TaskExecutionGetRequest, call: Call) -> TaskExecution:
        """Raises Unknown."""
        return await self._attempt(request.id, await self._node(request.id.node_execution_id), call)

    async def ListTaskExecutions(self, request: TaskExecutionListRequest, call: Call) -> TaskExecutionList:
        """The attempts of one node; the first one first, unless the request says otherwise.

        Raises:
            Unknown: There is no such execution or node.
            RequestError: The filters or the order cannot be.
        """
        node = await self._node(request.node_execution_id)
        sort = request.sort_by if request.HasField("sort_by") and request.sort_by.key else _FIRST_FIRST
        rows = [(one.id.retry_attempt, _columns(one), one) for one in await self._attempts(node, call)]

        async def read(page: Page) -> Sequence[tuple[tuple[Plain, Plain], TaskExecution]]:
            return chosen(rows, page)

        found, token = await page_of(
            read,
            asked(request.limit, sort_by=sort, text=request.filters, fields=FIELDS, sorts=SORTS),
            at=request.token,
            question=f"attempts|{node.outline.record.id}|{node.path}",
        )
        return TaskExecutionList(task_executions=found, token=token)

    async def GetTaskExecutionData(
        self, request: TaskExecutionGetDataRequest, call: Call
    ) -> TaskExecutionGetDataResponse:
        """Inputs, and of the attempt that has succeeded the outputs. Raises Unknown, and DataError."""
        node = await self._node(request.id.node_execution_id)
        attempt = await self._attempt(request.id, node, call)
        outputs = LiteralMap()
        if attempt.closure.phase == Phases.SUCCEEDED:
            outputs = await node.outline.outputs(node.path)
        made = TaskExecutionGetDataResponse()
        inputs = await node.outline.inputs(node.path)
        number = request.id.retry_attempt
        await blobs.put(self._desk, made, self._files(node, number).prefix, inputs=inputs, outputs=outputs)
        key = node.outline.record.key
        url = f"flyte://v1/{key.project}/{key.domain}/{key.name}/{node.id.node_id}/{number}"
        made.flyte_urls.inputs, made.flyte_urls.outputs = f"{url}/i", f"{url}/o"
        return made

    async def _node(self, id: NodeExecutionIdentifier) -> _Node:
        record = await self._desk.store.execution(key_of(id.execution_id))
        outline = await outline_of(self._desk, self._plans, record)
        path = await outline.path(id.node_id)
        return _Node(id, outline, path, await outline.plan(path))

    async def _attempt(self, id: TaskExecutionIdentifier, node: _Node, call: Call) -> TaskExecution:
        for one in await self._attempts(node, call):
            if one.id.retry_attempt == id.retry_attempt:
                return one
        raise Unknown(
            f"node {id.node_execution_id.node_id} of {node.outline.record.key.name} has no attempt {id.retry_attempt}",
            fix="ListTaskExecutions shows those that there are; they count from 0",
        )

    async def _attempts(self, node: _Node, call: Call) -> list[TaskExecution]:
        """All of a node; none for a node that runs no task, or has the outputs of another one."""
        store, at = self._desk.store, node.outline.record.id
        if node.plan.kind is Kind.ARRAY and node.plan.element is not None and node.plan.element.task is not None:
            row = (await node.outline.rows([node.path])).get(node.path)
            return [await self._array(node, row, node.plan.element.task, call)] if row is not None else []
        if node.plan.kind is not Kind.TASK or node.plan.task is None:
            return []
        rows = sorted(map(read_attempt, await store.attempts(at, node.path)), key=lambda row: row.number)
        if not rows:
            return []
        told = await said(self._desk, at, node.path)
        made = [self._message(node, row, node.plan.task, told.of((row.path, row.number))) for row in rows]
        printed = await self._logs.of(node.outline.record.key, [(row.path, row.number) for row in rows], call)
        for one, logs in zip(made, printed, strict=True):
            one.closure.logs.extend(logs)
        return made

    def _message(self, node: _Node, row: AttemptState, task: TaskTemplate, told: Said) -> TaskExecution:
        made = TaskExecution(id=_id(node, task, row.number))
        closure = made.closure
        closure.phase = attempt_phase(row, told.quota)
        closure.task_type = task.type
        closure.reason = told.message or told.quota or told.shown.reason
        if closure.reason:
            closure.reasons.add(message=closure.reason).occurred_at.FromDatetime(row.started_at or row.since)
        if row.failure is not None and row.phase in (AttemptPhase.FAILED, AttemptPhase.ABORTED):
            closure.error.CopyFrom(error(row.failure, row.ended_at))
        closure.logs.extend(told_by_plugins(told.shown.links))
        try:
            ParseDict(dict(told.shown.custom), closure.custom_info)
        except (ParseError, ValueError):  # a plugin's facts that have no place in a Struct
            closure.custom_info.Clear()
        closure.metadata.generated_name = f"{node.outline.record.key.name}-{node.id.node_id}-{row.number}"
        closure.event_version = 1
        _put_times(made, _Times(row.since, row.started_at, row.ended_at))
        return made

    async def _array(self, node: _Node, row: NodeState, task: TaskTemplate, call: Call) -> TaskExecution:
        """What stands for all elements of an array."""
        made = TaskExecution(id=_id(node, task, 0))
        closure = made.closure
        closure.phase, closure.task_type, closure.event_version = element_phase(row), task.type, 1
        if row.failure is not None:
            closure.error.CopyFrom(error(row.failure, row.ended_at))
        _put_times(made, _Times(row.since, row.started_at, row.ended_at))
        page = Page(sort="created_at", descending=False, limit=_ELEMENTS)
        at = node.outline.record.id
        rows = await self._desk.store.page_nodes(at, node.path, page, elements=True)
        elements = [read_node(record) for _, record in rows]
        printed = await self._logs.of(node.outline.record.key, [(one.path, one.attempt) for one in elements], call)
        told = await said(self._desk, at)
        for inner, logs in zip(elements, printed, strict=True):
            index = index_of(inner.path)
            closure.metadata.external_resources.add(
                external_id=f"{node.id.node_id}-0-n{index}",
                index=index,
                retry_attempt=inner.attempt,
                phase=element_phase(inner),
                cache_status=CACHE[inner.cache],
                logs=[*told_by_plugins(told.of((inner.path, inner.attempt)).shown.links), *logs],
            )
        return made

    def _files(self, node: _Node, attempt: int) -> Attempt:
        key = node.outline.record.key
        files = Files.under(self._desk.data, project=key.project, domain=key.domain, name=key.name)
        return files.attempt(node.path, attempt)


def _id(node: _Node, task: TaskTemplate, attempt: int) -> TaskExecutionIdentifier:
    return TaskExecutionIdentifier(task_id=task.id, node_execution_id=node.id, retry_attempt=attempt)


def _put_times(made: TaskExecution, when: _Times) -> None:
    made.closure.created_at.FromDatetime(when.since)
    made.closure.updated_at.FromDatetime(when.ended_at or when.started_at or when.since)
    if when.started_at is not None:
        made.closure.started_at.FromDatetime(when.started_at)
    took = duration(when.started_at, when.ended_at)
    if took is not None:
        made.closure.duration.CopyFrom(took)


def _columns(one: TaskExecution) -> Mapping[str, Plain]:
    created = one.closure.created_at
    return {
        "number": one.id.retry_attempt,
        "phase": one.closure.phase,
        "created_at": created.seconds * 1_000_000 + created.nanos // 1_000,
    }
