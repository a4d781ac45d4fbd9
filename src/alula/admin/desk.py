"""What the verbs work with, and how they refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from alula._kits.clock import Clock, SystemClock
from alula.data.objects import ObjectStore
from alula.errors import RequestError
from alula.store.store import Store


@dataclass(slots=True)
class Room:
    """How many more executions may be created before the open ones are counted again."""

    left: int = 0
    counted: float = 0.0
    """When, on the clock that only goes forward."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where requests are taken: the store, the files, the time. One for a process; safe to share."""

    store: Store
    objects: ObjectStore
    data: str
    """URI prefix of the files of executions: `Config.data_prefix`."""
    clock: Clock = field(default_factory=SystemClock)
    random: Random = field(default_factory=Random)
    """For names only."""
    backlog: int = 0
    """So many executions may be open when one is created: `[engine] backlog`; 0: any number."""
    room: Room = field(default_factory=Room, repr=False)


def refuse(what: str, faults: Sequence[str], *, where: str = "", fix: str = "") -> RequestError:
    """One error for all faults of a request."""
    if len(faults) == 1:
        return RequestError(f"{what}: {faults[0]}", where=where, fix=fix)
    lines = "".join(f"\n  - {fault}" for fault in faults)
    return RequestError(f"{what}: {len(faults)} faults{lines}", where=where, fix=fix)
