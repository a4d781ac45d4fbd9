"""Waiting for the next job without falling asleep at once."""

from __future__ import annotations

import os
import select
import socket
from time import perf_counter

_AWAKE_SECONDS = 0.001
_SNATCHED_SECONDS = 0.0001
"""Whoever offers the processor and gets it back so much later was not alone."""
_REST_SECONDS = 1.0


class Ear:
    """Waits until there is something to read.

    To fall asleep and be woken takes 0.05 ms, as long as a small task, and the engine pays for a part of it. So while
    jobs come one right after the other this stays awake for them. It sleeps after the first that lets itself be waited
    for; and while others want the processor, which it offers them all the time.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._patience = 0.0
        self._rest_until = 0.0

    def wait(self) -> None:
        """Return when there is something to read, the end of the stream included."""
        poll = self._poll.poll
        now = start = perf_counter()
        end = start + self._patience
        while not poll(0):
            if now >= end:
                poll()
                break
            os.sched_yield()
            before, now = now, perf_counter()
            if now - before > _SNATCHED_SECONDS:
                self._rest_until = now + _REST_SECONDS
                end = now
        now = perf_counter()
        quick = now - start < _AWAKE_SECONDS and now >= self._rest_until
        self._patience = _AWAKE_SECONDS if quick else 0.0
