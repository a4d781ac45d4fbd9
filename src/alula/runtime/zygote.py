"""The zygote: a process that has imported the user's modules, and forks a worker whenever the engine asks for one.

It begins as a fork of a process that has them already (`fork`), or as a fresh interpreter
(`python -m alula.runtime.zygote FD PARENT`). Either way the keeper is its parent.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from alula._kits import bridge
from alula._kits.frames import Frames, framed
from alula.data.archive import unpack
from alula.data.stores import Objects
from alula.errors import AlulaError, ConfigError
from alula.idl import worker as wire
from alula.runtime.keeper import guarded
from alula.runtime.processes import die_with
from alula.runtime.worker import Worker

_HANDLED = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def fork() -> wire.Root:
    """A keeper, and its guard, whose zygotes are forks of this process: what it has imported, workers need not.

    Call it before threads, event loops and clients of object stores exist, for a fork would only seem to have them.

    Raises:
        ConfigError: this process has other threads.
    """
    if threading.active_count() > 1:
        others = [one.name for one in threading.enumerate() if one is not threading.main_thread()]
        raise ConfigError(
            f"workers cannot be forked from a process that has other threads: {', '.join(others)}",
            fix="start no threads when a module is imported; or let the pool start fresh interpreters",
        )
    sys.stdout.flush()
    sys.stderr.flush()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return wire.Root(ours, pid)
    try:
        ours.close()
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(nothing, fd)
        guarded(theirs, serve)
    finally:
        os._exit(1)


def serve(channel: socket.socket, parent: int) -> NoReturn:
    """Be a zygote, as a child of the keeper `parent`."""
    die_with(parent)
    try:
        Zygote(channel).serve()
    finally:
        os._exit(1)


class Zygote:
    """Forks workers until its engine is gone.

    Args:
        channel: To the engine.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._frames, self._fds = Frames(), list[int]()
        self._workers: dict[int, int] = {}
        self._pipe = os.pipe()

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
        problem = _unpacked(code.bundle, Path(code.directory)) if code.bundle else ""
        if problem:
            self._say(wire.Ready(wire.VERSION, os.getpid(), problem))
            os._exit(0)
        for path in reversed([code.directory, *code.paths] if code.directory else code.paths):
            if path not in sys.path:
                sys.path.insert(0, path)
        if code.directory:
            os.chdir(code.directory)
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
            Worker(channel, directory).serve()
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


def _unpacked(bundle: str, directory: Path) -> str:
    """Fetch a code bundle, in a process of its own, since the client of a store starts threads; what went wrong."""
    if directory.exists():
        return ""
    heard, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(said, _fetch(bundle, directory).encode()[:60_000])
        finally:
            os._exit(0)
    os.close(said)
    with open(heard, "rb") as answer:
        problem = answer.read().decode(errors="replace")
    os.waitpid(pid, 0)
    return problem or ("" if directory.exists() else f"the process that fetched {bundle} died")


def _fetch(bundle: str, directory: Path) -> str:
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        archive, unfinished = directory.with_suffix(".tar.gz"), directory.with_suffix(".part")
        bridge.run(Objects().download(bundle, archive))
        unpack(archive, unfinished)
        os.rename(unfinished, directory)
        archive.unlink()
    except (AlulaError, OSError) as exc:
        return f"the code bundle cannot be unpacked: {exc}"
    return ""


def main() -> NoReturn:
    """`python -m alula.runtime.zygote FD PARENT`: a fresh interpreter, started by the keeper."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    serve(channel, int(sys.argv[2]))


if __name__ == "__main__":
    main()
