"""Messages over a socket, when the kernel does not take them at once."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest

from alula.backends.pool.line import Line
from alula.idl import worker as wire

LARGE = "x" * (1 << 20)


async def test_what_was_held_up_twice_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is short of something; when it is not any more, the buffer of the socket is full."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    heard: list[Any] = []
    real, short = socket.send_fds, 1

    def held_up(*given: Any) -> int:
        nonlocal short
        if short:
            short = 0
            raise OSError(errno.ENOBUFS, "No buffer space available")
        return real(*given)

    monkeypatch.setattr(socket, "send_fds", held_up)
    came = asyncio.Event()

    def hear(message: wire.Message) -> None:
        heard.append(message)
        came.set()

    reader = Line(theirs, hear, lambda: None, loop)
    line = Line(ours, lambda message: None, lambda: None, loop)
    passed, other = socket.socketpair()
    line.say(wire.Fork(1, "somewhere"), passed)
    line.say(wire.Prepare(bundle=LARGE))
    async with asyncio.timeout(10):
        while len(heard) < 2:
            came.clear()
            await came.wait()
    assert [type(one) for one in heard] == [wire.Fork, wire.Prepare]
    for one in (line, reader):
        one.close()
    other.close()
