"""Tasks, as they are registered and looked up."""

from __future__ import annotations

from alula.admin.entities import Specs
from alula.idl import CompiledTask, ResourceType
from alula.idl.service import (
    NamedEntityIdentifierList,
    NamedEntityIdentifierListRequest,
    ObjectGetRequest,
    ResourceListRequest,
    Task,
    TaskClosure,
    TaskCreateRequest,
    TaskCreateResponse,
    TaskList,
    TaskSpec,
)
from alula.services.answers import checked, id_of, timestamp
from alula.services.binding import Call
from alula.services.registry import Registry
from alula.store.records import EntityRecord


class Tasks:
    """Tasks by version; a version is never changed."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def CreateTask(self, request: TaskCreateRequest, call: Call) -> TaskCreateResponse:
        """Registering the same again is fine, and changes nothing. Raises RequestError, and CompileError."""
        spec = TaskSpec()
        spec.CopyFrom(request.spec)
        spec.template.id.CopyFrom(checked(request.id, ResourceType.TASK))
        await self._registry.add(Specs(tasks=(spec,)))
        return TaskCreateResponse()

    async def GetTask(self, request: ObjectGetRequest, call: Call) -> Task:
        """Raises Unknown."""
        return task_of(await self._registry.get(checked(request.id, ResourceType.TASK)))

    async def ListTasks(self, request: ResourceListRequest, call: Call) -> TaskList:
        """Raises RequestError."""
        found, after = await self._registry.list("task", request)
        return TaskList(tasks=[task_of(one) for one in found], token=after)

    async def ListTaskIds(self, request: NamedEntityIdentifierListRequest, call: Call) -> NamedEntityIdentifierList:
        """Names that have a version. Raises RequestError."""
        return await self._registry.names("task", request)


def task_of(record: EntityRecord) -> Task:
    """A task as clients see it: compiled, which for a task is its template."""
    spec = TaskSpec.FromString(record.spec)
    compiled = CompiledTask(template=spec.template)
    closure = TaskClosure(compiled_task=compiled, created_at=timestamp(record.created_at))
    return Task(id=id_of(record), closure=closure, short_description=spec.description.short_description)
