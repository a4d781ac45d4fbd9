"""The contract of blob storage: bytes under URIs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol


class ObjectStore(Protocol):
    """Bytes under URIs (`file:///x`, a plain absolute path, `memory://x`, `s3://bucket/key`, ...).

    What follows the scheme is the key as it is: nothing in a URI is percent-decoded, and `?` and `#` are part of the
    key (but for `http`). Every write of one object is atomic: readers see all of it or nothing. All methods may be
    called again after a failure, from any event loop, many at once.
    """

    async def read(self, uri: str, *, start: int = 0, length: int | None = None) -> bytes:
        """The bytes of one object, or at most `length` bytes from `start`; fewer or none where the object ends.

        Raises:
            ObjectNotFound: nothing lives there.
            DataError: the store did not answer, or refused.
        """
        ...

    async def write(self, uri: str, data: bytes) -> None:
        """Put one object, replacing what was there."""
        ...

    async def open_reader(self, uri: str) -> BinaryIO:
        """A seekable binary file that fetches the object piece by piece; `read` on it blocks its thread.

        Raises ObjectNotFound here, not at the first read.
        """
        ...

    async def open_writer(self, uri: str) -> BinaryIO:
        """A binary file whose content becomes the object when it is closed; `write` on it blocks its thread.

        Leaving a `with` block by an exception, or never closing it, leaves what was there before. A text wrapper would
        close it in both cases: `detach` the wrapper inside the `with` block instead.
        """
        ...

    async def upload(self, path: Path, uri: str) -> None:
        """Copy a local file, or a directory with all it holds, to `uri`; streamed, never whole in memory.

        Links are followed. Of empty directories only the uploaded one itself is kept.
        """
        ...

    async def download(self, uri: str, path: Path) -> None:
        """Copy one object, or every object under the prefix `uri + '/'`, to a local path; its parents are made.

        Raises:
            ObjectNotFound: no such object, and nothing under the prefix.
            DataError: also when the name of an object would leave `path`.
        """
        ...

    def list(self, prefix: str) -> AsyncIterator[str]:
        """The URIs of all objects under the prefix `prefix + '/'`, sorted by code point; none if there are none."""
        ...

    async def exists(self, uri: str) -> bool:
        """Whether there is an object with this very URI; a prefix or directory is none."""
        ...

    async def size(self, uri: str) -> int:
        """Bytes of one object. Raises ObjectNotFound."""
        ...

    async def modified(self, uri: str) -> datetime:
        """When one object was last written, by the clock of the store. Raises ObjectNotFound."""
        ...

    async def delete(self, uri: str) -> None:
        """Remove one object; removing what is not there is fine."""
        ...

    def local_path(self, uri: str) -> Path | None:
        """The path behind a URI that is a file of this machine; None for every other scheme."""
        ...
