"""Signals: what gates wait for, and their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alula.admin import signals as gates
from alula.admin.desk import Desk
from alula.admin.filters import prefixed, texts
from alula.errors import RequestError, Unknown
from alula.idl import SignalIdentifier
from alula.idl.service import (
    SIGNAL,
    Signal,
    SignalGetOrCreateRequest,
    SignalList,
    SignalListRequest,
    SignalSetRequest,
    SignalSetResponse,
    Sort,
)
from alula.idl.types import type_text
from alula.services.binding import Call
from alula.services.listing import asked, page_of
from alula.services.shown import execution_id, key_of
from alula.store.memory_pages import chosen
from alula.store.records import ExecutionKey, Page, Plain

FIELDS = prefixed({"signal_id": texts("id")}, "signal")
SORTS = {"signal_id": "id", "created_at": "id"}
_BY_NAME = Sort(key="signal_id", direction=Sort.ASCENDING)


class Signals:
    """What the gates of executions wait for."""

    service = SIGNAL

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def GetOrCreateSignal(self, request: SignalGetOrCreateRequest, call: Call) -> Signal:
        """The signal of a gate. Gates come with workflows, so there is nothing to create.

        Raises:
            Unknown: There is no such execution, or no gate of it waits for such a signal.
            RequestError: It is of another type.
        """
        key = key_of(request.id.execution_id)
        found = {one.id: one for one in await gates.signals(self._desk, key)}
        signal = found.get(request.id.signal_id)
        if signal is None:
            there = ", ".join(f"{one.id}: {type_text(one.type)}" for one in found.values())
            raise Unknown(f"no gate waits for {request.id.signal_id!r}", fix=f"there are: {there or 'none'}")
        asked_for, is_of = type_text(request.type), type_text(signal.type)
        if request.HasField("type") and asked_for != is_of:
            raise RequestError(f"signal {signal.id} is of type {is_of}, and not {asked_for}")
        return _message(key, signal)

    async def ListSignals(self, request: SignalListRequest, call: Call) -> SignalList:
        """Those that gates wait for right now, and those that were answered. Raises Unknown, and RequestError."""
        key = key_of(request.workflow_execution_id)
        signals = [one for one in await gates.signals(self._desk, key) if one.waiting or one.value is not None]
        rows: list[tuple[Plain, Mapping[str, Plain], gates.Signal]] = [(one.id, {"id": one.id}, one) for one in signals]

        async def read(page: Page) -> Sequence[tuple[tuple[Plain, Plain], gates.Signal]]:
            return chosen(rows, page)

        sort = request.sort_by if request.HasField("sort_by") and request.sort_by.key else _BY_NAME
        found, token = await page_of(
            read,
            asked(request.limit, sort_by=sort, text=request.filters, fields=FIELDS, sorts=SORTS, usual="signal_id"),
            at=request.token,
            question=f"signals|{key}",
            kinds=(str, str),
        )
        return SignalList(signals=[_message(key, one) for one in found], token=token)

    async def SetSignal(self, request: SignalSetRequest, call: Call) -> SignalSetResponse:
        """Answer a gate, also before it is reached. The same answer again is fine. Raises as `signals.give` does."""
        await gates.give(self._desk, key_of(request.id.execution_id), request.id.signal_id, request.value)
        return SignalSetResponse()


def _message(key: ExecutionKey, signal: gates.Signal) -> Signal:
    id = SignalIdentifier(signal_id=signal.id, execution_id=execution_id(key))
    return Signal(id=id, type=signal.type, value=signal.value)
