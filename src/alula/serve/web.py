"""What `alula serve` answers over HTTP: one app with the routes that its parts bring, on one address."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from alula.errors import ConfigError, StoreError
from alula.serve.callbacks import PATH, Callbacks

log = logging.getLogger(__name__)

_CALLBACK_BYTES = 64 * 1024
"""Of what a callback may send; nobody reads it."""
_CONNECTIONS = 1000
_LEAVE_SECONDS = 2


def callback_routes(callbacks: Callbacks) -> list[BaseRoute]:
    """`POST /callbacks/<token>`: 204 if the token is good, else 404, whatever is wrong with it."""

    async def called(request: Request) -> Response:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > _CALLBACK_BYTES:
                return Response(status_code=413, headers={"Connection": "close"})
        try:
            good = await callbacks.called(request.path_params["token"])
        except StoreError as exc:
            log.warning("callback.not_kept", extra={"why": str(exc)})
            return Response(status_code=503, headers={"Retry-After": "5"})
        return Response(status_code=204 if good else 404)

    return [Route(PATH + "/{token}", called, methods=["POST"])]


class _Server(uvicorn.Server):
    """One that leaves signals to whoever runs the loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(
    routes: Sequence[BaseRoute], host: str, port: int, *, tls: tuple[str, str, str] | None = None
) -> AsyncIterator[int]:
    """Routes, served inside the block; the port, which is a free one for 0.

    Args:
        tls: Files of a certificate, of its key, and of authorities that sign callers (empty: they need no certificate);
            None: plain text.

    Raises:
        ConfigError: The address is taken, or is none of this machine.
    """
    config = uvicorn.Config(
        Starlette(routes=list(routes)),
        host=host,
        port=port,
        log_config=None,
        access_log=False,  # URLs of callbacks are secrets
        server_header=False,
        lifespan="off",
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_LEAVE_SECONDS,
        h11_max_incomplete_event_size=16 * 1024,
        ws="none",
        ssl_certfile=tls[0] if tls else None,
        ssl_keyfile=tls[1] if tls else None,
        ssl_ca_certs=tls[2] or None if tls else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if tls and tls[2] else ssl.CERT_NONE,
    )
    try:
        listening = await asyncio.get_running_loop().run_in_executor(None, _listen, host, port)
    except OSError as exc:
        raise ConfigError(f"nothing can be served at {host}:{port}: {exc}", fix="choose another address") from exc
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listening]), name="alula-web")
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        await asyncio.wait([running])
        listening.close()


def _listen(host: str, port: int) -> socket.socket:
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, proto)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(_CONNECTIONS)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made
