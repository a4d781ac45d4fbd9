"""The build itself, by the classic interface of the Docker Engine API, which Podman has too; its log, its faults."""

from __future__ import annotations

import json
import re
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alula._kits import lazy
from alula._kits.aio import to_thread
from alula.containers.engine.docker import DockerEngine
from alula.containers.engine.where import HINT, NONE_HERE, find
from alula.containers.images.context import Context
from alula.containers.images.credentials import Credentials
from alula.errors import ImageError

if TYPE_CHECKING:
    import aiodocker
    import aiohttp
else:
    aiodocker = lazy.module("aiodocker")  # the optional extra `docker`
    aiohttp = lazy.module("aiohttp")

CONTENT = "dev.alula.content"
"""The label of an image that says what it was built of."""
_MOST_LINES = 60
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_NOISE = (" ---> ", "--> ", "Removing intermediate container ")
_EXIT = re.compile(
    r"(?:The command '.*' returned a non-zero code:|building at STEP \".*\": while running runtime: exit status) (\d+)",
    re.DOTALL,
)
_STEP = re.compile(r"step (\d+/\d+) ?: ", re.I)
_DOCTOR = (
    "start Docker or Podman, or say where one listens: DOCKER_HOST, or `host` in [backends.docker]; see alula doctor"
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """How an image is built."""

    platform: str = ""
    network: str = ""
    """Of the steps: `host`, `none`; empty: as the engine does."""
    cache: bool = True
    """Steps that were built before are not built again."""
    pull: bool = False
    """Look for a newer base image, even if there is one."""
    arguments: Mapping[str, str] = field(default_factory=dict)


class Images:
    """The images of one engine, for as long as it is open.

    Args:
        credentials: Who we are to registries.
    """

    def __init__(self, docker: aiodocker.Docker, where: str, credentials: Credentials) -> None:
        self._docker, self._where, self._credentials = docker, where, credentials

    async def content_of(self, name: str) -> str | None:
        """What an image of this engine was built of; empty: nobody says; None: there is no such image."""
        try:
            found = await self._docker.images.inspect(name)
        except aiodocker.DockerError as exc:
            if exc.status == 404:
                return None
            raise self._error(f"the engine does not say whether it has {name}: {exc.message}") from exc
        labels: Mapping[str, str] = (found.get("Config") or {}).get("Labels") or {}
        return labels.get(CONTENT, "")

    async def in_registry(self, name: str) -> bool | None:
        """Whether an image's registry has it; None: it does not say."""
        try:
            headers = {"X-Registry-Auth": await self._credentials.header(name)}
            await self._docker._query_json(f"distribution/{name}/json", headers=headers)
        except aiodocker.DockerError as exc:
            absent = exc.status == 404 or any(word in exc.message for word in ("manifest unknown", "not found"))
            return False if absent else None
        return True

    async def build(self, context: Context, name: str, wish: Wish | None = None, *, say: Say | None = None) -> None:
        """Build an image, and give it its name. Equal steps of former builds are taken over.

        Args:
            say: Is told each line of the log.

        Raises:
            ImageError: It could not be built; with the end of the log.
        """
        asked = wish or Wish()
        log = _Log(say or (lambda line: None))
        with tempfile.TemporaryFile() as archive:
            await to_thread(context.write, archive)
            archive.seek(0)
            parameters = self._parameters(context, name, asked)
            headers = {
                "Content-Type": "application/x-tar",
                "X-Registry-Config": await self._credentials.for_build(context.recipe.base),
            }
            try:
                # Not `images.build`, which has no way to say which network the steps have.
                async with self._docker._query(
                    "build", "POST", params=parameters, headers=headers, data=archive, timeout=None
                ) as answer:
                    fault = await log.follow(answer)
            except aiodocker.DockerError as exc:
                fault = exc.message
        if fault or not log.done:
            raise self._failed(name, context, fault or "the engine broke off", log)

    async def push(self, name: str, *, say: Say | None = None) -> None:
        """Send an image to its registry. Raises ImageError."""
        log = _Log(say or (lambda line: None))
        try:
            headers = {"X-Registry-Auth": await self._credentials.header(name)}
            async with self._docker._query(f"images/{name}/push", "POST", headers=headers, timeout=None) as answer:
                fault = await log.follow(answer)
        except aiodocker.DockerError as exc:
            fault = exc.message
        if fault:
            registry = name.partition("/")[0]
            raise ImageError(
                f"{name} was built, and its registry does not take it: {fault}",
                where=registry,
                fix=f"docker login {registry}, or give registry_config= the path of a config.json that has it",
            )

    @staticmethod
    def _parameters(context: Context, name: str, wish: Wish) -> dict[str, Any]:
        made: dict[str, Any] = {"t": name, "rm": True, "forcerm": True, "nocache": not wish.cache}
        made["labels"] = json.dumps({CONTENT: context.digest()})
        if wish.platform:
            made["platform"] = wish.platform
        if wish.network:
            made["networkmode"] = wish.network
        if wish.pull:
            made["pull"] = True
        if wish.arguments:
            made["buildargs"] = json.dumps(dict(wish.arguments))
        return made

    def _failed(self, name: str, context: Context, fault: str, log: _Log) -> ImageError:
        fault = _EXIT.sub(r"it ended with exit code \1", fault)
        shown = "\n".join(f"    {line}" for line in log.tail)
        step = f" at {log.step}" if log.step else ""
        return ImageError(
            f"the image {name} could not be built{step}: {fault}" + (f"\n{shown}" if shown else ""),
            where=f"engine at {self._where}, base image {context.recipe.base}",
            fix="correct the spec; `alula image build --dockerfile FILE` shows what is built",
        )

    def _error(self, what: str) -> ImageError:
        return ImageError(what, where=self._where, fix=HINT)


@asynccontextmanager
async def images(url: str = "", *, registry_config: str = "") -> AsyncIterator[Images]:
    """The images of an engine, inside the block.

    Args:
        url: Where it listens: `unix:///run/podman/podman.sock`, `tcp://...`; empty: where Docker's own client looks, or
            at one of the usual sockets.
        registry_config: Path of a `config.json` with credentials; empty: that of the user.

    Raises:
        ImageError: There is none.
        RemoteError: It does not answer.
        PluginError: The library that speaks to it is not installed.
    """
    found = find(url)
    if not found:
        raise ImageError(f"images are built by a container engine, and {NONE_HERE}", fix=HINT)
    async with DockerEngine(found) as engine:
        await engine.version()
        yield Images(engine.client, found, Credentials.of(registry_config))


class _Log:
    """The log of a build or a push, as it comes in."""

    def __init__(self, say: Say) -> None:
        self._say, self._rest = say, ""
        self.tail: deque[str] = deque(maxlen=_MOST_LINES)
        """The last lines of the step under way."""
        self.step = ""
        self.done = False
        """An image was made."""

    async def follow(self, answer: aiohttp.ClientResponse) -> str:
        """Read it to its end; what went wrong, empty if nothing did."""
        fault = ""
        async for line in answer.content:
            if line.strip():
                fault = self._take(json.loads(line)) or fault
        self._line(self._rest)
        return fault

    def _take(self, said: Mapping[str, Any]) -> str:
        """One message of the engine; the fault that it tells of."""
        if "stream" in said:
            *lines, self._rest = (self._rest + str(said["stream"])).split("\n")
            for line in lines:
                self._line(line)
        elif "aux" in said:
            self.done = self.done or "ID" in said["aux"]
        elif "status" in said and "progress" not in said:
            self._line(": ".join(str(said[key]) for key in ("id", "status") if key in said))
        fault = said.get("error") or (said.get("errorDetail") or {}).get("message") or ""
        return str(fault)

    def _line(self, line: str) -> None:
        line = _COLORS.sub("", line).rstrip()
        if not line or line.startswith(_NOISE):
            return
        if step := _STEP.match(line):
            self.step = f"Step {step[1]}"
            self.tail.clear()
        if line.startswith("Successfully built"):
            self.done = True
        self.tail.append(line)
        self._say(line)
