"""What goes away with time: executions with their rows and files, and entries of the cache.

An execution goes with all that it launched. Its rows go first, and files only once nothing refers to them: neither the
cache nor an execution that stays. A note below the data prefix says what may still be there, so that a crash in
between leaves nothing behind for ever.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

from alula._kits.aio import gather
from alula.admin.desk import Desk
from alula.admin.references import Names, References, names_of
from alula.data import uris
from alula.data.erase import Erased, erase
from alula.engine.codec import read_node
from alula.engine.memo import Entry
from alula.engine.state import Ref
from alula.errors import AlulaError, DataError, NameTaken, ObjectNotFound, StoreDamaged, Unknown
from alula.store.records import CacheRecord, ExecutionKey, ExecutionRecord

_PAGE = 1_000
_AT_A_TIME = 16
_NOTES = ".leftovers"
GRACE = timedelta(minutes=10)
"""Files of a cache entry that was used so lately stay until the next time: its user may not have said so yet."""


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

    @property
    def executions_go(self) -> bool:
        """Whether any execution may go."""
        return self.older_than is not None or self.keep is not None


@dataclass(frozen=True, slots=True)
class Collected:
    """What went, or would go."""

    executions: tuple[ExecutionKey, ...] = ()
    entries: tuple[CacheRecord, ...] = ()
    files: int = 0
    freed_bytes: int = 0
    kept: tuple[str, ...] = ()
    """Prefixes of attempts whose executions went, and whose files are still in use."""
    faults: tuple[str, ...] = ()
    """What could not be removed, and why; it is tried again the next time."""


async def collect(desk: Desk, policy: Policy, *, dry_run: bool = False) -> Collected:
    """Remove what the policy says, and what is left of former times and no longer in use.

    Safe while engines run, and to be called again after a crash. With `dry_run` nothing changes: what would go.
    """
    return await _Sweep(desk, policy, dry_run).run()


async def leftover_of(desk: Desk, key: ExecutionKey) -> bytes | None:
    """The note about files of an execution that is gone; None if nothing of it is left."""
    uri = _note_uri(desk, names_of(key))
    if _missing(desk.objects.local_path(uri)):
        return None
    try:
        return await desk.objects.read(uri)
    except ObjectNotFound:
        return None


def _missing(path: Path | None) -> bool:
    """Whether there is no such file; asked for every execution that is created: a thread would cost ten times that."""
    return path is not None and not os.path.lexists(path)


@dataclass(frozen=True, slots=True)
class _Tree:
    """An execution with all that it launched, itself last."""

    members: tuple[ExecutionRecord, ...]

    @property
    def top(self) -> ExecutionRecord:
        return self.members[-1]


@dataclass(slots=True)
class _Note:
    """What may be left of a tree that is gone."""

    members: list[Names]
    """The top last."""

    def pack(self) -> bytes:
        return json.dumps({"members": self.members}).encode()

    @staticmethod
    def read(data: bytes, uri: str) -> _Note:
        try:
            members = [tuple(map(str, one)) for one in json.loads(data)["members"]]
            return _Note([(project, domain, name) for project, domain, name in members])
        except (ValueError, TypeError, KeyError) as exc:
            raise StoreDamaged(f"{uri} is no note about files that are left", where=uri, fix="remove it") from exc


@dataclass(slots=True)
class _Sweep:
    desk: Desk
    policy: Policy
    dry_run: bool
    seen: int = 0
    """The highest id of an execution that was looked at."""
    closures: set[str] = field(default_factory=set)
    """Digests of those that were looked at."""
    recovered: set[int] = field(default_factory=set)
    """Executions that others recover which came since we looked."""
    gone: list[ExecutionKey] = field(default_factory=list)
    kept: dict[str, None] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    erased: Erased = field(default_factory=Erased)

    async def run(self) -> Collected:
        entries = await self._evict()
        notes = await self._notes()
        records = {}
        if notes or self.policy.executions_go:
            records = {record.id: record async for record in self._all()}
        self.seen = max(records, default=0)
        trees = self._going(records)
        if trees or notes:
            await self._remove(trees, notes, records, entries)
        return Collected(
            executions=tuple(self.gone),
            entries=tuple(entries),
            files=self.erased.files,
            freed_bytes=self.erased.bytes,
            kept=tuple(self.kept),
            faults=tuple(self.faults),
        )

    async def _evict(self) -> Sequence[CacheRecord]:
        policy = self.policy
        if policy.cache_older_than is None and policy.cache_unused_for is None and policy.cache_above_bytes is None:
            return ()
        return await self.desk.store.evict(
            older_than=policy.cache_older_than,
            unused_for=policy.cache_unused_for,
            above_bytes=policy.cache_above_bytes,
            dry_run=self.dry_run,
        )

    async def _all(self) -> AsyncIterator[ExecutionRecord]:
        before = 0
        while page := await self.desk.store.executions(limit=_PAGE, before=before):
            for record in page:
                yield replace(record, inputs=b"", outputs=b"")
            before = page[-1].id

    def _going(self, records: dict[int, ExecutionRecord]) -> list[_Tree]:
        """The trees that go, oldest first."""
        children: dict[int, list[ExecutionRecord]] = {}
        tops = []
        for record in records.values():
            if record.parent is not None and record.parent.execution in records:
                children.setdefault(record.parent.execution, []).append(record)
            else:
                tops.append(record)
        needed = {record.reference for record in records.values() if record.open and record.reference}
        closed = [one for one in (_tree(top, children) for top in tops) if not any(m.open for m in one.members)]
        closed.sort(key=lambda tree: tree.top.id, reverse=True)
        now, limit = self.desk.clock.now(), self.policy.older_than
        going = []
        for nth, tree in enumerate(closed):
            ended = tree.top.ended_at or tree.top.created_at
            old = limit is not None and now - ended > limit
            many = self.policy.keep is not None and nth >= self.policy.keep
            if (old or many) and not any(member.id in needed for member in tree.members):
                going.append(tree)
        return going[::-1]

    async def _notes(self) -> dict[str, _Note]:
        found = {}
        async for uri in self.desk.objects.list(uris.join(self.desk.data, _NOTES)):
            try:
                found[uri] = _Note.read(await self.desk.objects.read(uri), uri)
            except ObjectNotFound:
                continue
            except AlulaError as exc:
                self.faults.append(exc.what)
        return found

    async def _remove(
        self,
        trees: list[_Tree],
        notes: dict[str, _Note],
        records: dict[int, ExecutionRecord],
        entries: Sequence[CacheRecord],
    ) -> None:
        going = {member.id for tree in trees for member in tree.members}
        names = {names_of(records[id].key) for id in going}
        used = References(self.desk.data, names | {member for note in notes.values() for member in note.members})
        await self._note_cache(used, entries)
        for record in records.values():
            if record.id not in going:
                await self._note_execution(used, record)
        for uri, note in notes.items():
            taken = [names for names in note.members if await self._lives(names)]
            if not taken:  # else an execution of a later time has the place
                await self._clear(note, uri, used)

        async def remove(tree: _Tree) -> bool:
            return await self._remove_tree(tree, used)

        removed = await gather(remove, trees, limit=_AT_A_TIME)  # so that the store can commit several at once
        self.gone = [one.key for tree, went in zip(trees, removed, strict=True) if went for one in tree.members]

    async def _remove_tree(self, tree: _Tree, used: References) -> bool:
        await self._greet(used)
        if any(member.id in self.recovered for member in tree.members):
            return False
        note = _Note([names_of(member.key) for member in tree.members])
        uri = _note_uri(self.desk, note.members[-1])
        if not self.dry_run:
            await self.desk.objects.write(uri, note.pack())
            for member in tree.members:
                try:
                    await self.desk.store.delete(member.id)
                except Unknown:
                    continue
                except NameTaken as exc:  # it is open again
                    self.faults.append(exc.what)
                    await self.desk.objects.delete(uri)
                    return False
        await self._clear(note, uri, used)
        return True

    async def _greet(self, used: References) -> None:
        """Note what executions recover, and what their inputs refer to, that came since we looked."""
        before, newest = 0, self.seen
        while page := await self.desk.store.executions(limit=10, before=before):
            new = [record for record in page if record.id > self.seen]
            for record in new:
                self.recovered.add(record.reference)
                used.note(record.inputs)
            newest = max(newest, page[0].id)
            if len(new) < len(page):
                break
            before = page[-1].id
        self.seen = max(self.seen, newest)

    async def _clear(self, note: _Note, uri: str, used: References) -> None:
        """Remove the files of a tree that is gone; the note too, once nothing is left."""
        left = False
        for names in note.members:
            done = await self._erase(names, used)
            self.erased.add(done)
            self.faults += done.faults
            for path in done.kept:
                self.kept[uris.join(self.desk.data, *names, *path.split("/")[:2])] = None
            left = left or bool(done.kept or done.faults)
        if not left and not self.dry_run:
            await self.desk.objects.delete(uri)

    async def _erase(self, names: Names, used: References) -> Erased:
        desk = self.desk
        try:
            return await erase(
                desk.objects, desk.data, names, keep=lambda path: used.uses(names, path), dry_run=self.dry_run
            )
        except DataError as exc:
            return Erased(faults=[exc.what])

    async def _lives(self, names: Names) -> bool:
        project, domain, name = (unquote(one) for one in names)
        try:
            await self.desk.store.execution(ExecutionKey(project, domain, name))
        except Unknown:
            return False
        return True

    async def _note_cache(self, used: References, gone: Iterable[CacheRecord]) -> None:
        """What entries refer to, those apart that go and were not used lately."""
        now = self.desk.clock.now()
        late = {record.key for record in gone if now - record.used_at > GRACE}
        for record in gone:
            if record.key not in late:
                await self._note_entry(used, record)
        after = ""
        while page := await self.desk.store.cached(after=after, limit=_PAGE):
            for record in page:
                if record.key not in late:
                    await self._note_entry(used, record)
            after = page[-1].key

    async def _note_entry(self, used: References, record: CacheRecord) -> None:
        if used.note(record.outputs):
            try:
                await self._note_refs(used, Entry.read(record.outputs).values.refs)
            except StoreDamaged:
                return  # nobody can read it

    async def _note_execution(self, used: References, record: ExecutionRecord) -> None:
        """What an execution that stays refers to: by its inputs and constants, and what its nodes gave or took over."""
        store = self.desk.store
        try:
            used.note((await store.execution_by_id(record.id)).inputs)
            if record.closure not in self.closures:
                self.closures.add(record.closure)
                used.note(await store.closure(record.closure))
        except Unknown:
            return
        used.note(*(one.closure for one in await store.expansions(record.id)))  # a recovery takes them over
        after = ""
        first = await store.node(record.id, "")
        page = [first] if first is not None else []
        while page:
            for stored in page:
                if used.note(stored.body):
                    outputs = read_node(stored).outputs
                    await self._note_refs(used, outputs.refs if outputs is not None else ())
            page = list(await store.nodes(record.id, after=after, limit=_PAGE))
            after = page[-1].path if page else ""

    async def _note_refs(self, used: References, refs: Iterable[Ref]) -> None:
        """Values that lie in files refer to further files."""
        for uri in dict.fromkeys(ref.uri for ref in refs):
            if used.note(uri.encode()):
                try:
                    used.note(await self.desk.objects.read(uri))
                except DataError:
                    continue


def _tree(top: ExecutionRecord, children: dict[int, list[ExecutionRecord]]) -> _Tree:
    found = [top]
    for record in found:  # grows while it is walked
        found.extend(children.get(record.id, ()))
    return _Tree(tuple(reversed(found)))


def _note_uri(desk: Desk, names: Names) -> str:
    return uris.join(desk.data, _NOTES, "|".join(names))
