from __future__ import annotations

import asyncio
import re
import urllib.request
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from alula.engine.state import Settings
from alula.errors import ConfigError
from alula.observability.exposition import serve_metrics
from alula.observability.metrics import Metrics
from alula.observability.opening import open_metrics
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.runner import Failed, Succeeded
from alula.store.memory import MemoryStore
from alula.testing.sim.loop import VirtualClock
from tests.meta.source import ROOT
from tests.unit.compiler.build import const, task_node
from tests.unit.engine.build import made, step
from tests.unit.engine.drive import FakeRunner, after, clock, create, ended, engine, in_turn, outputs, running, virtual

DONE = after(1, Succeeded(outputs(o0=1)))
BOOM = after(1, Failed(AttemptFailure("USER:Boom", "it broke", recoverable=True)))
LOST = after(1, Failed(AttemptFailure("Lost", "it is gone", FailureKind.SYSTEM, recoverable=True)))
OPEN = after(1, Failed(AttemptFailure("USER:Boom", "it broke"), closed=False))
FAST = Settings(user_backoff=timedelta(seconds=1), system_backoff=timedelta(seconds=1))


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def watched(runner: FakeRunner, *nodes, settings: Settings = FAST, time: VirtualClock | None = None) -> Metrics:  # type: ignore[no-untyped-def]
    """The metrics of one execution, run to its end."""
    time = time or clock()
    metrics, store = Metrics(clock=time), MemoryStore(time)
    record = await create(store, made(nodes), settings=settings)
    async with running(engine(store, runner, observers=[metrics])):
        await ended(store, record.id)
        await asyncio.sleep(1)
    return metrics


@virtual
async def test_executions_nodes_and_attempts_are_counted_with_their_times() -> None:
    metrics = await watched(FakeRunner(DONE), step("n0"), step("n1", "n0"))
    assert value(metrics, "alula_executions_taken_total") == 1
    assert value(metrics, "alula_executions_ended_total", phase="succeeded") == 1
    assert value(metrics, "alula_execution_seconds_sum", phase="succeeded") == pytest.approx(2, abs=0.2)
    assert value(metrics, "alula_nodes_ended_total", kind="task", phase="succeeded") == 2
    assert value(metrics, "alula_attempts_started_total", kind="task") == 2
    assert value(metrics, "alula_attempts_ended_total", kind="task", phase="succeeded", failure="") == 2
    assert value(metrics, "alula_attempt_run_seconds_sum", kind="task") == pytest.approx(2, abs=0.2)
    assert value(metrics, "alula_commit_seconds_count") == value(metrics, "alula_commit_rows_count")


@virtual
async def test_an_execution_that_was_left_is_held_no_more() -> None:
    metrics = await watched(FakeRunner(DONE), step("n0"))
    assert value(metrics, "alula_executions") == 0
    assert value(metrics, "alula_executions_left_total", why="closed") == 1


@virtual
async def test_retries_are_counted_by_who_pays_and_their_waits_are_timed() -> None:
    runner = FakeRunner(in_turn(BOOM, LOST, DONE))
    metrics = await watched(runner, step("n0", retries=1))
    assert value(metrics, "alula_retries_total", charged="user") == 1
    assert value(metrics, "alula_retries_total", charged="system") == 1
    assert value(metrics, "alula_attempts_ended_total", kind="task", phase="failed", failure="user") == 1
    assert value(metrics, "alula_attempts_ended_total", kind="task", phase="failed", failure="system") == 1
    assert value(metrics, "alula_backoff_seconds_count") == 2
    assert value(metrics, "alula_backoff_seconds_sum") == pytest.approx(2.5, abs=0.6)


@virtual
async def test_attempts_in_quarantine_are_counted() -> None:
    metrics = await watched(FakeRunner(OPEN, broken=5), step("n0"))
    assert value(metrics, "alula_attempts_quarantined_total", project="p") == 1


@virtual
async def test_the_cache_is_counted_by_what_it_answers() -> None:
    time, store = clock(), MemoryStore(clock())
    metrics = Metrics(clock=time)
    closure = made([task_node("n0", "slow", x=const(1))])
    async with running(engine(store, FakeRunner(DONE), observers=[metrics])):
        for name in ("first", "second"):
            record = await create(store, closure, name=name)
            await ended(store, record.id)
            await asyncio.sleep(1)
    assert value(metrics, "alula_cache_lookups_total", result="miss") == 1
    assert value(metrics, "alula_cache_puts_total", result="populated") == 1
    assert value(metrics, "alula_cache_lookups_total", result="hit") == 1


@virtual
async def test_an_engine_that_takes_over_counts_only_what_ends_with_it() -> None:
    store = MemoryStore(clock())
    record = await create(store, made([step("n0"), step("n1", "n0")]))
    first, second = Metrics(clock=clock()), Metrics(clock=clock())
    runner = FakeRunner(DONE)
    async with running(engine(store, runner, owner="one", observers=[first])):
        await asyncio.sleep(1.5)
    async with running(engine(store, runner, owner="two", observers=[second])):
        await ended(store, record.id)
    for metrics in (first, second):
        assert value(metrics, "alula_nodes_ended_total", kind="task", phase="succeeded") == 1
    assert value(first, "alula_executions_left_total", why="the engine stops") == 1
    assert value(second, "alula_executions_taken_total") == 1


async def test_what_there_is_to_do_is_read_from_the_engine_when_somebody_asks() -> None:
    class Engine:
        def numbers(self) -> dict[str, float]:
            asyncio.get_running_loop()  # on its loop, and nowhere else
            return {"inbox": 3, "timers": 7, "workers_idle": 2, "workers_started": 9}

    metrics = Metrics()
    metrics.read(Engine())
    said = (await asyncio.to_thread(generate_latest, metrics.registry)).decode()
    assert 'alula_queue_depth{queue="inbox"} 3.0' in said
    assert 'alula_workers{state="idle"} 2.0' in said
    assert "alula_workers_started_total 9.0" in said


def test_an_engine_that_has_ended_says_nothing() -> None:
    metrics = Metrics()

    async def read() -> None:
        metrics.read()

    asyncio.run(read())
    assert b"alula_queue_depth" not in generate_latest(metrics.registry)


def test_metrics_are_served_on_this_machine_only_unless_told_otherwise() -> None:
    shown = serve_metrics(open_metrics().registry, "0")
    try:
        assert shown.host == "127.0.0.1"
        with urllib.request.urlopen(f"http://{shown.host}:{shown.port}/metrics", timeout=10) as answer:
            assert b"alula_executions_taken_total 0.0" in answer.read()
        with pytest.raises(ConfigError, match="cannot be served"):
            serve_metrics(CollectorRegistry(), f"{shown.port}")
    finally:
        shown.close()


@pytest.mark.parametrize("address", ["", "localhost:", "host:port", "1.2.3.4:99999"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="no address"):
        serve_metrics(CollectorRegistry(), address)


def test_every_metric_is_documented_and_nothing_else_is() -> None:
    metrics = Metrics()

    async def read() -> None:
        class Nothing:
            def numbers(self) -> dict[str, float]:
                return {}

            def calls(self) -> dict[str, dict[str, tuple[int, int, float]]]:
                return {}

        metrics.read(Nothing())
        metrics.read_plugins(Nothing())  # type: ignore[arg-type] # of neither is there any
        said = await asyncio.to_thread(lambda: list(metrics.registry.collect()))
        names.update(one.name + ("_total" if one.type == "counter" else "") for one in said)

    names = set[str]()
    asyncio.run(read())
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    assert set(re.findall(r"^\| `(alula_\w+)`", page, re.MULTILINE)) == names
