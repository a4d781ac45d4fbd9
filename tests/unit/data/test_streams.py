"""Files over ranges, and writers that publish once."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.data.streams import publishing_writer, range_reader

steps = st.lists(
    st.tuples(st.just("read"), st.integers(-1, 40))
    | st.tuples(st.just("seek"), st.integers(0, 60))
    | st.tuples(st.just("readline"), st.just(-1)),
    max_size=12,
)


@given(content=st.binary(max_size=50) | st.text("ab\n", max_size=50).map(str.encode), steps=steps)
def test_a_range_reader_reads_like_a_file_in_memory(content: bytes, steps: list[tuple[str, int]]) -> None:
    real, ours = io.BytesIO(content), range_reader(len(content), lambda start, end: content[start:end])
    for call, argument in steps:
        assert getattr(ours, call)(argument) == getattr(real, call)(argument)
        assert ours.tell() == real.tell()


def test_a_range_reader_never_asks_beyond_the_end_or_for_nothing() -> None:
    asked: list[tuple[int, int]] = []

    def fetch(start: int, end: int) -> bytes:
        asked.append((start, end))
        return bytes(end - start)

    reader = range_reader(10_000_000, fetch)
    while reader.read(999_983):
        continue
    reader.seek(20_000_000)
    assert reader.read(1) == b""
    assert all(0 <= start < end <= 10_000_000 for start, end in asked)
    assert len(asked) <= 4
    with pytest.raises(ValueError, match="before the start"):
        reader.seek(-11_000_000, io.SEEK_END)


class Sink:
    def __init__(self, *, full: bool = False) -> None:
        self.full = full
        self.log: list[str] = []

    def write(self, data: bytes | memoryview) -> None:
        if self.full:
            raise OSError("disk full")
        self.log.append(bytes(data).decode())

    def publish(self) -> None:
        self.log.append("published")

    def discard(self) -> None:
        self.log.append("discarded")


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (lambda out: out.close(), "published"),
        (lambda out: (out.close(), out.close()), "published"),
        (lambda out: out.__exit__(None, None, None), "published"),
        (lambda out: (out.__exit__(ValueError, ValueError(), None), out.close()), "discarded"),
        (lambda out: None, "discarded"),
    ],
    ids=["close", "close twice", "with", "failed with", "forgotten"],
)
def test_a_writer_publishes_or_discards_exactly_once(end: Callable[[object], None], expected: str) -> None:
    sink = Sink()
    writer = publishing_writer(sink)
    writer.write(b"one")
    end(writer)
    del writer
    assert sink.log == ["one", expected]


def test_a_writer_that_lost_a_piece_never_publishes() -> None:
    sink = Sink(full=True)
    writer = publishing_writer(sink)
    with pytest.raises(OSError, match="disk full"):
        writer.write(b"x")
    writer.close()
    assert sink.log == ["discarded"]
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"y")


def test_a_text_wrapper_that_is_detached_leaves_the_decision_to_the_writer() -> None:
    sink = Sink()
    with publishing_writer(sink) as writer:
        text = io.TextIOWrapper(writer, encoding="utf-8")
        text.write("grüße\n")
        text.detach()
    assert sink.log == ["grüße\n", "published"]
