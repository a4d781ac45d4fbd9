"""The gRPC server over parts of our own: how failures travel, and what is counted."""

from __future__ import annotations

from urllib.parse import quote

import grpc
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from alula.errors import Unknown
from alula.idl.service import ADMIN, GetVersionRequest, GetVersionResponse, ObjectGetRequest, Task
from alula.observability.calls import CallMetrics
from alula.services.binding import Call, bind
from alula.services.gate import Gate, Listening
from alula.services.http import Web
from alula.services.server import fitting, serving

LONG = "é" * 100_000


class Part:
    async def GetVersion(self, request: GetVersionRequest, call: Call) -> GetVersionResponse:
        return GetVersionResponse()

    async def GetTask(self, request: ObjectGetRequest, call: Call) -> Task:
        raise Unknown(f"there is no {LONG}")


@given(st.text(max_size=50), st.integers(min_value=1, max_value=2_000))
def test_what_is_told_fits_into_a_header(text: str, times: int) -> None:
    told = fitting(text * times)
    assert len(quote(told, safe="".join(map(chr, range(0x20, 0x7F))).replace("%", ""))) < 7_000
    assert told == text * times or told.endswith("more characters)")


async def test_a_failure_reaches_its_caller_however_long_its_text_is_and_calls_are_counted() -> None:
    registry = CollectorRegistry()
    tally, rpcs = CallMetrics(registry), bind([Part()])
    async with (
        serving(rpcs, Listening(), Gate(), message_bytes=1024, tally=tally) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        await channel.unary_unary(f"/{ADMIN}/GetVersion")(b"")
        with pytest.raises(grpc.RpcError) as told:
            await channel.unary_unary(f"/{ADMIN}/GetTask")(b"")
    assert told.value.code() is grpc.StatusCode.NOT_FOUND
    assert told.value.details().endswith("more characters)")
    app = Starlette(routes=Web(rpcs, Gate(), body_bytes=1024, tally=tally).routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        assert (await client.get("/api/v1/tasks/p/d/n/v")).status_code == 404
        assert (await client.post("/api/v1/tasks", content=bytes(2_000))).status_code == 413

    def counted(call: str, over: str, code: str) -> float | None:
        labels = {"service": "AdminService", "call": call, "over": over, "code": code}
        return registry.get_sample_value("alula_calls_total", labels)

    assert counted("GetVersion", "grpc", "OK") == 1
    assert [counted("GetTask", over, "NOT_FOUND") for over in ("grpc", "http")] == [1, 1]
    assert counted("CreateTask", "http", "RESOURCE_EXHAUSTED") == 1
    took = registry.get_sample_value("alula_call_seconds_count", {"service": "AdminService", "call": "GetTask"})
    assert took == 2
