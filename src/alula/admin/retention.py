"""What goes away with time: executions with their rows and files, and entries of the cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from alula.admin.desk import Desk
from alula.data import uris
from alula.data.layout import Execution
from alula.errors import ObjectNotFound
from alula.store.records import CacheRecord, ExecutionKey, ExecutionRecord


@dataclass(frozen=True, slots=True)
class Policy:
    """What goes. An execution goes if either limit says so, and never while anything of it is open."""

    older_than: timedelta | None = None
    """Executions that ended longer ago go."""
    keep: int | None = None
    """Of those that ended, only so many stay: the newest. Parts of others do not count."""
    cache_older_than: timedelta | None = None
    cache_unused_for: timedelta | None = None
    cache_above_bytes: int | None = None
    """Beyond it, the entries that were not used for longest go."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What went, or would go."""

    executions: tuple[ExecutionRecord, ...] = ()
    entries: tuple[CacheRecord, ...] = ()
    files: int = 0
    freed_bytes: int = 0
    kept: tuple[str, ...] = ()
    """Prefixes of attempts whose executions went, and whose files are still in use."""
    faults: tuple[str, ...] = field(default=())
    """What could not be removed, and why; it is tried again the next time."""


def leftover_uri(desk: Desk, key: ExecutionKey) -> str:
    """Where it is noted that files of an execution that is gone are still in use."""
    inside = Execution.under(desk.data, project=key.project, domain=key.domain, name=key.name).prefix
    return uris.join(desk.data, ".leftovers", inside.removeprefix(uris.base(desk.data)).replace("/", "|"))


async def leftover_of(desk: Desk, key: ExecutionKey) -> bytes | None:
    """The note about the files of an execution that is gone; None if nothing of it is left."""
    try:
        return await desk.objects.read(leftover_uri(desk, key))
    except ObjectNotFound:
        return None
