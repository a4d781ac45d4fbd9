"""Prometheus metrics of the control plane: how many calls there are, how they end, and how long they take."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class CallMetrics:
    """Counts what is answered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        of = registry
        self._ended = Counter("alula_calls", "Calls that ended.", ["service", "call", "over", "code"], registry=of)
        self._seconds = Histogram(
            "alula_call_seconds", "From request to answer.", ["service", "call"], registry=of, buckets=_SECONDS
        )

    def answered(self, service: str, call: str, *, over: str, code: str, seconds: float) -> None:
        """Count one.

        Args:
            service: Its full name.
            over: `grpc` or `http`.
            code: Of gRPC: `OK`, `NOT_FOUND`.
        """
        of = service.rpartition(".")[2]
        self._ended.labels(of, call, over, code).inc()
        self._seconds.labels(of, call).observe(seconds)
