"""Files over stores: readers that fetch ranges, writers that publish when they are closed."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol, cast

_BUFFER_BYTES = 4 * 1024 * 1024


def range_reader(size: int, fetch: Callable[[int, int], bytes]) -> BinaryIO:
    """A seekable reader of an object of `size` bytes.

    Args:
        size: Of the object, in bytes.
        fetch: `fetch(start, end)` gets these very bytes, no fewer, or raises; it may block.
    """
    return cast(BinaryIO, io.BufferedReader(_Ranges(size, fetch), _BUFFER_BYTES))


class _Ranges(io.RawIOBase):
    """Ranges of one object as an unbuffered file."""

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        self._size, self._fetch, self._at = size, fetch, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"seek to {base + offset}, before the start")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self._take(len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self._take(self._size)

    def _take(self, count: int) -> bytes:
        end = min(self._at + count, self._size)
        if end <= self._at:
            return b""
        data = self._fetch(self._at, end)
        self._at += len(data)
        return data


class Sink(Protocol):
    """Where a writer's bytes go. Exactly one of `publish` and `discard` is called, once; all may block."""

    def write(self, data: bytes | memoryview) -> None: ...

    def publish(self) -> None: ...

    def discard(self) -> None: ...


def publishing_writer(sink: Sink) -> BinaryIO:
    """A writer that publishes on `close`, and discards when a `with` block fails or nobody closes it."""
    return cast(BinaryIO, _Writer(sink))


class _Writer(io.BufferedIOBase):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any, /) -> int:
        if self.closed:
            raise ValueError("write to a closed file")
        view = memoryview(data).cast("B")
        try:
            self._sink.write(view)
        except BaseException:
            self._end(publish=False)  # a later `close` must not publish what lacks a piece
            raise
        self._written += len(view)
        return len(view)

    def close(self) -> None:
        self._end(publish=True)

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._end(publish=kind is None)

    def __del__(self) -> None:
        self._end(publish=False)

    def _end(self, *, publish: bool) -> None:
        if self.closed:
            return
        super().close()
        if publish:
            self._sink.publish()
        else:
            self._sink.discard()
