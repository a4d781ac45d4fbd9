"""Where Prometheus reads: `/metrics` over HTTP, on this machine only unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, start_http_server

from alula.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Exposition:
    """A server in a thread of its own."""

    host: str
    port: int
    close: Callable[[], None]


def serve_metrics(registry: CollectorRegistry, address: str = "") -> Exposition:
    """Serve a registry at `HOST:PORT`, `:PORT` or `PORT`: the host is this machine's loopback if it is left out.

    Port 0 takes a free one. Raises ConfigError if the address is not one, or is taken.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"{address!r} is no address for metrics", fix="give HOST:PORT, as in 127.0.0.1:9090")
    try:
        server, thread = start_http_server(int(port), addr=host, registry=registry)
    except OSError as exc:
        raise ConfigError(f"metrics cannot be served at {address}: {exc}", fix="choose another port") from exc

    def close() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return Exposition(host, server.server_port, close)
