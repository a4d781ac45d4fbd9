"""Removes what is old, by itself, as settings say. Every replica has one; one of them at a time does it.

Who sweeps is who has a reservation, which is kept until the next sweep is due: so it is done once in a while, however
many replicas there are, and however often they are started anew.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from alula.admin.desk import Desk
from alula.admin.retention import Collected, Policy, collect
from alula.data.erase import Erased
from alula.errors import AlulaError
from alula.sections import RetentionConfig
from alula.services.uploaded import collect_uploads

log = logging.getLogger(__name__)

_KEY = "alula.retention"
_LOOK_AGAIN = timedelta(minutes=1)
"""After trouble of the store or of the place for files."""


class Sweeps:
    """Removes what may go.

    Args:
        cache_bytes: Beyond it, the cached results that were not used for longest go.
        owner: A name of this process that no other one has.
    """

    def __init__(self, desk: Desk, config: RetentionConfig, cache_bytes: int, *, owner: str) -> None:
        self._desk, self._every, self._owner = desk, config.every, owner
        self._uploads = config.uploads
        self._policy = Policy(
            older_than=config.executions,
            keep=config.keep or None,
            cache_unused_for=config.cache,
            cache_above_bytes=cache_bytes,
        )

    async def run(self) -> None:
        """Sweep when it is due, until it is cancelled. Never raises on its own account."""
        while True:
            wait = await self.round()
            await asyncio.sleep(wait.total_seconds())

    async def round(self) -> timedelta:
        """Sweep, if it is due; gives after how long to look again."""
        try:
            until = await self._desk.store.reserve(_KEY, self._owner, lease=self._every)
            if until is not None:
                return min(max(until - self._desk.clock.now(), timedelta(seconds=1)), self._every)
            self._tell(await collect(self._desk, self._policy))
            if self._uploads is not None:
                self._tell_uploads(await collect_uploads(self._desk, self._uploads))
            return self._every
        except AlulaError as exc:
            log.warning("retention.put_off", extra={"why": str(exc)})
        except Exception:  # the last line of defence: what is old must not pile up
            log.exception("retention.failed")
        return min(self._every, _LOOK_AGAIN)

    def _tell(self, found: Collected) -> None:
        if found.executions or found.entries or found.files:
            counts = {"executions": len(found.executions), "cached": len(found.entries), "files": found.files}
            log.info("retention.swept", extra={**counts, "freed_bytes": found.freed_bytes})
        for fault in found.faults:
            log.warning("retention.fault", extra={"why": fault})

    def _tell_uploads(self, done: Erased) -> None:
        if done.files:
            log.info("retention.uploads", extra={"files": done.files, "freed_bytes": done.bytes})
        for fault in done.faults:
            log.warning("retention.fault", extra={"why": fault})
