"""Frames: messages on a byte stream, each behind its length in four bytes, little end first."""

from __future__ import annotations

import struct

_HEAD = struct.Struct("<I")

LONGEST = 256 * 1024 * 1024
"""Bytes of one message; a length beyond it is no length."""


def framed(payload: bytes) -> bytes:
    """A message as it goes onto the stream. Raises ValueError if it is longer than `LONGEST`."""
    size = len(payload)
    if size > LONGEST:
        raise ValueError(f"a message of {size} bytes, and {LONGEST} is the most")
    return _HEAD.pack(size) + payload


class Frames:
    """Puts messages together again, in whatever pieces their bytes arrive."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, in order. Raises ValueError for bytes that are no frames."""
        kept = self._kept
        if kept:
            kept += data
            if len(kept) < 4 or len(kept) - 4 < _length(kept, 0):
                return []  # looked at again when more is here: a long message is copied once
            data = bytes(kept)
            kept.clear()
        found: list[bytes] = []
        at, end = 0, len(data)
        while end - at >= 4:
            stop = at + 4 + _length(data, at)
            if stop > end:
                break
            found.append(data[at + 4 : stop])
            at = stop
        if at < end:
            kept += data[at:] if at else data
        return found


def _length(data: bytes | bytearray, at: int) -> int:
    (size,) = _HEAD.unpack_from(data, at)
    if size > LONGEST:
        raise ValueError(f"a frame of {size} bytes, and {LONGEST} is the most")
    return int(size)
