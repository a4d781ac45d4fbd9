"""What an attempt prints: a file that grows where its worker lives, and what becomes of it at the end."""

from __future__ import annotations

import ctypes
import os
import shutil
from contextlib import suppress
from functools import cache
from pathlib import Path

from alula.data.local import translated

_BLOCK = 4096
_KEEP_SIZE, _PUNCH_HOLE = 1, 2
"""Source: fallocate(2)."""
_NOTE = "\n... {} bytes of output are left out here: the limit is {} ...\n"


def publish(spool: str, target: Path, limit_bytes: int) -> None:
    """Move a spooled log to its place; of one that is longer than the limit the middle is dropped.

    Nothing is made of an empty one, and `spool` is gone afterwards. May be called again. Raises DataError.
    """
    with translated(str(target)):
        if not os.path.exists(spool):
            return
        size = os.path.getsize(spool)
        if size > limit_bytes:
            shorten(spool, limit_bytes)
        if size:
            target.parent.mkdir(parents=True, exist_ok=True)
            _move(spool, target)
        with suppress(FileNotFoundError):
            os.unlink(spool)  # `rename` leaves both names of one file


def show(spool: str, target: Path) -> None:
    """Let readers find a log at its place while it grows. Nothing happens if it is there. Raises DataError."""
    with translated(str(target)):
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            try:
                os.link(spool, target)
            except FileExistsError:
                raise
            except OSError:  # another file system
                os.symlink(spool, target)


def content(spool: str, limit_bytes: int) -> bytes:
    """A spooled log as bytes, shortened; empty if there is none. Raises DataError."""
    with translated(spool):
        if not os.path.exists(spool):
            return b""
        if os.path.getsize(spool) > limit_bytes:
            shorten(spool, limit_bytes)
        with open(spool, "rb") as file:
            return file.read()


def thin(spool: str, limit_bytes: int) -> None:
    """Give back the disk that the middle of a long log takes, while it grows. Its size stays, and reads as zeros there.

    Nothing happens where the file system cannot do that.
    """
    half = -(-limit_bytes // 2 // _BLOCK) * _BLOCK
    with suppress(OSError, AttributeError):
        fd = os.open(spool, os.O_RDWR | os.O_CLOEXEC)
        try:
            length = os.fstat(fd).st_size - 2 * half
            if length > 0:
                _libc().fallocate(fd, _PUNCH_HOLE | _KEEP_SIZE, ctypes.c_int64(half), ctypes.c_int64(length))
        finally:
            os.close(fd)


def shorten(spool: str, limit_bytes: int) -> None:
    """Put a log in the place of a longer one: its beginning, a note, its end, at most the limit and the note."""
    size = os.path.getsize(spool)
    half = limit_bytes // 2
    short = f"{spool}.short"
    with open(spool, "rb") as source, open(short, "wb") as made:
        head = source.read(half)
        source.seek(size - half)
        tail = source.read(half)
        head = head[: head.rfind(b"\n") + 1] or head
        tail = tail[tail.find(b"\n") + 1 :] or tail
        left_out = size - len(head) - len(tail)
        made.write(head + _NOTE.format(left_out, limit_bytes).encode() + tail)
    os.replace(short, spool)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _move(spool: str, target: Path) -> None:
    try:
        os.replace(spool, target)
    except OSError:  # another file system: beside its place first, so that readers see all of it or nothing
        beside = f"{target}.part"
        try:
            shutil.copyfile(spool, beside)
            os.replace(beside, target)
        except BaseException:  # a full disk: others need the rest of it
            with suppress(OSError):
                os.unlink(beside)
            raise
