"""What tasks print, line by line, while they run and afterwards."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from alula.admin import views
from alula.admin.desk import Desk
from alula.admin.executions import ended
from alula.admin.views import AttemptView
from alula.data.objects import ObjectStore
from alula.errors import DataError, ObjectNotFound
from alula.store.records import ExecutionKey

_AT_ONCE = 1 << 20
"""Bytes of one log that are read at a time."""
_PAUSE = 0.25


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that an attempt printed."""

    path: str
    attempt: int
    text: str
    """Without its end."""


@dataclass(slots=True)
class Tail:
    """A log as far as it was read."""

    uri: str
    offset: int = 0
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )
    _rest: str = ""

    async def more(self, objects: ObjectStore) -> list[str]:
        """The lines that came since; a last one without an end waits for it."""
        try:
            data = await objects.read(self.uri, start=self.offset, length=_AT_ONCE)
        except (ObjectNotFound, DataError):  # nothing was printed yet, or nothing more
            return []
        self.offset += len(data)
        text = self._rest + self._decoder.decode(data)
        *lines, self._rest = text.split("\n")
        return lines

    async def all(self, objects: ObjectStore) -> list[str]:
        """All lines that are left, the last one included."""
        found: list[str] = []
        while True:
            before = self.offset
            found += await self.more(objects)
            if self.offset == before:
                break
        if self._rest:
            found.append(self._rest)
            self._rest = ""
        return found


async def read_logs(
    desk: Desk, key: ExecutionKey, path: str | None, *, attempt: int | None = None, follow: bool = False
) -> AsyncGenerator[LogLine, None]:
    """What the attempts of a node, or all of them, printed: one attempt after the other; if followed, as it comes.

    Raises:
        Unknown: There is no such execution or node.
    """
    tails: dict[tuple[str, int], Tail] = {}
    closed: set[tuple[str, int]] = set()
    while True:
        over = not follow or ended(await desk.store.execution(key))
        for view in await _attempts(desk, key, path, attempt):
            at = view.path, view.number
            if at in closed:
                continue
            tail = tails.setdefault(at, Tail(view.log))
            finished = over or view.ended_at is not None
            for text in await (tail.all(desk.objects) if finished else tail.more(desk.objects)):
                yield LogLine(view.path, view.number, text)
            if finished and not view.open:
                closed.add(at)
        if over:
            return
        await asyncio.sleep(_PAUSE)


async def _attempts(desk: Desk, key: ExecutionKey, path: str | None, attempt: int | None) -> list[AttemptView]:
    found = await views.attempts(desk, key, path)
    wanted = [one for one in found if attempt is None or one.number == attempt]
    return sorted(wanted, key=lambda one: one.started_at or one.since)
