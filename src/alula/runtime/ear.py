"""Waiting for the next job without falling asleep at once."""

from __future__ import annotations

import os
import select
import socket
from time import perf_counter

_AWAKE_SECONDS = 0.001


class Ear:
    """Waits until there is something to read.

    To fall asleep and be woken takes 0.05 ms, as long as a small task, and the engine pays for a part of it. So while
    jobs come one right after the other this stays awake for them, and gives way to whoever else wants the processor;
    after the first that lets itself be waited for, it sleeps.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._patience = 0.0

    def wait(self) -> None:
        """Return when there is something to read, the end of the stream included."""
        poll = self._poll.poll
        start = perf_counter()
        end = start + self._patience
        while not poll(0):
            if perf_counter() >= end:
                poll()
                break
            os.sched_yield()
        self._patience = _AWAKE_SECONDS if perf_counter() - start < _AWAKE_SECONDS else 0.0
