"""Projects and domains."""

from __future__ import annotations

from collections.abc import Sequence

from alula.admin.desk import Desk
from alula.admin.filters import Field, prefixed, texts, times, words
from alula.admin.projects import ARCHIVED, GENERATED_ARCHIVED, project, register_project
from alula.admin.projects import update_project as update
from alula.idl.service import (
    Domain,
    GetDomainRequest,
    GetDomainsResponse,
    Project,
    ProjectGetRequest,
    ProjectListRequest,
    ProjectRegisterRequest,
    ProjectRegisterResponse,
    Projects,
    ProjectUpdateResponse,
)
from alula.services.binding import Call
from alula.services.listing import asked, page_of
from alula.store.memory_pages import chosen
from alula.store.plan_records import ProjectRecord
from alula.store.records import Condition, Page, Plain
from alula.store.rows import micros

_STATES = {name: (number,) for name, number in Project.ProjectState.items()} | {
    str(number): (number,) for number in range(4)
}
_OWN: dict[str, Field] = {
    "id": texts("id"),
    "identifier": texts("id"),
    "name": texts("name"),
    "description": texts("description"),
    "state": words("state", _STATES),
    "created_at": times("created_at"),
}
FIELDS = prefixed(_OWN, "project")
SORTS = {"id": "id", "identifier": "id", "name": "name", "created_at": "created_at"}


class ProjectCalls:
    """Projects, and the domains that each of them has."""

    def __init__(self, desk: Desk, domains: Sequence[str]) -> None:
        self._desk = desk
        self._domains = [Domain(id=name, name=name) for name in domains]

    async def RegisterProject(self, request: ProjectRegisterRequest, call: Call) -> ProjectRegisterResponse:
        """Raises RequestError, and NameTaken."""
        await register_project(self._desk, _record(request.project))
        return ProjectRegisterResponse()

    async def UpdateProject(self, request: Project, call: Call) -> ProjectUpdateResponse:
        """Raises Unknown, and RequestError."""
        await update(self._desk, _record(request))
        return ProjectUpdateResponse()

    async def GetProject(self, request: ProjectGetRequest, call: Call) -> Project:
        """Raises Unknown."""
        return self._shown(await project(self._desk, request.id))

    async def ListProjects(self, request: ProjectListRequest, call: Call) -> Projects:
        """Those that are active, unless the request asks for a state. Raises RequestError."""
        page = asked(
            request.limit, sort_by=request.sort_by, text=request.filters, fields=FIELDS, sorts=SORTS, usual="id"
        )
        if not any(one.column == "state" for one in page.where):
            open_ones = Condition("state", "not_in", (ARCHIVED, GENERATED_ARCHIVED))
            page = Page((*page.where, open_ones), page.sort, page.descending, page.limit)
        rows = [(one.id, _values(one), one) for one in await self._desk.store.projects()]

        async def read(page: Page) -> list[tuple[tuple[Plain, Plain], ProjectRecord]]:
            return chosen(rows, page)

        kinds = (int if page.sort == "created_at" else str, str)
        found, after = await page_of(read, page, at=request.token, question="projects", kinds=kinds)
        return Projects(projects=[self._shown(one) for one in found], token=after)

    async def GetDomains(self, request: GetDomainRequest, call: Call) -> GetDomainsResponse:
        return GetDomainsResponse(domains=self._domains)

    def _shown(self, record: ProjectRecord) -> Project:
        made = Project(id=record.id, name=record.name, description=record.description, domains=self._domains)
        made.labels.values.update(record.labels)
        made.state = (Project.ACTIVE, Project.ARCHIVED, Project.SYSTEM_GENERATED, Project.SYSTEM_ARCHIVED)[record.state]
        return made


def _record(said: Project) -> ProjectRecord:
    return ProjectRecord(said.id, said.name, said.description, dict(said.labels.values), int(said.state))


def _values(record: ProjectRecord) -> dict[str, Plain]:
    at = micros(record.created_at) if record.created_at is not None else 0
    said = {"id": record.id, "name": record.name, "description": record.description}
    return {**said, "state": record.state, "created_at": at}
