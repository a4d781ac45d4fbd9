"""DataProxyService: where clients put the files of their programs and inputs, and links to what tasks have left."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import timedelta

from alula._kits.aio import to_thread
from alula.admin.desk import Desk, refuse
from alula.admin.names import place_faults
from alula.data import uris
from alula.errors import DataError, NameTaken, ObjectNotFound, RequestError, Unknown, Untimely
from alula.idl.service import (
    DATA_PROXY,
    CreateDownloadLocationRequest,
    CreateDownloadLocationResponse,
    CreateUploadLocationRequest,
    CreateUploadLocationResponse,
)
from alula.services.answers import length
from alula.services.binding import Call
from alula.services.links import Grant, Links

PLACE = "_uploads"
"""Directory below the data prefix; a project cannot have this name."""
_MD5_BYTES = 16
_LONGEST_NAME = 1024
_LONGEST_PART = 255
"""Of a path between slashes: what file systems take."""
_READ_BYTES = 4 * 1024 * 1024


class Uploads:
    """Places for what clients upload: by content, or where they say, and never outside of their project's own place.

    Args:
        links: None: there is no HTTP server to put anything to.
    """

    service = DATA_PROXY

    def __init__(self, desk: Desk, links: Links | None) -> None:
        self._desk, self._links = desk, links

    async def CreateUploadLocation(
        self, request: CreateUploadLocationRequest, call: Call
    ) -> CreateUploadLocationResponse:
        """Raises RequestError, and NameTaken where something else lies already."""
        path = upload_path(request)
        links = _served(self._links)
        uri = uris.join(plain(self._desk.data), PLACE, path)
        if request.filename_root and request.filename:  # else the path comes from the content, or is a new one
            await self._check_free(uri, request.content_md5)
        lasting = length(request.expires_in, "expires_in") if request.HasField("expires_in") else None
        grant = Grant("PUT", uri, md5=request.content_md5, base=call.base_url)
        url, until = links.url(grant, lasting=_positive(lasting))
        made = CreateUploadLocationResponse(signed_url=url, native_url=uri)
        made.expires_at.FromDatetime(until)
        return made

    async def CreateDownloadLocation(
        self, request: CreateDownloadLocationRequest, call: Call
    ) -> CreateDownloadLocationResponse:
        """A link to a file of this server; its successor `CreateDownloadLink` names what the file is of.

        Raises RequestError for any other file, and Unknown where there is none.
        """
        links, uri = _served(self._links), plain(request.native_url)
        check_ours(uri, plain(self._desk.data))
        if not await self._desk.objects.exists(uri):
            raise Unknown(f"there is no file {uri}")
        lasting = length(request.expires_in, "expires_in") if request.HasField("expires_in") else None
        url, until = links.url(Grant("GET", uri, base=call.base_url), lasting=_positive(lasting))
        made = CreateDownloadLocationResponse(signed_url=url)
        made.expires_at.FromDatetime(until)
        return made

    async def _check_free(self, uri: str, md5: bytes) -> None:
        try:
            file = await self._desk.objects.open_reader(uri)
        except ObjectNotFound:
            return
        with file:
            found = hashlib.md5(usedforsecurity=False)
            while piece := await to_thread(file.read, _READ_BYTES):
                found.update(piece)
        if found.digest() != md5:
            what = "another file" if md5 else "a file"
            fix = "upload it under another filename_root; or say content_md5, if the content is the same"
            raise NameTaken(f"{what} lies at {uri}", fix=fix)


def upload_path(request: CreateUploadLocationRequest) -> str:
    """Where an upload goes, below the place of uploads: `project/domain/root/name`, each part checked.

    Raises:
        RequestError: With every fault of the request.
    """
    faults = place_faults(request.project, request.domain)
    md5, root, name = request.content_md5, request.filename_root, request.filename
    if not md5 and not root:
        faults.append("content_md5: either it or filename_root must be there")
    if md5 and len(md5) != _MD5_BYTES:
        faults.append(f"content_md5: has {len(md5)} bytes, and an MD5 has {_MD5_BYTES}")
    for what, given in (("filename", name), ("filename_root", root)):
        faults += [f"{what}: {fault}" for fault in _name_faults(given)]
    if faults:
        raise refuse("nothing can be uploaded so", faults)
    root = root or base64.b32encode(md5).decode()
    return f"{request.project}/{request.domain}/{root}/{name or secrets.token_hex(10)}"


def _name_faults(name: str) -> list[str]:
    if not name:
        return []
    if len(name.encode()) > _LONGEST_NAME:
        return [f"has {len(name.encode())} bytes, and may have {_LONGEST_NAME}"]
    if any(len(part.encode()) > _LONGEST_PART for part in name.split("/")):
        return [f"has a part of more than {_LONGEST_PART} bytes"]
    if any(part in ("", ".", "..") for part in name.split("/")) or any(ord(char) < 32 for char in name):
        return [f"{name!r} is no path below a directory"]
    return []


def check_ours(uri: str, data: str) -> None:
    """Raises RequestError, if a URI is none of a file below the data prefix."""
    try:
        uris.members(data, uri)
    except DataError as exc:
        raise RequestError(f"{uri!r} is no file of this server", fix="ask for a URI that its answers name") from exc


def plain(uri: str) -> str:
    """A URI as clients take it: a path instead of `file://`, which flytekit makes relative to where it runs."""
    return uris.rest(uri) if uri.startswith("file://") else uri


def _positive(lasting: timedelta | None) -> timedelta | None:
    if lasting is not None and lasting <= timedelta(0):
        raise RequestError(f"expires_in is {lasting}, and must be above zero")
    return lasting


def _served(links: Links | None) -> Links:
    if links is None:
        raise Untimely("this server has no HTTP address to upload to", fix="start it with alula serve --http HOST:PORT")
    return links
