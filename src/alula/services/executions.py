"""Executions: create, repeat, recover, stop, put away, look up and list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alula.admin.desk import Desk
from alula.admin.executions import Created, abort, ended, recover, relaunch
from alula.admin.filters import Field, numbers, prefixed, texts, times, words
from alula.admin.options import Options
from alula.admin.outline import Plans, outline_of
from alula.admin.values import whole
from alula.data.layout import Execution as Files
from alula.engine.codec import read_values
from alula.engine.state import EXECUTION_PHASES, NodePhase
from alula.errors import Unknown
from alula.idl import LiteralMap, NodeExecutionIdentifier, WorkflowExecutionIdentifier
from alula.idl import WorkflowExecution as Phases
from alula.idl.service import (
    Execution,
    ExecutionCreateRequest,
    ExecutionCreateResponse,
    ExecutionList,
    ExecutionMetadata,
    ExecutionRecoverRequest,
    ExecutionRelaunchRequest,
    ExecutionSpec,
    ExecutionState,
    ExecutionTerminateRequest,
    ExecutionTerminateResponse,
    ExecutionUpdateRequest,
    ExecutionUpdateResponse,
    ResourceListRequest,
    WorkflowExecutionGetDataRequest,
    WorkflowExecutionGetDataResponse,
    WorkflowExecutionGetRequest,
)
from alula.services import blobs
from alula.services.answers import check_known
from alula.services.binding import Call
from alula.services.launching import Launchables, asked
from alula.services.listing import asked as page_asked
from alula.services.listing import checked_place, page_of
from alula.services.shown import ARCHIVED, execution_id, execution_message, key_of, node_id, spec_of
from alula.store.records import Condition, ExecutionRecord

_QUEUED = "queued"


def _phases() -> Mapping[str, tuple[str, ...]]:
    """Phases of rows by the name and by the number that Flyte has for them."""
    found: dict[int, list[str]] = {Phases.QUEUED: [_QUEUED]}
    for phase, number in EXECUTION_PHASES.items():
        found.setdefault(number, []).append(str(phase))
    rows = {Phases.Phase.Name(number): tuple(phases) for number, phases in found.items()}
    return rows | {str(number): tuple(phases) for number, phases in found.items()}


def _modes() -> Mapping[str, tuple[int, ...]]:
    modes = ExecutionMetadata.ExecutionMode.items()
    return {name: (number,) for name, number in modes} | {str(number): (number,) for _, number in modes}


def _of(kind: str) -> tuple[Condition, ...]:
    return (Condition("entity", "starts", f"{kind}:"),)


def _version(text: str) -> tuple[str]:
    return (f":{text}",)


_OWN: Mapping[str, Field] = {
    "name": texts("name"),
    "execution_name": texts("name"),
    "phase": words("phase", _phases()),
    "created_at": times("created_at"),
    "execution_created_at": times("created_at"),
    "started_at": times("started_at"),
    "updated_at": times("updated_at"),
    "execution_updated_at": times("updated_at"),
    "duration": numbers("duration", 1_000_000),
    "mode": words("mode", _modes()),
    "user": texts("principal"),
    "principal": texts("principal"),
    "state": words("state", {"EXECUTION_ACTIVE": (0,), "EXECUTION_ARCHIVED": (1,), "0": (0,), "1": (1,)}),
    "tag": Field("tags", lambda text: (f"\n{text}\n",), other="holds"),
    "execution_tag.name": Field("tags", lambda text: (f"\n{text}\n",), other="holds"),
    "launch_plan.name": texts("entity_name", also=_of("launch_plan")),
    "launch_plan.version": Field("entity", _version, also=_of("launch_plan"), other="ends"),
    "task.name": texts("entity_name", also=_of("task")),
    "task.version": Field("entity", _version, also=_of("task"), other="ends"),
    "workflow.name": texts("workflow_name"),
    "workflow.version": Field("workflow", _version, other="ends"),
}
FIELDS = prefixed(_OWN, "execution")
"""What executions can be filtered by."""
SORTS = {
    "created_at": "created_at",
    "execution_created_at": "created_at",
    "started_at": "started_at",
    "updated_at": "updated_at",
    "execution_updated_at": "updated_at",
    "duration": "duration",
    "name": "name",
    "execution_name": "name",
    "phase": "phase",
}


class Executions:
    """Executions by project, domain and name."""

    def __init__(self, desk: Desk, plans: Plans, launchables: Launchables | None = None) -> None:
        self._desk, self._plans = desk, plans
        self._launchables = launchables or Launchables(desk)

    async def CreateExecution(self, request: ExecutionCreateRequest, call: Call) -> ExecutionCreateResponse:
        """The same name with the same inputs is the same execution: asking twice creates one.

        Raises:
            Unknown: There is no such launch plan or task.
            RequestError: Inputs, names or options cannot be; all that is wrong.
            NameTaken: The name stands for something else.
            Busy: As many are open as may be, of all or (AtLimit) of the launch plan.
        """
        return _created(await self._launchables.launch(request, call))

    async def RelaunchExecution(self, request: ExecutionRelaunchRequest, call: Call) -> ExecutionCreateResponse:
        """Raises Unknown, Untimely and NameTaken."""
        options = Options(overwrite_cache=request.overwrite_cache or None)
        spec = await self._spec(request.id)
        if request.overwrite_cache:
            spec.overwrite_cache = True
        made = asked(spec, call, how=ExecutionMetadata.RELAUNCH, of=request.id)
        how = await self._launchables.again(request.id, spec, made)
        key = key_of(request.id)
        return _created(await relaunch(self._desk, key, name=request.name, options=options, asked=how))

    async def RecoverExecution(self, request: ExecutionRecoverRequest, call: Call) -> ExecutionCreateResponse:
        """What the request says of who and why counts more than what was said of the execution it goes on with.

        Raises Unknown, Untimely and NameTaken.
        """
        spec = await self._spec(request.id)
        if request.metadata.artifact_ids:
            spec.metadata.ClearField("artifact_ids")  # else a merge adds to them
        spec.metadata.MergeFrom(request.metadata)
        made = asked(spec, call, how=ExecutionMetadata.RECOVERED, of=request.id)
        how = await self._launchables.again(request.id, spec, made)
        return _created(await recover(self._desk, key_of(request.id), name=request.name, asked=how))

    async def GetExecution(self, request: WorkflowExecutionGetRequest, call: Call) -> Execution:
        """Raises Unknown."""
        record = await self._desk.store.execution(key_of(request.id))
        roots = await self._desk.store.roots([record.id]) if ended(record) else {}
        parents = await self._parents([record])
        return execution_message(record, roots.get(record.id), parent=parents.get(record.id))

    async def GetExecutionData(
        self, request: WorkflowExecutionGetDataRequest, call: Call
    ) -> WorkflowExecutionGetDataResponse:
        """Inputs, and once it has succeeded outputs. Raises Unknown, and DataError."""
        record = await self._desk.store.execution(key_of(request.id))
        made = WorkflowExecutionGetDataResponse()
        outputs = LiteralMap()
        if record.phase == NodePhase.SUCCEEDED:
            outputs = await whole(self._desk, read_values(record.outputs))
        key = record.key
        files = Files.under(self._desk.data, project=key.project, domain=key.domain, name=key.name)
        inputs = LiteralMap.FromString(record.inputs)
        await blobs.put(self._desk, made, files.prefix, inputs=inputs, outputs=outputs)
        return made

    async def ListExecutions(self, request: ResourceListRequest, call: Call) -> ExecutionList:
        """Newest first, unless the request says otherwise. Raises RequestError."""
        project, domain = request.id.project, request.id.domain
        checked_place(project, domain)
        named = (Condition("name", "in", (request.id.name,)),) if request.id.name else ()
        page = page_asked(
            request.limit, sort_by=request.sort_by, text=request.filters, fields=FIELDS, sorts=SORTS, also=named
        )
        store = self._desk.store
        records, token = await page_of(
            lambda page: store.page_executions(project, domain, page),
            page,
            at=request.token,
            question=f"executions|{project}|{domain}",
            kinds=(str if page.sort in ("name", "phase") else int, int),
        )
        roots = await store.roots([one.id for one in records if ended(one) and one.phase != NodePhase.SUCCEEDED])
        parents = await self._parents(records)
        found = [execution_message(one, roots.get(one.id), parent=parents.get(one.id), whole=False) for one in records]
        return ExecutionList(executions=found, token=token)

    async def TerminateExecution(self, request: ExecutionTerminateRequest, call: Call) -> ExecutionTerminateResponse:
        """Asking again is fine. Raises Unknown, and Untimely."""
        await abort(self._desk, key_of(request.id), reason=request.cause, principal=call.principal or "anonymous")
        return ExecutionTerminateResponse()

    async def UpdateExecution(self, request: ExecutionUpdateRequest, call: Call) -> ExecutionUpdateResponse:
        """Put one away, or take it out again. Raises Unknown, and RequestError."""
        check_known("state", request.state, ExecutionState)
        record = await self._desk.store.execution(key_of(request.id))
        away = request.state == ARCHIVED
        if record.archived != away:
            await self._desk.store.archive(record.id, away=away, who=call.principal)
        return ExecutionUpdateResponse()

    async def _spec(self, id: WorkflowExecutionIdentifier) -> ExecutionSpec:
        """How an execution was asked for."""
        record = await self._desk.store.execution(key_of(id))
        spec = spec_of(record, None)
        spec.metadata.ClearField("reference_execution")
        spec.metadata.ClearField("parent_node_execution")
        return spec

    async def _parents(self, records: Sequence[ExecutionRecord]) -> Mapping[int, NodeExecutionIdentifier]:
        """Of executions that nodes of others have launched: which node it was."""
        outer = {one.id: one.parent for one in records if one.parent is not None}
        if not outer:
            return {}
        keys = await self._desk.store.keys({parent.execution for parent in outer.values()})
        found = {}
        for id, parent in outer.items():
            if parent.execution not in keys:
                continue  # it is gone
            name = parent.path
            if "/" in name or "[" in name:
                try:
                    record = await self._desk.store.execution_by_id(parent.execution)
                    name = await (await outline_of(self._desk, self._plans, record)).id(name)
                except Unknown:
                    continue
            found[id] = node_id(keys[parent.execution], name)
        return found


def _created(made: Created) -> ExecutionCreateResponse:
    return ExecutionCreateResponse(id=execution_id(made.record.key))
