"""Expressions of cron: against an implementation of somebody else's, and where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import croniter  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alula.admin.cron import parse_cron


def field(low: int, high: int, *, steps: bool = True) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    ranges = (
        st.tuples(number, number).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: f"{min(pair)}-{max(pair)}")
    )
    every = st.integers(1, high // 2).map(lambda n: f"*/{n}") if steps else st.just("*")
    part = st.one_of(number.map(str), ranges)
    return st.one_of(st.just("*"), every, part, st.lists(part, min_size=2, max_size=3).map(",".join))


EXPRESSIONS = st.tuples(
    field(0, 59), field(0, 23), field(1, 28, steps=False), field(1, 12), field(0, 6, steps=False)
).map(" ".join)
"""Without steps of days: whether `*/2` leaves the other kind of days alone is where implementations differ."""
MOMENTS = st.integers(946_684_800, 3_786_912_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, MOMENTS)
def test_times_are_those_of_another_implementation(text: str, after: datetime) -> None:
    theirs = croniter.croniter(text, after)
    expected = [theirs.get_next(datetime) for _ in range(4)]
    assert list(islice(parse_cron(text).ticks(after), 4)) == expected


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS, MOMENTS, st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]))
def test_times_backwards_are_those_forwards(text: str, after: datetime, zone: str) -> None:
    cron = parse_cron(text, zone)
    forwards = list(islice(cron.ticks(after), 7))
    assert list(cron.back(forwards[-1], after))[::-1] == forwards
    assert all(a < b for a, b in pairwise(forwards))


def local(text: str, after: datetime, count: int) -> list[str]:
    cron = parse_cron(text, "Europe/Berlin")
    return [f"{one:%d %H:%M}Z" for one in islice(cron.ticks(after), count)]


SPRING = datetime(2030, 3, 30, 12, tzinfo=UTC)
"""02:00 is followed by 03:00 in the night."""
AUTUMN = datetime(2030, 10, 26, 12, tzinfo=UTC)
"""03:00 is followed by 02:00 in the night."""


def test_a_time_that_is_left_out_comes_once_after_the_change() -> None:
    assert local("30 2 * * *", SPRING, 2) == ["31 01:30Z", "01 00:30Z"]


def test_a_time_that_comes_twice_counts_once() -> None:
    assert local("30 2 * * *", AUTUMN, 2) == ["27 00:30Z", "28 01:30Z"]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/London", "Atlantic/Azores"])
def test_every_hour_stays_every_hour_through_both_changes(zone: str) -> None:
    for start in (SPRING, AUTUMN):
        found = list(islice(parse_cron("15 * * * *", zone).ticks(start), 30))
        assert {b - a for a, b in pairwise(found)} == {timedelta(hours=1)}


def test_nine_in_the_morning_is_nine_in_the_morning_all_year() -> None:
    found = islice(parse_cron("CRON_TZ=America/New_York 0 9 * * *").ticks(datetime(2030, 1, 1, tzinfo=UTC)), 365)
    assert {one.hour for one in found} == {13, 14}


def test_words_names_last_days_and_years_of_aws_are_understood() -> None:
    start = datetime(2030, 1, 15, 10, 30, tzinfo=UTC)
    for text, expected in (
        ("@daily", "2030-01-16 00:00"),
        ("hours", "2030-01-15 11:00"),
        ("Weekly", "2030-01-20 00:00"),
        ("@annually", "2031-01-01 00:00"),
        ("0 0 L * *", "2030-01-31 00:00"),
        ("0 8 ? FEB mon-fri *", "2030-02-01 08:00"),
        ("0 0 29 2 *", "2032-02-29 00:00"),
        ("0 0 13 * 5", "2030-01-18 00:00"),
        ("0 0 * * 7", "2030-01-20 00:00"),
        ("5/20 10 * * *", "2030-01-15 10:45"),
    ):
        found = parse_cron(text).next(start)
        assert found is not None
        assert f"{found:%Y-%m-%d %H:%M}" == expected, text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("* * * *", "has 4 fields"),
        ("60 * * * *", "goes from 0 to 59"),
        ("* * 0 * *", "goes from 1 to 31"),
        ("* * * * fry", "'fry' as day of week"),
        ("*/0 * * * *", "a step is 1"),
        ("0 0 30 2 *", "never comes"),
        ("CRON_TZ=Mars/Olympus 0 0 * * *", "names no time zone: 'Mars/Olympus'"),
        ("TZ=../../etc/passwd 0 0 * * *", "names no time zone"),
        ("", "has 0 fields"),
        ("9-5 * * * *", "goes from 0 to 59"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_cron(text)
