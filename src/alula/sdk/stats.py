"""Counters, gauges and timings that user code keeps while a task runs; read them back, or find them in the log."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

log = logging.getLogger("alula.task")


class Stats:
    """Numbers of one task, in memory. Each one is also a debug record `stats.<name>` of the logger `alula.task`."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.counters: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}
        self.timings: dict[str, list[timedelta]] = {}

    def incr(self, metric: str, count: int = 1) -> None:
        name = self._named(metric)
        self.counters[name] += count
        log.debug("stats.%s", name, extra={"count": count})

    def decr(self, metric: str, count: int = 1) -> None:
        self.incr(metric, -count)

    def gauge(self, metric: str, value: float) -> None:
        name = self._named(metric)
        self.gauges[name] = value
        log.debug("stats.%s", name, extra={"gauge": value})

    def timing(self, metric: str, duration: timedelta | float) -> None:
        """Record a duration; a bare number is in milliseconds, as in statsd."""
        name = self._named(metric)
        took = duration if isinstance(duration, timedelta) else timedelta(milliseconds=duration)
        self.timings.setdefault(name, []).append(took)
        log.debug("stats.%s", name, extra={"seconds": took.total_seconds()})

    @contextmanager
    def timer(self, metric: str) -> Iterator[None]:
        """Record how long a `with` block takes."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timing(metric, timedelta(seconds=time.perf_counter() - start))

    def get_stats(self, prefix: str) -> Stats:
        """The same numbers, for metrics whose names begin with `prefix`."""
        child = Stats(self._named(prefix))
        child.counters, child.gauges, child.timings = self.counters, self.gauges, self.timings
        return child

    def _named(self, metric: str) -> str:
        return f"{self._prefix}.{metric}" if self._prefix else metric
