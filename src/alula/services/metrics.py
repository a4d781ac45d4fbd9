"""Where the time of an execution went: spans of the execution, its nodes, their attempts and what lies between."""

from __future__ import annotations

from datetime import datetime

from alula.admin.desk import Desk
from alula.admin.outline import Outline, Plans, outline_of
from alula.engine.codec import read_attempt, read_node
from alula.engine.plan import Kind
from alula.engine.state import ROOT, AttemptState, NodeState
from alula.idl import TaskExecutionIdentifier
from alula.idl.reports import Span
from alula.idl.service import WorkflowExecutionGetMetricsRequest, WorkflowExecutionGetMetricsResponse
from alula.services.binding import Call
from alula.services.shown import execution_id, key_of, node_id
from alula.store.records import Page

_DEEPEST = 10
_NODES = 1_000
"""Nodes of one level, the oldest ones."""
SETUP, TEARDOWN = "WORKFLOW_SETUP", "WORKFLOW_TEARDOWN"
NODE_SETUP, NODE_TEARDOWN = "NODE_SETUP", "NODE_TEARDOWN"
TASK_SETUP, TASK_RUNTIME = "TASK_SETUP", "TASK_RUNTIME"


class Metrics:
    """Times of executions."""

    def __init__(self, desk: Desk, plans: Plans) -> None:
        self._desk, self._plans = desk, plans

    async def GetExecutionMetrics(
        self, request: WorkflowExecutionGetMetricsRequest, call: Call
    ) -> WorkflowExecutionGetMetricsResponse:
        """Spans down to a depth: 0 gives that of the execution alone, 1 its nodes too, and so on.

        What goes on still ends now. Raises Unknown.
        """
        record = await self._desk.store.execution(key_of(request.id))
        outline = await outline_of(self._desk, self._plans, record)
        end = record.ended_at or self._desk.clock.now()
        whole = _span(record.created_at, end)
        whole.workflow_id.CopyFrom(execution_id(record.key))
        if request.depth > 0:
            inner = await self._inside(outline, ROOT, min(request.depth, _DEEPEST))
            started = record.started_at or end
            whole.spans.append(_operation(SETUP, record.created_at, started))
            whole.spans.extend(inner)
            last = max((one.end_time.ToDatetime(end.tzinfo) for one in inner), default=started)
            whole.spans.append(_operation(TEARDOWN, last, end))
        return WorkflowExecutionGetMetricsResponse(span=whole)

    async def _inside(self, outline: Outline, path: str, depth: int) -> list[Span]:
        """The spans of the nodes directly in one."""
        below = await outline.below(path)
        page = Page(sort="created_at", descending=False, limit=_NODES)
        rows = await below.page(self._desk.store, outline.record.id, page)
        nodes = [read_node(row) for _, row in rows]
        ids = await outline.ids(node.path for node in nodes)
        return [await self._node(outline, node, ids[node.path], depth) for node in nodes]

    async def _node(self, outline: Outline, row: NodeState, id: str, depth: int) -> Span:
        end = row.ended_at or self._desk.clock.now()
        made = _span(row.since, end)
        made.node_id.CopyFrom(node_id(outline.record.key, id))
        if depth < 2:
            return made
        plan = await outline.plan(row.path)
        stored = await self._desk.store.attempts(outline.record.id, row.path) if plan.kind is Kind.TASK else ()
        attempts = sorted(map(read_attempt, stored), key=lambda one: one.number)
        inner = [self._attempt(outline, id, one, end) for one in attempts]
        if plan.kind in (Kind.WORKFLOW, Kind.BRANCH, Kind.ARRAY) or await outline.graph(row.path) is not None:
            inner += await self._inside(outline, row.path, depth - 1)
        if inner:
            begun = min(one.start_time.ToDatetime(end.tzinfo) for one in inner)
            last = max(one.end_time.ToDatetime(end.tzinfo) for one in inner)
            made.spans.append(_operation(NODE_SETUP, row.since, begun))
            made.spans.extend(inner)
            made.spans.append(_operation(NODE_TEARDOWN, last, end))
        return made

    def _attempt(self, outline: Outline, id: str, row: AttemptState, end: datetime) -> Span:
        over = row.ended_at or end
        made = _span(row.since, over)
        made.task_id.CopyFrom(
            TaskExecutionIdentifier(node_execution_id=node_id(outline.record.key, id), retry_attempt=row.number)
        )
        started = row.started_at or over
        made.spans.extend([_operation(TASK_SETUP, row.since, started), _operation(TASK_RUNTIME, started, over)])
        return made


def _span(start: datetime, end: datetime) -> Span:
    made = Span()
    made.start_time.FromDatetime(start)
    made.end_time.FromDatetime(max(start, end))
    return made


def _operation(name: str, start: datetime, end: datetime) -> Span:
    made = _span(start, end)
    made.operation_id = name
    return made
