"""Matchable attributes: what counts for executions of a project, of a domain of it, of a workflow there."""

from __future__ import annotations

import logging

from alula.admin.attributes import TARGETS, WITHOUT_EFFECT, attribute_faults
from alula.admin.desk import Desk, refuse
from alula.admin.names import place_faults
from alula.errors import Unknown
from alula.idl.service import (
    ListMatchableAttributesRequest,
    ListMatchableAttributesResponse,
    MatchableAttributesConfiguration,
    MatchableResource,
    MatchingAttributes,
    ProjectAttributes,
    ProjectAttributesDeleteRequest,
    ProjectAttributesDeleteResponse,
    ProjectAttributesGetRequest,
    ProjectAttributesGetResponse,
    ProjectAttributesUpdateRequest,
    ProjectAttributesUpdateResponse,
    ProjectDomainAttributes,
    ProjectDomainAttributesDeleteRequest,
    ProjectDomainAttributesDeleteResponse,
    ProjectDomainAttributesGetRequest,
    ProjectDomainAttributesGetResponse,
    ProjectDomainAttributesUpdateRequest,
    ProjectDomainAttributesUpdateResponse,
    WorkflowAttributes,
    WorkflowAttributesDeleteRequest,
    WorkflowAttributesDeleteResponse,
    WorkflowAttributesGetRequest,
    WorkflowAttributesGetResponse,
    WorkflowAttributesUpdateRequest,
    WorkflowAttributesUpdateResponse,
)
from alula.services.binding import Call
from alula.store.plan_records import AttributesRecord

log = logging.getLogger(__name__)


class Attributes:
    """Attributes by place and by what they are about. What is nearest to a workflow counts."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def UpdateProjectAttributes(
        self, request: ProjectAttributesUpdateRequest, call: Call
    ) -> ProjectAttributesUpdateResponse:
        """Raises RequestError."""
        said = request.attributes
        await self._put(said.matching_attributes, said.project)
        return ProjectAttributesUpdateResponse()

    async def GetProjectAttributes(
        self, request: ProjectAttributesGetRequest, call: Call
    ) -> ProjectAttributesGetResponse:
        """Raises Unknown."""
        found = await self._get(request.resource_type, request.project)
        made = ProjectAttributes(project=request.project, matching_attributes=found)
        return ProjectAttributesGetResponse(attributes=made)

    async def DeleteProjectAttributes(
        self, request: ProjectAttributesDeleteRequest, call: Call
    ) -> ProjectAttributesDeleteResponse:
        await self._desk.store.drop_attributes(request.resource_type, request.project)
        return ProjectAttributesDeleteResponse()

    async def UpdateProjectDomainAttributes(
        self, request: ProjectDomainAttributesUpdateRequest, call: Call
    ) -> ProjectDomainAttributesUpdateResponse:
        """Raises RequestError."""
        said = request.attributes
        await self._put(said.matching_attributes, said.project, said.domain)
        return ProjectDomainAttributesUpdateResponse()

    async def GetProjectDomainAttributes(
        self, request: ProjectDomainAttributesGetRequest, call: Call
    ) -> ProjectDomainAttributesGetResponse:
        """Raises Unknown."""
        found = await self._get(request.resource_type, request.project, request.domain)
        made = ProjectDomainAttributes(project=request.project, domain=request.domain, matching_attributes=found)
        return ProjectDomainAttributesGetResponse(attributes=made)

    async def DeleteProjectDomainAttributes(
        self, request: ProjectDomainAttributesDeleteRequest, call: Call
    ) -> ProjectDomainAttributesDeleteResponse:
        await self._desk.store.drop_attributes(request.resource_type, request.project, request.domain)
        return ProjectDomainAttributesDeleteResponse()

    async def UpdateWorkflowAttributes(
        self, request: WorkflowAttributesUpdateRequest, call: Call
    ) -> WorkflowAttributesUpdateResponse:
        """Raises RequestError."""
        said = request.attributes
        if not said.workflow:
            raise refuse("no attributes were kept", ["attributes.workflow: is empty"])
        await self._put(said.matching_attributes, said.project, said.domain, said.workflow)
        return WorkflowAttributesUpdateResponse()

    async def GetWorkflowAttributes(
        self, request: WorkflowAttributesGetRequest, call: Call
    ) -> WorkflowAttributesGetResponse:
        """Raises Unknown."""
        found = await self._get(request.resource_type, request.project, request.domain, request.workflow)
        made = WorkflowAttributes(
            project=request.project, domain=request.domain, workflow=request.workflow, matching_attributes=found
        )
        return WorkflowAttributesGetResponse(attributes=made)

    async def DeleteWorkflowAttributes(
        self, request: WorkflowAttributesDeleteRequest, call: Call
    ) -> WorkflowAttributesDeleteResponse:
        place = request.project, request.domain, request.workflow
        await self._desk.store.drop_attributes(request.resource_type, *place)
        return WorkflowAttributesDeleteResponse()

    async def ListMatchableAttributes(
        self, request: ListMatchableAttributesRequest, call: Call
    ) -> ListMatchableAttributesResponse:
        """All of one kind, in all places."""
        return ListMatchableAttributesResponse(
            configurations=[
                MatchableAttributesConfiguration(
                    attributes=MatchingAttributes.FromString(one.body),
                    project=one.project,
                    domain=one.domain,
                    workflow=one.workflow,
                )
                for one in await self._desk.store.attributes(request.resource_type)
            ]
        )

    async def _put(self, said: MatchingAttributes, project: str, domain: str = "", workflow: str = "") -> None:
        faults = place_faults(project, domain or "any") + attribute_faults(said)
        if faults:
            raise refuse("no attributes were kept", faults)
        target = said.WhichOneof("target") or ""
        if target in WITHOUT_EFFECT:
            log.warning("attributes.without_effect", extra={"kind": target, "project": project})
        resource = int(TARGETS[target])
        body = said.SerializeToString(deterministic=True)
        await self._desk.store.put_attributes(AttributesRecord(project, domain, workflow, resource, body))

    async def _get(self, resource: int, project: str, domain: str = "", workflow: str = "") -> MatchingAttributes:
        for one in await self._desk.store.attributes(resource, project):
            if (one.domain, one.workflow) == (domain, workflow):
                return MatchingAttributes.FromString(one.body)
        place = "/".join(filter(None, (project, domain, workflow)))
        names = {number: name for name, number in MatchableResource.items()}
        what = names.get(resource, str(resource))
        raise Unknown(f"{place} has no attributes {what}", fix="they count where somebody has set them only")
