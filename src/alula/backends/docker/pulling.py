"""Images: when they are pulled, as whom, and once for all who wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from alula.backends.docker.settings import DockerSettings, Pull
from alula.backends.docker.works import Works
from alula.containers.engine import registries
from alula.containers.engine.calls import Engine
from alula.errors import ImageMissing, Rejected, RemoteError
from alula.plugin.context import TaskContext


class Pulling:
    """Gets images for tasks.

    Args:
        secret: Looks up a secret by key and group.
    """

    def __init__(
        self, engine: Engine, settings: DockerSettings, works: Works, secret: Callable[[str, str], Awaitable[str]]
    ) -> None:
        self._engine, self._settings, self._works, self._secret = engine, settings, works, secret

    async def first(self, task: TaskContext, image: str) -> None:
        """What is to be done before a container is made. Raises NotReady."""
        if self._settings.pull is Pull.ALWAYS:
            await self._pull(task, image)

    async def missing(self, task: TaskContext, image: str, exc: ImageMissing) -> None:
        """Get an image that the engine turned out not to have.

        Raises:
            Rejected: Images are not to be pulled; or there is no such image, or not for us.
            NotReady: It is under way.
        """
        if self._settings.pull is Pull.NEVER:
            fix = "build or load it there, or let images be pulled: `pull` in [backends.docker]"
            raise Rejected(exc.what, where=exc.where, fix=fix, code="ImageMissing") from exc
        await self._pull(task, image)

    async def _pull(self, task: TaskContext, image: str) -> None:
        what = f"image {image} is being pulled"
        await self._works.result(f"pull {image}", what, lambda: self._pulled(image), task.wake)

    async def _pulled(self, image: str) -> None:
        auth = await self._credentials(image)
        seconds = self._settings.pull_timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                await self._engine.pull(registries.full_name(image) if auth else image, auth)
        except TimeoutError as exc:
            fix = "pull it by hand, or raise `pull_timeout` in [backends.docker]"
            raise RemoteError(f"image {image} was not pulled within {seconds:g} s", where=image, fix=fix) from exc

    async def _credentials(self, image: str) -> Mapping[str, str] | None:
        registry = registries.registry_of(image)
        named = self._settings.registries.get(registry)
        if not named:
            return await registries.of_login(image)
        group, _, key = named.rpartition("/")
        return registries.of_text(await self._secret(key, group), registry)
