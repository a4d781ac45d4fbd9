"""The machine's clocks behind the protocol."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alula._kits.clock import Clock, SystemClock


def test_the_wall_clock_is_aware_and_utc() -> None:
    clock: Clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_the_monotonic_clock_never_goes_back() -> None:
    clock: Clock = SystemClock()
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)
