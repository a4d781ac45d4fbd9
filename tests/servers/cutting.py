"""A proxy in front of a server that swallows the answer to a chosen message, and breaks the connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Cutting:
    """Passes bytes on; once armed, the first message with `mark` gets through, and its answer does not."""

    def __init__(self, port: int, mark: bytes) -> None:
        self._port, self._mark = port, mark
        self._armed = threading.Event()
        self._ends: list[socket.socket] = []
        self.cut = threading.Event()
        """Set once an answer was swallowed."""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self) -> None:
        self.cut.clear()
        self._armed.set()

    def hang_up(self) -> None:
        """Break all connections now, whatever the server is at."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self._ends += client, server
                swallow = threading.Event()
                for source, target, asks in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass, args=(source, target, asks, swallow), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, asks: bool, swallow: threading.Event) -> None:
        with contextlib.suppress(OSError), source, target:
            while data := source.recv(65536):
                if asks and self._armed.is_set() and self._mark in data:
                    self._armed.clear()
                    swallow.set()
                if not asks and swallow.is_set():
                    break  # the server has answered, so it has done it
                target.sendall(data)
            if not asks and swallow.is_set():
                self.cut.set()
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting(port: int, mark: bytes) -> Iterator[Cutting]:
    """A proxy to a port of this machine that runs inside the block."""
    proxy = Cutting(port, mark)
    try:
        yield proxy
    finally:
        proxy.close()
