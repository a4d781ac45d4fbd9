"""What all warm workers do alike: one process, one attempt after the other, literals in and out over a socket.

How an attempt is run is its subclass's: with Alula's own SDK (`worker`), with flytekit (`pyflyte`), or as a process of
its own (`fresh`). This also runs where only flytekit's packages are installed.
"""

from __future__ import annotations

import contextvars
import faulthandler
import os
import shutil
import signal
import socket
import sys
import threading
import traceback
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from alula._kits.frames import Frames, framed
from alula.idl import worker as wire
from alula.runtime import exits
from alula.runtime.ear import Ear
from alula.runtime.leftovers import Leftovers
from alula.runtime.printed import FileLost, LogFiles, Printed, above
from alula.runtime.processes import adopt_orphans, keep_from_forks

_PIECE = 1 << 16
"""Bytes that are read at once. Beyond 128 KiB every read maps and unmaps memory."""
_OOM_SCORE = "500"
"""When memory runs out, the kernel ends a worker and not its engine."""


class Stopped(BaseException):
    """Somebody asks this process to end: whatever runs gets the time to clean up."""


class Serving(ABC):
    """Runs attempts until its engine hangs up.

    Args:
        channel: To the engine.
        directory: Its own.
        harmless: Beginnings of names of threads that may outlive an attempt.
    """

    def __init__(self, channel: socket.socket, directory: str, *, harmless: tuple[str, ...] = ()) -> None:
        os.setsid()
        adopt_orphans()
        self._pid = os.getpid()
        self._channel = socket.socket(fileno=above(channel.detach()))
        self._ear = Ear(self._channel)
        self._speech = threading.Lock()
        self._scratch = Path(directory, "scratch")
        self._scratch.mkdir()
        self._touched = os.stat(self._scratch).st_mtime_ns
        self._printed = Printed(str(Path(directory, "log")))
        faulthandler.enable(2)
        _reseed()
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
        self._in_task = self._leaving = False
        """User code runs: it is told of the end by an exception; this process is ending."""
        signal.signal(signal.SIGTERM, self._stop)
        keep_from_forks(signal.SIGTERM, self._stop)
        self._leftovers = Leftovers(harmless)
        exits.own()

    @abstractmethod
    def _run(self, job: wire.Run) -> tuple[int, bytes]:
        """What one attempt gave, or why it failed: a kind and a payload of `Ended`. Raises `Stopped` and no more."""

    @property
    @abstractmethod
    def _files(self) -> LogFiles:
        """Where logs are put."""

    def _retires(self, job: wire.Run) -> str:
        """Why this process must run nothing after an attempt, whatever that left; empty: it may."""
        return ""

    def serve(self) -> NoReturn:
        """Run what the engine sends. Ends with the process."""
        try:
            frames = Frames()
            while True:
                for payload in frames.feed(self._hear()):
                    job = wire.decode(payload)
                    assert isinstance(job, wire.Run)
                    ended = self._attempt(job)
                    self._leaving = bool(ended.retire)  # before the engine hears of it, and asks for it
                    self._say(ended)
                    if ended.retire:
                        self._leave()
        except Stopped:
            end_by(signal.SIGTERM)
        except BaseException:  # noqa: BLE001 - the last line of defence: say it where the attempt's log is
            traceback.print_exc(file=self._printed.err)
            os._exit(wire.BROKEN)

    def _attempt(self, job: wire.Run) -> wire.Ended:
        kind, payload = contextvars.copy_context().run(self._run, job)
        if os.getpid() != self._pid:
            os._exit(0)  # the task forked, and this is the child: the parent answers
        self._leftovers.deepen()
        try:
            lost = self._printed.finish(job.prefix, self._files, job.log_limit_bytes)
        except FileLost:
            os._exit(wire.LOST_SOCKET)
        retire = self._retires(job) or self._leftovers.clear() or self._swept()
        return wire.Ended(job.serial, kind, payload, retire, lost)

    def _swept(self) -> str:
        """Remove the scratch files of an attempt."""
        try:
            if os.stat(self._scratch).st_mtime_ns != self._touched:
                for left in self._scratch.iterdir():
                    if left.is_dir() and not left.is_symlink():
                        shutil.rmtree(left)
                    else:
                        left.unlink()
                self._touched = os.stat(self._scratch).st_mtime_ns
        except OSError as exc:
            return f"its scratch files cannot be removed: {exc}"
        return ""

    # the engine

    def _hear(self) -> bytes:
        try:
            self._ear.wait()
            data = self._channel.recv(_PIECE)
        except ConnectionError:
            os._exit(wire.LOST_ENGINE)
        except OSError:
            os._exit(wire.LOST_SOCKET)
        if not data:
            self._leave()
        return data

    def _leave(self) -> NoReturn:
        """End, for nobody has work for this process any more."""
        self._leaving = True
        exits.run()
        os._exit(0)

    def _say(self, message: wire.Message) -> None:
        """Tell the engine. Of a process that the task forked, nothing is said."""
        if os.getpid() != self._pid:
            return
        try:
            with self._speech:
                self._channel.sendall(framed(wire.encode(message)))
        except ConnectionError:
            os._exit(wire.LOST_ENGINE)
        except OSError:
            os._exit(wire.LOST_SOCKET)

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        if self._leaving:
            return
        if self._in_task:
            self._in_task = False  # once: a second signal is the end
            raise Stopped
        end_by(signal.SIGTERM)


def end_by(signum: int) -> NoReturn:
    """End as if a signal had met with no handler."""
    signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signum])
    os.kill(os.getpid(), signum)
    os._exit(wire.BROKEN)


def _reseed() -> None:
    """Forks of one process would draw the same numbers; Python's own generator is seeded anew by Python."""
    for name in ("numpy.random", "torch"):
        module = sys.modules.get(name)
        if module is not None:
            module.seed()
