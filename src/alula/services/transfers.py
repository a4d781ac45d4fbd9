"""Objects over HTTP, for those who have a link: `PUT` writes one, `GET` reads one, a piece at a time."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import AsyncIterator
from typing import BinaryIO

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from alula._kits.aio import to_thread
from alula.data import uris
from alula.data.objects import ObjectStore
from alula.errors import DataError, ObjectNotFound
from alula.services.links import PATH, Links

log = logging.getLogger(__name__)

_PIECE = 1024 * 1024
_TYPES = {"html": "text/html; charset=utf-8", "txt": "text/plain; charset=utf-8", "json": "application/json"}
_SAFE = {
    "Content-Security-Policy": "sandbox allow-scripts",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}
"""What a browser needs to be told of files that users' code has made."""


_IN_THE_WAY = (NotADirectoryError, IsADirectoryError, FileExistsError)
"""Trying again does not help: on a disk, unlike in a bucket, a place is a file or a directory."""


class TooLong(Exception):
    """More came than one object may have."""


def transfer_routes(links: Links, objects: ObjectStore, *, limit_bytes: int) -> list[BaseRoute]:
    """`/objects/<token>`: 404 for a link that is worth nothing, whatever is wrong with it.

    Args:
        limit_bytes: The largest object that may be put.
    """

    async def put(request: Request) -> Response:
        grant = links.read(request.path_params["token"])
        if grant is None or grant.verb != "PUT":
            return PlainTextResponse("no such link, or its time is over", 404)
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit_bytes:
            return _too_long(limit_bytes)
        try:
            fault = await _received(request, objects, grant.uri, md5=grant.md5, limit_bytes=limit_bytes)
        except TooLong:
            return _too_long(limit_bytes)
        except ClientDisconnect:
            return Response(status_code=400)
        except DataError as exc:
            if isinstance(exc.__cause__, _IN_THE_WAY):
                return PlainTextResponse("a file lies where it needs a directory, or the other way round", 409)
            log.warning("object.not_kept", extra={"uri": grant.uri, "why": str(exc)})
            return PlainTextResponse("it cannot be kept now", 503, headers={"Retry-After": "5"})
        return PlainTextResponse(fault, 400) if fault else Response(status_code=200)

    async def get(request: Request) -> Response:
        grant = links.read(request.path_params["token"])
        if grant is None or grant.verb != "GET":
            return PlainTextResponse("no such link, or its time is over", 404)
        try:
            size = await objects.size(grant.uri)
            file = await objects.open_reader(grant.uri)
        except ObjectNotFound:
            return PlainTextResponse("nothing is there", 404)
        except DataError as exc:
            log.warning("object.not_read", extra={"uri": grant.uri, "why": str(exc)})
            return PlainTextResponse("it cannot be read now", 503, headers={"Retry-After": "5"})
        kind = _TYPES.get(uris.name(grant.uri).rpartition(".")[2], "application/octet-stream")
        headers = {**_SAFE, "Content-Length": str(size)}
        return StreamingResponse(_pieces(file, size), media_type=kind, headers=headers)

    return [Route(PATH + "/{token}", put, methods=["PUT"]), Route(PATH + "/{token}", get, methods=["GET"])]


def _too_long(limit: int) -> Response:
    return PlainTextResponse(f"one object may have {limit} bytes", 413, headers={"Connection": "close"})


async def _received(request: Request, objects: ObjectStore, uri: str, *, md5: bytes, limit_bytes: int) -> str:
    """Keep what comes, if it is what was announced; else why not. What is broken off leaves nothing."""
    writer = await objects.open_writer(uri)
    digest, size, piece = hashlib.md5(usedforsecurity=False), 0, bytearray()
    kept = False
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit_bytes:
                raise TooLong
            piece += part
            if len(piece) >= _PIECE:
                digest.update(piece)
                await to_thread(writer.write, bytes(piece))
                piece.clear()
        digest.update(piece)
        await to_thread(writer.write, bytes(piece))
        found = digest.digest()
        header = request.headers.get("content-md5", "")
        if md5 and found != md5:
            return "what came is not what was announced: its MD5 differs"
        if header and base64.b64encode(found).decode() != header:
            return "what came is not what was sent: its MD5 differs from Content-MD5"
        await to_thread(writer.close)
        kept = True
        return ""
    finally:
        if not kept:
            await to_thread(_dropped, writer)


def _dropped(writer: BinaryIO) -> None:
    """Leave a writer as a `with` block is left by an exception: nothing becomes of what was written."""
    writer.__exit__(TooLong, TooLong(), None)


async def _pieces(file: BinaryIO, size: int) -> AsyncIterator[bytes]:
    """As much as was announced: logs of tasks that run grow meanwhile."""
    try:
        while size > 0 and (piece := await to_thread(file.read, min(_PIECE, size))):
            size -= len(piece)
            yield piece
    finally:
        await to_thread(file.close)
