"""What is alive because of us and should not be: attempts that cannot be cleaned up after, jobs that nobody knows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from alula.admin.desk import Desk
from alula.engine.state import NodePhase
from alula.errors import AlulaError
from alula.plugin.core import Owned, Plugin
from alula.plugin.runner import AttemptId
from alula.store.records import AttemptRecord, ExecutionFilter, ExecutionKey, ExecutionRecord

_PAGE = 500


class LeakKind(StrEnum):
    QUARANTINED = "quarantined"
    """Its clean-up keeps failing. It is tried again for ever."""
    OPEN = "open"
    """Its execution has ended, and it was not cleaned up after yet."""
    UNKNOWN = "unknown"
    """It runs at a remote under a name of ours, and no open attempt has that name."""


@dataclass(frozen=True, slots=True)
class Leak:
    kind: LeakKind
    name: str
    """Of the attempt, as it is called outside."""
    what: str
    """For people."""
    plugin: str = ""
    """Who knows of it; empty: the store does."""
    project: str = ""
    domain: str = ""
    execution: str = ""
    path: str = ""
    number: int = 0
    since: datetime | None = None
    reclaimed: bool = False
    """It was stopped; or if the store knows it, its engine was asked to clean up once more."""


@dataclass(frozen=True, slots=True)
class Leaks:
    leaks: list[Leak] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What could not be looked at, or not be stopped."""
    unasked: list[str] = field(default_factory=list)
    """Plugins that nobody has configured, and that could not be asked: most likely they have never run anything."""


@dataclass(frozen=True, slots=True)
class Guest:
    name: str
    plugin: Plugin
    configured: bool


async def leaks(
    desk: Desk,
    plugins: Mapping[str, Plugin] | None = None,
    *,
    configured: Collection[str] | None = None,
    reclaim: bool = False,
) -> Leaks:
    """What leaks.

    Args:
        plugins: Opened, by name: they say what is alive at their remotes.
        configured: Those that settings name; None: all.
        reclaim: Stop what plugins know and nobody else, and try the clean-up of the others again at once.
    """
    found = Leaks()
    tag = await desk.store.tag()
    await _ours(desk, tag, found)
    for name, plugin in (plugins or {}).items():
        sure = configured is None or name in configured
        await _theirs(desk, tag, Guest(name, plugin, sure), found, reclaim=reclaim)
    if reclaim:
        for at, leak in enumerate(found.leaks):
            if leak.kind is not LeakKind.UNKNOWN:
                found.leaks[at] = await _again(desk, leak)
    return found


async def _ours(desk: Desk, tag: str, found: Leaks) -> None:
    """What the rows say."""
    stuck = {(one.execution, one.path, one.number): one for one in await desk.store.stuck()}
    ended = {record.id: record async for record in _executions(desk) if _ended(record)}
    for id in sorted({*ended, *(key[0] for key in stuck)}):
        record = ended.get(id) or await desk.store.execution_by_id(id)
        for attempt in await desk.store.attempts(id):
            if not attempt.open:
                continue
            known = stuck.get((id, attempt.path, attempt.number))
            if known is not None:
                what, kind = f"its clean-up failed {known.tries} times: {known.error}", LeakKind.QUARANTINED
            elif id in ended:
                what, kind = "its execution has ended, and it was not cleaned up after yet", LeakKind.OPEN
            else:
                continue
            name = _name(record, attempt, tag)
            since = known.since if known is not None else attempt.ended_at or record.ended_at
            key = record.key
            where = key.project, key.domain, key.name, attempt.path, attempt.number
            found.leaks.append(Leak(kind, name, what, "", *where, since=since))


async def _theirs(desk: Desk, tag: str, guest: Guest, found: Leaks, *, reclaim: bool) -> None:
    """What a plugin says that is alive, and no open attempt is called."""
    name, plugin = guest.name, guest.plugin
    try:
        seen = await _owned(plugin, tag)
        lost = {owned.name for owned in seen} - await _open_names(desk, tag) if seen else set()
        # What was just being cleaned up when it was looked at is gone by now.
        left = [owned for owned in await _owned(plugin, tag) if owned.name in lost] if lost else []
    except NotImplementedError:
        return
    except Exception as exc:  # noqa: BLE001 - the border to a plugin, which may raise anything
        told = found.faults if guest.configured else found.unasked
        told.append(f"plugin {name} cannot say what is alive: {_said(exc)}")
        return
    for owned in left:
        done = False
        if reclaim:
            try:
                await plugin.reclaim(owned)
                done = True
            except Exception as exc:  # noqa: BLE001 - likewise
                found.faults.append(f"plugin {name} cannot stop {owned.what}: {_said(exc)}")
        found.leaks.append(Leak(LeakKind.UNKNOWN, owned.name, owned.what, name, reclaimed=done))


async def _owned(plugin: Plugin, tag: str) -> Sequence[Owned]:
    """The jobs with names of this store: what others have made is not touched, whatever a plugin says."""
    found = [owned for owned in await plugin.owned() if owned.name.startswith(f"a{tag}")]
    return sorted(found, key=lambda owned: (owned.name, owned.what))


async def _open_names(desk: Desk, tag: str) -> set[str]:
    names: set[str] = set()
    async for record in _executions(desk):
        names.update(_name(record, one, tag) for one in await desk.store.attempts(record.id) if one.open)
    return names


async def _executions(desk: Desk) -> AsyncIterator[ExecutionRecord]:
    """All that are open."""
    before = 0
    while page := await desk.store.executions(ExecutionFilter(open=True), limit=_PAGE, before=before):
        for record in page:
            yield record
        before = page[-1].id


async def _again(desk: Desk, leak: Leak) -> Leak:
    """Have a clean-up tried now, whenever it would have been."""
    record = await desk.store.execution(ExecutionKey(leak.project, leak.domain, leak.execution))
    await desk.store.ask(record.id, "wake", path=leak.path, attempt=leak.number)
    return replace(leak, reclaimed=True)


def _ended(record: ExecutionRecord) -> bool:
    return record.phase != "queued" and NodePhase(record.phase).terminal


def _name(record: ExecutionRecord, attempt: AttemptRecord, tag: str) -> str:
    key = record.key
    return AttemptId(key.project, key.domain, key.name, attempt.path, attempt.number, tag).name


def _said(exc: Exception) -> str:
    return exc.what if isinstance(exc, AlulaError) else f"{type(exc).__name__}: {exc}"
