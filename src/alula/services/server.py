"""The gRPC server over a table of calls: TLS, who may call, health, reflection, and an end that lets calls finish."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from alula.errors import ConfigError, RequestError
from alula.services.binding import Rpc, Tally
from alula.services.errors import status_of
from alula.services.gate import Gate, Listening

log = logging.getLogger(__name__)

_CALLS = 2_000
"""At a time; who calls beyond it hears RESOURCE_EXHAUSTED."""
_TEXT_BYTES = 6_000
"""Of what a caller is told of a failure, as it travels: in a header, and clients refuse headers above 8 KiB."""
Context = Any
"""`grpc.aio.ServicerContext`, whose stubs are generic over messages."""


@dataclass(slots=True)
class Serving:
    """A server that answers."""

    port: int
    server: grpc.aio.Server
    health: health.aio.HealthServicer


@asynccontextmanager
async def serving(
    rpcs: Sequence[Rpc],
    listening: Listening,
    gate: Gate,
    *,
    message_bytes: int,
    tally: Tally | None = None,
    grace_seconds: float = 5.0,
) -> AsyncIterator[Serving]:
    """A server that runs inside the block. At its end calls may finish, and new ones are refused.

    Args:
        message_bytes: The largest request that is read.
        tally: Who counts calls.

    Raises:
        ConfigError: It cannot listen there.
    """
    server = grpc.aio.server(options=_options(message_bytes), maximum_concurrent_rpcs=_CALLS)
    by_service: dict[str, dict[str, Any]] = {}
    for rpc in rpcs:
        answer = _answering(rpc, gate, tally)
        by_service.setdefault(rpc.service, {})[rpc.name] = grpc.unary_unary_rpc_method_handler(answer)
    for name, methods in by_service.items():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))
    well = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(well, server)
    names = tuple(by_service)
    reflection.enable_server_reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    port = _port(server, listening)
    await server.start()
    for name in (health.OVERALL_HEALTH, *names):
        await well.set(name, health_pb2.HealthCheckResponse.SERVING)
    try:
        yield Serving(port, server, well)
    finally:
        await well.enter_graceful_shutdown()
        await server.stop(grace_seconds)


def _options(message_bytes: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", message_bytes),
        ("grpc.max_send_message_length", -1),  # the client says what it takes
        ("grpc.max_metadata_size", 32 * 1024),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),  # flytekit asks every 30 s whether we live
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.so_reuseport", 0),  # two servers on one port would share the calls
    ]


def _port(server: grpc.aio.Server, listening: Listening) -> int:
    where = (
        f"{listening.host}:{listening.port}" if ":" not in listening.host else f"[{listening.host}]:{listening.port}"
    )
    try:
        if listening.cert_file:
            pair = _read(listening.key_file), _read(listening.cert_file)
            authorities = _read(listening.client_ca_file) if listening.client_ca_file else None
            credentials = grpc.ssl_server_credentials([pair], authorities, require_client_auth=authorities is not None)
            return server.add_secure_port(where, credentials)
        return server.add_insecure_port(where)
    except RuntimeError as exc:
        raise ConfigError(f"nothing can listen at {where}", fix="free the port, or choose another") from exc


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise ConfigError(f"a file for TLS cannot be read: {exc.strerror}", where=path) from exc


def _answering(rpc: Rpc, gate: Gate, tally: Tally | None) -> Callable[[bytes, Context], Awaitable[bytes]]:
    """Bytes in, bytes out: what cannot be read is the caller's fault, which gRPC's own deserializer does not say."""
    parse, answer, name = rpc.asks.FromString, rpc.answer, f"{rpc.service}/{rpc.name}"

    async def answered(data: bytes, context: Context) -> bytes:
        began, code = time.perf_counter(), "CANCELLED"
        try:
            call = gate.call(rpc, context.invocation_metadata() or (), context.peer(), context.time_remaining())
            try:
                request = parse(data)
            except DecodeError as exc:
                raise RequestError(f"this is no {rpc.method.input_type.full_name}") from exc
            response = await answer(request, call)
            code = "OK"
            return bytes(response.SerializeToString())
        except Exception as exc:  # noqa: BLE001 - the last line: whatever happens here has a status
            status = status_of(exc, name)
            code = status.code.name
        finally:
            if tally is not None:
                tally.answered(rpc.service, rpc.name, over="grpc", code=code, seconds=time.perf_counter() - began)
        await context.abort(grpc.StatusCode[status.code.name], fitting(status.text))
        raise AssertionError("unreachable: abort raises")

    return answered


def fitting(text: str) -> str:
    """As much of a text as fits into a header, and how much is missing.

    Source: gRPC over HTTP/2, Percent-Encoded: all but printable ASCII takes three bytes for each of its own.
    """
    size = 0
    for at, char in enumerate(text):
        size += 1 if " " <= char <= "~" and char != "%" else 3 * len(char.encode("utf-8", "backslashreplace"))
        if size > _TEXT_BYTES:
            return f"{text[:at]} ... ({len(text) - at:,} more characters)"
    return text
