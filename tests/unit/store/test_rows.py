"""Values that go into a database and come back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from alula.store.rows import micros, moment, span


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
