"""Messages on a byte stream arrive whole and in order, however the bytes do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula._kits.frames import LONGEST, Frames, framed


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(1, 50), min_size=1))
def test_messages_arrive_whole_and_in_order_in_whatever_pieces(messages: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(map(framed, messages))
    frames, found, at, turn = Frames(), list[bytes](), 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        found += frames.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found == messages


def test_nothing_completes_nothing() -> None:
    assert Frames().feed(b"") == []


def test_a_length_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="a frame of 4294967295 bytes"):
        Frames().feed(b"\xff" * 4)
    frames = Frames()
    frames.feed(b"\xff")
    with pytest.raises(ValueError, match="4294967295"):
        frames.feed(b"\xff" * 3)


def test_a_message_beyond_the_limit_is_not_sent() -> None:
    class Long(bytes):
        def __len__(self) -> int:
            return LONGEST + 1

    with pytest.raises(ValueError, match=str(LONGEST)):
        framed(Long())
