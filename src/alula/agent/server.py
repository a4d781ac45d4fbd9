"""A gRPC server for `Services`: TLS, tokens, health, reflection, and an end that lets calls finish."""

from __future__ import annotations

import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from alula.agent.services import Services, UnknownType
from alula.errors import ConfigError, Rejected, RemoteNotFound, Throttled
from alula.idl.agent import (
    CREATE,
    DELETE,
    EXECUTE,
    GET,
    GET_AGENT,
    LIST,
    LOGS,
    SERVICES,
    CreateTaskRequest,
    CreateTaskResponse,
    ExecuteTaskSyncRequest,
    ExecuteTaskSyncResponse,
    GetTaskLogsRequest,
    GetTaskLogsResponse,
    ListAgentsRequest,
    ListAgentsResponse,
    Rpc,
)
from alula.plugin.announcing import is_loopback

log = logging.getLogger(__name__)

_OPTIONS = (
    ("grpc.max_receive_message_length", 256 * 1024 * 1024),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.so_reuseport", 0),  # two servers on one port would share the calls
)
Context = Any
"""`grpc.aio.ServicerContext`, whose stubs are generic over messages."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where an agent listens, and who may call it."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any that is free."""
    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    """Callers must show a certificate that these authorities signed."""
    token_file: str = ""
    """Callers must carry one of the tokens in this file, one a line; read again for every call."""
    insecure: bool = False
    """Listen in plain text where others than this machine can reach it."""

    def __post_init__(self) -> None:
        if bool(self.cert_file) != bool(self.key_file):
            raise ConfigError("a certificate and its key go together", fix="give --cert and --key")
        if self.client_ca_file and not self.cert_file:
            raise ConfigError("callers can show certificates over TLS only", fix="give --cert and --key, too")
        if not self.cert_file and not is_loopback(f"{self.host}:{self.port}") and not self.insecure:
            raise ConfigError(
                f"{self.host} can be reached from outside, and everybody there could start jobs and read along",
                fix="give --cert and --key (and --client-ca or --token-file); or --insecure, if the network is safe",
            )

    @property
    def plaintext(self) -> bool:
        return not self.cert_file


@dataclass(slots=True)
class Running:
    """A server that answers."""

    port: int
    services: Services
    server: grpc.aio.Server
    health: health.aio.HealthServicer


@asynccontextmanager
async def serving(services: Services, listening: Listening, *, grace_seconds: float = 10.0) -> AsyncIterator[Running]:
    """A server that runs inside the block. At its end calls may finish, and new ones are refused.

    Raises:
        ConfigError: It cannot listen there.
    """
    interceptors = (_Tokens(Path(listening.token_file)),) if listening.token_file else ()
    server = grpc.aio.server(options=_OPTIONS, interceptors=interceptors)
    for handler in _handlers(services):
        server.add_generic_rpc_handlers((handler,))
    well = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(well, server)
    reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    where = f"{listening.host}:{listening.port}"
    try:
        if listening.plaintext:
            port = server.add_insecure_port(where)
        else:
            port = server.add_secure_port(where, _credentials(listening))
    except RuntimeError as exc:
        raise ConfigError(f"nothing can listen at {where}: {exc}", fix="free the port, or choose another") from exc
    await server.start()
    for name in (health.OVERALL_HEALTH, *SERVICES):
        await well.set(name, health_pb2.HealthCheckResponse.SERVING)
    try:
        yield Running(port, services, server, well)
    finally:
        await well.enter_graceful_shutdown()
        await server.stop(grace_seconds)
        await services.aclose()


def _credentials(listening: Listening) -> grpc.ServerCredentials:
    key, chain = _read(listening.key_file), _read(listening.cert_file)
    clients = _read(listening.client_ca_file) if listening.client_ca_file else None
    return grpc.ssl_server_credentials([(key, chain)], clients, require_client_auth=clients is not None)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise ConfigError(f"a file for TLS cannot be read: {exc.strerror}", where=path) from exc


class _Tokens(grpc.aio.ServerInterceptor):
    """Refuses callers without a token; health may be asked by anybody."""

    def __init__(self, path: Path) -> None:
        _read(str(path))
        self._path = path
        self._refused: Any = grpc.unary_unary_rpc_method_handler(_refuse)
        self._refused_stream: Any = grpc.stream_stream_rpc_method_handler(_refuse_stream)

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        if details.method.startswith("/grpc.health."):
            return await continuation(details)
        given = next((str(value) for key, value in details.invocation_metadata or () if key == "authorization"), "")
        token = given.removeprefix("Bearer ").encode()
        known = [line.strip() for line in self._path.read_bytes().splitlines() if line.strip()]
        if sum(hmac.compare_digest(token, one) for one in known):  # all of them, so that time tells nothing
            return await continuation(details)
        handler = await continuation(details)
        streams = handler is not None and (handler.request_streaming or handler.response_streaming)
        return self._refused_stream if streams else self._refused


