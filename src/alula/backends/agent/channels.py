"""Connections to agents: one per agent, made when it is first needed, made anew when its certificates change."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from alula._kits import lazy
from alula.backends.agent.settings import Endpoint
from alula.errors import ConfigError, RemoteError
from alula.idl.agent import Rpc

if TYPE_CHECKING:
    import asyncio

    import grpc
    from google.protobuf.message import Message
else:
    asyncio = lazy.module("asyncio")
    grpc = lazy.module("grpc")  # 100 ms that nobody without agents need pay

AsksT = TypeVar("AsksT", bound="Message")
AnswersT = TypeVar("AnswersT", bound="Message")
Headers = Sequence[tuple[str, str | bytes]]

_OPTIONS = (
    ("grpc.max_receive_message_length", 256 * 1024 * 1024),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 60_000),  # a connection that is dead without a word is noticed
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.enable_retries", 0),  # who may be asked again is decided here
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
)
_UNSENT = (
    "failed to connect to all addresses",
    "connections to all backends failing",
    "dns resolution failed",
    "errors resolving",
    "empty address list",
)
"""How gRPC begins what it says of a call that never left this machine."""
_TORN = ("rst_stream", "stream removed", "connection reset", "socket closed", "goaway", "internal error from core")
"""Parts of what gRPC says of connections that broke, under the same statuses as an agent's own errors."""


class CallFailed(RemoteError):
    """A call that an agent did not answer, or answered with an error.

    Args:
        status: gRPC's name of it: `UNAVAILABLE`.
        details: What the other side said.
        sent: Whether it may have reached the agent.
        pause: Seconds after which the agent wants to be asked again.
    """

    def __init__(
        self, what: str, *, where: str, status: str, details: str, sent: bool, pause: float | None = None
    ) -> None:
        super().__init__(what, where=where)
        self.status, self.details, self.sent, self.pause = status, details, sent, pause

    @property
    def raised(self) -> bool:
        """The agent's own code failed."""
        return self.status in ("INTERNAL", "UNKNOWN") and not any(part in self.details.lower() for part in _TORN)

    @property
    def refused(self) -> bool:
        """The agent says that the task is wrong."""
        return self.status in ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "ALREADY_EXISTS")


@dataclass(frozen=True, slots=True)
class Peer:
    """One agent, as it is called."""

    name: str
    address: str
    endpoint: Endpoint

    @property
    def named(self) -> str:
        return f"agent {self.name} at {self.address}"


@dataclass(slots=True)
class _Open:
    channel: grpc.aio.Channel
    peer: Peer
    files: tuple[float, ...]


class Channels:
    """Connections by the name of the agent. Belongs to one event loop."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._open: dict[str, _Open] = {}
        self._environ = environ

    async def call(
        self,
        peer: Peer,
        rpc: Rpc[AsksT, AnswersT],
        asks: AsksT,
        *,
        within: timedelta,
        headers: Headers = (),
    ) -> tuple[AnswersT, Mapping[str, str]]:
        """What the agent answers to one question, and the headers of its answer. Raises CallFailed."""
        channel = await self._channel(peer)
        ask = channel.unary_unary(
            rpc.path, request_serializer=rpc.asks.SerializeToString, response_deserializer=rpc.answers.FromString
        )
        where = f"{rpc.name} of {peer.named}"
        try:
            call = ask(asks, timeout=within.total_seconds(), metadata=self._headers(peer.endpoint, headers))
            answer = await call
            said = {str(key): value for key, value in await call.initial_metadata() or () if isinstance(value, str)}
        except grpc.aio.AioRpcError as exc:
            raise _failed(exc, where) from exc
        return answer, said

    async def stream(
        self,
        peer: Peer,
        rpc: Rpc[AsksT, AnswersT],
        asks: Iterable[AsksT],
        *,
        within: timedelta,
        headers: Headers = (),
    ) -> AsyncIterator[AnswersT]:
        """What the agent answers, message by message. Raises CallFailed."""
        channel = await self._channel(peer)
        form: dict[str, Any] = {
            "request_serializer": rpc.asks.SerializeToString,
            "response_deserializer": rpc.answers.FromString,
        }
        given: dict[str, Any] = {"timeout": within.total_seconds(), "metadata": self._headers(peer.endpoint, headers)}
        call: Any
        if rpc.asks_stream:
            call = channel.stream_stream(rpc.path, **form)(iter(asks), **given)
        else:
            call = channel.unary_stream(rpc.path, **form)(next(iter(asks)), **given)
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as exc:
            raise _failed(exc, f"{rpc.name} of {peer.named}") from exc
        finally:
            call.cancel()

    async def aclose(self) -> None:
        """Hang up."""
        opened, self._open = list(self._open.values()), {}
        for one in opened:
            await one.channel.close()

    async def _channel(self, peer: Peer) -> grpc.aio.Channel:
        endpoint, files = peer.endpoint, _stamps(peer.endpoint)
        found = self._open.get(peer.name)
        if found is not None:
            if (found.peer, found.files) == (peer, files):
                return found.channel
            del self._open[peer.name]
            await found.channel.close(grace=60)
        options = list(_OPTIONS)
        if endpoint.server_name:
            options.append(("grpc.ssl_target_name_override", endpoint.server_name))
        if endpoint.plaintext:
            channel = grpc.aio.insecure_channel(peer.address, options=options)
        else:
            channel = grpc.aio.secure_channel(peer.address, _credentials(endpoint), options=options)
        self._open[peer.name] = _Open(channel, peer, files)
        return channel

    def _headers(self, endpoint: Endpoint, headers: Headers) -> tuple[tuple[str, str | bytes], ...]:
        token = ""
        if endpoint.token_file:
            token = _read(endpoint.token_file, "token_file").decode().strip()
        elif endpoint.token_variable:
            token = self._environ.get(endpoint.token_variable, "")
            if not token:
                raise ConfigError(f"the environment variable {endpoint.token_variable} of token_variable is not set")
        return (*headers, ("authorization", f"Bearer {token}")) if token else tuple(headers)


def _failed(exc: grpc.aio.AioRpcError, where: str) -> CallFailed:
    status, details = exc.code().name, exc.details() or ""
    unsent = status == "UNAVAILABLE" and details.lower().startswith(_UNSENT)
    pause = None
    for key, value in exc.trailing_metadata() or ():
        if key == "grpc-retry-pushback-ms" and str(value).isdigit():
            pause = int(str(value)) / 1000
        elif key == "retry-after" and str(value).isdigit():
            pause = float(str(value))
    what = f"it cannot be reached: {details}" if unsent else f"{status}: {details or 'no details'}"
    return CallFailed(what, where=where, status=status, details=details, sent=not unsent, pause=pause)


def _credentials(endpoint: Endpoint) -> grpc.ChannelCredentials:
    roots, key, chain = (
        _read(path, what) if path else None
        for path, what in (
            (endpoint.ca_file, "ca_file"),
            (endpoint.key_file, "key_file"),
            (endpoint.cert_file, "cert_file"),
        )
    )
    return grpc.ssl_channel_credentials(root_certificates=roots, private_key=key, certificate_chain=chain)


def _read(path: str, what: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise ConfigError(f"{what} cannot be read: {exc.strerror}", where=path, fix="correct [backends.agent]") from exc


def _stamps(endpoint: Endpoint) -> tuple[float, ...]:
    """When its files were last changed."""
    stamps = []
    for path in (endpoint.ca_file, endpoint.cert_file, endpoint.key_file):
        try:
            stamps.append(os.stat(path).st_mtime if path else 0.0)
        except OSError:
            stamps.append(-1.0)
    return tuple(stamps)
