"""DataCatalog: where an engine of somebody else, such as a stock Flyte's, keeps outputs by data set, tag and partition.

What is kept lies in the store as documents, apart from the cache of our own engine.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message

from alula.admin.desk import Desk, refuse
from alula.admin.paging import limit_of, place_of, token
from alula.errors import RequestError, Unknown
from alula.idl.catalog import datacatalog as wire
from alula.idl.service import DATA_CATALOG
from alula.services.answers import length, timestamp
from alula.services.binding import Call
from alula.services.reserving import held
from alula.store.records import DocumentRecord, Page

M = TypeVar("M", bound=Message)

DATASET, ARTIFACT, _TAG = "catalog.dataset", "catalog.artifact", "catalog.tag"
_TAG_OF = "catalog.artifact-tag"
"""A tag once more, in the scope of its artifact."""
ALL = ""
"""Data sets are in one scope."""
_AT_ONCE = 200
"""Documents that are read at a time, while those are looked for that a filter lets through."""


class DataCatalog:
    """Data sets, artifacts, tags and reservations."""

    service = DATA_CATALOG

    def __init__(self, desk: Desk) -> None:
        self._desk, self._store = desk, desk.store

    async def CreateDataset(self, request: wire.CreateDatasetRequest, call: Call) -> wire.CreateDatasetResponse:
        """Raises NameTaken, where it is there, and RequestError."""
        await self._store.put_documents([_document(DATASET, ALL, _key(request.dataset.id), request.dataset)])
        return wire.CreateDatasetResponse()

    async def GetDataset(self, request: wire.GetDatasetRequest, call: Call) -> wire.GetDatasetResponse:
        """Raises Unknown."""
        return wire.GetDatasetResponse(dataset=await self._dataset(request.dataset))

    async def CreateArtifact(self, request: wire.CreateArtifactRequest, call: Call) -> wire.CreateArtifactResponse:
        """Keep an artifact with its tags. Raises Unknown, NameTaken and RequestError."""
        made = wire.Artifact()
        made.CopyFrom(request.artifact)
        scope = _key(made.dataset)
        await self._dataset(made.dataset)
        if not made.id:
            raise RequestError("artifact.id is empty", fix="give each artifact an id of its own")
        made.created_at.FromDatetime(self._desk.clock.now())
        tags = [one for tag in made.tags for one in _tag(scope, wire.Tag(name=tag.name, artifact_id=made.id))]
        made.ClearField("tags")
        await self._store.put_documents([_document(ARTIFACT, scope, made.id, made), *tags])
        return wire.CreateArtifactResponse()

    async def GetArtifact(self, request: wire.GetArtifactRequest, call: Call) -> wire.GetArtifactResponse:
        """By id or by tag. Raises Unknown, and RequestError."""
        found = await self._artifact(request.dataset, request.artifact_id, request.tag_name)
        return wire.GetArtifactResponse(artifact=await self._with_tags(found))

    async def UpdateArtifact(self, request: wire.UpdateArtifactRequest, call: Call) -> wire.UpdateArtifactResponse:
        """Give an artifact other data. Raises Unknown."""
        found = await self._artifact(request.dataset, request.artifact_id, request.tag_name)
        if not request.data:
            raise RequestError("an artifact without data is of no use", where="data", fix="give what it has now")
        found.ClearField("data")
        found.data.extend(request.data)
        if request.HasField("metadata"):
            found.metadata.CopyFrom(request.metadata)
        found.ClearField("tags")
        kept = _document(ARTIFACT, _key(found.dataset), found.id, found)
        await self._store.put_documents([kept], overwrite=True)
        return wire.UpdateArtifactResponse(artifact_id=found.id)

    async def AddTag(self, request: wire.AddTagRequest, call: Call) -> wire.AddTagResponse:
        """Raises Unknown, and NameTaken where the tag is there, of whichever artifact."""
        tag = request.tag
        await self._artifact(tag.dataset, tag.artifact_id, "")
        if not tag.name:
            raise RequestError("tag.name is empty", where="tag")
        kept = wire.Tag(name=tag.name, artifact_id=tag.artifact_id)
        await self._store.put_documents(_tag(_key(tag.dataset), kept))
        return wire.AddTagResponse()

    async def ListArtifacts(self, request: wire.ListArtifactsRequest, call: Call) -> wire.ListArtifactsResponse:
        """Of one data set. Raises Unknown, and RequestError."""
        dataset = await self._dataset(request.dataset)
        tags = {one.tag_filter.tag_name for one in request.filter.filters if one.HasField("tag_filter")}
        if tags:
            ids = {await self._tagged(request.dataset, tag) for tag in tags}
            if len(ids) > 1 or "" in ids:
                return wire.ListArtifactsResponse()  # a tag stands for one artifact
            tagged = await self._artifact(request.dataset, ids.pop(), "")
            fitting = [await self._with_tags(tagged)] if _fits(tagged, dataset, request.filter) else []
            return wire.ListArtifactsResponse(artifacts=fitting)
        rows, after = await self._page(
            ARTIFACT,
            _key(request.dataset),
            request.pagination,
            wire.Artifact.FromString,
            lambda one: _fits(one, dataset, request.filter),
            str(request.filter),
        )
        return wire.ListArtifactsResponse(artifacts=[await self._with_tags(one) for one in rows], next_token=after)

    async def ListDatasets(self, request: wire.ListDatasetsRequest, call: Call) -> wire.ListDatasetsResponse:
        """Raises RequestError."""
        rows, after = await self._page(
            DATASET,
            ALL,
            request.pagination,
            wire.Dataset.FromString,
            lambda one: _fits(None, one, request.filter),
            str(request.filter),
        )
        return wire.ListDatasetsResponse(datasets=rows, next_token=after)

    async def GetOrExtendReservation(
        self, request: wire.GetOrExtendReservationRequest, call: Call
    ) -> wire.GetOrExtendReservationResponse:
        """Who makes what a tag shall stand for: the caller, or whoever was first."""
        name = _reserved(request.reservation_id)
        beat = length(request.heartbeat_interval, "heartbeat_interval")
        holder = await held(self._desk, name, request.owner_id, beat)
        return wire.GetOrExtendReservationResponse(
            reservation=wire.Reservation(
                reservation_id=request.reservation_id,
                owner_id=holder.owner,
                heartbeat_interval=holder.beat,
                expires_at=timestamp(holder.until),
            )
        )

    async def ReleaseReservation(
        self, request: wire.ReleaseReservationRequest, call: Call
    ) -> wire.ReleaseReservationResponse:
        """One that is not the caller's stays."""
        await self._store.free(_reserved(request.reservation_id), request.owner_id)
        return wire.ReleaseReservationResponse()

    # --- what is kept ---

    async def _dataset(self, id: wire.DatasetID) -> wire.Dataset:
        kept = await self._store.document(DATASET, ALL, _key(id))
        if kept is None:
            raise Unknown(f"there is no data set {id.name!r} of version {id.version!r}", fix="create it first")
        return wire.Dataset.FromString(kept.body)

    async def _artifact(self, dataset: wire.DatasetID, id: str, tag: str) -> wire.Artifact:
        if not id and not tag:
            raise RequestError("neither an id nor a tag says which artifact", where="query_handle")
        await self._dataset(dataset)
        id = id or (await self._tagged(dataset, tag) if tag else "")
        kept = await self._store.document(ARTIFACT, _key(dataset), id) if id else None
        if kept is None:
            raise Unknown(f"data set {dataset.name!r} has no artifact {id or tag!r}")
        return wire.Artifact.FromString(kept.body)

    async def _with_tags(self, artifact: wire.Artifact) -> wire.Artifact:
        page = Page(descending=False, limit=_AT_ONCE)
        for _, row in await self._store.page_documents(_TAG_OF, f"{_key(artifact.dataset)}{artifact.id}", page):
            artifact.tags.add(name=row.name, artifact_id=artifact.id, dataset=artifact.dataset)
        return artifact

    async def _tagged(self, dataset: wire.DatasetID, tag: str) -> str:
        kept = await self._store.document(_TAG, _key(dataset), tag)
        return wire.Tag.FromString(kept.body).artifact_id if kept is not None else ""

    async def _page(
        self,
        kind: str,
        scope: str,
        asked: wire.PaginationOptions,
        read: Callable[[bytes], M],
        fits: Callable[[M], bool],
        question: str,
    ) -> tuple[list[M], str]:
        """Those that fit, a page of them, and the token of the next one."""
        descending = asked.sortOrder == wire.PaginationOptions.DESCENDING
        whole = f"{kind}:{scope}:{question}:{descending}"
        after, limit = place_of(asked.token, whole, kinds=(int, int)), limit_of(asked.limit)
        found: list[M] = []
        while True:
            page = Page(descending=descending, limit=_AT_ONCE, after=after)
            rows = await self._store.page_documents(kind, scope, page)
            for place, row in rows:
                if len(found) == limit and after is not None:
                    return found, token(after, whole)
                after = place
                message = read(row.body)
                if fits(message):
                    found.append(message)
            if len(rows) < _AT_ONCE:
                return found, ""


