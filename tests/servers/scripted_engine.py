"""A container engine in memory, with a script in place of programs: it keeps the contract of `Engine`, and no more.

Its containers run until somebody says how they end. What they leave as outputs is given beforehand.
"""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import BinaryIO

from alula.containers.engine.records import LABEL, Container, Event, Spec, Status
from alula.errors import ImageMissing, Rejected, RemoteError, RemoteNotFound
from alula.testing.kit import Remote


@dataclass
class Made:
    """A container of the script."""

    spec: Spec
    container: Container
    files: dict[str, bytes] = field(default_factory=dict)
    """By absolute path: what was put in, and what it leaves."""


class Script(Remote):
    """What goes on in an engine, whoever is connected to it.

    Args:
        leaves: The files that a container leaves when it succeeds.
        images: Those that it has.
        registry: Those that can be pulled.
    """

    def __init__(
        self, leaves: Mapping[str, str] | None = None, images: Sequence[str] = (), registry: Sequence[str] = ()
    ) -> None:
        self.leaves, self.images, self.registry = dict(leaves or {}), set(images), set(registry)
        self.containers: dict[str, Made] = {}
        self.log: dict[str, bytes] = {}
        self.pulls: list[str] = []
        self.run, self.up, self.going_down = 1, True, False
        self.slow_pull: asyncio.Event | None = None
        self._listeners: list[asyncio.Queue[Event | None]] = []

    # --- what people do ---

    def live(self) -> Sequence[str]:
        return [name for name, one in self.containers.items() if not one.container.status.over]

    def finish(self, name: str) -> None:
        self.containers[name].files.update({path: text.encode() for path, text in self.leaves.items()})
        self.end(name, 0)

    def fail(self, name: str) -> None:
        self.end(name, 7)

    def end(self, name: str, exit_code: int, *, out_of_memory: bool = False) -> None:
        """Have a container end."""
        made = self.containers.get(name)
        if made is None or made.container.status.over:
            return
        made.container = replace(
            made.container,
            status=Status.EXITED,
            exit_code=exit_code,
            out_of_memory=out_of_memory,
            finished_at=datetime.now(UTC),
        )
        self.tell("die", name)

    def restart(self, exit_code: int = 143) -> None:
        """The engine is started anew, which ends all containers."""
        for name in list(self.live()):
            if self.containers[name].container.status is Status.RUNNING:
                self.end(name, exit_code)
        self.run += 1
        for queue in self._listeners:
            queue.put_nowait(None)
        self._listeners.clear()

    def tell(self, action: str, name: str) -> None:
        for queue in self._listeners:
            queue.put_nowait(Event(action, name))

    def listen(self) -> asyncio.Queue[Event | None]:
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners.append(queue)
        return queue


class ScriptedEngine:
    """A connection to a scripted engine. An `Engine`."""

    def __init__(self, script: Script, *, near: bool = True) -> None:
        self.script, self._near = script, near

    @property
    def url(self) -> str:
        return "script://engine"

    @property
    def near(self) -> bool:
        return self._near

    async def open(self) -> None: ...

    async def aclose(self) -> None: ...

    async def session(self) -> str:
        return str(self.script.run)

    async def alive(self) -> bool:
        return self.script.up and not self.script.going_down

    async def has_image(self, image: str) -> bool:
        self._answers()
        return image in self.script.images

    async def pull(self, image: str, auth: Mapping[str, str] | None = None) -> None:
        self._answers()
        self.script.pulls.append(image)
        if self.script.slow_pull is not None:
            await self.script.slow_pull.wait()
        if image not in self.script.registry:
            raise Rejected(f"image {image} cannot be pulled: not found", code="ImageNotFound")
        self.script.images.add(image)

    async def create(self, spec: Spec) -> bool:
        self._answers()
        if spec.image not in self.script.images:
            raise ImageMissing(f"no such image: {spec.image}")
        if spec.name in self.script.containers:
            return False
        container = Container(spec.name, spec.name, Status.CREATED, labels=spec.labels)
        self.script.containers[spec.name] = Made(spec, container)
        return True

    async def put(self, name: str, archive: BinaryIO) -> None:
        archive.seek(0)
        with tarfile.open(fileobj=archive) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                self._made(name).files[f"/{member.name}"] = content.read() if content is not None else b""

    async def take(self, name: str, path: str, archive: BinaryIO, limit_bytes: int) -> bool:
        files = self._made(name).files
        wanted = {one: data for one, data in files.items() if one == path or one.startswith(f"{path}/")}
        if not wanted:
            return False
        top = PurePosixPath(path).parent
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for one, data in wanted.items():
                info = tarfile.TarInfo(str(PurePosixPath(one).relative_to(top)))
                if (one == path and len(wanted) > 1) or not data:
                    info.type = tarfile.DIRTYPE
                    tar.addfile(info)
                else:
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        return True

    async def start(self, name: str) -> None:
        made = self._made(name)
        if made.container.status is Status.CREATED:
            made.container = replace(made.container, status=Status.RUNNING)
            self.script.tell("start", name)

    async def inspect(self, name: str) -> Container:
        return self._made(name).container

    async def list(self, *labels: str) -> Sequence[Container]:
        self._answers()
        return [
            replace(one.container, exit_code=0)
            for one in self.script.containers.values()
            if all(label.partition("=")[0] in one.spec.labels for label in labels)
        ]

    async def tail(self, name: str, lines: int) -> str:
        return self.script.log.get(name, b"").decode()

    async def logs(self, name: str, write: Callable[[bytes], object], *, follow: bool = True) -> None:
        write(self.script.log.get(name, b""))

    async def stop(self, name: str, grace_seconds: float) -> None:
        self._answers()
        self.script.end(name, 143)

    async def remove(self, name: str, *, force: bool = True) -> bool:
        self._answers()
        made = self.script.containers.get(name)
        if made is not None and made.container.status is Status.RUNNING and not force:
            return False
        self.script.containers.pop(name, None)
        return True

    async def events(self, label: str) -> AsyncIterator[Event | None]:
        self._answers()
        assert label == LABEL
        queue = self.script.listen()
        yield None
        while (event := await queue.get()) is not None:
            yield event

    def _answers(self) -> None:
        if not self.script.up:
            raise RemoteError("the scripted engine does not answer")

    def _made(self, name: str) -> Made:
        self._answers()
        if name not in self.script.containers:
            raise RemoteNotFound(f"there is no container {name}")
        return self.script.containers[name]
