"""Objects of web servers: `http://` and `https://`, to be read and never written.

By the standard library and not by obstore, whose HTTP store sends WebDAV requests and knows no query strings: a signed
URL, which answers nothing but GET, would be out of its reach.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn, cast

from alula._kits import lazy
from alula._kits.aio import to_thread
from alula.data import uris
from alula.data.local import FileSink
from alula.data.settings import StoreSettings
from alula.data.streams import range_reader
from alula.errors import DataError, ObjectNotFound

if TYPE_CHECKING:
    import tempfile
    from http import client
    from urllib import error, parse, request
else:
    client = lazy.module("http.client")
    error = lazy.module("urllib.error")
    parse = lazy.module("urllib.parse")
    request = lazy.module("urllib.request")
    tempfile = lazy.module("tempfile")

_PIECE_BYTES = 1024 * 1024
_READ_ONLY = "store it under file://, s3://, gs:// or az://; http addresses can only be read"


class Web:
    """What web servers answer to GET. Blocking work runs in the threads of the calling loop."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings

    async def read(self, uri: str, start: int, length: int | None) -> bytes:
        return await to_thread(self._read, uri, start, length)

    async def open_reader(self, uri: str) -> BinaryIO:
        size, ranges = await to_thread(self._probe, uri)
        if ranges:
            return range_reader(size, lambda start, end: self._exactly(uri, start, end))
        return await to_thread(self._spool, uri)

    async def get(self, uri: str, path: Path) -> None:
        await to_thread(self._get, uri, path)

    async def size(self, uri: str) -> int:
        return (await to_thread(self._probe, uri))[0]

    async def modified(self, uri: str) -> datetime:
        raise DataError(f"nobody knows when {uri} was written", where=uri, fix="keep the file in an object store")

    def list(self, prefix: str) -> AsyncIterator[str]:
        raise DataError(
            f"{prefix} cannot be listed", where=prefix, fix="name each file, or keep the directory in an object store"
        )

    async def write(self, uri: str, data: bytes) -> None:
        _refuse(uri)

    async def open_writer(self, uri: str) -> BinaryIO:
        _refuse(uri)

    async def put(self, path: Path, uri: str) -> None:
        _refuse(uri)

    async def delete(self, uri: str) -> None:
        _refuse(uri)

    def _read(self, uri: str, start: int, length: int | None) -> bytes:
        if length == 0:
            self._probe(uri)
            return b""
        if start == 0 and length is None:
            with _translated(uri), self._open(uri) as answer:
                return answer.read()
        end = None if length is None else start + length
        try:
            with _translated(uri), self._open(uri, start, end) as answer:
                if answer.status == client.PARTIAL_CONTENT:
                    return answer.read()
                return answer.read(end)[start:] if end else answer.read()[start:]  # it sends no ranges
        except _BeyondEnd:
            return b""

    def _exactly(self, uri: str, start: int, end: int) -> bytes:
        data = self._read(uri, start, end - start)
        if len(data) != end - start:
            raise _cut_short(uri, len(data), end - start)
        return data

    def _get(self, uri: str, path: Path) -> None:
        with _translated(uri), self._open(uri) as answer:
            out = FileSink(path, str(path))
            try:
                for piece in _pieces(uri, answer):
                    out.write(piece)
            except BaseException:
                out.discard()
                raise
            out.publish()

    def _spool(self, uri: str) -> BinaryIO:
        """All of it in a file without a name, for servers that send no ranges."""
        with _translated(uri), self._open(uri) as answer:
            file = tempfile.TemporaryFile()
            for piece in _pieces(uri, answer):
                file.write(piece)
        file.seek(0)
        return cast(BinaryIO, file)

    def _probe(self, uri: str) -> tuple[int, bool]:
        """Size, and whether the server sends ranges. By a GET of the first byte: not all servers answer HEAD, and a
        signed URL is good for GET alone."""
        try:
            with _translated(uri), self._open(uri, 0, 1) as answer:
                total = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("Content-Range", ""))
                if total:
                    return int(total[1]), True
                length = answer.headers.get("Content-Length")
                if length is not None and answer.status == client.OK:
                    return int(length), False
                return sum(map(len, _pieces(uri, answer))), False
        except _BeyondEnd:
            return 0, True

    def _open(self, uri: str, start: int = 0, end: int | None = None) -> client.HTTPResponse:
        headers = {"User-Agent": "alula", "Accept-Encoding": "identity"}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        # The path may come as people write it, with spaces and umlauts; what is encoded already stays as it is.
        address = parse.quote(uri, safe="%/:=&?~#+!$,;'@()*[]")
        answer: client.HTTPResponse = request.urlopen(
            request.Request(address, headers=headers),
            timeout=self._settings.timeout_seconds,
        )
        return answer


class _BeyondEnd(Exception):
    """The range begins where the object has ended."""


def _refuse(uri: str) -> NoReturn:
    raise DataError(f"{uri} is read only", where=uri, fix=_READ_ONLY)


def _pieces(uri: str, answer: client.HTTPResponse) -> Iterator[bytes]:
    """The body of an answer. Raises DataError when the connection ends before it does."""
    promised, received = answer.headers.get("Content-Length"), 0
    while piece := answer.read(_PIECE_BYTES):
        received += len(piece)
        yield piece
    if promised is not None and received != int(promised):
        raise _cut_short(uri, received, int(promised))


def _cut_short(uri: str, received: int, promised: int) -> DataError:
    return DataError(f"{uri} was cut short: {received} bytes of {promised} came", where=uri, fix="try again")


@contextmanager
def _translated(uri: str) -> Iterator[None]:
    """Turns the errors of urllib into ours."""
    try:
        yield
    except DataError:
        raise
    except error.HTTPError as exc:
        exc.close()
        if exc.code == client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _BeyondEnd from exc
        if exc.code in (client.NOT_FOUND, client.GONE):
            raise ObjectNotFound(f"{uri} does not exist (HTTP {exc.code})", where=uri, fix="check the address") from exc
        fix = "check that the address is public, or sign it" if exc.code in (401, 403) else "try again later"
        raise DataError(f"{uris.rest(uri)} answered HTTP {exc.code} {exc.reason}", where=uri, fix=fix) from exc
    except (OSError, client.HTTPException, ValueError) as exc:
        raise DataError(f"{uri} could not be read: {exc}", where=uri, fix="check the address and the network") from exc
