"""A container that somebody waits for here, with what it prints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from alula.containers.engine.docker import DockerEngine

_LAST_SECONDS = 0.5
"""How long the end of what is followed may be behind the end of the container."""


async def attended(engine: DockerEngine, name: str, write: Callable[[bytes], object]) -> None:
    """Return when a container has ended; all that it printed was written by then, most of it as it came.

    An engine may lose the end of what it lets follow, or never end it: what is missing is read afterwards.
    """
    seen = 0

    def first(piece: bytes) -> None:
        nonlocal seen
        seen += len(piece)
        write(piece)

    following = asyncio.ensure_future(engine.logs(name, first))
    try:
        await engine.wait(name)
        await asyncio.wait([following], timeout=_LAST_SECONDS)
    finally:
        following.cancel()
        await asyncio.wait([following])
    skip = seen

    def rest(piece: bytes) -> None:
        nonlocal skip
        new = piece[skip:]
        skip = max(0, skip - len(piece))
        if new:
            write(new)

    await engine.logs(name, rest, follow=False)