_REFUSAL = "a valid token is missing: send `authorization: Bearer TOKEN`"


async def _refuse(request: Any, context: Context) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, _REFUSAL)


async def _refuse_stream(requests: Any, context: Context) -> AsyncIterator[Any]:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, _REFUSAL)
    yield


# --- from calls to services, and from errors to statuses ---


def _handlers(services: Services) -> list[grpc.GenericRpcHandler]:
    async def create(request: CreateTaskRequest, context: Context) -> CreateTaskResponse:
        return await services.create(request, tuple(context.invocation_metadata() or ()))

    async def list_agents(request: ListAgentsRequest, context: Context) -> ListAgentsResponse:
        await context.send_initial_metadata(services.conventions)
        return services.list_agents(request)

    async def get_agent(request: Any, context: Context) -> Any:
        return services.get_agent(request)

    async def get(request: Any, context: Context) -> Any:
        return await services.get(request)

    async def delete(request: Any, context: Context) -> Any:
        return await services.delete(request)

    async def logs(request: GetTaskLogsRequest, context: Context) -> AsyncIterator[GetTaskLogsResponse]:
        async for part in services.logs(request):
            yield part

    async def execute(
        requests: AsyncIterator[ExecuteTaskSyncRequest], context: Context
    ) -> AsyncIterator[ExecuteTaskSyncResponse]:
        async for part in services.execute(requests, tuple(context.invocation_metadata() or ())):
            yield part

    rpcs: list[tuple[Rpc[Any, Any], Any]] = [
        (CREATE, _answering(create)),
        (GET, _answering(get)),
        (DELETE, _answering(delete)),
        (LOGS, _streaming(logs)),
        (EXECUTE, _streaming(execute)),
        (LIST, _answering(list_agents)),
        (GET_AGENT, _answering(get_agent)),
    ]
    by_service: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}
    for rpc, call in rpcs:
        if rpc.asks_stream:
            kind: Any = grpc.stream_stream_rpc_method_handler
        else:
            kind = grpc.unary_stream_rpc_method_handler if rpc.answers_stream else grpc.unary_unary_rpc_method_handler
        made = kind(call, request_deserializer=rpc.asks.FromString, response_serializer=rpc.answers.SerializeToString)
        by_service.setdefault(rpc.service, {})[rpc.name] = made
    return [grpc.method_handlers_generic_handler(name, methods) for name, methods in by_service.items()]


def _answering(call: Callable[[Any, Context], Awaitable[Any]]) -> Callable[[Any, Context], Awaitable[Any]]:
    async def answer(request: Any, context: Context) -> Any:
        try:
            return await call(request, context)
        except grpc.aio.AbortError:
            raise
        except Exception as exc:  # noqa: BLE001 the border to guests, who may raise anything; the caller is told
            await _abort(context, exc)

    return answer


def _streaming(call: Callable[[Any, Context], AsyncIterator[Any]]) -> Callable[[Any, Context], AsyncIterator[Any]]:
    async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
        try:
            async for part in call(request, context):
                yield part
        except grpc.aio.AbortError:
            raise
        except Exception as exc:  # noqa: BLE001 as above
            await _abort(context, exc)

    return answer


async def _abort(context: Context, exc: Exception) -> NoReturn:
    cause = getattr(exc, "cause", exc)
    code = grpc.StatusCode.UNAVAILABLE
    trailing: tuple[tuple[str, str], ...] = ()
    match cause:
        case Rejected():
            code = grpc.StatusCode.INVALID_ARGUMENT
        case UnknownType() | RemoteNotFound():
            code = grpc.StatusCode.NOT_FOUND
        case Throttled():
            code = grpc.StatusCode.RESOURCE_EXHAUSTED
            if cause.retry_after is not None:
                trailing = (("retry-after", f"{max(1, round(cause.retry_after))}"),)
        case NotImplementedError():
            code = grpc.StatusCode.UNIMPLEMENTED
        case TimeoutError():
            code = grpc.StatusCode.DEADLINE_EXCEEDED
    said = str(exc) or type(exc).__name__
    log.warning("agent.refused", extra={"code": code.name, "why": said})
    await context.abort(code, said, trailing)
    raise AssertionError("unreachable: abort raises")
