from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler
from opentelemetry.trace import StatusCode

from alula.engine.state import Settings
from alula.engine.traces import TRACEPARENT
from alula.observability.opening import open_spans
from alula.observability.spans import Spans
from alula.plugin.failure import AttemptFailure
from alula.plugin.runner import Failed, Succeeded
from alula.store.memory import MemoryStore
from tests.unit.compiler.build import const, task_node
from tests.unit.engine.build import made, step
from tests.unit.engine.drive import FakeRunner, after, clock, create, ended, engine, in_turn, outputs, running, virtual
from tests.unit.engine.test_launch import PARENT, child_key, plan_node, registered

DONE = after(1, Succeeded(outputs(o0=1)))
BOOM = after(1, Failed(AttemptFailure("USER:Boom", "it broke", recoverable=True)))
WORKFLOW = "workflow p:d:w:v"
OUTER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FAST = Settings(user_backoff=timedelta(seconds=1))


class Told:
    """A tracer provider that keeps what it is told."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def spans(self) -> Spans:
        return Spans(self.provider, clock=clock())

    @property
    def all(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def of(self, execution: str, name: str = "") -> Sequence[ReadableSpan]:
        """The spans of one execution."""
        mine = [one for one in self.all if one.attributes and one.attributes["alula.execution"] == execution]
        return [one for one in mine if name in ("", one.name)]

    def named(self, name: str) -> ReadableSpan:
        [found] = [one for one in self.all if one.name == name]
        return found


def seconds(start: int | None, end: int | None) -> float:
    assert start is not None
    assert end is not None
    return (end - start) / 1e9


async def told(*nodes, runner: FakeRunner | None = None, facts: dict[str, str] | None = None) -> Told:  # type: ignore[no-untyped-def]
    found, store = Told(), MemoryStore(clock())
    record = await create(store, made(nodes), settings=FAST, facts=facts)
    async with running(engine(store, runner or FakeRunner(DONE), observers=[found.spans()])):
        await ended(store, record.id)
        await asyncio.sleep(1)
    return found


@virtual
async def test_there_is_a_span_for_the_execution_each_node_and_each_attempt_below_one_another() -> None:
    found = await told(step("n0"), step("n1", "n0"))
    root, node, attempt = found.named(WORKFLOW), found.named("n0"), found.named("n0 attempt 0")
    assert root.parent is None
    assert node.parent is not None
    assert attempt.parent is not None
    assert node.parent.span_id == root.context.span_id
    assert attempt.parent.span_id == node.context.span_id
    assert {one.context.trace_id for one in found.all} == {root.context.trace_id}
    assert len({one.context.span_id for one in found.all}) == len(found.all) == 5


@virtual
async def test_spans_have_the_times_of_rows() -> None:
    found = await told(step("n0"), step("n1", "n0"))
    first, second = found.named("n0"), found.named("n1")
    assert seconds(first.start_time, first.end_time) == pytest.approx(1, abs=0.1)
    assert seconds(first.end_time, second.start_time) == pytest.approx(0, abs=0.1)
    attempt = found.named("n1 attempt 0")
    assert [event.name for event in attempt.events] == ["started"]


@virtual
async def test_a_failure_is_the_status_of_its_attempt_and_of_what_it_fails() -> None:
    found = await told(step("n0", retries=1), runner=FakeRunner(in_turn(BOOM, DONE)))
    failed, fine, node = found.named("n0 attempt 0"), found.named("n0 attempt 1"), found.named("n0")
    assert failed.status.status_code is StatusCode.ERROR
    assert [event.attributes for event in failed.events if event.name == "exception"] == [
        {"exception.type": "USER:Boom", "exception.message": "it broke"}
    ]
    assert fine.status.status_code is node.status.status_code is StatusCode.UNSET
    assert node.attributes is not None
    assert node.attributes["alula.retries"] == 1
    assert node.attributes["alula.phase"] == "succeeded"


@virtual
async def test_a_node_that_hits_the_cache_says_so_and_has_no_attempt() -> None:
    found, store = Told(), MemoryStore(clock())
    closure = made([task_node("n0", "slow", x=const(1))])
    async with running(engine(store, FakeRunner(DONE), observers=[found.spans()])):
        for name in ("first", "second"):
            record = await create(store, closure, name=name)
            await ended(store, record.id)
            await asyncio.sleep(1)
    nodes = [one for one in found.all if one.name == "n0"]
    assert [one.attributes["alula.cache"] for one in nodes if one.attributes] == ["pending", "hit"]
    assert [one.name for one in found.all].count("n0 attempt 0") == 1


@virtual
async def test_a_trace_stays_whole_when_another_engine_takes_over() -> None:
    found, store = Told(), MemoryStore(clock())
    record = await create(store, made([step("n0"), step("n1", "n0")]))
    runner = FakeRunner(DONE)
    async with running(engine(store, runner, owner="one", observers=[found.spans()])):
        await asyncio.sleep(1.5)
    async with running(engine(store, runner, owner="two", observers=[found.spans()])):
        await ended(store, record.id)
    assert sorted(one.name for one in found.all) == ["n0", "n0 attempt 0", "n1", "n1 attempt 0", WORKFLOW]
    assert len({one.context.trace_id for one in found.all}) == 1
    node = found.named("n1")
    assert node.parent is not None
    assert node.parent.span_id == found.named(WORKFLOW).context.span_id


@virtual
async def test_an_execution_joins_the_trace_that_it_was_started_in() -> None:
    found = await told(step("n0"), facts={TRACEPARENT: OUTER})
    root = found.named(WORKFLOW)
    assert root.parent is not None
    assert f"{root.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{root.parent.span_id:016x}" == "b7ad6b7169203331"


@virtual
async def test_a_trace_that_is_not_sampled_has_no_part_either() -> None:
    found, store = Told(ParentBased(ALWAYS_OFF)), MemoryStore(clock())
    record = await create(store, made([step("n0")]))
    async with running(engine(store, FakeRunner(DONE), observers=[found.spans()])):
        await ended(store, record.id)
    assert not found.all


def test_without_an_sdk_there_is_no_observer() -> None:
    assert open_spans() is None


@pytest.mark.parametrize("facts", [{}, {TRACEPARENT: OUTER}], ids=["own trace", "a trace from outside"])
def test_a_child_execution_is_below_the_attempt_that_launched_it(facts: dict[str, str]) -> None:
    @virtual
    async def test() -> None:
        found, store = Told(), MemoryStore(clock())
        await registered(store)
        record = await create(store, PARENT, facts=facts)
        async with running(engine(store, FakeRunner(DONE), observers=[found.spans()])):
            await ended(store, record.id)
            await asyncio.sleep(1)
        child = (await store.execution(child_key())).key.name
        [attempt] = found.of("ex", "n0 attempt 0")
        [below] = [one for one in found.of(child) if one.attributes and "alula.path" not in one.attributes]
        [inside] = found.of(child, "n0 attempt 0")
        assert below.parent is not None
        assert below.parent.span_id == attempt.context.span_id
        assert inside.context.span_id != attempt.context.span_id
        [trace] = {one.context.trace_id for one in found.all}
        assert (f"{trace:032x}" in OUTER) == bool(facts)
        assert len(found.of(child)) == 3

    test()


@virtual
async def test_a_second_attempt_at_a_child_execution_is_below_that_attempt() -> None:
    found, store = Told(), MemoryStore(clock())
    await registered(store)
    record = await create(store, made([plan_node("n0", retries=1)]), settings=FAST)
    runner = FakeRunner(scripts={"n0": lambda job, tell: (BOOM if job.id.execution == first else DONE)(job, tell)})
    first = child_key(0).name
    async with running(engine(store, runner, observers=[found.spans()])):
        await ended(store, record.id)
        await asyncio.sleep(1)
    for number in (0, 1):
        [attempt] = found.of("ex", f"n0 attempt {number}")
        roots = [one for one in found.of(child_key(number).name) if one.parent]
        assert attempt.context.span_id in {one.parent.span_id for one in roots if one.parent}
