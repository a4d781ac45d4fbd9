"""Objects in S3, Google Cloud Storage and Azure, through obstore. The border at which its errors become ours."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from alula._kits import lazy
from alula._kits.aio import gather, to_thread
from alula.data import uris
from alula.data.local import FileSink, translated, write_whole
from alula.data.parting import wait_at_exit
from alula.data.refusals import refused
from alula.data.settings import StoreSettings
from alula.data.streams import publishing_writer, range_reader
from alula.errors import DataError, ObjectNotFound

if TYPE_CHECKING:
    import obstore
    from obstore import exceptions as failures
    from obstore import store as stores
    from obstore.store import ClientConfig, RetryConfig
else:
    obstore = lazy.module("obstore")
    failures = lazy.module("obstore.exceptions")
    stores = lazy.module("obstore.store")

_PIECE_BYTES = 16 * 1024 * 1024
_STATIC = {"access_key_id", "skip_signature", "bearer_token", "account_key", "sas_key"}
"""Keys with which a store asks nobody else who we are."""
_MOST_PIECES = 9_000
"""S3 takes at most 10,000 parts for one object."""
_NO_KEY = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Characters that stores refuse in names, or that have no UTF-8."""


class Remote:
    """The buckets of one scheme: `s3`, `gs` or `az`. One connection pool per bucket, made when first used."""

    def __init__(self, scheme: str, settings: StoreSettings) -> None:
        self._scheme, self._settings = scheme, settings
        own = settings.of(scheme)
        self._address = own.get("endpoint") or own.get("base_url") or ""
        self._stores: dict[str, stores.ObjectStore] = {}

    async def read(self, uri: str, start: int, length: int | None) -> bytes:
        store, key = self._at(uri)
        with self._translated(uri):
            if start == 0 and length is None:
                return bytes(await (await obstore.get_async(store, key)).bytes_async())
            size = (await obstore.head_async(store, key))["size"]
            end = size if length is None else min(size, start + length)
            if start >= end:
                return b""
            return bytes(await obstore.get_range_async(store, key, start=start, end=end))

    async def write(self, uri: str, data: bytes) -> None:
        store, key = self._at(uri)
        with self._translated(uri):
            await obstore.put_async(store, key, data, chunk_size=_PIECE_BYTES)

    async def open_reader(self, uri: str) -> BinaryIO:
        store, key = self._at(uri)
        with self._translated(uri):
            meta = await obstore.head_async(store, key)
        tag = meta["e_tag"]

        def fetch(start: int, end: int) -> bytes:
            with self._translated(uri):
                return bytes(obstore.get(store, key, options={"range": (start, end), "if_match": tag}).bytes())

        return range_reader(meta["size"], fetch)

    async def open_writer(self, uri: str) -> BinaryIO:
        store, key = self._at(uri)
        return publishing_writer(_UploadSink(store, key, lambda: self._translated(uri)))

    async def put(self, path: Path, uri: str) -> None:
        store, key = self._at(uri)
        with translated(str(path)):
            size = (await to_thread(os.stat, path)).st_size
        piece = max(_PIECE_BYTES, size // _MOST_PIECES + 1)
        with self._translated(uri):
            await obstore.put_async(store, key, path, chunk_size=piece, max_concurrency=self._settings.concurrency)

    async def get(self, uri: str, path: Path) -> None:
        store, key = self._at(uri)
        with self._translated(uri):
            found = await obstore.get_async(store, key)
            size, tag = found.meta["size"], found.meta["e_tag"]
            if size <= _PIECE_BYTES:
                data = await found.bytes_async()
                await to_thread(write_whole, path, data, str(path))
                return
        await self._get_pieces(uri, path, size, tag)

    async def _get_pieces(self, uri: str, path: Path, size: int, tag: str | None) -> None:
        store, key = self._at(uri)
        out = await to_thread(FileSink, path, str(path))

        async def fetch(start: int) -> None:
            wanted = (start, min(start + _PIECE_BYTES, size))
            with self._translated(uri):
                found = await obstore.get_async(store, key, options={"range": wanted, "if_match": tag})
                data = await found.bytes_async()
            await to_thread(out.write_at, start, data)

        try:
            await gather(fetch, range(0, size, _PIECE_BYTES), limit=self._settings.concurrency)
        except BaseException:
            out.discard()
            raise
        await to_thread(out.publish)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        store, key = self._at(prefix, bucket_alone=True)
        start = uris.base(prefix).removesuffix(f"{key}/" if key else "")
        with self._translated(prefix):
            async for batch in obstore.list(store, f"{key}/" if key else None, chunk_size=1000):
                for meta in batch:
                    uri = start + meta["path"]
                    if meta["size"] or await self._is_object(uri):
                        yield uri

    async def _is_object(self, uri: str) -> bool:
        """Whether an empty object can be read by its listed name: the marker that consoles leave for a folder cannot,
        because its key ends in a slash."""
        try:
            await self.size(uri)
        except ObjectNotFound:
            return False
        return True

    async def size(self, uri: str) -> int:
        store, key = self._at(uri)
        with self._translated(uri):
            return (await obstore.head_async(store, key))["size"]

    async def modified(self, uri: str) -> datetime:
        store, key = self._at(uri)
        with self._translated(uri):
            return (await obstore.head_async(store, key))["last_modified"]

    async def delete(self, uri: str) -> None:
        store, key = self._at(uri)
        try:
            with self._translated(uri):
                await obstore.delete_async(store, key)
        except ObjectNotFound:
            return

    def _translated(self, uri: str) -> AbstractContextManager[None]:
        return _translated(uri, self._address)

    def _at(self, uri: str, *, bucket_alone: bool = False) -> tuple[stores.ObjectStore, str]:
        """The store of a URI's bucket, and the key."""
        bucket, _, key = uris.rest(uri).partition("/")
        if not bucket or not (key or bucket_alone) or key.startswith("/"):
            raise DataError(
                f"{uri!r} does not name an object", where=uri, fix=f"write it as {self._scheme}://bucket/some/key"
            )
        if _NO_KEY.search(key):
            raise DataError(
                f"no object can be called {key!r}",
                where=uri.encode(errors="backslashreplace").decode(),
                fix="rename the file: names in buckets are UTF-8, without line breaks and other control characters",
            )
        store = self._stores.get(bucket)
        if store is None:
            with self._translated(uri):
                store = self._stores[bucket] = self._open(bucket)
        return store, key.rstrip("/")

    def _open(self, bucket: str) -> stores.ObjectStore:
        wait_at_exit()
        settings = self._settings
        given = settings.of(self._scheme)
        options: dict[str, Any] = {key: value for key, value in given.items() if not key.startswith("task_")}
        address = self._address
        if address and not re.match(r"https?://[^/\s]+[^\s]*$", address):  # it would make the library panic
            raise DataError(
                f"{address!r} is no address of a store",
                where=f"[storage.{self._scheme}]",
                fix="write it as http://host:port or https://host",
            )
        plain = address.startswith("http://")
        if plain and self._scheme == "gs":  # an emulator takes any token, and the library would ask for a real one
            options.setdefault("bearer_token", "anonymous")
        client: ClientConfig = {
            "timeout": timedelta(seconds=settings.timeout_seconds),
            "connect_timeout": timedelta(seconds=settings.connect_seconds),
            "allow_http": plain,
            # Nothing is encrypted then, and small images have no certificates for the library to begin with. Identities
            # of machines and workloads may be looked up elsewhere, by TLS.
            "allow_invalid_certificates": plain and not options.keys().isdisjoint(_STATIC),
        }
        retry: RetryConfig = {
            "max_retries": settings.retries,
            "retry_timeout": timedelta(seconds=settings.timeout_seconds),
        }
        if self._scheme == "s3":
            # A server of one's own (MinIO, Ceph) has one host for all buckets, and no regions.
            options = {"region": "us-east-1"} | options if address else options
            return stores.S3Store(bucket, client_options=client, retry_config=retry, **options)
        if self._scheme == "gs":
            return stores.GCSStore(bucket, client_options=client, retry_config=retry, **options)
        container, _, host = bucket.partition("@")  # abfs://container@account.dfs.core.windows.net/key
        if host:
            options["account_name"] = host.partition(".")[0]
        return stores.AzureStore(container, client_options=client, retry_config=retry, **options)


class _UploadSink:
    """An upload in pieces. Discarded, its pieces stay at the server, seen by nobody, until a lifecycle rule of the
    bucket removes them: obstore has no way to abort a writer."""

    def __init__(
        self, store: stores.ObjectStore, key: str, translated: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._translated = translated
        self._out: obstore.WritableFile | None = obstore.open_writer(store, key, buffer_size=_PIECE_BYTES)

    def write(self, data: bytes | memoryview) -> None:
        with self._translated():
            cast("obstore.WritableFile", self._out).write(data)

    def publish(self) -> None:
        with self._translated():
            cast("obstore.WritableFile", self._out).close()

    def discard(self) -> None:
        self._out = None


@contextmanager
def _translated(uri: str, endpoint: str = "") -> Iterator[None]:
    """Turns obstore's errors into ours."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as exc:
        raise refused(uri, str(exc), endpoint=endpoint, missing=True) from exc
    except failures.PreconditionError as exc:
        raise DataError(
            f"{uri} was replaced while it was read", where=uri, fix="read it again; write new data under a new name"
        ) from exc
    except (failures.BaseError, ValueError, OSError) as exc:
        raise refused(uri, str(exc), endpoint=endpoint) from exc
