"""Deadlines come back from the wire as they were written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.idl.deadlines import LONGEST, NODE, QUEUED, read_deadline, write_deadline


@given(st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=9999)))
def test_they_come_back(limit: timedelta) -> None:
    kept: dict[str, str] = {}
    write_deadline(kept, QUEUED, limit)
    assert read_deadline(kept, name=QUEUED) == limit
    assert read_deadline(kept, name=NODE) is None


def test_the_first_that_says_something_counts_and_zero_says_that_there_is_none() -> None:
    assert read_deadline({}, {NODE: "2.5"}, name=NODE) == timedelta(seconds=2.5)
    assert read_deadline({NODE: "1"}, {NODE: "2.5"}, name=NODE) == timedelta(seconds=1)
    assert read_deadline({NODE: "0"}, {NODE: "2.5"}, name=NODE) is None


def test_no_deadline_is_beyond_the_calendar() -> None:
    for text in ("1e10", "86399999913600"):
        assert read_deadline({NODE: text}, name=NODE) == LONGEST


@pytest.mark.parametrize("text", ["", "soon", "1e999", "nan"])
def test_what_is_no_number_of_seconds_is_none(text: str) -> None:
    assert read_deadline({NODE: text}, name=NODE) is None
