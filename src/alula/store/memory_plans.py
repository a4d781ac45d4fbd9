"""`PlanStore` in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from alula._kits.clock import Clock
from alula.store.creations import at_limit
from alula.store.memory_rows import Rows
from alula.store.plan_records import AttributesRecord, NoticeRecord, PlanRecord, ProjectRecord
from alula.store.plans import changed, taken
from alula.store.records import ExecutionRecord, NewExecution


class PlansInMemory(Rows):
    """`PlanStore`"""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._projects: dict[str, ProjectRecord] = {}
        self._attributes: dict[tuple[int, str, str, str], AttributesRecord] = {}
        self._plans: dict[tuple[str, str, str], PlanRecord] = {}
        self._slots: dict[str, set[int]] = {}
        self._notices: dict[int, tuple[NoticeRecord, datetime]] = {}
        self._noticed = 0

    async def put_project(self, project: ProjectRecord, *, new: bool = False) -> None:
        if new and project.id in self._projects:
            raise taken(project)
        made = replace(project, name=project.name or project.id, created_at=project.created_at or self.clock.now())
        self._projects[project.id] = made

    async def keep_project(self, project: ProjectRecord) -> None:
        if project.id not in self._projects:
            await self.put_project(project)

    async def projects(self) -> Sequence[ProjectRecord]:
        return [self._projects[id] for id in sorted(self._projects)]

    async def put_attributes(self, attributes: AttributesRecord) -> None:
        key = attributes.resource, attributes.project, attributes.domain, attributes.workflow
        self._attributes[key] = attributes

    async def drop_attributes(self, resource: int, project: str, domain: str = "", workflow: str = "") -> None:
        self._attributes.pop((resource, project, domain, workflow), None)

    async def attributes(self, resource: int, project: str = "") -> Sequence[AttributesRecord]:
        keys = sorted(key for key in self._attributes if key[0] == resource and project in ("", key[1]))
        return [self._attributes[key] for key in keys]

    async def attributes_for(self, project: str, domain: str, workflow: str) -> Sequence[AttributesRecord]:
        return [
            one
            for one in self._attributes.values()
            if one.project == project and one.domain in ("", domain) and one.workflow in ("", workflow)
        ]

    async def set_plan(self, plan: PlanRecord) -> PlanRecord:
        key = plan.project, plan.domain, plan.name
        made = changed(self._plans.get(key), plan)
        if made is not None and made != self._plans.get(key):
            self._plans[key] = made
            self._tell()
        return made or plan

    async def plans(self, project: str = "", domain: str = "", name: str = "") -> Sequence[PlanRecord]:
        wanted = project, domain, name
        fitting = (key for key in sorted(self._plans) if all(a in ("", b) for a, b in zip(wanted, key, strict=True)))
        return [self._plans[key] for key in fitting]

    async def scheduled(self) -> Sequence[PlanRecord]:
        return [plan for plan in await self.plans() if plan.active and plan.schedule]

    async def ticked(self, plan: PlanRecord, *, last: datetime, note: str = "") -> bool:
        key = plan.project, plan.domain, plan.name
        known = self._plans.get(key)
        if known is None or not known.active or (known.version, known.last) != (plan.version, plan.last):
            return False
        self._plans[key] = replace(known, last=last, note=note)
        return True

    async def take_notices(self, *, limit: int, lease: timedelta) -> Sequence[tuple[NoticeRecord, ExecutionRecord]]:
        now = self.clock.now()
        found: list[tuple[NoticeRecord, ExecutionRecord]] = []
        for id, (notice, due) in sorted(self._notices.items()):
            row = self._executions.get(notice.execution)
            if due <= now and row is not None and row.record.ended_at is not None and len(found) < limit:
                self._notices[id] = notice, now + lease
                found.append((notice, row.record))
        return found

    async def drop_notice(self, id: int) -> None:
        self._notices.pop(id, None)

    async def put_off_notice(self, id: int, *, wait: timedelta, error: str) -> None:
        if id in self._notices:
            notice, _ = self._notices[id]
            self._notices[id] = replace(notice, tries=notice.tries + 1, error=error), self.clock.now() + wait

    def _see_limit(self, new: NewExecution) -> None:
        """Raises AtLimit."""
        there = self._slots.setdefault(new.limited, set())
        there &= {id for id in there if id in self._executions and self._executions[id].record.ended_at is None}
        if len(there) >= new.limit:
            raise at_limit(new, len(there))

    def _note(self, new: NewExecution, id: int) -> None:
        """What else is written with a new execution."""
        if new.limited:
            self._slots.setdefault(new.limited, set()).add(id)
        for body in new.notices:
            self._noticed += 1
            self._notices[self._noticed] = NoticeRecord(self._noticed, id, body, 0, ""), self.clock.now()
