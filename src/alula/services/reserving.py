"""Reservations of catalogs: who makes what a key shall stand for, while others wait; on those of the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from alula.admin.desk import Desk
from alula.errors import RequestError
from alula.idl import Duration
from alula.store.records import DocumentRecord

_LONGEST_BEAT = timedelta(seconds=10)
_GRACE = 3
"""A reservation lasts for so many beats of the heart. Both figures are those of Flyte's own catalog."""
_OWNER = "catalog.reservation"


@dataclass(frozen=True, slots=True)
class Held:
    """Who has a reservation."""

    owner: str
    beat: Duration
    until: datetime


async def held(desk: Desk, key: str, owner: str, beat: timedelta) -> Held:
    """Take or extend the reservation of a key, or say who has it. Raises RequestError."""
    if not owner:
        raise RequestError("owner_id is empty", fix="say who asks, with a name that nobody else has")
    beat = min(beat, _LONGEST_BEAT) if beat > timedelta(0) else _LONGEST_BEAT
    lease, said = beat * _GRACE, Duration()
    said.FromTimedelta(beat)
    other = await desk.store.reserve(key, owner, lease=lease)
    if other is None:
        await desk.store.put_documents([DocumentRecord(_OWNER, "", key, owner.encode())], overwrite=True)
        return Held(owner, said, desk.clock.now() + lease)
    known = await desk.store.document(_OWNER, "", key)
    return Held(known.body.decode() if known is not None else "another", said, other)
