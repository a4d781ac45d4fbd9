"""The contract of blob storage: bytes under URIs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol


class ObjectStore(Protocol):
    """Bytes under URIs (`file:///x`, a plain absolute path, `memory://x`, `s3://bucket/key`, ...).

    Every write is atomic: readers see all of it or nothing. All methods may be called again after a failure.
    """

    async def read(self, uri: str, *, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of one object, or of `length` bytes from `start`.

        Raises:
            ObjectNotFound: nothing lives there.
            DataError: the store did not answer, or refused.
        """
        ...

    async def write(self, uri: str, data: bytes) -> None:
        """Put one object, replacing what was there."""
        ...

    async def upload(self, path: Path, uri: str) -> None:
        """Copy a local file, or a directory with all it holds, to `uri`; streamed, never whole in memory."""
        ...

    async def download(self, uri: str, path: Path) -> None:
        """Copy one object, or every object under the prefix `uri + '/'`, to a local path."""
        ...

    def list(self, prefix: str) -> AsyncIterator[str]:
        """The URIs of all objects under `prefix`, in order."""
        ...

    async def exists(self, uri: str) -> bool: ...

    async def size(self, uri: str) -> int:
        """Bytes of one object. Raises ObjectNotFound."""
        ...

    async def delete(self, uri: str) -> None:
        """Remove one object; removing what is not there is fine."""
        ...

    def local_path(self, uri: str) -> Path | None:
        """The path behind a URI that is a file of this machine; None for every other scheme."""
        ...
