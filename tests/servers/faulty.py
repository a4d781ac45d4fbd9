"""A proxy in front of an HTTP server that spoils chosen answers."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Fault:
    """What to do in place of passing a request on."""

    status: int = 0
    """Answer with this status; 0: pass the request on."""
    body: bytes = b""
    """Of that answer."""
    cut_at: int | None = None
    """Of the true answer send so many bytes, then break the connection; its headers promise all of it."""
    swallow: bool = False
    """Have the server do it, and break the connection before its answer."""


@dataclass(slots=True)
class Faulty:
    """Passes requests on, but for those that `fault` has something else for."""

    port: int = 0
    fault: Callable[[str, str], Fault | None] = lambda method, path: None
    """Asked with the method and the path of each request, from many threads."""
    seen: list[tuple[str, str]] = field(default_factory=list)
    """Requests, in the order in which they came."""
    bodies: list[bytes] = field(default_factory=list)
    """Theirs."""
    answers: list[bytes] = field(default_factory=list)
    """What the server answered, of those that were passed on."""
    spoiled: int = 0

    def always(self, fault: Fault, *, method: str = "", path: str = "") -> None:
        """Spoil every request of a method with a text in its path."""
        self.fault = lambda m, p: fault if m.startswith(method) and path in p else None

    def times(self, count: int, fault: Fault, *, method: str = "", path: str = "") -> None:
        """Spoil as many requests of a method with a text in their path, then no more."""
        left, lock = [count], threading.Lock()

        def decide(m: str, p: str) -> Fault | None:
            with lock:
                if not left[0] or not m.startswith(method) or path not in p:
                    return None
                left[0] -= 1
                return fault

        self.fault = decide

    def heal(self) -> None:
        self.fault = lambda method, path: None
        self.seen.clear()
        self.bodies.clear()
        self.answers.clear()
        self.spoiled = 0


@contextmanager
def faulty(upstream: int) -> Iterator[Faulty]:
    """A proxy to a port of this machine that runs inside the block."""
    made = Faulty()

    class Handler(_Handler):
        proxy, to = made, upstream

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Faulty
    to: int

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.proxy.seen.append((self.command, self.path))
        self.proxy.bodies.append(body)
        fault = self.proxy.fault(self.command, self.path)
        if fault is not None:
            self.proxy.spoiled += 1
        if fault is not None and fault.status:
            self._answer(fault.status, {"Content-Type": "application/xml"}, fault.body, len(fault.body))
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.to, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        self.proxy.answers.append(data)
        if fault is not None and fault.swallow:
            self.close_connection = True
            return
        kept = {
            k: v
            for k, v in answer.getheaders()
            if k.lower() not in ("content-length", "transfer-encoding", "connection")
        }
        promised = int(answer.headers.get("Content-Length") or len(data)) if self.command == "HEAD" else len(data)
        cut = fault.cut_at if fault is not None else None
        self._answer(answer.status, kept, data if cut is None else data[:cut], promised)
        if cut is not None:
            self.close_connection = True

    def _answer(self, status: int, headers: dict[str, str], body: bytes, length: int) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # whoever asked may have heard enough
                self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass

    def log_message(self, format: str, *args: object) -> None: ...
