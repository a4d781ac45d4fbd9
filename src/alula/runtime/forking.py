"""A process that forks others: the zygote's loop, whatever its workers are.

It also runs where only flytekit's packages are installed.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from alula._kits.frames import Frames, framed
from alula.idl import worker as wire
from alula.runtime.processes import die_with

_HANDLED = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

WorkerMain = Callable[[socket.socket, str, wire.Prepare], NoReturn]
"""Takes a worker's socket to the engine, its directory, and the code that its zygote stands for."""
Fetch = Callable[[str, Path], str]


class Zygote:
    """Forks workers until its engine is gone.

    Args:
        channel: To the engine.
        worker: What a fork of this process is, from then on.
        fetch: Puts a code bundle into a directory that is not there yet, and says what went wrong.
    """

    def __init__(self, channel: socket.socket, worker: WorkerMain, fetch: Fetch) -> None:
        self._channel, self._worker, self._fetch = channel, worker, fetch
        self._frames, self._fds = Frames(), list[int]()
        self._workers: dict[int, int] = {}
        self._pipe = os.pipe()
        self._code: wire.Prepare | None = None

    def serve(self) -> NoReturn:
        """Do as the engine says. It goes, and its workers with it, when the engine closes the socket."""
        waker, woken = self._pipe
        os.set_blocking(waker, False)
        os.set_blocking(woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for signum in (signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, signal.SIG_IGN)
        poller = select.poll()
        poller.register(self._channel, select.POLLIN)
        poller.register(waker, select.POLLIN)
        self._say(wire.Ready(wire.VERSION, os.getpid()))
        while True:
            for fd, _ in poller.poll():
                if fd == waker:
                    with suppress(BlockingIOError):
                        os.read(waker, 4096)
                else:
                    self._listen()
            self._reap()

    def _listen(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._channel, 65536, 64)
        except ConnectionError:
            os._exit(0)
        if not data:
            os._exit(0)
        self._fds += fds
        for payload in self._frames.feed(data):
            match wire.decode(payload):
                case wire.Prepare() as code:
                    self._prepare(code)
                case wire.Fork(number, directory):
                    self._fork(number, directory)

    def _say(self, message: wire.Message) -> None:
        try:
            self._channel.sendall(framed(wire.encode(message)))
        except ConnectionError:
            os._exit(0)

    # code

    def _prepare(self, code: wire.Prepare) -> None:
        self._code = self._code or code  # later ones only name modules
        there = not code.bundle or Path(code.directory).exists()
        problem = "" if there else self._fetch(code.bundle, Path(code.directory))
        if problem:
            self._say(wire.Ready(wire.VERSION, os.getpid(), problem))
            os._exit(0)
        for path in reversed([code.directory, *code.paths] if code.directory else code.paths):
            if path not in sys.path:
                sys.path.insert(0, path)
        if code.directory:
            os.chdir(code.directory)
        os.environ.update(code.environment)
        for module in code.modules:
            _preload(module)
        gc.freeze()  # so that collections in workers do not copy what they share with this process
        self._say(wire.Ready(wire.VERSION, os.getpid(), prepared=True))

    # workers

    def _fork(self, number: int, directory: str) -> None:
        channel = socket.socket(fileno=self._fds.pop(0))
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            channel.close()  # the engine sees the end of the stream, and that no such worker ever lived
            self._say(wire.Exited(number, 0, 0))
            return
        if pid:
            channel.close()
            self._workers[pid] = number
            self._say(wire.Forked(number, pid))
            return
        try:
            signal.set_wakeup_fd(-1)
            for signum in _HANDLED:
                signal.signal(signum, signal.SIG_DFL)
            die_with(parent)
            self._channel.close()
            for fd in self._pipe:
                os.close(fd)
            self._worker(channel, directory, self._code or wire.Prepare())
        finally:
            os._exit(wire.BROKEN)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in self._workers:
                    self._say(wire.Exited(self._workers.pop(pid), pid, status))


def _preload(module: str) -> None:
    """Import a module; what goes wrong goes wrong again in the worker, where it has a task to be told of."""
    try:
        importlib.import_module(module)
    except BaseException as exc:  # noqa: BLE001 - the user's module may raise anything, SystemExit included
        sys.stderr.write(f"{module} is not imported ahead of time: {type(exc).__name__}: {exc}\n")
