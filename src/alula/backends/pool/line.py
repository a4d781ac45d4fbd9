"""Framed messages over a socket, on an event loop, without a coroutine."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections import deque
from collections.abc import Callable

from alula._kits.frames import Frames, framed
from alula.errors import DataError
from alula.idl import worker as wire

log = logging.getLogger(__name__)

_PIECE = 1 << 18
"""Bytes that are written at one wake-up: no message keeps the loop for longer."""
_SHORT = frozenset({errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM})
"""The kernel lacks something at the moment: it is asked again."""
_AGAIN_SECONDS = 0.05
_READ = 1 << 16
"""Bytes that are read. Beyond 128 KiB every read maps and unmaps memory."""


class Line:
    """One end of a stream of messages. Everything is called on its loop.

    Args:
        channel: A connected stream socket; owned from now on.
        heard: Takes each message.
        lost: Called once, when the other end is gone or talks nonsense.
    """

    __slots__ = ("_channel", "_frames", "_heard", "_loop", "_lost", "_out", "_waits")

    def __init__(
        self,
        channel: socket.socket,
        heard: Callable[[wire.Message], None],
        lost: Callable[[], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        channel.setblocking(False)
        self._channel, self._heard, self._lost, self._loop = channel, heard, lost, loop
        self._frames = Frames()
        self._out: deque[tuple[memoryview, socket.socket | None]] = deque()
        self._waits = False
        loop.add_reader(channel.fileno(), self._read)

    @property
    def closed(self) -> bool:
        return self._channel.fileno() < 0

    def say(self, message: wire.Message, passed: socket.socket | None = None) -> None:
        """Send a message, with a socket for the other end to own. What is said to someone gone is lost."""
        if self.closed:
            if passed is not None:
                passed.close()
            return
        self._out.append((memoryview(framed(wire.encode(message))), passed))
        if not self._waits:
            self._write()

    def close(self) -> None:
        """Hang up. Nothing more is heard, `lost` included."""
        if self.closed:
            return
        fd = self._channel.fileno()
        self._loop.remove_reader(fd)
        if self._waits:
            self._loop.remove_writer(fd)
        self._channel.close()
        for _, passed in self._out:
            if passed is not None:
                passed.close()
        self._out.clear()

    def drain(self) -> None:
        """Hear at once all that the other end has said, which is known to say no more."""
        while not self.closed and self._read():
            pass

    def _read(self) -> bool:
        """Hear what there is; whether there was anything."""
        try:
            data = self._channel.recv(_READ)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        try:
            for payload in self._frames.feed(data):
                message = wire.decode(payload)
                try:
                    self._heard(message)
                except Exception:
                    log.exception("workers.unheard", extra={"said": type(message).__name__})
                if self.closed:
                    return False
        except (DataError, ValueError) as exc:
            log.error("workers.nonsense", extra={"problem": str(exc)})
            data = b""
        if not data:
            self.close()
            self._lost()
        return bool(data)

    def _write_again(self) -> None:
        self._waits = False
        if not self.closed:
            self._write()

    def _write(self) -> None:
        try:
            while self._out:
                data, passed = self._out[0]
                if passed is not None:
                    sent = socket.send_fds(self._channel, [data], [passed.fileno()])
                    passed.close()
                else:
                    sent = self._channel.send(data[:_PIECE])
                if sent == len(data):
                    self._out.popleft()
                else:
                    self._out[0] = (data[sent:], None)
        except BlockingIOError:
            if not self._waits:
                self._loop.add_writer(self._channel.fileno(), self._write)
                self._waits = True
            return
        except OSError as exc:
            if exc.errno in _SHORT:
                self._loop.remove_writer(self._channel.fileno())
                self._waits = True
                self._loop.call_later(_AGAIN_SECONDS, self._write_again)
                return
            self._out.clear()  # whoever reads hears that the other end is gone
        if self._waits:
            self._loop.remove_writer(self._channel.fileno())
            self._waits = False
