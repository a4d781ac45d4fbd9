"""OpenTelemetry spans: one for every execution, node and attempt, made when it ends, with the times of its row.

Needs the extra `otel`, and an SDK that the process has set up. Ids follow from names (`engine/traces.py`), so parents
and children find each other whichever engine says what when. What ends in the moment of a crash has no span.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    ProxyTracerProvider,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TracerProvider,
    set_span_in_context,
)

from alula._kits.clock import Clock, SystemClock
from alula.engine.observe import Committed, PlanOf, Silent
from alula.engine.plan import LEAVES
from alula.engine.state import ROOT, AttemptState, CacheStatus, Failure, NodePhase, NodeState, parent
from alula.engine.traces import outside, span_id, trace_id
from alula.observability.ledger import AttemptEnded, Ledger, NodeEnded
from alula.store.records import ExecutionRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def open_spans(*, clock: Clock | None = None) -> Spans | None:
    """Spans for the SDK that this process has set up; None if there is none."""
    provider = trace.get_tracer_provider()
    nobody = isinstance(provider, ProxyTracerProvider | trace.NoOpTracerProvider)
    return None if nobody else Spans(provider, clock=clock)


class _Ids:
    """Gives the next span the ids that it must have. The SDK asks its tracer's generator, and nobody else."""

    def __init__(self) -> None:
        self.trace, self.span = 0, 0

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span

    def is_trace_id_random(self) -> bool:
        return True  # digests are as even as random numbers, which is all that samplers ask


class Spans(Silent):
    """An observer that tells a tracer."""

    def __init__(self, provider: TracerProvider, *, clock: Clock | None = None) -> None:
        self._tracer: Tracer = provider.get_tracer("alula")
        self._ids = _Ids()
        if hasattr(self._tracer, "id_generator"):  # of the SDK; it is this tracer's alone
            self._tracer.id_generator = self._ids
        self._clock = clock or SystemClock()
        self._known: dict[int, tuple[Ledger, PlanOf, TraceFlags]] = {}

    def taken(self, execution: ExecutionRecord, plan_of: PlanOf) -> None:
        self._known[execution.id] = Ledger.of(execution, self._clock), plan_of, self._flags(execution)

    def committed(self, execution: ExecutionRecord, commit: Committed) -> None:
        ledger, plan_of, flags = self._known[execution.id]
        for change in ledger.changes(commit.rows):
            if not flags.sampled:
                continue
            match change:
                case NodeEnded(row):
                    self._end(execution, _node(execution, row, plan_of), flags)
                case AttemptEnded(row):
                    self._end(execution, _attempt(row, plan_of), flags)

    def left(self, execution: ExecutionRecord, why: str) -> None:
        self._known.pop(execution.id, None)

    def _flags(self, execution: ExecutionRecord) -> TraceFlags:
        """Whether the sampler wants the trace: asked once, for the root, so that all of a trace is there or nothing."""
        self._ids.trace, self._ids.span = trace_id(execution), span_id(execution, ROOT)
        return self._tracer.start_span("execution", self._outside(execution)).get_span_context().trace_flags

    def _end(self, execution: ExecutionRecord, one: _Ended, flags: TraceFlags) -> None:
        self._ids.trace, self._ids.span = trace_id(execution), span_id(execution, one.path, one.attempt)
        context = self._outside(execution)
        if one.path != ROOT:
            above = span_id(execution, parent(one.path) if one.attempt < 0 else one.path)
            context = _under(self._ids.trace, above, flags)
        made = self._tracer.start_span(
            one.name, context, attributes=_ids_of(execution) | one.attributes, start_time=_nanos(one.since)
        )
        if one.started_at is not None:
            made.add_event("started", timestamp=_nanos(one.started_at))
        if one.failure is not None:
            made.set_status(Status(StatusCode.ERROR, one.failure.message))
            said = {"exception.type": one.failure.code, "exception.message": one.failure.message}
            made.add_event("exception", said, timestamp=_nanos(one.ended_at))
        made.end(end_time=_nanos(one.ended_at))

    def _outside(self, execution: ExecutionRecord) -> Context:
        given = outside(execution)
        return _under(*given, _SAMPLED, remote=True) if given is not None else Context()


@dataclass(frozen=True, slots=True)
class _Ended:
    """A node or an attempt that has ended, in the words of a span."""

    path: str
    attempt: int
    name: str
    since: datetime
    started_at: datetime | None
    ended_at: datetime
    failure: Failure | None
    attributes: dict[str, str | int | bool]


def _node(execution: ExecutionRecord, row: NodeState, plan_of: PlanOf) -> _Ended:
    attributes: dict[str, str | int | bool] = {"alula.phase": str(row.phase)}
    if row.path == ROOT:
        name = execution.entity
    else:
        plan = plan_of(row.path)
        name = plan.title
        attributes |= {"alula.path": row.path, "alula.kind": str(plan.kind)}
        if plan.kind in LEAVES and row.phase is not NodePhase.SKIPPED:
            attributes["alula.retries"] = row.attempt
        if row.cache is not CacheStatus.DISABLED:
            attributes["alula.cache"] = str(row.cache)
    failure = None if row.phase.good or row.phase is NodePhase.SKIPPED else row.failure
    ended_at = row.ended_at or row.since
    return _Ended(row.path, -1, name, row.since, row.started_at, ended_at, failure, attributes)


def _attempt(row: AttemptState, plan_of: PlanOf) -> _Ended:
    attributes: dict[str, str | int | bool] = {
        "alula.path": row.path,
        "alula.attempt": row.number,
        "alula.phase": str(row.phase),
        "alula.interruptible": row.interruptible,
    }
    name = f"{plan_of(row.path).title} attempt {row.number}"
    ended_at = row.ended_at or row.since
    return _Ended(row.path, row.number, name, row.since, row.started_at, ended_at, row.failure, attributes)


def _ids_of(execution: ExecutionRecord) -> dict[str, str | int | bool]:
    key = execution.key
    return {"alula.project": key.project, "alula.domain": key.domain, "alula.execution": key.name}


def _under(trace_id: int, span_id: int, flags: TraceFlags, *, remote: bool = False) -> Context:
    return set_span_in_context(NonRecordingSpan(SpanContext(trace_id, span_id, remote, flags)), Context())


def _nanos(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND * 1_000