def _key(id: wire.DatasetID) -> str:
    """The name of a data set. Raises RequestError."""
    faults = [f"dataset.{part}: is empty" for part in ("project", "domain", "name", "version") if not getattr(id, part)]
    if faults:
        raise refuse("this is no identifier of a data set", faults)
    return json.dumps([id.org, id.project, id.domain, id.name, id.version], ensure_ascii=False)


def _reserved(id: wire.ReservationID) -> str:
    return f"catalog:{_key(id.dataset_id)}:{id.tag_name}"


def _tag(scope: str, tag: wire.Tag) -> list[DocumentRecord]:
    """A tag as it is kept: to find its artifact by, and to be found by that."""
    return [_document(_TAG, scope, tag.name, tag), _document(_TAG_OF, f"{scope}{tag.artifact_id}", tag.name, tag)]


def _document(kind: str, scope: str, name: str, message: Message) -> DocumentRecord:
    return DocumentRecord(kind, scope, name, message.SerializeToString(deterministic=True))


def _fits(artifact: wire.Artifact | None, dataset: wire.Dataset, wanted: wire.FilterExpression) -> bool:
    """Whether all filters let it through. Raises RequestError for one that does not fit the listing."""
    return all(_lets(one, artifact, dataset) for one in wanted.filters if not one.HasField("tag_filter"))


def _lets(one: wire.SinglePropertyFilter, artifact: wire.Artifact | None, dataset: wire.Dataset) -> bool:
    if one.HasField("dataset_filter"):
        kind = one.dataset_filter.WhichOneof("property")
        return kind is None or getattr(dataset.id, kind) == getattr(one.dataset_filter, kind)
    if artifact is None:
        raise RequestError("data sets are found by their own properties only", where="filter")
    if one.HasField("artifact_filter"):
        return artifact.id == one.artifact_filter.artifact_id
    pair = one.partition_filter.key_val
    return any((part.key, part.value) == (pair.key, pair.value) for part in artifact.partitions)
