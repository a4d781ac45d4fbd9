"""Waiting for the next job without falling asleep at once."""

from __future__ import annotations

import select
import socket
from functools import partial
from time import perf_counter

from alula._kits.awake import Awake

_AWAKE_SECONDS = 0.001


class Ear:
    """Waits until there is something to read.

    While jobs come one right after the other this stays awake for them. It sleeps after the first that lets itself be
    waited for; and while others want the processor.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._ready = partial(self._poll.poll, 0)
        self._awake = Awake()
        self._patience = 0.0

    def wait(self) -> None:
        """Return when there is something to read, the end of the stream included."""
        start = perf_counter()
        if not self._awake.until(self._ready, self._patience):
            self._poll.poll()
        self._patience = _AWAKE_SECONDS if perf_counter() - start < _AWAKE_SECONDS else 0.0
