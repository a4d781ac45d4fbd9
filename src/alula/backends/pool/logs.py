"""The logs of attempts while they grow: they are shown at their place, told to who follows, and kept in bounds."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from alula.data import spool
from alula.data.objects import ObjectStore
from alula.errors import DataError
from alula.plugin.runner import AttemptId

log = logging.getLogger(__name__)

Tail = Callable[[AttemptId, bytes], None]
"""Takes what an attempt printed, piece by piece, on the loop."""

_PIECE = 64 * 1024
"""Bytes of one log that are told at a time; of a task that prints faster the middle is left out."""


@dataclass(slots=True)
class Growing:
    """The log of a running attempt."""

    id: AttemptId
    path: str
    """Where it is spooled."""
    place: Path | None
    """Where it belongs; None: not on this machine."""
    shown: bool = False
    told: int = 0
    fd: int = -1
    """Of the spooled file, once something of it was told."""
    thinning: asyncio.Future[None] | None = None
    """The disk of its middle is being given back."""


class Logs:
    """Looks after the logs of running attempts.

    Args:
        tail: Is told what they print; None: nobody follows.
        limit_bytes: Of one log.
    """

    def __init__(self, tail: Tail | None, limit_bytes: int) -> None:
        self._tail, self._limit = tail, limit_bytes

    @property
    def followed(self) -> bool:
        return self._tail is not None

    def look(self, one: Growing) -> None:
        """Show and tell what is new in a log. Costs a microsecond when nothing is."""
        try:
            size = os.stat(one.path).st_size
        except OSError:
            return  # it has just been moved to its place
        if size == 0:
            return
        if not one.shown and one.place is not None:
            one.shown = True
            try:
                spool.show(one.path, one.place)
            except DataError as exc:
                log.warning("workers.log_not_shown", extra={"attempt": one.id.name, "problem": str(exc)})
        if self._tail is not None:
            with suppress(OSError):
                self._tell(one, one.path)
        if size > 2 * self._limit and (one.thinning is None or one.thinning.done()):
            loop = asyncio.get_running_loop()
            one.thinning = loop.run_in_executor(None, spool.thin, one.path, self._limit)

    def end(self, one: Growing) -> None:
        """Tell what is left of the log of an attempt that is over."""
        if self._tail is not None:
            with suppress(OSError):
                self._tell(one, one.path if one.place is None else str(one.place))
        if one.fd >= 0:
            os.close(one.fd)
            one.fd = -1

    def _tell(self, one: Growing, path: str) -> None:
        """Tell a piece. The file stays open, for the worker moves it when the attempt is over."""
        assert self._tail is not None
        if one.fd < 0:
            one.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        size = os.fstat(one.fd).st_size
        if size > one.told:
            skipped = max(0, size - one.told - _PIECE)
            piece = os.pread(one.fd, _PIECE, one.told + skipped)
            one.told += skipped + len(piece)
            note = f"... {skipped} bytes are left out here ...\n".encode() if skipped else b""
            self._tail(one.id, note + piece)


async def publish(objects: ObjectStore, uri: str, path: str, limit_bytes: int) -> str:
    """Put a spooled log to its place, when its worker did not live to do it; what went wrong."""
    try:
        place = objects.local_path(uri)
        if place is not None:
            await asyncio.to_thread(spool.publish, path, place, limit_bytes)
        elif content := await asyncio.to_thread(spool.content, path, limit_bytes):
            await objects.write(uri, content)
    except DataError as exc:
        return str(exc)
    return ""
