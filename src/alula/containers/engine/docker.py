"""`DockerEngine`: the Docker Engine API, as Docker serves it, and Podman."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self
from urllib.parse import quote, urlsplit

from alula._kits.aio import to_thread
from alula.containers.engine import answers, archives
from alula.containers.engine.records import Container, Event, Spec
from alula.containers.engine.where import CONTEXT
from alula.errors import ConfigError, PluginError, Rejected, RemoteError, RemoteNotFound

if TYPE_CHECKING:
    import aiodocker
    import aiohttp

_UNIX = "unix://"
_PIECE_BYTES = 256 * 1024
_WHOLE_BYTES = 1 << 20
"""An archive up to this size is sent in one piece."""
_PODMAN = "Libpod-API-Version"
"""A header of its answers. Of a line that was printed in pieces, its ends of logs have the last piece only."""
_TAIL_BYTES = 256 * 1024
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_GONE_SECONDS = 10.0


class DockerEngine:
    """An engine that speaks the Docker Engine API. An `Engine`, on one event loop.

    Args:
        url: `unix:///path`, `tcp://host:port`, `ssh://user@host`, `context://name`.
        timeout_seconds: For one call; of a stream, between two pieces.
    """

    def __init__(self, url: str, *, timeout_seconds: float = 60.0) -> None:
        self._url, self._seconds = url, timeout_seconds
        self._client: aiodocker.Docker | None = None
        self._connector: aiohttp.BaseConnector | None = None
        self._refusals: tuple[type[Exception], ...] = ()
        self._silences: tuple[type[Exception], ...] = ()

    @property
    def url(self) -> str:
        return self._url

    @property
    def near(self) -> bool:
        return self._url.startswith(_UNIX)

    @property
    def client(self) -> aiodocker.Docker:
        """The client itself, for what `Engine` does not have. Raises RemoteError unless it is open."""
        if self._client is None:
            raise RemoteError("the container engine is not open", where=self._url)
        return self._client

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def open(self) -> None:
        """Make the client; nothing is asked yet. Raises PluginError, ConfigError."""
        try:
            import aiodocker
            import aiohttp
        except ModuleNotFoundError as exc:
            raise PluginError(
                f"containers need {exc.name}, which is not installed", fix="pip install 'alula[docker]'"
            ) from exc
        self._refusals = (aiodocker.DockerError,)
        self._silences = (aiohttp.ClientError, OSError, TimeoutError)
        patience = aiohttp.ClientTimeout(total=None, sock_connect=self._seconds)
        try:
            if self._url.startswith(_UNIX):  # as many connections as there are containers whose logs are followed
                self._connector = aiohttp.UnixConnector(self._url.removeprefix(_UNIX), limit=0)
                self._client = aiodocker.Docker("unix://localhost", connector=self._connector, timeout=patience)
            elif self._url.startswith(CONTEXT):
                self._client = aiodocker.Docker(context=self._url.removeprefix(CONTEXT), timeout=patience)
            else:
                self._client = aiodocker.Docker(self._url, timeout=patience)
        except (ValueError, aiodocker.DockerError) as exc:
            fix = "write unix:///path/to/socket or tcp://host:port"
            raise ConfigError(f"{self._url!r} is no address of a container engine: {exc}", fix=fix) from exc

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        if self._connector is not None:
            await self._connector.close()

    # --- the engine itself ---

    async def session(self) -> str:
        if not self.near:
            return ""
        try:
            found = await to_thread(os.stat, self._url.removeprefix(_UNIX))
        except OSError:
            return ""
        boot = await to_thread(_boot_id)
        return hashlib.sha256(f"{found.st_ino} {found.st_ctime_ns} {boot}".encode()).hexdigest()[:12]

    async def alive(self) -> bool:
        try:
            async with asyncio.timeout(self._seconds):
                if self.near:
                    _, writer = await asyncio.open_unix_connection(self._url.removeprefix(_UNIX))
                elif (place := urlsplit(self._url)).hostname and place.port:
                    _, writer = await asyncio.open_connection(place.hostname, place.port)
                else:
                    await self.version()
                    return True
                writer.close()
                return True
        except (OSError, RemoteError):
            return False

    async def version(self) -> Mapping[str, Any]:
        """What the engine says of itself: `Version`, `ApiVersion`, `Platform`, ..."""
        with self._translated("say its version"):
            async with asyncio.timeout(self._seconds):
                found: Mapping[str, Any] = await self.client.version()
                return found

    async def limits(self) -> Sequence[str]:
        """What it cannot limit, for lack of rights or of the kernel: `memory`, `cpu`, `pids`."""
        found = await self._json("info", what="say what it can do")
        asked = {"memory": "MemoryLimit", "cpu": "CpuCfsQuota", "pids": "PidsLimit"}
        return [name for name, key in asked.items() if found.get(key) is False]

    # --- images ---

    async def has_image(self, image: str) -> bool:
        try:
            await self._json(f"images/{quote(image, safe='/:@')}/json", what=f"look at image {image}")
        except LookupError:
            return False
        return True

    async def pull(self, image: str, auth: Mapping[str, str] | None = None) -> None:
        try:
            async with aclosing(self._pulled(image, auth)) as progress:
                async for _ in progress:
                    pass
        except self._refusals as exc:
            status, said = int(getattr(exc, "status", 0)), str(getattr(exc, "message", exc))
            raise answers.unpulled(image, said, status, url=self._url) from exc
        except self._silences as exc:
            raise answers.silent(self._url, exc) from exc

    async def _pulled(self, image: str, auth: Mapping[str, str] | None) -> AsyncGenerator[object, None]:
        async for step in self.client.images.pull(image, auth=dict(auth) if auth else None, stream=True):
            yield step

    # --- containers ---

    async def create(self, spec: Spec) -> bool:
        body, what = spec.body(), f"create container {spec.name}"
        try:
            await self._json("containers/create", "POST", params={"name": spec.name}, data=body, what=what)
        except _Conflict:
            return False
        if spec.gpus and not await self._has_devices(spec.name):
            await self.remove(spec.name)
            raise Rejected(
                f"the container engine has made container {spec.name} without the {spec.gpus} GPUs that it asks for",
                where=self._url,
                fix="ask for none, or run it on an engine that knows requests of devices, as Docker does",
                code="NoDevice",
            )
        return True

    async def _has_devices(self, name: str) -> bool:
        """Podman leaves out requests of devices without a word."""
        found = await self._json(f"containers/{name}/json", what=f"look at container {name}")
        host = found.get("HostConfig") or {}
        return bool(host.get("DeviceRequests") or host.get("Devices"))

    async def put(self, name: str, archive: BinaryIO) -> None:
        archive.seek(0)
        head = await to_thread(archive.read, _WHOLE_BYTES)
        data = head if len(head) < _WHOLE_BYTES else _pieces(head, archive)
        where = {"path": "/"}
        async with self._response(f"containers/{name}/archive", "PUT", where, f"put files into {name}", data=data):
            pass

    async def take(self, name: str, path: str, archive: BinaryIO, limit_bytes: int) -> bool:
        taken = 0
        what = f"read {path} of {name}"
        try:
            async with self._response(f"containers/{name}/archive", "GET", {"path": path}, what) as response:
                async for piece in response.content.iter_chunked(_PIECE_BYTES):
                    taken += len(piece)
                    if taken > limit_bytes:
                        response.close()
                        raise Rejected(
                            f"the files in {path} have more than {limit_bytes} bytes",
                            where=name,
                            fix="write less, or raise `output_limit_bytes` in [backends.docker]",
                            code=archives.TOO_LARGE,
                        )
                    await to_thread(archive.write, piece)
        except RemoteNotFound:
            await self.inspect(name)  # it is the path that is missing, unless this says otherwise
            return False
        return True

    async def start(self, name: str) -> None:
        async with self._response(f"containers/{name}/start", "POST", {}, f"start container {name}"):
            pass

    async def inspect(self, name: str) -> Container:
        return Container.inspected(await self._json(f"containers/{name}/json", what=f"look at container {name}"))

    async def list(self, *labels: str) -> Sequence[Container]:
        wanted = {"all": True, "filters": json.dumps({"label": labels})}
        found = await self._json("containers/json", params=wanted, what="list containers")
        return [Container.listed(one) for one in found]

    async def tail(self, name: str, lines: int) -> str:
        end, wanted = _End(), {"stdout": True, "stderr": True, "tail": str(lines)}
        try:
            async with self._response(f"containers/{name}/logs", "GET", wanted, f"read the log of {name}") as response:
                async for piece in _frames(response.content):
                    end.write(piece)
            if _PODMAN in response.headers:
                end = _End()
                await self.logs(name, end.write, follow=False)
        except RemoteNotFound:
            return ""
        return end.last(lines)

    async def logs(self, name: str, write: Callable[[bytes], object], *, follow: bool = True) -> None:
        wanted = {"stdout": True, "stderr": True, "follow": follow}
        async with self._response(
            f"containers/{name}/logs", "GET", wanted, f"read the log of {name}", endless=follow
        ) as response:
            async for piece in _frames(response.content):
                write(piece)

    async def wait(self, name: str) -> None:
        """Return when a container has ended, however long that takes."""
        async with self._response(f"containers/{name}/wait", "POST", {}, f"wait for {name}", endless=True) as response:
            await response.read()

    async def stop(self, name: str, grace_seconds: float) -> None:
        wanted = {"t": max(0, round(grace_seconds))}
        try:
            async with self._response(
                f"containers/{name}/stop", "POST", wanted, f"stop container {name}", longer=grace_seconds
            ):
                pass
        except RemoteNotFound:
            pass

    async def remove(self, name: str, *, force: bool = True) -> bool:
        wanted = {"force": force, "v": True}
        try:
            async with self._response(f"containers/{name}", "DELETE", wanted, f"remove container {name}"):
                pass
        except RemoteNotFound:
            return True
        except _Conflict as exc:
            if "in progress" not in exc.what:
                return False
            await _until_gone(self, name)
        return True

    async def events(self, label: str) -> AsyncIterator[Event | None]:
        # Podman finds no label without its value, and one kind of event at most: what is not ours is left out here.
        wanted = {"filters": json.dumps({"type": ["container"]})}
        async with self._response("events", "GET", wanted, "tell what happens", endless=True) as response:
            yield None
            while line := await response.content.readline():
                found = json.loads(line)
                about = (found.get("Actor") or {}).get("Attributes") or {}
                if label in about:
                    action, name, sign = found.get("Action", ""), about.get("name", ""), about.get("signal", "")
                    yield Event(str(action), str(name), str(sign))

    # --- requests ---

    async def _json(
        self, path: str, method: str = "GET", *, params: Mapping[str, Any] | None = None, data: Any = None, what: str
    ) -> Any:
        with self._translated(what, looks=method == "GET"):
            async with asyncio.timeout(self._seconds):
                return await self.client._query_json(path, method, params=params, data=data)

    @asynccontextmanager
    async def _response(
        self,
        path: str,
        method: str,
        params: Mapping[str, Any],
        what: str,
        *,
        data: object = None,
        endless: bool = False,
        longer: float = 0.0,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a request, to be read piece by piece. The client itself would hold all of it in memory."""
        import aiohttp

        patience = None if endless else self._seconds + longer
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._seconds, sock_read=patience)
        with self._translated(what, looks=method == "GET"):
            async with self.client._query(path, method, params=params, data=data, timeout=timeout) as response:
                try:
                    yield response
                finally:
                    if endless:
                        response.close()
                    else:
                        response.release()

    @contextmanager
    def _translated(self, what: str, *, looks: bool = True) -> Iterator[None]:
        """Turns the errors of the client and of its HTTP library into ours."""
        try:
            yield
        except self._refusals as exc:
            status, said = int(getattr(exc, "status", 0)), str(getattr(exc, "message", exc))
            if answers.conflicts(status, said):
                raise _Conflict(f"the container engine cannot {what}: {said}", where=self._url) from exc
            raise answers.refused(status, said, url=self._url, what=what, looks=looks) from exc
        except self._silences as exc:
            raise answers.silent(self._url, exc) from exc


