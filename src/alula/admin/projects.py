"""Projects: what there is, and which take executions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from alula.admin.desk import Desk, refuse
from alula.admin.names import place_faults
from alula.errors import Unknown, Untimely
from alula.store.plan_records import ProjectRecord

ACTIVE, ARCHIVED, GENERATED, GENERATED_ARCHIVED = range(4)
"""States, in the numbers of Project.ProjectState."""
_ID = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LONGEST = 300
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_./]{0,251}[A-Za-z0-9])?")


async def project(desk: Desk, id: str) -> ProjectRecord:
    """Raises Unknown."""
    there = {one.id: one for one in await desk.store.projects()}
    if id not in there:
        raise Unknown(f"there is no project {id!r}", fix=f"there are: {', '.join(there) or 'none'}")
    return there[id]


async def register_project(desk: Desk, wanted: ProjectRecord) -> None:
    """Make a project. Raises RequestError, and NameTaken."""
    faults = _faults(wanted)
    if not _ID.fullmatch(wanted.id):
        faults.insert(0, f"id: {wanted.id!r} is none; write at most 63 of a-z, 0-9 and -, with no - at its ends")
    if faults:
        raise refuse("no project was made", faults)
    await desk.store.put_project(wanted, new=True)


async def update_project(desk: Desk, wanted: ProjectRecord) -> None:
    """Say something else of a project, or put it away. Raises Unknown, and RequestError."""
    known = await project(desk, wanted.id)
    if faults := _faults(wanted):
        raise refuse(f"project {wanted.id} was not changed", faults)
    await desk.store.put_project(
        replace(
            known,
            name=wanted.name or known.name,
            description=wanted.description or known.description,
            labels=wanted.labels or known.labels,
            state=wanted.state,
        )
    )


def check_open(record: ProjectRecord) -> None:
    """Raises Untimely, if a project takes nothing new."""
    if record.state in (ARCHIVED, GENERATED_ARCHIVED):
        raise Untimely(f"project {record.id} is archived, and takes nothing new", fix="make it active: UpdateProject")


def check_place(project: str, domain: str) -> None:
    """Raises RequestError, where the names cannot be."""
    if faults := place_faults(project, domain):
        raise refuse("there is no such place", faults)


def _faults(wanted: ProjectRecord) -> list[str]:
    faults = []
    if len(wanted.description) > _LONGEST:
        faults.append(f"description: has {len(wanted.description)} characters, and may have {_LONGEST}")
    if wanted.state not in range(4):
        faults.append(f"state: {wanted.state} is none")
    return faults + _label_faults(wanted.labels)


def _label_faults(labels: Mapping[str, str]) -> list[str]:
    return [
        f"labels.{key}: {text!r} cannot be in a label"
        for key, value in labels.items()
        for text in (key, value)
        if text and not _LABEL.fullmatch(text)
    ]
