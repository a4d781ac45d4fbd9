"""`Objects`: one object store over all schemes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from alula._kits.aio import gather, to_thread
from alula.data import uris
from alula.data.local import LocalFiles, hollow, path_of, translated, tree
from alula.data.memory import Memory
from alula.data.remote import Remote
from alula.data.scheme import Scheme
from alula.data.settings import StoreSettings
from alula.data.web import Web
from alula.errors import DataError, ObjectNotFound

_EMPTY_DIRECTORY = ".alula-empty-directory"
"""Name of the object that stands for an empty directory, at any depth, where the store has no directories."""


class Objects:
    """Bytes under URIs of files, memory, S3, Google Cloud Storage, Azure and the web (which is read only).

    Clients are made when a bucket is first used, and kept. Memory objects live as long as this instance.

    Args:
        settings: How to reach the remote stores; by default what the environment variables say.
    """

    def __init__(self, settings: StoreSettings | None = None) -> None:
        self._settings = settings or StoreSettings.from_env(os.environ)
        self._schemes: dict[str, Scheme] = {}

    async def read(self, uri: str, *, start: int = 0, length: int | None = None) -> bytes:
        if start < 0 or (length is not None and length < 0):
            raise DataError(f"no such range: start {start}, length {length}", where=uri, fix="count from 0 upwards")
        return await self._at(uri).read(uri, start, length)

    async def write(self, uri: str, data: bytes) -> None:
        await self._at(uri).write(uri, data)

    async def open_reader(self, uri: str) -> BinaryIO:
        return await self._at(uri).open_reader(uri)

    async def open_writer(self, uri: str) -> BinaryIO:
        return await self._at(uri).open_writer(uri)

    async def upload(self, path: Path, uri: str) -> None:
        store = self._at(uri)
        if not await to_thread(path.is_dir):
            await store.put(path, uri)
            return
        names = await to_thread(tree, path)

        async def put(name: str) -> None:
            await store.put(path / name, uris.join(uri, name))

        async def keep(name: str) -> None:
            await self._keep_empty(uris.join(uri, name) if name else uri)

        await gather(put, names, limit=self._settings.concurrency)
        await gather(keep, await to_thread(hollow, path), limit=self._settings.concurrency)

    async def download(self, uri: str, path: Path) -> None:
        store = self._at(uri)
        missing = None
        if not uri.endswith("/") or uris.scheme(uri) == "http":
            try:
                return await store.get(uri, path)
            except ObjectNotFound as exc:
                missing = exc
        if missing and uris.scheme(uri) == "http":  # has no prefixes
            raise missing

        async def get(member: str) -> None:
            *parents, name = uris.members(uri, member)
            if name != _EMPTY_DIRECTORY:
                await store.get(member, path.joinpath(*parents, name))
            else:
                await to_thread(_made, path.joinpath(*parents))

        fetched = await gather(get, store.list(uri), limit=self._settings.concurrency)
        here = self.local_path(uri)
        if here and here.is_dir():
            for name in await to_thread(hollow, here):
                await to_thread(_made, path / name)
        elif not fetched:
            raise missing or ObjectNotFound(
                f"nothing is stored under {uri}", where=uri, fix="check the prefix, and that its producer has finished"
            )
        await to_thread(_made, path)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        async for uri in self._at(prefix).list(prefix):
            if uris.name(uri) != _EMPTY_DIRECTORY:
                yield uri

    async def exists(self, uri: str) -> bool:
        try:
            await self._at(uri).size(uri)
        except ObjectNotFound:
            return False
        return True

    async def size(self, uri: str) -> int:
        return await self._at(uri).size(uri)

    async def modified(self, uri: str) -> datetime:
        return await self._at(uri).modified(uri)

    async def delete(self, uri: str) -> None:
        await self._at(uri).delete(uri)

    def local_path(self, uri: str) -> Path | None:
        return path_of(uri) if uris.scheme(uri) == "file" else None

    async def _keep_empty(self, uri: str) -> None:
        here = self.local_path(uri)
        if here is None:
            await self.write(uris.join(uri, _EMPTY_DIRECTORY), b"")
            return
        await to_thread(_made, here)

    def _at(self, uri: str) -> Scheme:
        name = uris.scheme(uri)
        store = self._schemes.get(name)
        if store is None:
            store = self._schemes.setdefault(name, self._open(name, uri))
        return store

    def _open(self, name: str, uri: str) -> Scheme:
        match name:
            case "file":
                return LocalFiles()
            case "memory":
                return Memory()
            case "s3" | "gs" | "az":
                return Remote(name, self._settings)
            case "http":
                return Web(self._settings)
        raise DataError(
            f"no store serves the scheme {name!r}",
            where=uri,
            fix="use a plain path or file://, memory://, s3://, gs://, az://, abfs://, http:// or https://",
        )


def _made(directory: Path) -> None:
    with translated(str(directory)):
        directory.mkdir(parents=True, exist_ok=True)
