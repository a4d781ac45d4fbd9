"""Executions as they go on: what has changed, told as it happens, as server-sent events.

`GET /api/v1/live/executions/{project}/{domain}/{name}` tells all that there is, then every change, until the execution
has ended. Whoever is cut off asks again, and is told all anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import suppress
from dataclasses import dataclass

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from alula.admin.desk import Desk
from alula.admin.executions import ended
from alula.admin.outline import Outline, Plans, outline_of
from alula.engine.codec import read_node
from alula.engine.state import ROOT
from alula.errors import Busy
from alula.services.errors import status_of
from alula.services.gate import Gate
from alula.services.http import check_host
from alula.services.node_shown import Shower
from alula.services.shown import execution_message
from alula.services.transcoding import shown
from alula.store.records import ExecutionKey, ExecutionRecord, NodeRecord, Page

PATH = "/api/v1/live/executions/{project}/{domain}/{name}"
_LOOK_SECONDS = 0.5
"""Nodes are looked at so often; the end of the execution is told at once."""
_STILL_LOOKS = 30
"""After so many looks without news a comment is sent, so that nobody between takes the connection for dead."""
_NODES = 1_000
"""Nodes that are followed; the oldest of those that an execution, or one of its nodes, consists of."""
_STREAMS = 200


@dataclass(frozen=True, slots=True)
class Told:
    """Something new."""

    what: str
    """`execution`, `node`, `still` (nothing new) or `end`."""
    message: Message | None = None


async def follow(desk: Desk, plans: Plans, key: ExecutionKey, *, inside: str = "") -> AsyncGenerator[Told, None]:
    """What there is of an execution, then what changes, until it has ended.

    Args:
        inside: The node of which the nodes are told, as clients call it; empty: the execution itself.

    Raises:
        Unknown: There is no such execution or node.
    """
    record = await desk.store.execution(key)
    outline = await outline_of(desk, plans, record)
    path = await outline.path(inside) if inside else ROOT
    news = asyncio.Event()

    def wake(executions: Collection[int]) -> None:
        if not executions or record.id in executions:
            news.set()

    one = _Follower(desk, plans, path)
    with desk.store.watch(wake):
        looks = 0
        while True:
            news.clear()
            record = await desk.store.execution(key)
            over = ended(record)  # before the nodes are read: none of them changes after it
            found = [told async for told in one.changes(record)]
            for told in found:
                yield told
            if over:
                yield Told("end")
                return
            looks = 0 if found else looks + 1
            if looks == _STILL_LOOKS:
                looks = 0
                yield Told("still")
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await news.wait()


class _Follower:
    """Knows what it has told."""

    def __init__(self, desk: Desk, plans: Plans, path: str) -> None:
        self._desk, self._plans, self._path = desk, plans, path
        self._shower = Shower(desk, plans)
        self._record: ExecutionRecord | None = None
        self._nodes: dict[str, NodeRecord] = {}

    async def changes(self, record: ExecutionRecord) -> AsyncIterator[Told]:
        outline = await outline_of(self._desk, self._plans, record)
        changed = await self._changed(outline)
        for message in await self._shower.messages(outline, list(map(read_node, changed))):
            yield Told("node", message)
        if self._record is None or (record.phase, record.archived) != (self._record.phase, self._record.archived):
            roots = await self._desk.store.roots([record.id]) if ended(record) else {}
            yield Told("execution", execution_message(record, roots.get(record.id)))
        self._record = record

    async def _changed(self, outline: Outline) -> list[NodeRecord]:
        below = await outline.below(self._path)
        page = Page(sort="created_at", descending=False, limit=_NODES)
        rows = await below.page(self._desk.store, outline.record.id, page)
        changed = [row for _, row in rows if self._nodes.get(row.path) != row]
        self._nodes.update((row.path, row) for row in changed)
        return changed


class Live:
    """The route that tells what happens."""

    def __init__(self, desk: Desk, plans: Plans, gate: Gate) -> None:
        self._desk, self._plans, self._gate = desk, plans, gate
        self._open = 0

    def routes(self) -> list[BaseRoute]:
        return [Route(PATH, self._told, methods=["GET"])]

    async def _told(self, request: Request) -> Response:
        at = request.path_params
        try:
            check_host(request.headers.get("host", ""), self._gate)
            self._gate.principal(request.headers.items())
            if self._open >= _STREAMS:
                raise Busy(f"{_STREAMS} streams are open already", fix="try again when some have ended")
            inside = request.query_params.get("inside", "")
            stream = follow(
                self._desk, self._plans, ExecutionKey(at["project"], at["domain"], at["name"]), inside=inside
            )
            first = await anext(stream)
        except Exception as exc:  # noqa: BLE001 - the last line: whatever happens here has a status
            status = status_of(exc, "live")
            return JSONResponse({"code": status.code.number, "message": status.text, "details": []}, status.code.http)
        return StreamingResponse(
            self._events(first, stream),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _events(self, first: Told, rest: AsyncGenerator[Told, None]) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            yield _event(first)
            async for told in rest:
                yield _event(told)
        except Exception as exc:  # noqa: BLE001 - the answer has begun, so its status cannot be changed
            status = status_of(exc, "live")
            said = json.dumps({"code": status.code.number, "message": status.text})
            yield f"event: error\ndata: {said}\n\n".encode()
        finally:
            self._open -= 1
            await rest.aclose()


def _event(told: Told) -> bytes:
    """Source: https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    if told.what == "still":
        return b": nothing new\n\n"
    data = json.dumps(shown(told.message), separators=(",", ":")) if told.message is not None else "{}"
    return f"event: {told.what}\ndata: {data}\n\n".encode()
