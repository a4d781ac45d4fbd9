"""Objects in this process's memory: `memory://`, for tests and for values that nobody keeps."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from alula._kits.aio import to_thread
from alula.data import uris
from alula.data.local import translated, write_whole
from alula.data.streams import publishing_writer
from alula.errors import ObjectNotFound


class _Objects(dict[str, bytes]):
    """Objects, and when each was written."""

    def __init__(self) -> None:
        self.written: dict[str, datetime] = {}

    def __setitem__(self, uri: str, data: bytes) -> None:
        super().__setitem__(uri, data)
        self.written[uri] = datetime.now(UTC)


class Memory:
    """Objects in a dict. It lives as long as this instance, and nobody else sees it."""

    def __init__(self) -> None:
        self._objects = _Objects()

    async def read(self, uri: str, start: int, length: int | None) -> bytes:
        data = self._find(uri)
        return data[start : None if length is None else start + length]

    async def write(self, uri: str, data: bytes) -> None:
        self._objects[uri] = bytes(data)

    async def open_reader(self, uri: str) -> BinaryIO:
        return io.BytesIO(self._find(uri))

    async def open_writer(self, uri: str) -> BinaryIO:
        return publishing_writer(_MemorySink(self._objects, uri))

    async def put(self, path: Path, uri: str) -> None:
        with translated(str(path)):
            self._objects[uri] = await to_thread(path.read_bytes)

    async def get(self, uri: str, path: Path) -> None:
        data = self._find(uri)
        await to_thread(write_whole, path, data, str(path))

    async def list(self, prefix: str) -> AsyncIterator[str]:
        start = uris.base(prefix)
        for uri in sorted(uri for uri in list(self._objects) if uri.startswith(start)):
            yield uri

    async def size(self, uri: str) -> int:
        return len(self._find(uri))

    async def modified(self, uri: str) -> datetime:
        self._find(uri)
        return self._objects.written[uri]

    async def delete(self, uri: str) -> None:
        self._objects.pop(uri, None)

    def _find(self, uri: str) -> bytes:
        try:
            return self._objects[uri]
        except KeyError:
            raise ObjectNotFound(
                f"{uri} does not exist", where=uri, fix="check the URI; memory:// objects end with their process"
            ) from None


class _MemorySink:
    def __init__(self, objects: dict[str, bytes], uri: str) -> None:
        self._objects, self._uri = objects, uri
        self._pieces = io.BytesIO()

    def write(self, data: bytes | memoryview) -> None:
        self._pieces.write(data)

    def publish(self) -> None:
        self._objects[self._uri] = self._pieces.getvalue()

    def discard(self) -> None:
        self._pieces.close()
