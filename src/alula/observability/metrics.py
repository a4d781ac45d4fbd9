"""Prometheus metrics of the engines of this process. docs/reference/metrics.md says what each one means.

Needs the extra `metrics`. What engines do is counted as it is committed; what they have before them is read when
somebody asks (`Metrics.read`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alula._kits.clock import Clock, SystemClock
from alula.engine.cleanup import Stuck
from alula.engine.observe import Committed, PlanOf, Silent
from alula.engine.plan import Kind
from alula.engine.state import ROOT, AttemptState, CacheStatus, NodePhase, NodeState
from alula.observability.calls import CallMetrics
from alula.observability.ledger import AttemptBegan, AttemptEnded, CacheAnswered, Change, Ledger, NodeEnded, Retried
from alula.observability.plugins import Numbered as HostNumbers
from alula.observability.plugins import PluginMetrics
from alula.store.records import ExecutionRecord

_COMMITS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15)
_SPANS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
_SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)
_LOOKED_UP = {
    CacheStatus.HIT: "hit",
    CacheStatus.MISS: "miss",
    CacheStatus.LOOKUP_FAILURE: "failure",
    CacheStatus.SKIPPED: "skipped",
}
_QUEUES = ("inbox", "ready", "running", "attempts", "pool", "effects", "timers", "stuck")
_WORKERS = {"workers_idle": "idle", "workers_busy": "busy"}
_PATIENCE_SECONDS = 2.0
_PUT = {CacheStatus.POPULATED: "populated", CacheStatus.PUT_FAILURE: "failure"}


class Numbered(Protocol):
    """What says how much there is before it: an engine, a runner."""

    def numbers(self) -> Mapping[str, float]:
        """By the names in `_QUEUES` and `_WORKERS`; called on its loop."""
        ...


class _Reader(Collector):
    """Asks on their loop, from whatever thread Prometheus is answered in."""

    def __init__(self, sources: Sequence[Numbered], loop: asyncio.AbstractEventLoop) -> None:
        self._sources, self._loop = sources, loop

    def describe(self) -> list[Metric]:
        return [*_families({})]

    def collect(self) -> list[Metric]:
        found = Future[dict[str, float]]()
        try:
            self._loop.call_soon_threadsafe(self._read, found)
            return [*_families(found.result(timeout=_PATIENCE_SECONDS))]
        except (TimeoutError, RuntimeError):  # the engine is busy, or has ended
            return []

    def _read(self, found: Future[dict[str, float]]) -> None:
        found.set_result({name: value for one in self._sources for name, value in one.numbers().items()})


def _families(numbers: Mapping[str, float]) -> Iterator[Metric]:
    queues = GaugeMetricFamily("alula_queue_depth", "How much there is, by where.", labels=["queue"])
    workers = GaugeMetricFamily("alula_workers", "Worker processes.", labels=["state"])
    for name in _QUEUES:
        if name in numbers:
            queues.add_metric([name], numbers[name])
    for name, state in _WORKERS.items():
        if name in numbers:
            workers.add_metric([state], numbers[name])
    yield from (queues, workers)
    for name, text in (("started", "Workers that were forked."), ("died", "Workers that ended unasked.")):
        counted = CounterMetricFamily(f"alula_workers_{name}", text)
        if f"workers_{name}" in numbers:
            counted.add_metric([], numbers[f"workers_{name}"])
        yield counted


class Metrics(Silent):
    """An observer that counts.

    Args:
        registry: Where the metrics are; a new one if there is none.
    """

    def __init__(self, registry: CollectorRegistry | None = None, *, clock: Clock | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._clock = clock or SystemClock()
        self._ledgers: dict[int, tuple[Ledger, PlanOf]] = {}
        self._executions()
        self._work()
        self._store()
        self.calls = CallMetrics(self.registry)
        """Of the control plane, if this process serves one."""

    def _executions(self) -> None:
        of = self.registry
        self._held = Gauge("alula_executions", "Executions that the engine has.", registry=of)
        self._taken = Counter("alula_executions_taken", "Executions taken: begun, resumed, taken over.", registry=of)
        self._left = Counter("alula_executions_left", "Executions given away or closed, by why.", ["why"], registry=of)
        self._ended = Counter("alula_executions_ended", "Executions that ended.", ["phase"], registry=of)
        self._execution_seconds = Histogram(
            "alula_execution_seconds", "From creation to end.", ["phase"], registry=of, buckets=_SPANS
        )

    def _work(self) -> None:
        of = self.registry
        self._nodes = Counter("alula_nodes_ended", "Nodes that ended.", ["kind", "phase"], registry=of)
        self._node_seconds = Histogram(
            "alula_node_seconds", "From all inputs there to end.", ["kind"], registry=of, buckets=_SPANS
        )
        self._began = Counter("alula_attempts_started", "Attempts handed to a runner.", ["kind"], registry=of)
        self._attempts = Counter(
            "alula_attempts_ended", "Attempts whose outcome is known.", ["kind", "phase", "failure"], registry=of
        )
        self._queued = Histogram(
            "alula_attempt_queued_seconds", "Handed over, not running yet.", ["kind"], registry=of, buckets=_SPANS
        )
        self._ran = Histogram(
            "alula_attempt_run_seconds", "From running to outcome.", ["kind"], registry=of, buckets=_SPANS
        )
        self._retries = Counter("alula_retries", "Attempts that follow a failure.", ["charged"], registry=of)
        self._quarantined = Counter(
            "alula_attempts_quarantined", "Attempts whose clean-up keeps failing.", ["project"], registry=of
        )
        self._backoff = Histogram("alula_backoff_seconds", "Waits before retries.", registry=of, buckets=_SPANS)
        self._lookups = Counter("alula_cache_lookups", "Look-ups in the cache.", ["result"], registry=of)
        self._puts = Counter("alula_cache_puts", "Outputs offered to the cache.", ["result"], registry=of)

    def _store(self) -> None:
        of = self.registry
        self._commit_seconds = Histogram("alula_commit_seconds", "Until durable.", registry=of, buckets=_COMMITS)
        self._commit_rows = Histogram("alula_commit_rows", "Rows in a commit.", registry=of, buckets=_SIZES)
        self._commit_events = Histogram("alula_commit_events", "Events in a commit.", registry=of, buckets=_SIZES)

    def read(self, *sources: Numbered) -> None:
        """Show what engines and runners say of themselves. To be called on their loop, which is asked from then on."""
        self.registry.register(_Reader(sources, asyncio.get_running_loop()))

    def read_plugins(self, hosts: HostNumbers) -> None:
        """Show how the plugins of an engine do. To be called on its loop."""
        self.registry.register(PluginMetrics(hosts))

    # --- the observer ---

    def taken(self, execution: ExecutionRecord, plan_of: PlanOf) -> None:
        if execution.id not in self._ledgers:
            self._held.inc()
        self._taken.inc()
        self._ledgers[execution.id] = Ledger.of(execution, self._clock), plan_of

    def committed(self, execution: ExecutionRecord, commit: Committed) -> None:
        self._commit_seconds.observe(commit.seconds)
        self._commit_rows.observe(len(commit.rows))
        self._commit_events.observe(commit.events)
        ledger, plan_of = self._ledgers[execution.id]
        for change in ledger.changes(commit.rows):
            self._count(execution, change, plan_of)
        for row in commit.rows:
            if isinstance(row, NodeState) and row.phase is NodePhase.BACKOFF and row.wake_at is not None:
                self._backoff.observe(max(0.0, _seconds(commit.at, row.wake_at)))

    def quarantined(self, execution: ExecutionRecord, stuck: Stuck) -> None:
        self._quarantined.labels(execution.key.project).inc()

    def left(self, execution: ExecutionRecord, why: str) -> None:
        self._left.labels(why or "closed").inc()
        if self._ledgers.pop(execution.id, None) is not None:
            self._held.dec()

    def _count(self, execution: ExecutionRecord, change: Change, plan_of: PlanOf) -> None:
        match change:
            case NodeEnded(row) if row.path == ROOT:
                phase, ended_at = str(row.phase), row.ended_at or row.since
                self._ended.labels(phase).inc()
                self._execution_seconds.labels(phase).observe(_seconds(execution.created_at, ended_at))
            case NodeEnded(row):
                kind = plan_of(row.path).kind
                self._nodes.labels(kind, row.phase).inc()
                self._node_seconds.labels(kind).observe(_seconds(row.since, row.ended_at or row.since))
            case AttemptBegan(row):
                self._began.labels(plan_of(row.path).kind).inc()
            case AttemptEnded(row):
                self._attempt_ended(row, plan_of(row.path).kind)
            case Retried(_, charged):
                self._retries.labels(charged).inc()
            case CacheAnswered(row) if row.cache in _LOOKED_UP:
                self._lookups.labels(_LOOKED_UP[row.cache]).inc()
            case CacheAnswered(row) if row.cache in _PUT:
                self._puts.labels(_PUT[row.cache]).inc()

    def _attempt_ended(self, row: AttemptState, kind: Kind) -> None:
        ended_at = row.ended_at or row.since
        self._attempts.labels(kind, row.phase, row.failure.kind if row.failure is not None else "").inc()
        self._queued.labels(kind).observe(_seconds(row.since, row.started_at or ended_at))
        if row.started_at is not None:
            self._ran.labels(kind).observe(_seconds(row.started_at, ended_at))


def _seconds(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())
