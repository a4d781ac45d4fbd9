"""`EntityStore` on a database."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict, replace

from alula.errors import NameTaken, Unknown
from alula.store.access import Access
from alula.store.connection import Connection
from alula.store.pages import Key, listing
from alula.store.records import EntityRecord, NameRecord, Page
from alula.store.rows import entity_record, entity_values

_NAMES = 10_000
_VERSIONS = 20
"""So many are named to whoever asks for one that is not there."""


class Entities(Access):
    """What is registered."""

    async def register(self, entities: Sequence[EntityRecord]) -> None:
        await self._write(lambda connection: _register(connection, entities))

    async def entity(self, kind: str, project: str, domain: str, name: str, version: str = "") -> EntityRecord:
        of_kind = {"kind": kind, "project": project, "domain": domain}

        def work(connection: Connection) -> EntityRecord:
            if version:
                row = connection.one("entity", **of_kind, name=name, version=version)
            else:
                row = connection.one("entity_newest", **of_kind, name=name)
            if row is not None:
                return entity_record(row)
            there = [one for (one,) in connection.rows("entity_versions", **of_kind, name=name, limit=_VERSIONS)]
            if not there:
                names = [one for (one,) in connection.rows("entity_names", **of_kind, limit=_NAMES)]
                there = difflib.get_close_matches(name, names)
            raise Unknown(
                f"there is no {kind} {name!r}" + (f" with the version {version!r}" if version else ""),
                where=f"project {project}, domain {domain}",
                fix=f"there is: {', '.join(there)}" if there else "register it first",
            )

        return await self._read(work)

    async def entities(
        self, kind: str, *, project: str = "", domain: str = "", name: str = "", limit: int = 100
    ) -> Sequence[EntityRecord]:
        given = {"project": project, "domain": domain, "name": name}
        conditions = [one for one, value in given.items() if value]
        rows = await self._read(
            lambda connection: connection.listing("entities", conditions, kind=kind, limit=limit, **given)
        )
        return [entity_record(row) for row in rows]

    async def page_entities(
        self, kind: str, project: str, domain: str, page: Page
    ) -> Sequence[tuple[Key, EntityRecord]]:
        place = {"kind": kind, "project": project, "domain": domain}
        rows = await self._read(lambda connection: listing(connection, "page_entities", page, page.where, place))
        return [((row[0], row[1]), entity_record(row[2:])) for row in rows]

    async def page_names(self, kind: str, project: str, domain: str, page: Page) -> Sequence[tuple[Key, NameRecord]]:
        place = {"kind": kind, "project": project, "domain": domain}
        rows = await self._read(lambda connection: listing(connection, "page_names", page, page.where, place))
        return [((row[0], row[1]), NameRecord(kind, project, domain, row[1], row[2], row[3])) for row in rows]

    async def name_of(self, kind: str, project: str, domain: str, name: str) -> NameRecord:
        await self.entity(kind, project, domain, name)
        known = NameRecord(kind, project, domain, name)
        key = {"kind": kind, "project": project, "domain": domain, "name": name}
        row = await self._read(lambda connection: connection.one("name", **key))
        return known if row is None else replace(known, description=row[0], state=row[1])

    async def describe(self, name: NameRecord) -> None:
        await self.entity(name.kind, name.project, name.domain, name.name)
        await self._write(lambda connection: connection.rows("name_set", **asdict(name)))


def _register(connection: Connection, entities: Sequence[EntityRecord]) -> None:
    """All or nothing."""
    now = connection.now()
    with connection.whole():
        for entity in entities:
            made = connection.rows("entity_insert", **entity_values(entity, now))
            if not made and _digest(connection, entity) != entity.digest:
                raise _taken(entity)


def _digest(connection: Connection, entity: EntityRecord) -> str | None:
    key = {"kind": entity.kind, "project": entity.project, "domain": entity.domain}
    row = connection.one("entity_digest", **key, name=entity.name, version=entity.version)
    return None if row is None else row[0]


def _taken(entity: EntityRecord) -> NameTaken:
    return NameTaken(
        f"{entity.kind} {entity.name!r} has a version {entity.version!r} with another content",
        where=f"project {entity.project}, domain {entity.domain}",
        fix="register it under another version",
    )
