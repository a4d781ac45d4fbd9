"""The HTTP side of the table of calls: JSON by the paths of flyteidl, `/openapi.json`, `/healthcheck`."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from google.protobuf.message import Message
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from alula.errors import Forbidden, RequestError
from alula.plugin.announcing import is_loopback
from alula.services.binding import Rpc, Tally
from alula.services.errors import Code, status_of
from alula.services.gate import Gate
from alula.services.openapi import document
from alula.services.transcoding import Path, Table, request_of, shown

_BINARY = ("application/octet-stream", "application/x-protobuf")
_JSON = "application/json"


class _Everything(BaseRoute):
    """All that is left; a pattern would not match a path with a line break in it."""

    def __init__(self, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self._answer = answer

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL if scope["type"] == "http" else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive, send))
        await response(scope, receive, send)


class Web:
    """Answers calls over HTTP.

    Args:
        body_bytes: The largest body that is read.
        tally: Who counts calls.
    """

    def __init__(self, rpcs: Sequence[Rpc], gate: Gate, *, body_bytes: int, tally: Tally | None = None) -> None:
        self._table, self._gate, self._limit, self._tally = Table(rpcs), gate, body_bytes, tally
        self._document: dict[str, Any] = {}

    def routes(self) -> list[BaseRoute]:
        """After them, nothing else is found: they take all paths."""
        return [
            Route("/healthcheck", _healthy, methods=["GET"]),
            Route("/openapi.json", self._openapi, methods=["GET"]),
            _Everything(self._called),
        ]

    async def _openapi(self, request: Request) -> Response:
        if not self._document:
            self._document = document(self._table.paths)
        return JSONResponse(self._document)

    async def _called(self, request: Request) -> Response:
        raw = request.scope.get("raw_path", request.url.path.encode()).decode("latin-1").partition("?")[0]
        found = self._table.find(request.method, raw)
        if found is None:
            verbs = self._table.verbs(raw)
            if verbs:
                return _failed(12, 405, f"{raw} takes {', '.join(verbs)}", Allow=", ".join(verbs))
            return _failed(5, 404, "nothing is at this path; /openapi.json lists what there is")
        began = time.perf_counter()
        code, response = await self._answer(*found, request)
        if self._tally is not None:
            rpc, seconds = found[0].rpc, time.perf_counter() - began
            self._tally.answered(rpc.service, rpc.name, over="http", code=code, seconds=seconds)
        return response

    async def _answer(self, path: Path, fields: dict[str, str], request: Request) -> tuple[str, Response]:
        """The status of gRPC, by name, and the answer."""
        rpc = path.rpc
        try:
            check_host(request.headers.get("host", ""), self._gate)
            call = self._gate.call(rpc, request.headers.items(), _peer(request), None)
            if not call.base_url:
                call = replace(call, base_url=str(request.base_url).rstrip("/"))
            body = await _body(request, self._limit)
            if body is None:
                long = _failed(8, 413, f"a request may have {self._limit} bytes", Connection="close")
                return Code.RESOURCE_EXHAUSTED.name, long
            answer = await rpc.answer(_message(path, fields, request, body), call)
            wanted = request.headers.get("accept", "")
            if any(kind in wanted for kind in _BINARY):
                return "OK", Response(answer.SerializeToString(), media_type=_BINARY[0])
            return "OK", JSONResponse(shown(answer))
        except ClientDisconnect:
            return "CANCELLED", Response(status_code=400)
        except Exception as exc:  # noqa: BLE001 - the last line: whatever happens here has a status
            status = status_of(exc, f"{rpc.service}/{rpc.name}")
            return status.code.name, _failed(status.code.number, status.code.http, status.text)


def check_host(host: str, gate: Gate) -> None:
    """Refuse what a page of another site has a browser send here under a name of its own; tokens are proof enough.

    Raises:
        Forbidden: The `Host` header names neither this machine nor this server.
    """
    if gate.tokens is not None:
        return
    name = host if host.rpartition(":")[2].isdecimal() else f"{host}:80"
    ours = urlsplit(gate.base_url).hostname
    if not is_loopback(name) and name.rpartition(":")[0].strip("[]").lower() != ours:
        raise Forbidden(f"this server is not {host!r}", fix="call it as 127.0.0.1, or by [server] url")


async def _healthy(request: Request) -> Response:
    return PlainTextResponse("ok")


def _message(path: Path, fields: dict[str, str], request: Request, body: bytes) -> Message:
    """Raises RequestError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if body and kind in _BINARY:
        return request_of(path, fields, query, body)
    if body and kind != _JSON:
        # A page of another site can have a browser send anything else without asking first.
        raise RequestError(f"the body is {kind or 'of no type'}", fix=f"send Content-Type: {_JSON}")
    try:
        data = json.loads(body) if body else None
    except (ValueError, RecursionError) as exc:
        raise RequestError(f"the body is no JSON: {exc}", where="body") from exc
    return request_of(path, fields, query, data)


async def _body(request: Request, limit: int) -> bytes | None:
    """All of it; None: it is too long."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return b"".join(parts)


def _peer(request: Request) -> str:
    return f"{request.client.host}:{request.client.port}" if request.client is not None else ""


def _failed(code: int, status: int, text: str, **headers: str) -> Response:
    """As Flyte's own gateway says it. Source: google/rpc/status.proto."""
    return JSONResponse({"code": code, "message": text, "details": []}, status, headers=headers)
