"""The engine's end of the keeper: what starts zygotes, ends process trees and measures memory."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from alula.backends.pool.line import Line
from alula.idl import worker as wire

FD, SPOOL = "{fd}", "{spool}"
_OUTPUT = "keeper"
_SHOWN = 2000
"""Characters of what a keeper printed before it died."""


class Listener(Protocol):
    """What a keeper tells."""

    def zygote_lost(self, zygote: int, status: int) -> None:
        """A zygote is dead, and its workers die."""
        ...

    def over(self, pid: int, used_bytes: int) -> None:
        """A worker holds more memory than it may."""
        ...

    def keeper_lost(self) -> None:
        """The keeper is dead, and all zygotes and workers die. What is to end has ended when its guard says so."""
        ...


class Keeper:
    """One keeper process.

    Args:
        root: A keeper that lives already; None: start one, whose zygotes are fresh interpreters.
        spool: A directory that is removed when the engine is gone.
        words: The command that starts one, if not our own; `FD` in it stands for its socket, and `SPOOL` for the
            spool. Its zygotes are forks of it.
    """

    def __init__(
        self,
        root: wire.Root | None,
        spool: str,
        listener: Listener,
        loop: asyncio.AbstractEventLoop,
        words: Sequence[str] = (),
    ) -> None:
        self.forks = root is not None or bool(words)
        """Whether its zygotes are forks of a process that has imported what they need."""
        root = root or _started(words, spool)
        self._guard = root.pid
        self._listener, self._loop = listener, loop
        self._line = Line(root.channel, self._heard, self._fell, loop)
        self.lost = False
        """It was killed; its guard kills what it left."""
        self._over = False
        self._end: asyncio.Future[None] | None = None
        self._tickets = 0
        self._waiting: dict[int, Callable[[], None]] = {}
        self._line.say(wire.Keep(spool))

    def begin(self, zygote: int, interpreter: str, output: str, channel: socket.socket) -> None:
        """Start a zygote, which gets `channel`. Without an interpreter it is a fork, if this keeper forks."""
        if not interpreter and not self.forks:
            interpreter = sys.executable
        self._line.say(wire.Begin(zygote, interpreter, output), channel)

    def end(self, pid: int, grace_seconds: float, gone: Callable[[], None]) -> None:
        """End a process and all of its descendants; `gone` is called when nothing of them is left."""
        if self._over:
            gone()
            return
        self._tickets += 1
        self._waiting[self._tickets] = gone
        self._line.say(wire.End(self._tickets, pid, grace_seconds))

    def watch(self, pid: int, limit_bytes: int) -> None:
        """Tell when a process and its descendants hold more than this; 0: no more."""
        self._line.say(wire.Watch(pid, limit_bytes))

    def lease(self, seconds: float) -> None:
        """Have everything killed in so many seconds, unless this is called again by then."""
        self._line.say(wire.Lease(seconds))

    def close(self) -> list[Callable[[], None]]:
        """Hang up: the keeper kills everything, and ends. What was waited for."""
        self._line.close()
        self._over = True
        waiting = list(self._waiting.values())
        self._waiting.clear()
        return waiting

    async def ended(self) -> None:
        """Until nothing of it is left."""
        await asyncio.shield(self._ending())

    def _ending(self) -> asyncio.Future[None]:
        if self._end is None:
            self._end = self._loop.run_in_executor(None, self._wait)
        return self._end

    def _wait(self) -> None:
        with suppress(ChildProcessError):
            os.waitpid(self._guard, 0)

    def _fell(self) -> None:
        """The other end of the line is gone."""
        self.lost = True
        self._listener.keeper_lost()
        self._ending().add_done_callback(self._nothing_left)

    def _nothing_left(self, _: asyncio.Future[None]) -> None:
        for gone in self.close():
            gone()

    def _heard(self, message: wire.Message) -> None:
        match message:
            case wire.Gone(ticket):
                self._waiting.pop(ticket)()
            case wire.Lost(zygote, status):
                self._listener.zygote_lost(zygote, status)
            case wire.Over(pid, used):
                self._listener.over(pid, used)


def last_words(spool: str) -> str:
    """The end of what a keeper that is not our own printed."""
    with suppress(OSError):
        text = Path(spool, _OUTPUT).read_text(errors="replace").strip()
        return f". Its last words: {text[-_SHOWN:]}" if text else ""
    return ""


def _started(words: Sequence[str], spool: str) -> wire.Root:
    ours, theirs = socket.socketpair()
    number = str(theirs.fileno())
    command = [*words] or [sys.executable, "-P", "-m", "alula.runtime.keeper", FD]
    with theirs, open(Path(spool, _OUTPUT) if words else os.devnull, "ab") as output:
        process = subprocess.Popen(
            [{FD: number, SPOOL: spool}.get(word, word) for word in command],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    process.returncode = 0  # waited for by pid, like one that was forked
    return wire.Root(ours, process.pid)
