"""Objects that are files of this machine: plain absolute paths and `file://`."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from alula._kits.aio import to_thread
from alula.data import uris
from alula.data.streams import publishing_writer
from alula.errors import DataError, ObjectNotFound

if TYPE_CHECKING:
    from typing_extensions import Buffer

_UNFINISHED = ".alula-unfinished-"
"""Prefix of the names of files that are being written; a crash may leave one, and no listing shows it."""


class LocalFiles:
    """The files of this machine as objects. Blocking work runs in the threads of the calling loop."""

    async def read(self, uri: str, start: int, length: int | None) -> bytes:
        return await to_thread(_read, uri, start, length)

    async def write(self, uri: str, data: bytes) -> None:
        await to_thread(write_whole, path_of(uri), data, uri)

    async def open_reader(self, uri: str) -> BinaryIO:
        return await to_thread(_open_reader, uri)

    async def open_writer(self, uri: str) -> BinaryIO:
        return publishing_writer(await to_thread(FileSink, path_of(uri), uri))

    async def put(self, path: Path, uri: str) -> None:
        await to_thread(copy_file, path, path_of(uri), str(path))

    async def get(self, uri: str, path: Path) -> None:
        await to_thread(copy_file, path_of(uri), path, uri)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        for name in await to_thread(tree, path_of(prefix)):
            yield uris.join(prefix, name)

    async def size(self, uri: str) -> int:
        return await to_thread(_size, uri)

    async def modified(self, uri: str) -> datetime:
        return datetime.fromtimestamp((await to_thread(_stat, uri)).st_mtime, UTC)

    async def delete(self, uri: str) -> None:
        await to_thread(_delete, uri)


def path_of(uri: str) -> Path:
    """The path behind a plain or `file://` URI. Raises DataError for a relative one."""
    path = uris.rest(uri)
    if not path.startswith("/") or "\0" in path:
        raise DataError(
            f"{uri!r} is not the URI of a file",
            where=uri,
            fix="write the absolute path, or file:// and the absolute path; for a remote object give its scheme",
        )
    return Path(path)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turns the operating system's errors into ours."""
    try:
        yield
    except DataError:
        raise
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as exc:
        problem = "is a directory, not one object" if isinstance(exc, IsADirectoryError) else "does not exist"
        raise ObjectNotFound(
            f"{exc.filename or where} {problem}", where=where, fix="check the path, and that its producer has finished"
        ) from exc
    except PermissionError as exc:
        raise DataError(
            f"no permission: {exc}", where=where, fix=f"give user {os.geteuid()} access, or choose another place"
        ) from exc
    except OSError as exc:
        raise DataError(
            f"the file system refused: {exc}", where=where, fix="check the disk's space and health, then try again"
        ) from exc


def tree(root: Path) -> list[str]:
    """The relative paths of all files below a directory, sorted by code point; empty if it is none. Follows links.

    Raises:
        DataError: a link leads in a circle or nowhere, or something is neither a file nor a directory.
    """
    found: list[str] = []
    with translated(str(root)):
        if root.is_dir():
            _walk(str(root), "", found, frozenset())
    return sorted(found)


def hollow(root: Path) -> list[str]:
    """The relative paths of the directories below a directory that hold nothing, sorted; "" for itself. Follows links.

    For a directory that `tree` has listed: links in circles are not looked for.
    """
    with translated(str(root)):
        empty = [
            os.path.relpath(at, root)
            for at, directories, files in os.walk(root, followlinks=True)
            if not directories and all(name.startswith(_UNFINISHED) for name in files)
        ]
    return sorted("" if path == "." else path for path in empty)


def _walk(directory: str, prefix: str, found: list[str], above: frozenset[tuple[int, int]]) -> None:
    here = os.stat(directory)
    identity = (here.st_dev, here.st_ino)
    if identity in above:
        raise DataError(f"{directory} links to a directory that holds it", where=directory, fix="remove that link")
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir():
                _walk(entry.path, f"{prefix}{entry.name}/", found, above | {identity})
            elif entry.name.startswith(_UNFINISHED):
                continue
            elif stat.S_ISREG(entry.stat().st_mode):
                found.append(prefix + entry.name)
            else:
                raise DataError(f"{entry.path} is no regular file", where=entry.path, fix="remove it, or move it away")


def write_whole(path: Path, data: Buffer, where: str) -> None:
    """Make a file whole or not at all."""
    sink = FileSink(path, where)
    try:
        sink.write(data)
    except BaseException:
        sink.discard()
        raise
    sink.publish()


def copy_file(source: Path, target: Path, where: str) -> None:
    """Copy one regular file, whole or not at all. A copy, never a hard link: changing one must not change the other."""
    with translated(where):
        if not stat.S_ISREG(os.stat(source).st_mode):
            raise IsADirectoryError(0, "not a regular file", str(source))
        with translated(str(target)):
            unfinished = beside(target)
        try:
            shutil.copyfile(source, unfinished)
            with translated(str(target)):
                os.replace(unfinished, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(unfinished)
            raise


class FileSink:
    """A file that is written beside the place it will take. May be used from many threads."""

    def __init__(self, path: Path, where: str) -> None:
        self._path, self._where = path, where
        self._lock = threading.Lock()
        with translated(where):
            self._unfinished = beside(path)
            self._file = open(self._unfinished, "wb")  # noqa: SIM115 - closed by publish or discard

    def write(self, data: Buffer) -> None:
        with translated(self._where):
            self._file.write(data)

    def write_at(self, start: int, data: Buffer) -> None:
        """Write a piece at its offset; raises ValueError after the end, so a late thread does no harm."""
        with self._lock, translated(self._where):
            self._file.seek(start)
            self._file.write(data)

    def publish(self) -> None:
        try:
            with self._lock, translated(self._where):
                self._file.close()
                os.replace(self._unfinished, self._path)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        with self._lock, suppress(OSError):
            self._file.close()
        with suppress(OSError):
            os.unlink(self._unfinished)


def beside(path: Path, suffix: str = "") -> str:
    """A fresh path in the directory of `path`, which is made if it is missing. No listing shows a file of that name."""
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
    return f"{path.parent}/{_UNFINISHED}{os.urandom(8).hex()}{suffix}"


def _read(uri: str, start: int, length: int | None) -> bytes:
    with translated(uri), open(path_of(uri), "rb", buffering=0) as source:
        if start:
            source.seek(start)
        if length is None:
            return source.readall()
        left, pieces = length, []
        while left and (piece := source.read(left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)


def _open_reader(uri: str) -> BinaryIO:
    with translated(uri):
        return open(path_of(uri), "rb")


def _size(uri: str) -> int:
    return _stat(uri).st_size


def _stat(uri: str) -> os.stat_result:
    with translated(uri):
        found = os.stat(path_of(uri))
        if not stat.S_ISREG(found.st_mode):
            raise IsADirectoryError(0, "not a regular file", uri)
        return found


def _delete(uri: str) -> None:
    with translated(uri):
        try:
            os.unlink(path_of(uri))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return
