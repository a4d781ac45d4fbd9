"""`PlanStore` on a database, and the limits that launch plans set to how many of their executions run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from alula._kits.texts import storable
from alula.errors import NameTaken
from alula.store.access import Access
from alula.store.connection import Connection
from alula.store.plan_records import AttributesRecord, NoticeRecord, PlanRecord, ProjectRecord
from alula.store.records import ExecutionRecord
from alula.store.rows import Row, execution_record, micros, moment, span


class Plans(Access):
    """Projects, attributes, launch plans that are active, and notices."""

    async def put_project(self, project: ProjectRecord, *, new: bool = False) -> None:
        made: list[Row] = []

        def work(connection: Connection) -> None:
            if not new:
                connection.rows("project_put", **_project_values(project, connection.now()))
                return
            given = _project_values(project, connection.now())
            if connection.rows("project_keep", **given):
                made[:] = [tuple(given.values())]
            elif not made or made[0] not in connection.rows("projects"):  # else it was done before, by us
                raise taken(project)

        await self._write(work)

    async def keep_project(self, project: ProjectRecord) -> None:
        await self._write(
            lambda connection: connection.rows("project_keep", **_project_values(project, connection.now()))
        )

    async def projects(self) -> Sequence[ProjectRecord]:
        rows = await self._read(lambda connection: connection.rows("projects"))
        return [
            ProjectRecord(id, name, said, json.loads(labels), state, moment(at))
            for id, name, said, labels, state, at in rows
        ]

    async def put_attributes(self, attributes: AttributesRecord) -> None:
        given = {name: getattr(attributes, name) for name in ("resource", "project", "domain", "workflow", "body")}
        await self._write(lambda connection: connection.rows("attributes_put", **given))

    async def drop_attributes(self, resource: int, project: str, domain: str = "", workflow: str = "") -> None:
        key = {"resource": resource, "project": project, "domain": domain, "workflow": workflow}
        await self._write(lambda connection: connection.rows("attributes_drop", **key))

    async def attributes(self, resource: int, project: str = "") -> Sequence[AttributesRecord]:
        where = ["project"] if project else []
        rows = await self._read(
            lambda connection: connection.listing("attributes", where, resource=resource, project=project)
        )
        return [AttributesRecord(*row) for row in rows]

    async def attributes_for(self, project: str, domain: str, workflow: str) -> Sequence[AttributesRecord]:
        key = {"project": project, "domain": domain, "workflow": workflow}
        rows = await self._read(lambda connection: connection.rows("attributes_for", **key))
        return [AttributesRecord(*row) for row in rows]

    async def set_plan(self, plan: PlanRecord) -> PlanRecord:
        def work(connection: Connection) -> PlanRecord:
            row = connection.one("plan", project=plan.project, domain=plan.domain, name=plan.name)
            known = _plan(row) if row is not None else None
            made = changed(known, plan)
            if made is not None and made != known:
                connection.rows("plan_put", **_plan_values(made))
                connection.news.any = True
            return made or plan

        return await self._write(work)

    async def plans(self, project: str = "", domain: str = "", name: str = "") -> Sequence[PlanRecord]:
        given = {"project": project, "domain": domain, "name": name}
        where = [one for one, value in given.items() if value]
        rows = await self._read(lambda connection: connection.listing("plans", where, **given))
        return [_plan(row) for row in rows]

    async def scheduled(self) -> Sequence[PlanRecord]:
        rows = await self._read(lambda connection: connection.listing("plans", ["scheduled"]))
        return [_plan(row) for row in rows]

    async def ticked(self, plan: PlanRecord, *, last: datetime, note: str = "") -> bool:
        key = {f"of_{name}": getattr(plan, name) for name in ("project", "domain", "name", "version")}
        given = {**key, "before": micros(plan.last or plan.changed_at), "last": micros(last), "note": storable(note)}
        return bool(await self._write(lambda connection: connection.rows("plan_ticked", **given)))

    async def take_notices(self, *, limit: int, lease: timedelta) -> Sequence[tuple[NoticeRecord, ExecutionRecord]]:
        def work(connection: Connection) -> list[tuple[NoticeRecord, ExecutionRecord]]:
            now = connection.now()
            found = []
            for row in connection.rows("notices_due", now=now, limit=limit):
                execution = connection.one("execution", id=row[1])
                if execution is not None:
                    connection.rows("notice_taken", of_id=row[0], due=now + span(lease))
                    found.append((NoticeRecord(*row), execution_record(execution)))
            return found

        return await self._write(work)

    async def drop_notice(self, id: int) -> None:
        await self._write(lambda connection: connection.rows("notice_drop", id=id))

    async def put_off_notice(self, id: int, *, wait: timedelta, error: str) -> None:
        def work(connection: Connection) -> None:
            due = connection.now() + span(wait)
            connection.rows("notice_put_off", of_id=id, due=due, error=storable(error))

        await self._write(work)


def taken(project: ProjectRecord) -> NameTaken:
    return NameTaken(f"there is a project {project.id!r} already", fix="change it with UpdateProject")


def changed(known: PlanRecord | None, wanted: PlanRecord) -> PlanRecord | None:
    """What becomes of a launch plan of which another version, or none, was active; None: it has no row, and needs none.

    Pure, and the same for all stores.
    """
    if not wanted.active:
        if known is None or not known.active or known.version != wanted.version:
            return known
        return replace(known, active=False, changed_at=wanted.changed_at)
    if known is not None and known.active and known.version == wanted.version:
        return known
    at = wanted.changed_at
    if known is not None and known.schedule == wanted.schedule:
        return replace(wanted, since=known.since, last=known.last if known.active else at)
    return replace(wanted, since=at, last=at)


def _project_values(project: ProjectRecord, now: int) -> dict[str, object]:
    return {
        "id": project.id,
        "name": project.name or project.id,
        "description": project.description,
        "labels": json.dumps(dict(project.labels)),
        "state": project.state,
        "created_at": micros(project.created_at) if project.created_at is not None else now,
    }


def _plan(row: Row) -> PlanRecord:
    project, domain, name, version, active, schedule, since, last, changed_at, note = row
    times = moment(changed_at), bytes(schedule), moment(since), moment(last)
    return PlanRecord(project, domain, name, version, bool(active), *times, note)


def _plan_values(plan: PlanRecord) -> dict[str, object]:
    return {
        "project": plan.project,
        "domain": plan.domain,
        "name": plan.name,
        "version": plan.version,
        "active": plan.active,
        "schedule": plan.schedule,
        "since": micros(plan.since or plan.changed_at),
        "last": micros(plan.last or plan.changed_at),
        "changed_at": micros(plan.changed_at),
        "note": storable(plan.note),
    }
