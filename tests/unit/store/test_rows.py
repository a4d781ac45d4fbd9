"""Values that go into a database and come back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from alula.store.rows import clean, micros, moment, span


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=30))])))
def test_times_come_back_as_they_were(when: datetime) -> None:
    assert moment(micros(when)) == when
    assert moment(micros(when)).tzinfo is UTC


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas(timedelta(0), timedelta(days=999)))
def test_times_are_ordered_and_durations_add_up(when: datetime, later: timedelta) -> None:
    try:
        end = when + later
    except OverflowError:
        return
    assert micros(end) == micros(when) + span(later)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_an_honest_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@given(st.text(st.characters()))
def test_any_text_becomes_one_that_a_database_takes(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert "\0" not in cleaned
