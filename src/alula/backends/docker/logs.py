"""The logs of containers: shown at their place while they grow, and complete there when the container has ended."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from alula._kits import scratch
from alula._kits.aio import to_thread
from alula.containers.engine.calls import Engine
from alula.data.objects import ObjectStore
from alula.errors import DataError, RemoteError

log = logging.getLogger(__name__)

_SHOWN_AFTER_SECONDS = 0.5
"""Most containers have ended by then, and their logs are read in one piece."""
_MOST = 64
"""Logs that are followed at a time; of others what is printed is seen at the end."""


class Logs:
    """Keeps the logs of running containers. Everything is called on one loop.

    Args:
        objects: Gives the store that logs go to.
        limit_bytes: Of one log.
    """

    def __init__(self, engine: Engine, objects: Callable[[], ObjectStore], limit_bytes: int) -> None:
        self._engine, self._objects, self._limit = engine, objects, limit_bytes
        self._following: dict[str, asyncio.Task[None]] = {}
        self._saved: set[str] = set()

    def follow(self, name: str, uri: str) -> None:
        """Show what a container prints from now on, if its log is a file of this machine."""
        place = self._objects().local_path(uri)
        if (
            place is not None
            and name not in self._following
            and name not in self._saved
            and len(self._following) < _MOST
        ):
            self._following[name] = asyncio.get_running_loop().create_task(self._show(name, place))

    async def save(self, name: str, uri: str) -> None:
        """Put the log of a container that has ended to its place, once. What goes wrong is logged: it is no reason to
        fail a task."""
        if name in self._saved:
            return
        await self._leave(name)
        try:
            await self._save(name, uri)
        except (RemoteError, DataError, OSError) as exc:
            log.warning("container.log_not_kept", extra={"container": name, "error": str(exc)})
        else:
            self._saved.add(name)

    async def forget(self, name: str) -> None:
        self._saved.discard(name)
        await self._leave(name)

    async def aclose(self) -> None:
        for name in list(self._following):
            await self._leave(name)

    async def _leave(self, name: str) -> None:
        following = self._following.pop(name, None)
        if following is not None:
            following.cancel()
            await asyncio.wait([following])

    async def _show(self, name: str, place: Path) -> None:
        await asyncio.sleep(_SHOWN_AFTER_SECONDS)
        with suppress(RemoteError, OSError):
            out = await to_thread(_opened, place)
            try:
                left = self._limit

                def write(piece: bytes) -> None:
                    nonlocal left
                    left -= len(piece)
                    if left >= 0:
                        out.write(piece)

                await self._engine.logs(name, write)
            finally:
                out.close()

    async def _save(self, name: str, uri: str) -> None:
        with scratch.Lent("log") as made:
            path = made / "log.txt"
            with await to_thread(_opened, path) as out:
                await self._engine.logs(name, out.write, follow=False)
            if await to_thread(os.path.getsize, path):
                await self._objects().upload(path, uri)


def _opened(place: Path) -> BinaryIO:
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.open("wb", buffering=0)
