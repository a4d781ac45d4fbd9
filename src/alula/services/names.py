"""Names of what is registered, whatever its versions are; the descriptions of versions; and what this server is."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version

from alula.admin.desk import refuse
from alula.errors import RequestError, Unknown
from alula.idl import ResourceType
from alula.idl.ids import id_text, type_name
from alula.idl.service import (
    DescriptionEntity,
    DescriptionEntityList,
    DescriptionEntityListRequest,
    GetVersionRequest,
    GetVersionResponse,
    NamedEntity,
    NamedEntityGetRequest,
    NamedEntityIdentifier,
    NamedEntityList,
    NamedEntityListRequest,
    NamedEntityMetadata,
    NamedEntityState,
    NamedEntityUpdateRequest,
    NamedEntityUpdateResponse,
    ObjectGetRequest,
    ResourceListRequest,
    TaskSpec,
    Version,
    WorkflowSpec,
)
from alula.services.answers import checked, id_of
from alula.services.binding import Call
from alula.services.listing import NAMES, asked, checked_place, page_of
from alula.services.registry import Registry
from alula.store.records import EntityRecord, NameRecord

_DESCRIBED = ("task", "workflow")
_LONGEST = 300
"""Characters of a description of a name; Flyte's own limit."""


class Names:
    """Names, descriptions, the version."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def GetNamedEntity(self, request: NamedEntityGetRequest, call: Call) -> NamedEntity:
        """Raises Unknown."""
        kind = kind_of(request.resource_type)
        id = request.id
        found = await self._registry.desk.store.name_of(kind, id.project, id.domain, id.name)
        return _entity(request.resource_type, found)

    async def UpdateNamedEntity(self, request: NamedEntityUpdateRequest, call: Call) -> NamedEntityUpdateResponse:
        """Say something of a name, or archive it. Raises Unknown, and RequestError."""
        kind, id, said = kind_of(request.resource_type), request.id, request.metadata
        faults = []
        if len(said.description) > _LONGEST:
            faults.append(f"metadata.description: has {len(said.description)} characters, and may have {_LONGEST}")
        if said.state not in NamedEntityState.values():
            faults.append(f"metadata.state: is {said.state}, and must be one of {', '.join(NamedEntityState.keys())}")
        elif said.state != NamedEntityState.NAMED_ENTITY_ACTIVE and kind == "task":
            faults.append("metadata.state: tasks cannot be archived")
        if faults:
            raise refuse("this cannot be said of a name", faults)
        known = await self._registry.desk.store.name_of(kind, id.project, id.domain, id.name)
        await self._registry.desk.store.describe(replace(known, description=said.description, state=int(said.state)))
        return NamedEntityUpdateResponse()

    async def ListNamedEntities(self, request: NamedEntityListRequest, call: Call) -> NamedEntityList:
        """Raises RequestError."""
        kind = kind_of(request.resource_type)
        checked_place(request.project, request.domain)
        page = asked(
            request.limit,
            sort_by=request.sort_by,
            text=request.filters,
            fields=NAMES,
            sorts={"name": "name"},
            usual="name",
        )
        found, after = await page_of(
            lambda page: self._registry.desk.store.page_names(kind, request.project, request.domain, page),
            page,
            at=request.token,
            question=f"entities of {kind}:{request.project}:{request.domain}",
            kinds=(str, str),
        )
        return NamedEntityList(entities=[_entity(request.resource_type, one) for one in found], token=after)

    async def GetDescriptionEntity(self, request: ObjectGetRequest, call: Call) -> DescriptionEntity:
        """Raises Unknown, where there is no such version, or it says nothing of itself."""
        kind = kind_of(request.id.resource_type)
        record = await self._registry.get(checked(request.id, request.id.resource_type))
        found = _description(record) if kind in _DESCRIBED else None
        if found is None:
            raise Unknown(f"{id_text(request.id)} has no description", fix="write a docstring, and register it again")
        return found

    async def ListDescriptionEntities(self, request: DescriptionEntityListRequest, call: Call) -> DescriptionEntityList:
        """Of the versions of a page; those that say nothing of themselves are left out. Raises RequestError."""
        kind = kind_of(request.resource_type)
        if kind not in _DESCRIBED:
            raise RequestError(f"a {kind} has no description", fix=f"ask for one of {', '.join(_DESCRIBED)}")
        asks = ResourceListRequest(
            id=request.id,
            limit=request.limit,
            token=request.token,
            filters=request.filters,
            sort_by=request.sort_by,
        )
        found, after = await self._registry.list(kind, asks)
        described = [one for one in map(_description, found) if one is not None]
        return DescriptionEntityList(descriptionEntities=described, token=after)

    async def GetVersion(self, request: GetVersionRequest, call: Call) -> GetVersionResponse:
        return GetVersionResponse(control_plane_version=Version(Version=f"alula {version('alula')}"))


def kind_of(resource_type: ResourceType) -> str:
    """`task`, `workflow` or `launch_plan`. Raises RequestError for any other."""
    if resource_type not in (ResourceType.TASK, ResourceType.WORKFLOW, ResourceType.LAUNCH_PLAN):
        raise RequestError(
            f"resource_type is {type_name(resource_type)}", fix="it must be one of TASK, WORKFLOW and LAUNCH_PLAN"
        )
    return type_name(resource_type)


def _entity(resource_type: ResourceType, name: NameRecord) -> NamedEntity:
    return NamedEntity(
        resource_type=resource_type,
        id=NamedEntityIdentifier(project=name.project, domain=name.domain, name=name.name),
        metadata=NamedEntityMetadata(
            description=name.description,
            state=NamedEntityState.Name(name.state),
        ),
    )


def _description(record: EntityRecord) -> DescriptionEntity | None:
    """What a version says of itself; None: nothing."""
    spec = TaskSpec.FromString(record.spec) if record.kind == "task" else WorkflowSpec.FromString(record.spec)
    if not spec.HasField("description"):
        return None
    found = DescriptionEntity()
    found.CopyFrom(spec.description)
    found.id.CopyFrom(id_of(record))
    return found
