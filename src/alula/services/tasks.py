"""Tasks, as they are registered and looked up."""

from __future__ import annotations

from alula.admin.entities import Specs
from alula.idl import CompiledTask, ResourceType
from alula.idl.service import (
    ObjectGetRequest,
    Task,
    TaskClosure,
    TaskCreateRequest,
    TaskCreateResponse,
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


def task_of(record: EntityRecord) -> Task:
    """A task as clients see it: compiled, which for a task is its template."""
    spec = TaskSpec.FromString(record.spec)
    compiled = CompiledTask(template=spec.template)
    closure = TaskClosure(compiled_task=compiled, created_at=timestamp(record.created_at))
    return Task(id=id_of(record), closure=closure, short_description=spec.description.short_description)
