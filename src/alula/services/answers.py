"""Answers that several parts give: times, identifiers and limits as flyteidl writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from alula.admin.desk import refuse
from alula.errors import RequestError
from alula.idl import Duration, Identifier, KeyValuePair, ResourceType, Timestamp
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


def length(given: Duration, where: str) -> timedelta:
    """How long something shall last. Raises RequestError, where no calendar is long enough for it."""
    try:
        return given.ToTimedelta()
    except (OverflowError, ValueError) as exc:
        raise RequestError(f"{given.seconds} seconds cannot be", where=where, fix="ask for less") from exc


def variable_faults(where: str, variables: Iterable[KeyValuePair]) -> list[str]:
    """What is wrong with environment variables: no process can be started with such."""
    return [
        f"{where}: {one.key!r} is no name of a variable with a value that one can have"
        for one in variables
        if not one.key or "=" in one.key or "\0" in one.key + one.value
    ]


class Enum(Protocol):
    """An enum as protobuf makes them."""

    def values(self) -> Sequence[int]: ...
    def keys(self) -> Sequence[str]: ...


def check_known(what: str, given: int, kind: Enum) -> None:
    """Raises RequestError for a number that stands for nothing; protobuf itself takes any."""
    if given not in kind.values():
        raise RequestError(f"{what} is {given}, and must be one of {', '.join(kind.keys())}", where=what)


def id_of(record: EntityRecord) -> Identifier:
    """The identifier of something registered."""
    return Identifier(
        resource_type=_TYPES[record.kind],
        project=record.project,
        domain=record.domain,
        name=record.name,
        version=record.version,
    )


def checked(id: Identifier, kind: ResourceType, where: str = "id") -> Identifier:
    """An identifier that a request gives, of the kind that it must be; an unset kind is filled in.

    Raises:
        RequestError: It is another kind, or a part of it is missing.
    """
    whole = Identifier()
    whole.CopyFrom(id)
    if whole.resource_type == ResourceType.UNSPECIFIED:
        whole.resource_type = kind
    faults = [f"{where}.{part}: is empty" for part in ("project", "domain", "name", "version") if not getattr(id, part)]
    if whole.resource_type != kind:
        faults.append(f"{where}.resource_type: is {type_name(whole.resource_type)}, and must be {type_name(kind)}")
    if faults:
        raise refuse(f"this is no identifier of a {type_name(kind)}", faults)
    return whole
