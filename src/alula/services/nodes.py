"""Nodes of executions: look up and list, with what they were given and gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from alula.admin.desk import Desk
from alula.admin.filters import Field, prefixed, texts, times, words
from alula.admin.outline import Outline, Plans, outline_of
from alula.data.layout import Execution as Files
from alula.engine.codec import read_node
from alula.engine.phases import node_phases
from alula.engine.plan import Kind
from alula.engine.state import ROOT
from alula.errors import Unknown
from alula.idl import NodeExecutionIdentifier, WorkflowExecutionIdentifier
from alula.idl.service import (
    DynamicNodeWorkflowResponse,
    GetDynamicNodeWorkflowRequest,
    NodeExecution,
    NodeExecutionForTaskListRequest,
    NodeExecutionGetDataRequest,
    NodeExecutionGetDataResponse,
    NodeExecutionGetRequest,
    NodeExecutionList,
    NodeExecutionListRequest,
    Sort,
)
from alula.services import blobs
from alula.services.binding import Call
from alula.services.listing import asked, page_of
from alula.services.node_shown import Shower, has_deck
from alula.services.shown import key_of
from alula.store.records import Condition, NodeRecord, Page

SORTS = {"created_at": "created_at", "updated_at": "updated_at", "node_id": "path", "phase": "phase"}
_OWN: Mapping[str, Field] = {
    "phase": words("phase", node_phases()),
    "created_at": times("created_at"),
    "updated_at": times("updated_at"),
    "node_id": texts("path"),
}
FIELDS = prefixed(_OWN, "node_execution")
_OLDEST_FIRST = Sort(key="created_at", direction=Sort.ASCENDING)


class Nodes:
    """Nodes that have begun."""

    def __init__(self, desk: Desk, plans: Plans) -> None:
        self._desk, self._plans = desk, plans
        self._shower = Shower(desk, plans)

    async def GetNodeExecution(self, request: NodeExecutionGetRequest, call: Call) -> NodeExecution:
        """Raises Unknown."""
        outline, path = await self._at(request.id)
        [made] = await self._shower.messages(outline, [await outline.row(path)])
        return made

    async def ListNodeExecutions(self, request: NodeExecutionListRequest, call: Call) -> NodeExecutionList:
        """Nodes directly in the execution, or in one of its nodes; the oldest first, unless the request says otherwise.

        Raises:
            Unknown: There is no such execution or node.
            RequestError: Its filters or its order cannot be.
        """
        outline = await self._outline(request.workflow_execution_id)
        inside = await outline.path(request.unique_parent_id) if request.unique_parent_id else ROOT
        return await self._list(outline, inside, request)

    async def ListNodeExecutionsForTask(
        self, request: NodeExecutionForTaskListRequest, call: Call
    ) -> NodeExecutionList:
        """The nodes that a dynamic task has made. Raises Unknown, and RequestError."""
        outline, path = await self._at(request.task_execution_id.node_execution_id)
        row = await outline.row(path)
        if row.attempt != request.task_execution_id.retry_attempt or await outline.made(path) is None:
            return NodeExecutionList()
        return await self._list(outline, path, request)

    async def GetNodeExecutionData(
        self, request: NodeExecutionGetDataRequest, call: Call
    ) -> NodeExecutionGetDataResponse:
        """Inputs and outputs, as far as they are known; and the workflow that a dynamic task has made.

        Raises:
            Unknown: There is no such execution or node.
            DataError: They cannot be read.
        """
        outline, path = await self._at(request.id)
        row = await outline.row(path)
        made = NodeExecutionGetDataResponse()
        shape = await outline.made(path) if (await outline.plan(path)).kind is Kind.TASK else None
        if shape is not None:
            made.dynamic_workflow.id.CopyFrom(shape[0].primary.template.id)
            made.dynamic_workflow.compiled_workflow.CopyFrom(shape[0])
        key = outline.record.key
        files = Files.under(self._desk.data, project=key.project, domain=key.domain, name=key.name)
        prefix = files.attempt(path, row.attempt).prefix
        inputs, outputs = await outline.inputs(path), await outline.outputs(path)
        await blobs.put(self._desk, made, prefix, inputs=inputs, outputs=outputs)
        url = f"flyte://v1/{key.project}/{key.domain}/{key.name}/{request.id.node_id}"
        made.flyte_urls.inputs, made.flyte_urls.outputs = f"{url}/i", f"{url}/o"
        if has_deck(await outline.plan(path)):
            made.flyte_urls.deck = f"{url}/d"
        return made

    async def GetDynamicNodeWorkflow(
        self, request: GetDynamicNodeWorkflowRequest, call: Call
    ) -> DynamicNodeWorkflowResponse:
        """The workflow that a dynamic task has made. Raises Unknown."""
        outline, path = await self._at(request.id)
        plan = await outline.plan(path)
        shape = await outline.made(path) if plan.kind is Kind.TASK else None
        if shape is None:
            raise Unknown(f"node {request.id.node_id} of {outline.record.key.name} has made no workflow")
        return DynamicNodeWorkflowResponse(compiled_workflow=shape[0])

    async def _list(
        self, outline: Outline, inside: str, request: NodeExecutionListRequest | NodeExecutionForTaskListRequest
    ) -> NodeExecutionList:
        sort = request.sort_by if request.HasField("sort_by") and request.sort_by.key else _OLDEST_FIRST
        page = asked(request.limit, sort_by=sort, text=request.filters, fields=FIELDS, sorts=SORTS)
        page = replace(page, where=tuple([await _by_path(outline, one) for one in page.where]))
        id, below = outline.record.id, await outline.below(inside)

        async def read(page: Page) -> Sequence[tuple[tuple[str | int, str | int], NodeRecord]]:
            return await below.page(self._desk.store, id, page)

        rows, token = await page_of(
            read,
            page,
            at=request.token,
            question=f"nodes|{id}|{inside}",
            kinds=(str if page.sort in ("path", "phase") else int, str),
            size=lambda row: len(row.body),
        )
        return NodeExecutionList(
            node_executions=await self._shower.messages(outline, list(map(read_node, rows))), token=token
        )

    async def _at(self, id: NodeExecutionIdentifier) -> tuple[Outline, str]:
        outline = await self._outline(id.execution_id)
        return outline, await outline.path(id.node_id)

    async def _outline(self, id: WorkflowExecutionIdentifier) -> Outline:
        return await outline_of(self._desk, self._plans, await self._desk.store.execution(key_of(id)))


async def _by_path(outline: Outline, one: Condition) -> Condition:
    """A condition on ids as clients know them, on the paths of those nodes."""
    if one.column != "path" or not isinstance(one.value, tuple):
        return one
    paths = []
    for id in one.value:
        try:
            paths.append(await outline.path(str(id)))
        except Unknown:  # none is called so
            paths.append(str(id))
    return replace(one, value=tuple(paths))
