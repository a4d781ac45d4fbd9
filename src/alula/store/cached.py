"""`CacheStore` on a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from alula.store.access import Access
from alula.store.connection import Connection
from alula.store.records import CacheRecord
from alula.store.rows import cache_record, cache_row, moment, span


class Cache(Access):
    """Outputs of tasks by key, and who makes which."""

    async def find(self, key: str) -> CacheRecord | None:
        def work(connection: Connection) -> tuple[CacheRecord | None, int]:
            row = connection.one("cached_at", key=key)
            return (None if row is None else cache_record(row)), connection.now()

        record, now = await self._read(work)
        if record is None:
            return None
        # That it was used need not be durable before the answer, nor cost a commit of its own.
        self._writer.later(lambda connection: connection.rows("cache_touch", at=key, now=now))
        return replace(record, used_at=moment(now))

    async def put(self, record: CacheRecord, *, overwrite: bool = False) -> None:
        name, row = "cache_put" if overwrite else "cache_keep", cache_row(record)
        await self._write(lambda connection: connection.insert(name, [row]))

    async def reserve(self, key: str, owner: str, *, lease: timedelta) -> datetime | None:
        def work(connection: Connection) -> datetime | None:
            while True:
                now = connection.now()
                if connection.rows("reserve", key=key, owner=owner, until=now + span(lease), now=now):
                    return None
                held = connection.one("reserved_until", key=key)
                if held is not None:  # else it was given back just now
                    return moment(held[0])

        return await self._write(work)

    async def reserved(self, key: str) -> bool:
        def work(connection: Connection) -> bool:
            held = connection.one("reserved_until", key=key)
            return held is not None and int(held[0]) > connection.now()

        return await self._read(work)

    async def free(self, key: str, owner: str) -> None:
        def work(connection: Connection) -> None:
            if connection.rows("reservation_free", key=key, owner=owner):
                connection.news.any = True

        await self._write(work)

    async def evict(
        self,
        *,
        older_than: timedelta | None = None,
        unused_for: timedelta | None = None,
        above_bytes: int | None = None,
        dry_run: bool = False,
    ) -> Sequence[CacheRecord]:
        before: dict[str, CacheRecord] = {}

        def work(connection: Connection) -> list[CacheRecord]:
            now = connection.now()
            made_before = None if older_than is None else now - span(older_than)
            used_before = None if unused_for is None else now - span(unused_for)
            keys = _going(connection.rows("cache_sizes"), made_before, used_before, above_bytes)
            gone = [cache_record(row) for key in keys for row in connection.rows("cached_at", key=key)]
            if not dry_run:
                for record in gone:
                    connection.rows("cache_delete", key=record.key)
            now_gone = {record.key: record for record in gone}
            # Those that went when it was done before, if that stayed.
            gone += [
                one for key, one in before.items() if key not in now_gone and not connection.rows("cached_at", key=key)
            ]
            before.update(now_gone)
            return gone

        return await self._write(work)

    async def cached(self, *, after: str = "", limit: int = 1_000) -> Sequence[CacheRecord]:
        rows = await self._read(lambda connection: connection.rows("cached", after=after, limit=limit))
        return [cache_record(row) for row in rows]


def _going(
    entries: Sequence[tuple[str, int, int, int]],
    made_before: int | None,
    used_before: int | None,
    above_bytes: int | None,
) -> Iterator[str]:
    """The keys of those that go, of entries that come in the order of their last use."""
    left = []
    for key, size, made, used in entries:
        if (made_before is not None and made < made_before) or (used_before is not None and used < used_before):
            yield key
        else:
            left.append((key, size))
    total = sum(size for _, size in left)
    for key, size in left:
        if above_bytes is None or total <= above_bytes:
            return
        total -= size
        yield key
