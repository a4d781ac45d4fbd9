"""The contract of one URI scheme: what `Objects` needs to serve it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol


class Scheme(Protocol):
    """Single objects under the URIs of one scheme, with the semantics of `ObjectStore`; URIs come in whole."""

    async def read(self, uri: str, start: int, length: int | None) -> bytes: ...

    async def write(self, uri: str, data: bytes) -> None: ...

    async def open_reader(self, uri: str) -> BinaryIO: ...

    async def open_writer(self, uri: str) -> BinaryIO: ...

    async def put(self, path: Path, uri: str) -> None:
        """Copy one local file."""
        ...

    async def get(self, uri: str, path: Path) -> None:
        """Copy one object to a local file, whole or not at all; makes its parents."""
        ...

    def list(self, prefix: str) -> AsyncIterator[str]: ...

    async def size(self, uri: str) -> int: ...

    async def modified(self, uri: str) -> datetime: ...

    async def delete(self, uri: str) -> None: ...
