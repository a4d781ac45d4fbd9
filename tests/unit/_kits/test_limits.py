from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from alula._kits.limits import WINDOW, AdaptiveBucket, TokenBucket


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at


def most_in_a_window(times: list[float]) -> int:
    return max((sum(start <= one < start + WINDOW for one in times) for start in times), default=0)


@given(
    rate=st.floats(min_value=1.0, max_value=200.0),
    pauses=st.lists(st.floats(min_value=0.0, max_value=3.0), max_size=40),
    greed=st.integers(min_value=1, max_value=60),
)
def test_no_window_lets_more_through_than_the_rate(rate: float, pauses: list[float], greed: int) -> None:
    clock = Hand()
    bucket = TokenBucket(rate, clock)
    times: list[float] = []
    for pause in [*pauses, 0.0, 12.0]:
        clock.at += pause
        for _ in range(greed):
            wait = bucket.take()
            if wait:
                clock.at += wait
            else:
                times.append(clock.at)
    assert most_in_a_window(times) <= rate * WINDOW + 1e-6


def test_a_rate_is_reached_when_everybody_waits() -> None:
    clock = Hand()
    bucket, count = TokenBucket(10, clock), 0
    while clock.at < 100:
        wait = bucket.take()
        count += not wait
        clock.at += wait
    assert 940 <= count <= 1000


def test_below_one_in_a_second_one_goes_at_a_time() -> None:
    clock = Hand()
    bucket = TokenBucket(0.1, clock)
    assert bucket.take() == 0
    assert bucket.take() == 10
    clock.at += 10
    assert bucket.take() == 0


def test_without_a_rate_nobody_waits() -> None:
    bucket = TokenBucket(0, Hand())
    assert [bucket.take() for _ in range(1000)] == [0.0] * 1000


def test_a_complaint_halves_the_rate_and_time_brings_it_back() -> None:
    clock = Hand()
    bucket = AdaptiveBucket(10, clock)
    bucket.slower()
    assert bucket.share == 0.5
    clock.at += 0.5
    bucket.slower()
    assert bucket.share == 0.5, "complaints within a second count once"
    clock.at += 1
    bucket.slower()
    assert bucket.share == 0.25
    for _ in range(20):
        clock.at += 1
        bucket.take()
    assert bucket.share == 1


def test_who_is_told_to_come_back_later_does() -> None:
    clock = Hand()
    bucket = AdaptiveBucket(10, clock)
    bucket.slower(7)
    assert bucket.take() == 7
    clock.at += 7
    assert bucket.take() == 0


def test_a_rate_changes_at_once() -> None:
    clock = Hand()
    bucket = AdaptiveBucket(1, clock)
    bucket.take()
    assert bucket.take() > 0.5
    bucket.set(1000)
    clock.at += 0.01
    assert bucket.take() == 0
