"""Answers that several parts give: times, identifiers and limits as flyteidl writes them."""

from __future__ import annotations

from datetime import datetime

from alula.admin.desk import refuse
from alula.idl import Identifier, ResourceType, Timestamp
from alula.idl.ids import type_name
from alula.store.records import EntityRecord

_TYPES = {type_name(one): one for one in (ResourceType.TASK, ResourceType.WORKFLOW, ResourceType.LAUNCH_PLAN)}


def timestamp(when: datetime | None) -> Timestamp | None:
    """A time as a message; None stays None, and so unset."""
    if when is None:
        return None
    made = Timestamp()
    made.FromDatetime(when)
    return made


def id_of(record: EntityRecord) -> Identifier:
    """The identifier of something registered."""
    return Identifier(
        resource_type=_TYPES[record.kind],
        project=record.project,
        domain=record.domain,
        name=record.name,
        version=record.version,
    )


def checked(id: Identifier, kind: ResourceType) -> Identifier:
    """An identifier that a request gives, of the kind that it must be; an unset kind is filled in.

    Raises:
        RequestError: It is another kind, or a part of it is missing.
    """
    whole = Identifier()
    whole.CopyFrom(id)
    if whole.resource_type == ResourceType.UNSPECIFIED:
        whole.resource_type = kind
    faults = [f"id.{part}: is empty" for part in ("project", "domain", "name", "version") if not getattr(id, part)]
    if whole.resource_type != kind:
        faults.append(f"id.resource_type: is {type_name(whole.resource_type)}, and must be {type_name(kind)}")
    if faults:
        raise refuse(f"this is no identifier of a {type_name(kind)}", faults)
    return whole
