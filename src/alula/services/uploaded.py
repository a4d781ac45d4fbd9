"""Removes what clients have uploaded and nobody refers to any more: neither what is registered, nor an execution, nor
a cached result, nor the catalogs.

Whoever uploads something refers to it soon after, and uploads it again before it refers to it again; so what was put
there lately stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from alula._kits.aio import gather
from alula.admin.desk import Desk
from alula.data import uris
from alula.data.erase import Erased
from alula.engine.codec import read_node
from alula.engine.memo import Entry
from alula.engine.state import Ref
from alula.errors import DataError, ObjectNotFound, StoreDamaged, Unknown
from alula.services.caches import KIND
from alula.services.catalogs import ALL, ARTIFACT, DATASET
from alula.services.uploads import PLACE
from alula.store.records import Page

SAFE = timedelta(hours=1)
"""What is younger stays, whatever is said: somebody may be about to refer to it."""
_PAGE = 500
_AT_A_TIME = 16
_EVERYTHING = 10_000_000
_PART = rb"([^/\x00-\x20\"'\\]+)"
"""Of a path; what has other characters is cut short, and fits all that begins like it."""


async def collect_uploads(desk: Desk, unused_for: timedelta, *, dry_run: bool = False) -> Erased:
    """Remove uploads that were put there longer ago, and that nothing refers to. With `dry_run`, only count.

    Safe while servers run, and to be called again after a crash.

    Raises:
        DataError: Something that may refer to uploads cannot be read now; nothing was removed.
    """
    place, done = uris.join(desk.data, PLACE), Erased()
    before = desk.clock.now() - max(unused_for, SAFE)

    async def old(uri: str) -> bool:
        try:
            return await desk.objects.modified(uri) < before
        except ObjectNotFound:
            return False

    found = [uri async for uri in desk.objects.list(place)]
    ages = await gather(old, found, limit=_AT_A_TIME)
    there = [uri for uri, is_old in zip(found, ages, strict=True) if is_old]
    if not there:
        return done
    used = _Used(place)
    async for text in _everything(desk):
        used.note(text)

    async def remove(uri: str) -> None:
        try:
            size = await desk.objects.size(uri)
            if not await old(uri):
                return  # it has just come again
            if not dry_run:
                await desk.objects.delete(uri)
        except ObjectNotFound:
            return
        except DataError as exc:
            done.faults.append(exc.what)
            return
        done.add(Erased(1, size))

    await gather(remove, [uri for uri in there if not used.uses(uri)], limit=_AT_A_TIME)
    return done


@dataclass(slots=True)
class _Used:
    """Uploads that something refers to. It may be too many, and then a file stays longer; it is never too few.

    Args:
        place: The URI below which uploads are.
    """

    place: str
    whole: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """Beginnings of what lies right below a project and domain, all of which is in use."""
    parts: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)
    """Beginnings of what lies in a directory there."""
    _pattern: re.Pattern[bytes] = field(init=False)

    def __post_init__(self) -> None:
        base = uris.rest(uris.base(self.place))
        start = b"|".join(re.escape(one.encode()) for one in sorted({base, json.dumps(base)[1:-1]}))
        between = _PART + rb"/"
        self._pattern = re.compile(rb"(?:" + start + rb")" + between + between + _PART + rb"(?:/" + _PART + rb")?")

    def note(self, text: bytes) -> None:
        """Look for references in some bytes."""
        for match in self._pattern.finditer(text):
            project, domain, first, *rest = (
                group.decode("utf-8", "surrogateescape") for group in match.groups() if group is not None
            )
            if rest:
                self.parts.setdefault((project, domain, first), set()).add(rest[0])
            else:
                self.whole.setdefault((project, domain), set()).add(first)

    def uses(self, uri: str) -> bool:
        """Whether a file is in use."""
        path = uris.rest(uri).removeprefix(uris.rest(uris.base(self.place)))
        names = path.encode().decode("utf-8", "surrogateescape").split("/")
        if len(names) < 4:
            return True  # nobody has uploaded that
        project, domain, first, second = names[:4]
        return _fits(first, self.whole.get((project, domain), ())) or _fits(
            second, self.parts.get((project, domain, first), ())
        )


def _fits(name: str, found: Iterable[str]) -> bool:
    """Whether one of these is meant by a name; what follows it in the bytes may look like a part of it."""
    return any(name.startswith(one) or one.startswith(name) for one in found)


async def _everything(desk: Desk) -> AsyncIterator[bytes]:
    """The bytes of all that may refer to an upload."""
    async for text in _registered(desk):
        yield text
    async for text in _executed(desk):
        yield text
    after = ""
    while page := await desk.store.cached(after=after, limit=_PAGE):
        for record in page:
            yield record.outputs
            try:
                async for text in _behind(desk, Entry.read(record.outputs).values.refs):
                    yield text
            except StoreDamaged:
                continue  # nobody can read it
        after = page[-1].key
    async for text in _catalogued(desk):
        yield text


async def _registered(desk: Desk) -> AsyncIterator[bytes]:
    for kind in ("task", "workflow", "launch_plan"):
        places = {(one.project, one.domain) for one in await desk.store.entities(kind, limit=_EVERYTHING)}
        for project, domain in sorted(places):
            page = Page(limit=_PAGE)
            while rows := await desk.store.page_entities(kind, project, domain, page):
                for _, record in rows:
                    yield record.spec
                page = Page(limit=_PAGE, after=rows[-1][0])


async def _executed(desk: Desk) -> AsyncIterator[bytes]:
    store, seen, before = desk.store, set[str](), 0
    while page := await store.executions(limit=_PAGE, before=before):
        for listed in page:
            try:
                record = await store.execution_by_id(listed.id)
                yield record.inputs + record.outputs + record.spec
                if record.closure not in seen:
                    seen.add(record.closure)
                    yield await store.closure(record.closure)
            except Unknown:
                continue
            for one in await store.expansions(record.id):
                yield one.closure
            root = await store.node(record.id, "")
            rows = [root] if root is not None else []
            while rows:
                for row in rows:
                    yield row.body
                    outputs = read_node(row).outputs
                    async for text in _behind(desk, outputs.refs if outputs is not None else ()):
                        yield text
                rows = list(await store.nodes(record.id, after=rows[-1].path, limit=_PAGE))
        before = page[-1].id


async def _catalogued(desk: Desk) -> AsyncIterator[bytes]:
    async for _, body in _documents(desk, KIND, ""):
        yield body
    async for name, body in _documents(desk, DATASET, ALL):
        yield body
        async for _, artifact in _documents(desk, ARTIFACT, name):
            yield artifact


async def _documents(desk: Desk, kind: str, scope: str) -> AsyncIterator[tuple[str, bytes]]:
    page = Page(limit=_PAGE)
    while rows := await desk.store.page_documents(kind, scope, page):
        for _, record in rows:
            yield record.name, record.body
        page = Page(limit=_PAGE, after=rows[-1][0])


async def _behind(desk: Desk, refs: Iterable[Ref]) -> AsyncIterator[bytes]:
    """Values that lie in files. Raises DataError if one cannot be read now: it may refer to what would be removed."""
    for uri in dict.fromkeys(ref.uri for ref in refs):
        try:
            yield await desk.objects.read(uri)
        except ObjectNotFound:
            continue
