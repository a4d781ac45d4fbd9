from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from alula.sdk.stats import Stats


def test_stats_are_kept_and_can_be_read() -> None:
    stats = Stats()
    stats.incr("rows", 3)
    stats.get_stats("load").decr("rows")
    stats.gauge("depth", 4)
    stats.timing("fit", 1500)
    stats.timing("fit", timedelta(seconds=2))
    assert stats.counters == {"rows": 3, "load.rows": -1}
    assert stats.gauges == {"depth": 4}
    assert stats.timings == {"fit": [timedelta(milliseconds=1500), timedelta(seconds=2)]}


def test_a_timer_records_also_what_fails() -> None:
    stats = Stats("p")
    with pytest.raises(ZeroDivisionError), stats.timer("fit"):
        _ = 1 / 0
    (took,) = stats.timings["p.fit"]
    assert took >= timedelta(0)


def test_stats_are_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "alula.task"):
        Stats().incr("rows")
    assert caplog.messages == ["stats.rows"]
