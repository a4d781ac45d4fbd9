"""What the running task prints: file descriptors 1 and 2, hence also what its subprocesses and C code print."""

from __future__ import annotations

import fcntl
import io
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from alula._kits import bridge
from alula.data import spool
from alula.data.layout import Attempt
from alula.errors import DataError
from alula.runtime.processes import flush_c


class LogFiles(Protocol):
    """As much of an object store as logs need."""

    async def write(self, uri: str, data: bytes) -> None: ...

    def local_path(self, uri: str) -> Path | None: ...


class FileLost(Exception):
    """What is printed cannot be found any more."""


class Printed:
    """A file that stdout and stderr go to, handed over and begun anew after each attempt that wrote to it.

    Args:
        path: The file, on this machine.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = self._inode = -1
        self._open()
        self.out, self.err = _text(1), _text(2)
        sys.stdout = sys.__stdout__ = self.out  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = self.err  # type: ignore[misc]

    def finish(self, prefix: str, store: LogFiles, limit_bytes: int) -> str:
        """Put what was printed to its place, if anything was; what went wrong.

        Args:
            prefix: Of the attempt.

        Raises:
            FileLost: The task has closed what is none of its business.
        """
        self._flush()
        try:
            state = os.fstat(self._fd)
        except OSError as exc:
            raise FileLost from exc
        if state.st_ino != self._inode:
            raise FileLost
        self._restore()
        if state.st_size == 0:
            return ""
        target, problem = Attempt(prefix).log, ""
        try:
            local = store.local_path(target)
            if local is not None:
                spool.publish(self._path, local, limit_bytes)
            else:
                bridge.run(store.write(target, spool.content(self._path, limit_bytes)))
        except DataError as exc:
            problem = str(exc)
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        os.close(self._fd)
        self._open()
        return problem

    def _open(self) -> None:
        """A new file, at both descriptors. A third one stays for us, out of the user's way."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._fd = above(fd)
        self._inode = os.fstat(self._fd).st_ino
        os.dup2(self._fd, 1)
        os.dup2(self._fd, 2)

    def _flush(self) -> None:
        """Write what is buffered."""
        try:
            self.out.flush()
            self.err.flush()
        except (OSError, ValueError):
            _flush(self.err)
        if sys.stdout is not self.out or sys.stderr is not self.err:
            _flush(sys.stdout, sys.stderr)
        flush_c()

    def _restore(self) -> None:
        """Undo what the task has done to stdout and stderr."""
        for fd in (1, 2):
            if not _leads_to(fd, self._inode):
                os.dup2(self._fd, fd)
        if self.out.closed or self.err.closed:
            self.out, self.err = _text(1), _text(2)
        sys.stdout, sys.stderr = self.out, self.err


def _flush(*streams: IO[str]) -> None:
    for stream in streams:
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()


def above(fd: int) -> int:
    """Move a descriptor out of the range that programs use and close; it does not survive exec."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = max(3, min(soft if soft > 0 else 1024, 1024) - 64)
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest)
    os.close(fd)
    return moved


def _leads_to(fd: int, inode: int) -> bool:
    try:
        return os.fstat(fd).st_ino == inode
    except OSError:
        return False


def _text(fd: int) -> io.TextIOWrapper:
    """Text by the line, and never an error for what the encoding lacks."""
    raw = io.FileIO(fd, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", errors="backslashreplace", line_buffering=True)
