"""CacheService: where an engine of somebody else keeps outputs by key. Apart from the cache of our own engine."""

from __future__ import annotations

from alula.admin.desk import Desk
from alula.errors import RequestError, Unknown
from alula.idl.catalog import cache as wire
from alula.idl.service import CACHE
from alula.services.answers import length, timestamp
from alula.services.binding import Call
from alula.services.reserving import held
from alula.store.records import DocumentRecord

KIND = "cache"


class Caches:
    """Outputs by key, and reservations of keys."""

    service = CACHE

    def __init__(self, desk: Desk) -> None:
        self._desk, self._store = desk, desk.store

    async def Get(self, request: wire.GetCacheRequest, call: Call) -> wire.GetCacheResponse:
        """Raises Unknown."""
        kept = await self._store.document(KIND, "", _key(request.key))
        if kept is None:
            raise Unknown(f"nothing is kept under {request.key!r}")
        return wire.GetCacheResponse(output=wire.CachedOutput.FromString(kept.body))

    async def Put(self, request: wire.PutCacheRequest, call: Call) -> wire.PutCacheResponse:
        """Raises NameTaken, where something is there and is not to be overwritten, and RequestError."""
        output = wire.CachedOutput()
        output.CopyFrom(request.output)
        if output.WhichOneof("output") is None:
            raise RequestError("output holds neither literals nor a URI", where="output")
        now = self._desk.clock.now()
        if not output.metadata.HasField("created_at"):
            output.metadata.created_at.FromDatetime(now)
        output.metadata.last_updated_at.FromDatetime(now)
        kept = DocumentRecord(KIND, "", _key(request.key), output.SerializeToString(deterministic=True))
        await self._store.put_documents([kept], overwrite=request.overwrite)
        return wire.PutCacheResponse()

    async def Delete(self, request: wire.DeleteCacheRequest, call: Call) -> wire.DeleteCacheResponse:
        """What is not there need not be deleted."""
        await self._store.drop_document(KIND, "", _key(request.key))
        return wire.DeleteCacheResponse()

    async def GetOrExtendReservation(
        self, request: wire.GetOrExtendReservationRequest, call: Call
    ) -> wire.GetOrExtendReservationResponse:
        """Who makes the outputs of a key: the caller, or whoever was first. Raises RequestError."""
        name = _reserved(request.key)
        beat = length(request.heartbeat_interval, "heartbeat_interval")
        holder = await held(self._desk, name, request.owner_id, beat)
        return wire.GetOrExtendReservationResponse(
            reservation=wire.Reservation(
                key=request.key,
                owner_id=holder.owner,
                heartbeat_interval=holder.beat,
                expires_at=timestamp(holder.until),
            )
        )

    async def ReleaseReservation(
        self, request: wire.ReleaseReservationRequest, call: Call
    ) -> wire.ReleaseReservationResponse:
        """One that is not the caller's stays."""
        await self._store.free(_reserved(request.key), request.owner_id)
        return wire.ReleaseReservationResponse()


def _key(key: str) -> str:
    if not key:
        raise RequestError("key is empty")
    return key


def _reserved(key: str) -> str:
    return f"cache-service:{_key(key)}"
