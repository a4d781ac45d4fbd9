"""Local copies: paths on this machine for code that reads and writes by path, not by URI."""

from __future__ import annotations

import atexit
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from alula._kits import scratch
from alula._kits.aio import to_thread
from alula.config import load
from alula.data import uris
from alula.data.local import beside
from alula.data.objects import ObjectStore
from alula.data.settings import StoreSettings
from alula.data.stores import Objects
from alula.errors import ObjectNotFound

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Workspace:
    """What user code works with when nobody hands it a store: it says `File("s3://...")`, and opens it."""

    objects: ObjectStore
    directory: Path
    """Local copies and new files go here; whoever made the workspace removes it."""
    prefix: str
    """New blobs that have no better place go under this URI (no trailing slash)."""

    def new_path(self, name: str = "") -> Path:
        """A path that nobody else gets; its directory exists, the file does not."""
        path = self.directory / uuid.uuid4().hex / (name or "data")
        path.parent.mkdir(parents=True)
        return path

    def new_uri(self, name: str = "") -> str:
        """A URI under `prefix` that nobody else gets."""
        return uris.join(self.prefix, uuid.uuid4().hex, name or "data")


_current: ContextVar[Workspace] = ContextVar("alula_workspace")


def workspace() -> Workspace:
    """The workspace of the running task; outside of tasks one per process, removed when the process ends."""
    return _current.get(None) or _of_process(os.getpid())


class use(AbstractContextManager[None]):
    """Make `here` the workspace of the code inside the `with` block."""

    __slots__ = ("_here", "_token")

    def __init__(self, here: Workspace) -> None:
        self._here = here

    def __enter__(self) -> None:
        self._token = _current.set(self._here)

    def __exit__(self, *exc: object) -> None:
        _current.reset(self._token)


@asynccontextmanager
async def reading(objects: ObjectStore, uri: str) -> AsyncIterator[Path]:
    """A local path to read the object, or the prefix, at `uri` from; never write to it. Valid inside the block.

    Raises:
        ObjectNotFound: nothing lives there.
    """
    stored = _stored(objects, uri)
    if stored is not None:
        yield stored
        return
    copy = workspace().new_path(uris.name(uri))
    try:
        await objects.download(uri, copy)
        yield copy
    finally:
        await to_thread(shutil.rmtree, copy.parent, True)


async def write_file(objects: ObjectStore, uri: str, write: Callable[[Path], object]) -> None:
    """Let `write` make a local file, in a thread, and put it at `uri`. Readers see all of it or nothing."""
    final = objects.local_path(uri)
    if final is not None:  # written beside its place and moved there, which saves a copy
        await to_thread(_write_beside, final, write)
        return
    copy = workspace().new_path(uris.name(uri))
    try:
        await to_thread(write, copy)
        await objects.upload(copy, uri)
    finally:
        await to_thread(shutil.rmtree, copy.parent, True)


async def read_file(objects: ObjectStore, uri: str, read: Callable[[Path], T]) -> T:
    """What `read` makes of a local copy of `uri`, in a thread. The copy may be gone afterwards.

    Raises:
        ObjectNotFound: nothing lives there.
    """
    async with reading(objects, uri) as path:
        return await to_thread(read, path)


async def fetch(objects: ObjectStore, uri: str) -> Path:
    """A local path to read `uri` from, for as long as the workspace lives; never write to it.

    Raises:
        ObjectNotFound: nothing lives there.
    """
    stored = _stored(objects, uri)
    if stored is not None:
        return stored
    copy = workspace().new_path(uris.name(uri))
    await objects.download(uri, copy)
    return copy


def _stored(objects: ObjectStore, uri: str) -> Path | None:
    path = objects.local_path(uri)
    if path is not None and not path.exists():
        raise ObjectNotFound(
            f"{uri} does not exist", where=uri, fix="check the path, or run the task that made it again"
        )
    return path


def _write_beside(final: Path, write: Callable[[Path], object]) -> None:
    part = Path(beside(final, final.suffix))
    try:
        write(part)
        os.replace(part, final)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@lru_cache(maxsize=1)
def _of_process(pid: int) -> Workspace:
    """Keyed by process id: a forked child makes its own, and leaves its parent's alone when it ends."""
    directory = scratch.directory("workspace")
    atexit.register(_remove, directory, pid)
    settings = StoreSettings.of_config(load().storage, os.environ)
    return Workspace(Objects(settings), directory, str(directory / "blobs"))


def _remove(directory: Path, pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(directory, ignore_errors=True)
