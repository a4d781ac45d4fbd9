"""`EntityStore` in memory."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from alula._kits.clock import Clock
from alula.errors import NameTaken, Unknown
from alula.store.memory_pages import chosen
from alula.store.memory_rows import Rows
from alula.store.pages import Key
from alula.store.records import EntityRecord, NameRecord, Page, Plain
from alula.store.rows import micros

Name = tuple[str, str, str, str]


class EntitiesInMemory(Rows):
    """`EntityStore`"""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._entities: dict[tuple[str, str, str, str, str], EntityRecord] = {}
        self._names: dict[Name, NameRecord] = {}

    async def register(self, entities: Sequence[EntityRecord]) -> None:
        fresh: dict[tuple[str, str, str, str, str], EntityRecord] = {}
        for entity in entities:
            key = entity.kind, entity.project, entity.domain, entity.name, entity.version
            known = self._entities.get(key) or fresh.get(key)
            if known is None:
                fresh[key] = replace(entity, created_at=entity.created_at or self.clock.now())
            elif known.digest != entity.digest:
                raise NameTaken(
                    f"{entity.kind} {entity.name!r} has a version {entity.version!r} with another content",
                    where=f"project {entity.project}, domain {entity.domain}",
                    fix="register it under another version",
                )
        self._entities.update(fresh)

    async def entity(self, kind: str, project: str, domain: str, name: str, version: str = "") -> EntityRecord:
        known = [one for key, one in self._entities.items() if key[:4] == (kind, project, domain, name)]
        found = [one for one in known if not version or one.version == version]
        if found:
            return found[-1]
        names = [key[3] for key in self._entities if key[:3] == (kind, project, domain)]
        there = [one.version for one in known] or difflib.get_close_matches(name, names)
        raise Unknown(
            f"there is no {kind} {name!r}" + (f" with the version {version!r}" if version else ""),
            where=f"project {project}, domain {domain}",
            fix=f"there is: {', '.join(there)}" if there else "register it first",
        )

    async def entities(
        self, kind: str, *, project: str = "", domain: str = "", name: str = "", limit: int = 100
    ) -> Sequence[EntityRecord]:
        found = (
            replace(one, spec=b"", closure=b"")
            for one in reversed(self._entities.values())
            if one.kind == kind
            and project in ("", one.project)
            and domain in ("", one.domain)
            and name in ("", one.name)
        )
        return list(islice(found, limit))

    async def page_entities(
        self, kind: str, project: str, domain: str, page: Page
    ) -> Sequence[tuple[Key, EntityRecord]]:
        rows: list[tuple[Plain, Mapping[str, Plain], EntityRecord]] = []
        for id, (key, one) in enumerate(self._entities.items(), 1):
            if key[:3] == (kind, project, domain):
                at = micros(one.created_at) if one.created_at is not None else 0
                rows.append((id, {"created_at": at, "name": one.name, "version": one.version}, one))
        return [(key, replace(one, closure=b"")) for key, one in chosen(rows, page)]

    async def page_names(self, kind: str, project: str, domain: str, page: Page) -> Sequence[tuple[Key, NameRecord]]:
        there = dict.fromkeys(key[:4] for key in self._entities if key[:3] == (kind, project, domain))
        known = [self._names.get(name, NameRecord(*name)) for name in there]
        return chosen([(one.name, {"name": one.name, "state": one.state}, one) for one in known], page)

    async def name_of(self, kind: str, project: str, domain: str, name: str) -> NameRecord:
        await self.entity(kind, project, domain, name)
        return self._names.get((kind, project, domain, name), NameRecord(kind, project, domain, name))

    async def describe(self, name: NameRecord) -> None:
        await self.entity(name.kind, name.project, name.domain, name.name)
        self._names[name.kind, name.project, name.domain, name.name] = name
