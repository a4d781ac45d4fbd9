"""What tasks, workflows and launch plans have in common when they are registered, looked up and listed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from alula._kits.aio import to_thread
from alula.admin.desk import Desk, refuse
from alula.admin.entities import Check, Specs, register
from alula.admin.filters import Field
from alula.admin.paging import Place
from alula.errors import NameTaken, RequestError
from alula.idl import Identifier
from alula.idl.ids import type_name
from alula.idl.service import (
    NamedEntityIdentifier,
    NamedEntityIdentifierList,
    NamedEntityIdentifierListRequest,
    ResourceListRequest,
)
from alula.services.answers import variable_faults
from alula.services.listing import ENTITIES, NAMES, SORTS, asked, checked_place, page_of
from alula.services.places import Places
from alula.services.sayable import oddities
from alula.store.memory_pages import fits
from alula.store.records import Condition, EntityRecord, Page, Plain

_AT_ONCE = 500
"""Rows that are read at a time, while those are looked for that a filter lets through."""
_LARGE = 64 * 1024
"""Bytes of specs that are looked through in another thread."""


Reading = Callable[[Page], Awaitable[Sequence[tuple[Place, EntityRecord]]]]


@dataclass(frozen=True, slots=True)
class Looked:
    """What rows are looked at for, one by one, since the store has no columns for it."""

    fields: Mapping[str, Field]
    values: Callable[[EntityRecord], Mapping[str, Plain]]
    """Of a row, by the columns that the fields name."""

    async def page(self, read: Reading, page: Page) -> Sequence[tuple[Place, EntityRecord]]:
        """A page of those that fit."""
        columns = {field.column for field in self.fields.values()}
        asked = [one for one in page.where if one.column in columns]
        if not asked:
            return await read(page)
        rest = tuple(one for one in page.where if one.column not in columns)
        found: list[tuple[Place, EntityRecord]] = []
        part = replace(page, where=rest, limit=_AT_ONCE)
        while len(found) < page.limit:
            rows = await read(part)
            found += [(place, row) for place, row in rows if fits(self.values(row), asked)]
            if len(rows) < _AT_ONCE:
                break
            part = replace(part, after=rows[-1][0])
        return found[: page.limit]


@dataclass(frozen=True, slots=True)
class Registry:
    """What is registered, as the calls of the control plane see it."""

    desk: Desk
    check: Check = lambda template: ()
    """What is wrong with a task, as the plugin says that would run it."""
    places: Places | None = None
    """What counts where; none: nothing does."""

    async def add(self, specs: Specs) -> Sequence[EntityRecord]:
        """Register, all or nothing; the same again is fine.

        Raises:
            RequestError: It cannot be registered so; also where a version is there with another content, so that
                clients, which take ALREADY_EXISTS for "the same is there", hear of it.
            CompileError: A workflow does not hold together.
            Untimely: The project is archived.
        """
        large = sum(one.ByteSize() for one in (*specs.tasks, *specs.workflows, *specs.launch_plans)) > _LARGE
        faults = await to_thread(_oddities, specs) if large else _oddities(specs)
        if faults:
            raise refuse("nothing was registered", faults)
        if self.places is not None:
            ids = [task.template.id for task in specs.tasks] + [flow.template.id for flow in specs.workflows]
            ids += [plan.id for plan in specs.launch_plans]
            for project, domain in dict.fromkeys((id.project, id.domain) for id in ids):
                await self.places.enter(project, domain)
        try:
            return await register(self.desk.store, specs, now=self.desk.clock.now(), check=self.check)
        except NameTaken as exc:
            raise RequestError(exc.what, where=exc.where, fix=exc.fix) from exc

    async def get(self, id: Identifier) -> EntityRecord:
        """Raises Unknown."""
        store = self.desk.store
        return await store.entity(type_name(id.resource_type), id.project, id.domain, id.name, id.version)

    async def list(
        self, kind: str, request: ResourceListRequest, more: Looked | None = None
    ) -> tuple[list[EntityRecord], str]:
        """A page of versions without their closures, and the token of the next one. Raises RequestError.

        Args:
            more: What else they can be filtered by.
        """
        id = request.id
        checked_place(id.project, id.domain)
        named = (Condition("name", "in", (id.name,)),) if id.name else ()
        page = asked(
            request.limit,
            sort_by=request.sort_by,
            text=request.filters,
            fields=ENTITIES[kind] if more is None else {**ENTITIES[kind], **more.fields},
            sorts=SORTS,
            also=named,
        )

        async def stored(page: Page) -> Sequence[tuple[Place, EntityRecord]]:
            return await self.desk.store.page_entities(kind, id.project, id.domain, page)

        return await page_of(
            stored if more is None else partial(more.page, stored),
            page,
            at=request.token,
            question=f"{kind}:{id.project}:{id.domain}",
            kinds=(int if page.sort == "created_at" else str, int),
            size=lambda row: len(row.spec),
        )

    async def names(self, kind: str, request: NamedEntityIdentifierListRequest) -> NamedEntityIdentifierList:
        """A page of names that have a version. Raises RequestError."""
        project, domain = request.project, request.domain
        checked_place(project, domain)
        page = asked(
            request.limit,
            sort_by=request.sort_by,
            text=request.filters,
            fields=NAMES,
            sorts={"name": "name"},
            usual="name",
        )
        found, after = await page_of(
            lambda page: self.desk.store.page_names(kind, project, domain, page),
            page,
            at=request.token,
            question=f"names of {kind}:{project}:{domain}",
            kinds=(str, str),
        )
        entities = [NamedEntityIdentifier(project=project, domain=domain, name=one.name) for one in found]
        return NamedEntityIdentifierList(entities=entities, token=after)


def _oddities(specs: Specs) -> list[str]:
    """What clients could not read, which would keep them from reading whole lists; and what no process can have."""
    tasks = [(one.template.id.name, one) for one in specs.tasks]
    flows = [(one.template.id.name, one) for one in specs.workflows]
    plans = [(one.id.name, one.spec) for one in specs.launch_plans]
    found = [f"{name}.{fault}" for name, spec in (*tasks, *flows, *plans) for fault in oddities(spec)]
    for name, task in tasks:
        found += variable_faults(f"{name}.template.container.env", task.template.container.env)
    for name, plan in plans:
        found += variable_faults(f"{name}.envs", plan.envs.values)
    return found
