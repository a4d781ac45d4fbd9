"""Workflows, compiled and checked when they are registered, and given whole: with all that they call."""

from __future__ import annotations

from alula.admin.entities import Specs
from alula.idl import CompiledWorkflowClosure, ResourceType
from alula.idl.service import (
    NamedEntityIdentifierList,
    NamedEntityIdentifierListRequest,
    ObjectGetRequest,
    ResourceListRequest,
    Workflow,
    WorkflowClosure,
    WorkflowCreateRequest,
    WorkflowCreateResponse,
    WorkflowList,
    WorkflowSpec,
)
from alula.services.answers import checked, id_of, timestamp
from alula.services.binding import Call
from alula.services.registry import Registry
from alula.store.records import EntityRecord


class Workflows:
    """Workflows by version; a version is never changed."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def CreateWorkflow(self, request: WorkflowCreateRequest, call: Call) -> WorkflowCreateResponse:
        """Registering the same again is fine, and changes nothing. Raises RequestError, and CompileError."""
        spec = WorkflowSpec()
        spec.CopyFrom(request.spec)
        spec.template.id.CopyFrom(checked(request.id, ResourceType.WORKFLOW))
        await self._registry.add(Specs(workflows=(spec,)))
        return WorkflowCreateResponse()

    async def GetWorkflow(self, request: ObjectGetRequest, call: Call) -> Workflow:
        """The workflow with its sub-workflows and the templates of all tasks. Raises Unknown."""
        record = await self._registry.get(checked(request.id, ResourceType.WORKFLOW))
        found = workflow_of(record)
        found.closure.compiled_workflow.CopyFrom(CompiledWorkflowClosure.FromString(record.closure))
        return found

    async def ListWorkflows(self, request: ResourceListRequest, call: Call) -> WorkflowList:
        """Raises RequestError."""
        found, after = await self._registry.list("workflow", request)
        return WorkflowList(workflows=[workflow_of(one) for one in found], token=after)

    async def ListWorkflowIds(self, request: NamedEntityIdentifierListRequest, call: Call) -> NamedEntityIdentifierList:
        """Names that have a version. Raises RequestError."""
        return await self._registry.names("workflow", request)


def workflow_of(record: EntityRecord) -> Workflow:
    """A workflow as a list shows it: of what it is made, its interface is there."""
    spec = WorkflowSpec.FromString(record.spec)
    closure = WorkflowClosure(created_at=timestamp(record.created_at))
    closure.compiled_workflow.primary.template.id.CopyFrom(spec.template.id)
    closure.compiled_workflow.primary.template.interface.CopyFrom(spec.template.interface)
    return Workflow(id=id_of(record), closure=closure, short_description=spec.description.short_description)
