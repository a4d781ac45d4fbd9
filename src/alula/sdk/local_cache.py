"""The cache of local runs: outputs of tasks that asked for it, kept on disk and shared by all processes of a user.

It never makes a run fail: a cache that cannot be read or written is one warning, and a miss each time. What it does
not protect is its own files: whoever opens a cached file may read it, and if he changes it, the entry is a miss.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import DecodeError

from alula._kits import lazy
from alula._kits.clock import Clock, SystemClock
from alula.config import home
from alula.data import fingerprint, uris
from alula.errors import AlulaError, ConfigError
from alula.idl import LiteralMap, TypedInterface
from alula.sdk.cache_store import CacheStore, Entry
from alula.sdk.caching import CacheSettings
from alula.sdk.flights import Flights

if TYPE_CHECKING:
    import sqlite3
else:
    sqlite3 = lazy.module("sqlite3")  # only a task that is cached comes here

T = TypeVar("T")

log = logging.getLogger(__name__)

LIMIT_BYTES = 10 << 30
_TRUE, _FALSE = frozenset({"1", "true", "t", "yes", "y", "on"}), frozenset({"0", "false", "f", "no", "n", "off"})


def enabled() -> bool:
    """Whether local runs use the cache. Raises ConfigError."""
    return _switch("LOCAL_CACHE_ENABLED", default=True)


def overwrite() -> bool:
    """Whether cached tasks run again, and their entries are replaced. Raises ConfigError."""
    return _switch("LOCAL_CACHE_OVERWRITE", default=False)


def key(
    task: str, settings: CacheSettings, interface: TypedInterface, inputs: LiteralMap, *, produced_below: str = ""
) -> str:
    """What one result is kept under: `fingerprint.key` of a task with these settings."""
    return fingerprint.key(
        task,
        settings.version,
        interface,
        inputs,
        ignored=settings.ignored_inputs,
        produced_below=produced_below,
    )


class LocalCache:
    """Outputs by key. Safe across threads and processes.

    Args:
        directory: Where everything is kept.
        clock: The time.
        limit_bytes: Beyond it the entries that were not used for longest go.
    """

    def __init__(self, directory: Path, *, clock: Clock | None = None, limit_bytes: int = LIMIT_BYTES) -> None:
        self.directory = directory
        self._clock = clock or SystemClock()
        self._limit = limit_bytes
        self._store = CacheStore(directory / "cache.sqlite", self._clock)
        self._flights = Flights(self._store, self._clock)
        self._lock = threading.Lock()
        self._warned = False

    def get(self, key: str) -> LiteralMap | None:
        """The outputs under a key, if every local file that they refer to is still what it was."""
        return self._safely(lambda: self._get(key), None)

    def put(self, key: str, task: str, outputs: LiteralMap, *, produced_below: str = "") -> LiteralMap:
        """Keep outputs, and return them with files where they last.

        Args:
            key: From `key()`.
            task: The task's full name, for people who look into the cache.
            outputs: Left as they are.
            produced_below: The prefix of files that the run made, which may go when it ends: they are copied.
        """
        return self._safely(lambda: self._put(key, task, outputs, produced_below), outputs)

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Hold off everybody else who asks for the same key, in this process and others, while the block runs."""
        with self._flights.alone(key, self._warn):
            yield

    @asynccontextmanager
    async def alone_async(self, key: str) -> AsyncIterator[None]:
        """`alone`, for those who are on an event loop."""
        async with self._flights.alone_async(key, self._warn):
            yield

    def clear(self) -> None:
        """Forget everything. Raises ConfigError when the files cannot be removed."""
        with self._lock:
            try:
                if not self._store.clear():  # not a database, or a damaged one
                    for suffix in ("", "-wal", "-shm"):
                        Path(f"{self._store.path}{suffix}").unlink(missing_ok=True)
                if (self.directory / "blobs").exists():
                    shutil.rmtree(self.directory / "blobs")
            except OSError as exc:
                raise ConfigError(
                    f"the local cache cannot be removed: {exc.strerror}",
                    where=str(exc.filename or self.directory),
                    fix="give yourself the right to write there, or set ALULA_HOME to another directory",
                ) from exc
            self._warned = False

    def _get(self, key: str) -> LiteralMap | None:
        entry = self._store.find(key)
        if entry is None or any(fingerprint.stamp(Path(path)) != stamped for path, stamped in entry.files.items()):
            return None
        return LiteralMap.FromString(entry.outputs)

    def _put(self, key: str, task: str, outputs: LiteralMap, produced_below: str) -> LiteralMap:
        kept = LiteralMap()
        kept.CopyFrom(outputs)
        home = self.directory / "blobs" / key[:2] / key / uuid.uuid4().hex
        files: dict[str, fingerprint.Stamp] = {}
        fleeting: list[str] = []
        """URIs that another process would not find: with one of them nothing is kept."""

        def adopt(uri: str) -> str:
            path = fingerprint.local_path(uri)
            if path is None:
                if uris.scheme(uri) == "memory":
                    fleeting.append(uri)
                return uri
            if not path.exists():
                fleeting.append(uri)
                return uri
            if produced_below and uri.startswith(uris.base(produced_below)):
                target = home / f"{len(files)}" / path.name
                fingerprint.copy(path, target)
                path = target
            files[str(path)] = fingerprint.stamp(path) or []
            return str(path)

        fingerprint.rewrite(kept.literals.values(), adopt, below=produced_below)
        if fleeting:
            shutil.rmtree(home, ignore_errors=True)
            return outputs
        below_home = [stamped for path, stamped in files.items() if path.startswith(f"{home}/")]
        data = kept.SerializeToString(deterministic=True)
        size = len(data) + sum(fingerprint.size(stamped) for stamped in below_home)
        gone = self._store.put(key, Entry(task, data, files, str(home) if below_home else "", size), self._limit)
        for directory in gone:
            shutil.rmtree(directory, ignore_errors=True)
        return kept

    def _safely(self, act: Callable[[], T], otherwise: T) -> T:
        try:
            return act()
        except (sqlite3.Error, OSError, DecodeError, AlulaError) as exc:
            self._warn(exc)
            return otherwise

    def _warn(self, exc: Exception) -> None:
        with self._lock:
            first, self._warned = not self._warned, True
        if first:
            log.warning(
                "local_cache.broken: %s cannot be used, tasks run as if nothing were cached (%s: %s); "
                "alula cache clear makes a new one",
                self.directory,
                type(exc).__name__,
                exc,
            )


def local_cache() -> LocalCache:
    """The user's cache."""
    return _at(home() / "local-cache", os.getpid())


def clear() -> None:
    """Forget everything in the user's cache. Raises ConfigError."""
    local_cache().clear()


@cache
def _at(directory: Path, pid: int) -> LocalCache:
    return LocalCache(directory)  # a forked child has its own: neither connections nor locks survive a fork


def _switch(name: str, *, default: bool) -> bool:
    for prefix in ("ALULA", "FLYTE"):
        value = os.environ.get(f"{prefix}_{name}", "").strip().lower()
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        if value:
            raise ConfigError(
                f"{prefix}_{name}={value!r} is neither true nor false",
                where="environment",
                fix=f"export {prefix}_{name}=true, or =false",
            )
    return default
