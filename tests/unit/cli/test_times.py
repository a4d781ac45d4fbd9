"""Times and durations as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.cli.times import aware, moment, span
from alula.errors import ConversionError

NOW = datetime(2024, 2, 29, 12, 30, 15, 250_000, tzinfo=UTC)

MOMENTS = {
    "now": NOW,
    "NOW": NOW,
    "today": datetime(2024, 2, 29, tzinfo=UTC),
    "now - 1d": NOW - timedelta(days=1),
    "now-1d": NOW - timedelta(days=1),
    "now - P1D": NOW - timedelta(days=1),
    "now + 90": NOW + timedelta(seconds=90),
    "today + 9h30m": datetime(2024, 2, 29, 9, 30, tzinfo=UTC),
    "2024-01-31": datetime(2024, 1, 31, tzinfo=UTC),
    "2024-01-31T10:00": datetime(2024, 1, 31, 10, tzinfo=UTC),
    "2024-01-31 10:00:01.5": datetime(2024, 1, 31, 10, 0, 1, 500_000, tzinfo=UTC),
    "2024-01-31T10:00:00Z": datetime(2024, 1, 31, 10, tzinfo=UTC),
    "2024-01-31T10:00:00+02:00": datetime(2024, 1, 31, 10, tzinfo=timezone(timedelta(hours=2))),
    "2024-01-31 - 1 day": datetime(2024, 1, 30, tzinfo=UTC),
}
SPANS = {
    "10 days": timedelta(days=10),
    "10 DAYS": timedelta(days=10),
    "1 day": timedelta(days=1),
    "1h30m": timedelta(minutes=90),
    "1 day and 2 hours": timedelta(days=1, hours=2),
    "2 weeks, 1 min": timedelta(weeks=2, minutes=1),
    "1.5h": timedelta(minutes=90),
    "20ms": timedelta(milliseconds=20),
    "1:30:00": timedelta(minutes=90),
    "2 days, 3:00:00.5": timedelta(days=2, hours=3, seconds=0.5),
    "0:05": timedelta(minutes=5),
    "PT1H": timedelta(hours=1),
    "P1DT2H30M": timedelta(days=1, hours=2, minutes=30),
    "P2W": timedelta(weeks=2),
    "90": timedelta(seconds=90),
    "0": timedelta(0),
    "-1h": timedelta(hours=-1),
    "- PT1H": timedelta(hours=-1),
}


@pytest.mark.parametrize(("text", "meant"), MOMENTS.items())
def test_a_time_is_read(text: str, meant: datetime) -> None:
    found = moment(text, NOW)
    assert found == meant
    assert found.tzinfo is not None


@pytest.mark.parametrize("text", ["", "tomorrow", "now -", "now 1d", "2024-13-01", "10:00", "now - 3 parsecs"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConversionError) as caught:
        moment(text, NOW)
    assert caught.value.fix


@pytest.mark.parametrize(("text", "meant"), SPANS.items())
def test_a_duration_is_read(text: str, meant: timedelta) -> None:
    assert span(text) == meant


@pytest.mark.parametrize("text", ["", "-", "P", "PT", "soon", "3 parsecs", "1h 5", "days"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConversionError, match="no duration") as caught:
        span(text)
    assert "10 days" in caught.value.fix


@pytest.mark.parametrize("text", ["9999999999 days", "now + 99999999 weeks", "2024-01-31 + 900000000 days"])
def test_what_is_too_long_or_too_late_is_refused(text: str) -> None:
    with pytest.raises(ConversionError, match="can be"):
        span(text) if text[0] == "9" else moment(text, NOW)


@given(st.timedeltas(min_value=timedelta(days=-10_000), max_value=timedelta(days=10_000)))
def test_what_python_prints_for_a_duration_is_read_back(value: timedelta) -> None:
    assert abs(span(str(value)) - value) < timedelta(microseconds=2)


@given(st.datetimes())
def test_what_python_prints_for_a_time_is_read_back(value: datetime) -> None:
    assert moment(value.isoformat(), NOW) == aware(value)
    assert moment(str(value), NOW) == aware(value)
