"""Where people read what attempts have printed: links to our own files, and those that plugins give."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from alula._kits.aio import gather
from alula.admin.desk import Desk
from alula.admin.views import files_of
from alula.idl.reports import TaskLog
from alula.plugin.phase import LogLink
from alula.services.binding import Call
from alula.services.links import Grant, Links
from alula.store.records import ExecutionKey

NAME = "Log"
_AT_ONCE = 32


class Logs:
    """Links to logs.

    Args:
        links: None: there is no HTTP server to read our own from.
    """

    def __init__(self, desk: Desk, links: Links | None) -> None:
        self._desk, self._links = desk, links

    async def of(self, key: ExecutionKey, attempts: Sequence[tuple[str, int]], call: Call) -> list[list[TaskLog]]:
        """Of each attempt, by its path and number, the link to what it has printed; none, if that is nothing."""

        async def one(attempt: tuple[str, int]) -> list[TaskLog]:
            return await self._printed(files_of(self._desk, key, *attempt).log, call)

        return await gather(one, attempts, limit=_AT_ONCE) if self._links is not None else [[] for _ in attempts]

    async def _printed(self, uri: str, call: Call) -> list[TaskLog]:
        if self._links is None or not await self._desk.objects.exists(uri):
            return []
        url, until = self._links.url(Grant("GET", uri, base=call.base_url))
        made = TaskLog(name=NAME, uri=url, message_format=TaskLog.UNKNOWN)
        made.ttl.FromTimedelta(max(until - self._desk.clock.now(), timedelta(0)))
        return [made]


def told_by_plugins(links: Sequence[LogLink]) -> list[TaskLog]:
    """The pages of remotes."""
    return [TaskLog(name=link.name, uri=link.uri, message_format=TaskLog.UNKNOWN) for link in links]
