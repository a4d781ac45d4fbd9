"""DataProxyService: what tasks were given and gave, by Flyte's own URLs, and links to the files they left."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from alula.admin.desk import Desk
from alula.admin.outline import Outline, Plans, outline_of
from alula.data.layout import Execution as Files
from alula.errors import RequestError, Unknown, Untimely
from alula.idl import LiteralMap, NodeExecutionIdentifier
from alula.idl.service import (
    DATA_PROXY,
    CreateDownloadLinkRequest,
    CreateDownloadLinkResponse,
    GetDataRequest,
    GetDataResponse,
    PreSignedURLs,
)
from alula.services.answers import length
from alula.services.binding import Call
from alula.services.blobs import as_clients_take_it
from alula.services.links import Grant, Links
from alula.services.node_shown import has_deck
from alula.services.shown import key_of, node_id
from alula.store.records import ExecutionKey

_URL = re.compile(
    r"flyte://v1/(?P<project>[^/]+)/(?P<domain>[^/]+)/(?P<name>[^/]+)/(?P<node>[^/]+)"
    r"(?:/(?P<attempt>\d{1,9}))?/(?P<what>[iod])(?:/(?P<variable>[^/]+))?"
)


@dataclass(frozen=True, slots=True)
class _Place:
    """What a URL of Flyte's leads to."""

    node: NodeExecutionIdentifier
    attempt: int
    """-1: the last one."""
    what: str
    variable: str


class Downloads:
    """Reads what executions have left.

    Args:
        links: None: there is no HTTP server to get anything from.
    """

    service = DATA_PROXY

    def __init__(self, desk: Desk, plans: Plans, links: Links | None) -> None:
        self._desk, self._plans, self._links = desk, plans, links

    async def GetData(self, request: GetDataRequest, call: Call) -> GetDataResponse:
        """Inputs, outputs, one of them, or a link to a report.

        Raises:
            RequestError: It is no such URL.
            Unknown: There is no such execution, node, attempt or value.
            DataError: It cannot be read.
        """
        place = _place(request.flyte_url)
        outline, path = await self._at(place.node)
        if place.what == "d":
            return GetDataResponse(pre_signed_urls=await self._deck(outline, path, place.attempt, call, None))
        row = await outline.row(path)
        if place.attempt > row.attempt:
            raise Unknown(f"node {place.node.node_id} has no attempt {place.attempt}", where=request.flyte_url)
        if place.what == "i":
            found = await outline.inputs(path)
        else:
            found = await outline.outputs(path) if place.attempt in (-1, row.attempt) else LiteralMap()
        found = as_clients_take_it(self._desk, found)
        if not place.variable:
            return GetDataResponse(literal_map=found)
        if place.variable not in found.literals:
            raise Unknown(
                f"there is no {place.variable!r}",
                where=request.flyte_url,
                fix=f"there are: {', '.join(sorted(found.literals)) or 'none'}",
            )
        return GetDataResponse(literal=found.literals[place.variable])

    async def CreateDownloadLink(self, request: CreateDownloadLinkRequest, call: Call) -> CreateDownloadLinkResponse:
        """A link to the report of a task. Raises Unknown, and Untimely where nothing is served over HTTP."""
        outline, path = await self._at(request.node_execution_id)
        lasting = length(request.expires_in, "expires_in") if request.HasField("expires_in") else None
        if lasting is not None and lasting <= timedelta(0):
            raise RequestError(f"a link cannot last {lasting}", where="expires_in")
        signed = await self._deck(outline, path, -1, call, lasting)
        return CreateDownloadLinkResponse(
            signed_url=signed.signed_url, expires_at=signed.expires_at, pre_signed_urls=signed
        )

    async def _deck(
        self, outline: Outline, path: str, attempt: int, call: Call, lasting: timedelta | None
    ) -> PreSignedURLs:
        row, plan, key = await outline.row(path), await outline.plan(path), outline.record.key
        files = Files.under(self._desk.data, project=key.project, domain=key.domain, name=key.name)
        uri = files.attempt(path, row.attempt if attempt < 0 else attempt).deck
        if not has_deck(plan) or not await self._desk.objects.exists(uri):
            raise Unknown(
                f"node {await outline.id(path)} of {key.name} has left no report", fix="declare its task with a deck"
            )
        if self._links is None:
            raise Untimely("this server gives no links: it serves no HTTP", fix="start it with alula serve --http")
        url, until = self._links.url(Grant("GET", uri, base=call.base_url), lasting=lasting)
        made = PreSignedURLs(signed_url=[url])
        made.expires_at.FromDatetime(until)
        return made

    async def _at(self, id: NodeExecutionIdentifier) -> tuple[Outline, str]:
        record = await self._desk.store.execution(key_of(id.execution_id))
        outline = await outline_of(self._desk, self._plans, record)
        return outline, await outline.path(id.node_id)


def _place(url: str) -> _Place:
    """Raises RequestError."""
    found = _URL.fullmatch(url) if len(url) <= 4_096 else None
    if found is None:
        raise RequestError(
            f"{url[:200]!r} is no URL of an input or output",
            fix="write flyte://v1/PROJECT/DOMAIN/EXECUTION/NODE[/ATTEMPT]/i, o or d, and /NAME for one value",
        )
    key = ExecutionKey(found["project"], found["domain"], found["name"])
    attempt = int(found["attempt"]) if found["attempt"] is not None else -1
    return _Place(node_id(key, found["node"]), attempt, found["what"], found["variable"] or "")
