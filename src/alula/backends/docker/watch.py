"""What happens to containers, told by the engine: who waits for one is woken, and outages are remembered."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import UTC, datetime, timedelta

from alula.containers.engine.calls import Engine
from alula.containers.engine.records import LABEL
from alula.errors import RemoteError
from alula.plugin.context import TaskContext

log = logging.getLogger(__name__)

_NEWS = frozenset({"die", "died", "destroy", "remove", "pause", "unpause"})
_FIRST_SECONDS, _LONGEST_SECONDS = 0.1, 10.0
_BEFORE = timedelta(seconds=30)
"""How long an engine may take to end its containers before it ends itself."""


class Watch:
    """Listens to one engine while it is open."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tasks: dict[str, TaskContext] = {}
        self._told: set[str] = set()
        """Of these, those that somebody else has told to end."""
        self._lost_at: datetime | None = None
        """When the engine was last heard to go."""
        self._running: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._running = asyncio.get_running_loop().create_task(self._listen())

    async def end(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.wait([running])

    def know(self, task: TaskContext) -> None:
        """Wake an attempt from now on when something happens to its container."""
        self._tasks[task.name] = task

    def forget(self, name: str) -> None:
        self._tasks.pop(name, None)
        self._told.discard(name)

    def told_to_end(self, name: str) -> bool:
        """Whether somebody, as an engine that shuts down, wanted a container to end, as far as that was heard."""
        return name in self._told

    def lost_since(self, moment: datetime | None) -> bool:
        """Whether the engine went away at a moment or later, as far as it was listened to."""
        return self._lost_at is not None and moment is not None and moment >= self._lost_at - _BEFORE

    async def _listen(self) -> None:
        pause = _FIRST_SECONDS
        while True:
            try:
                async for event in self._engine.events(LABEL):
                    if event is None:
                        pause = _FIRST_SECONDS
                        self._wake_all()  # something may have happened meanwhile
                    elif event.name in self._tasks:
                        if event.ends:
                            self._told.add(event.name)
                        if event.action in _NEWS:
                            self._tasks[event.name].wake()
                self._lost_at = datetime.now(UTC)
                log.info("engine.lost", extra={"url": self._engine.url})
            except (RemoteError, ValueError) as exc:
                log.info("engine.silent", extra={"url": self._engine.url, "error": str(exc)})
            await asyncio.sleep(pause * (0.5 + random.random()))
            pause = min(2 * pause, _LONGEST_SECONDS)

    def _wake_all(self) -> None:
        for task in list(self._tasks.values()):
            task.wake()