class _Conflict(RemoteError):
    """There is something of that name, or it is in a state in which that cannot be done."""


async def _until_gone(engine: DockerEngine, name: str) -> None:
    """Wait for a removal that somebody else has begun."""
    pause, end = 0.02, asyncio.get_running_loop().time() + _GONE_SECONDS
    while asyncio.get_running_loop().time() < end:
        try:
            await engine.inspect(name)
        except RemoteNotFound:
            return
        await asyncio.sleep(pause)
        pause = min(2 * pause, 0.5)
    raise RemoteError(f"container {name} is still there, though the engine says that it removes it")


def _boot_id() -> str:
    """Of this machine since it was started; empty where it does not say."""
    try:
        return _BOOT.read_text(encoding="ascii")
    except OSError:
        return ""


async def _pieces(head: bytes, rest: BinaryIO) -> AsyncIterator[bytes]:
    piece = head
    while piece:
        yield piece
        piece = await to_thread(rest.read, _PIECE_BYTES)


class _End:
    """The end of what is written to it."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, piece: bytes) -> None:
        self._data.extend(piece)
        del self._data[:-_TAIL_BYTES]

    def last(self, lines: int) -> str:
        return b"".join(bytes(self._data).splitlines(keepends=True)[-lines:]).decode(errors="replace")


async def _frames(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """What a container printed, out of frames of eight bytes and a text. Source: Docker Engine API, attach."""
    try:
        while True:
            header = await stream.readexactly(8)
            left = int.from_bytes(header[4:], "big")
            while left:
                piece = await stream.read(min(left, _PIECE_BYTES))
                if not piece:
                    return
                left -= len(piece)
                yield piece
    except asyncio.IncompleteReadError:
        return
