"""The zygote: a process that has imported the user's modules, and forks a worker whenever the engine asks for one.

It begins as a fork of a process that has them already (`fork`), or as a fresh interpreter
(`python -m alula.runtime.zygote FD PARENT`). Either way the keeper is its parent.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import NoReturn

from alula._kits import standard
from alula.errors import ConfigError
from alula.idl import worker as wire
from alula.runtime.bundles import fetch_apart
from alula.runtime.forking import Zygote
from alula.runtime.keeper import guarded
from alula.runtime.processes import die_with
from alula.runtime.worker import Worker


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
    standard.fill()
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
        Zygote(channel, worker, fetch_apart).serve()
    finally:
        os._exit(1)


def worker(channel: socket.socket, directory: str, code: wire.Prepare) -> NoReturn:
    """Be a worker, as a child of a zygote."""
    Worker(channel, directory).serve()


def main() -> NoReturn:
    """`python -m alula.runtime.zygote FD PARENT`: a fresh interpreter, started by the keeper."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    serve(channel, int(sys.argv[2]))


if __name__ == "__main__":
    main()
