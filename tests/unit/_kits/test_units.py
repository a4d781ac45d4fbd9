"""Durations and sizes as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alula._kits.units import duration, shown_duration, size

DURATIONS = [
    ("10s", 10),
    ("5m", 300),
    ("1h30m", 5_400),
    ("2 days", 172_800),
    ("90", 90),
    ("1.5 h", 5_400),
    ("250ms", 0.25),
]
SIZES = [("64MiB", 64 << 20), ("10GB", 10_000_000_000), ("4096", 4096), ("1 Ki", 1024), ("1k", 1000), ("2.5KiB", 2560)]
SHOWN = [(0.35, "350 ms"), (4.21, "4.2 s"), (192, "3m12s"), (7_500, "2h05m"), (273_600, "3d04h")]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "5 parsecs", "s", "5m and more", "-5s", "9" * 30])
def test_what_is_no_duration_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="write it like"):
        duration(text)


@pytest.mark.parametrize(("text", "number"), SIZES)
def test_a_size_is_read(text: str, number: int) -> None:
    assert size(text) == number


@pytest.mark.parametrize("text", ["", "much", "5 apples", "-5", "5 b b"])
def test_what_is_no_size_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="write it like"):
        size(text)


@pytest.mark.parametrize(("seconds", "text"), SHOWN)
def test_a_duration_is_shown_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert shown_duration(timedelta(seconds=seconds)) == text
