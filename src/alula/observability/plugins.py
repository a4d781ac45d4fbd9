"""Prometheus metrics of plugins: what they have to do, and how their calls go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_PATIENCE_SECONDS = 2.0
_GAUGES = {
    "attempts": ("alula_plugin_attempts", "Attempts in the care of a plugin, those that are cleaned up included."),
    "tracked": ("alula_plugin_jobs", "Jobs whose status is asked for."),
    "queued": ("alula_plugin_calls_waiting", "Calls that wait for their turn."),
    "disabled": ("alula_plugin_disabled", "1 while a plugin is left alone and its tasks wait, else 0."),
}


class Numbered(Protocol):
    """Whoever has the plugins of an engine; called on its loop."""

    def numbers(self) -> Mapping[str, Mapping[str, float]]:
        """By plugin, then by the names in `_GAUGES`."""
        ...

    def calls(self) -> Mapping[str, Mapping[str, tuple[int, int, float]]]:
        """By plugin, then by call: how many, how many of them failed, and the seconds that they took."""
        ...


class PluginMetrics(Collector):
    """Asks the plugins' hosts on their engine's loop, from whatever thread Prometheus is answered in."""

    def __init__(self, hosts: Numbered) -> None:
        self._hosts, self._loop = hosts, asyncio.get_running_loop()

    def describe(self) -> list[Metric]:
        return [*_families({}, {})]

    def collect(self) -> Sequence[Metric]:
        found = Future[list[Metric]]()
        try:
            self._loop.call_soon_threadsafe(self._read, found)
            return found.result(timeout=_PATIENCE_SECONDS)
        except (TimeoutError, RuntimeError):  # the engine is busy, or has ended
            return []

    def _read(self, found: Future[list[Metric]]) -> None:
        found.set_result([*_families(self._hosts.numbers(), self._hosts.calls())])


def _families(
    numbers: Mapping[str, Mapping[str, float]], calls: Mapping[str, Mapping[str, tuple[int, int, float]]]
) -> Iterator[Metric]:
    for key, (name, text) in _GAUGES.items():
        gauge = GaugeMetricFamily(name, text, labels=["plugin"])
        for plugin, found in numbers.items():
            gauge.add_metric([plugin], found.get(key, 0))
        yield gauge
    for at, (name, text) in enumerate(
        (
            ("alula_plugin_calls", "Calls into a plugin."),
            ("alula_plugin_call_errors", "Calls that raised, or took too long."),
            ("alula_plugin_call_seconds", "What calls took, in all."),
        )
    ):
        counter = CounterMetricFamily(name, text, labels=["plugin", "call"])
        for plugin, made in calls.items():
            for call, figures in made.items():
                counter.add_metric([plugin, call], figures[at])
        yield counter
