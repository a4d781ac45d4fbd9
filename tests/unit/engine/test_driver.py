"""Whole executions through the engine's door, on a store in memory, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from alula.config import EngineConfig
from alula.data.stores import Objects
from alula.engine.cleanup import Stuck
from alula.engine.codec import read_attempt, read_node, read_values
from alula.engine.observe import Committed, Silent
from alula.engine.state import Ref, Settings, Values
from alula.idl import Literal, LiteralMap, literals
from alula.plugin.failure import AttemptFailure, FailureKind
from alula.plugin.runner import Failed, Job, Progressed, Report, Shows, Started, Succeeded, Tell, Waits
from alula.store.memory import MemoryStore
from alula.store.records import Claim, ExecutionRecord
from tests.unit.compiler.build import const, ref, task_node
from tests.unit.engine.build import approve_node, made, signal_node, sleep_node, step
from tests.unit.engine.drive import (
    FakeRunner,
    after,
    clock,
    create,
    ended,
    engine,
    hang,
    in_turn,
    outputs,
    phases,
    result,
    running,
    says,
    total,
    until,
    virtual,
)
from tests.unit.engine.test_nodes import mapped
from tests.unit.idl.build import INT, list_of

FAST = Settings(user_backoff=timedelta(seconds=1), grace=timedelta(seconds=4))
BOOM = Failed(AttemptFailure("USER:Boom", "it broke", recoverable=True))
LOST = Failed(AttemptFailure("MachineGone", "it is gone", FailureKind.SYSTEM, recoverable=True))


def chain(length: int) -> list:  # type: ignore[type-arg]
    return [step("n0"), *(step(f"n{nth}", f"n{nth - 1}") for nth in range(1, length))]


@virtual
async def test_a_chain_runs_to_its_end() -> None:
    store, runner = MemoryStore(clock()), FakeRunner()
    record = await create(store, made(chain(10), outputs={"o0": (INT, ref("n9", "o0"))}))
    async with running(engine(store, runner)):
        record = await ended(store, record.id)
    assert (record.phase, result(record)) == ("succeeded", 2**10)
    assert runner.paths() == [f"n{nth}" for nth in range(10)]
    assert not runner.opened


@virtual
async def test_a_step_of_a_chain_is_one_commit() -> None:
    store, runner = MemoryStore(clock()), FakeRunner()
    record = await create(store, made(chain(20)))
    seen = Seen()
    async with running(engine(store, runner, observers=[seen])):
        await ended(store, record.id)
    assert len(seen.commits) == 21


@virtual
async def test_a_job_is_told_all_that_it_needs() -> None:
    store, runner = MemoryStore(clock()), FakeRunner()
    record = await create(store, made([step("n0", retries=2)]))
    async with running(engine(store, runner)):
        await ended(store, record.id)
    [job] = runner.started
    assert (job.id.project, job.id.domain, job.id.execution, job.id.path, job.id.number) == ("p", "d", "ex", "n0", 0)
    assert job.prefix == "memory://data/p/d/ex/n0/0"
    assert (job.template.id.name, job.attempts, job.index, total(job.inputs)) == ("add", 3, -1, 2)


@virtual
async def test_failures_are_tried_again_after_a_while_and_charged() -> None:
    store = MemoryStore(clock())
    runner = FakeRunner(scripts={"n0": in_turn(says(BOOM), says(LOST), says(Started(), Succeeded(outputs(o0=7))))})
    record = await create(store, made([step("n0", retries=1)], outputs={"o0": (INT, ref("n0", "o0"))}), settings=FAST)
    async with running(engine(store, runner)):
        record = await ended(store, record.id)
    assert result(record) == 7
    assert [job.id.number for job in runner.started] == [0, 1, 2]
    attempts = [read_attempt(one) for one in await store.attempts(record.id, "n0")]
    assert [one.failure and one.failure.code for one in attempts] == ["USER:Boom", "MachineGone", None]


@virtual
async def test_the_error_of_a_failed_execution_is_in_its_record() -> None:
    store, runner = MemoryStore(clock()), FakeRunner(scripts={"n0": says(BOOM)})
    record = await create(store, made([step("n0")]))
    async with running(engine(store, runner)):
        record = await ended(store, record.id)
    assert (record.phase, record.error) == ("failed", "USER:Boom (node n0): it broke")


@virtual
async def test_an_abort_stops_what_runs() -> None:
    store, runner = MemoryStore(clock()), FakeRunner(default=hang)
    record = await create(store, made([step("n0"), step("n1")]))
    async with running(engine(store, runner)):
        await until(store, record.id, "n1", "running")
        await store.ask(record.id, "abort", body=b"enough")
        record = await ended(store, record.id)
    assert (record.phase, record.error) == ("aborted", "Aborted: enough")
    assert [(id.path, abort) for id, abort in runner.closed] == [("n0", True), ("n1", True)]
    assert not store.open_commands()


class Slow(MemoryStore):
    """What it answers to a claim takes its time on the way, and somebody is faster."""

    async def claim(self, *given: Any, **more: Any) -> Sequence[Claim]:
        claims = await super().claim(*given, **more)
        for claim in claims:
            await self.ask(claim.execution, "abort", body=b"enough")
        await asyncio.sleep(1)
        return claims


@virtual
async def test_what_is_asked_while_the_answer_to_a_claim_is_on_its_way_is_heard() -> None:
    store, runner = Slow(clock()), FakeRunner(default=hang)
    record = await create(store, made([step("n0")]))
    async with running(engine(store, runner)):
        record = await asyncio.wait_for(ended(store, record.id), 3)
    assert record.phase == "aborted"


@virtual
async def test_an_abort_ends_the_execution_even_while_clean_up_keeps_failing() -> None:
    time = clock()
    store, runner = MemoryStore(time), FakeRunner(default=hang, broken=5)
    record = await create(store, made([step("n0")]), settings=FAST)
    made_engine = engine(store, runner)
    async with running(made_engine):
        await until(store, record.id, "n0", "running")
        before = time.monotonic()
        await store.ask(record.id, "abort", body=b"enough")
        await until(store, record.id, "", "aborted")
        assert time.monotonic() - before <= 5
        record = await store.execution_by_id(record.id)
        assert (record.phase, record.open) == ("aborted", True)
        while not made_engine.stuck():
            await asyncio.sleep(0.1)
        [stuck] = made_engine.stuck()
        assert (stuck.id.path, stuck.error) == ("n0", "the machine says no")
        [said] = await store.progress(record.id)
        assert said.message.startswith("its clean-up failed")
        record = await ended(store, record.id)
    assert (record.phase, record.open, len(runner.closed)) == ("aborted", False, 6)


@virtual
async def test_signals_open_gates_and_what_does_not_fit_is_refused() -> None:
    store, runner = MemoryStore(clock()), FakeRunner()
    nodes = [signal_node("n0", "how many?"), step("n1", "n0"), approve_node("n2", "go?", "n1"), step("n3", "n2")]
    record = await create(store, made(nodes, outputs={"o0": (INT, ref("n3", "o0"))}))
    made_engine = engine(store, runner)
    async with running(made_engine):
        await until(store, record.id, "n0", "running")
        await store.ask(record.id, "signal", path="how many?", body=literals.string("x").SerializeToString())
        await asyncio.sleep(1)
        [session] = made_engine.sessions
        assert session.effects is not None
        assert "how many?" in session.effects.refused
        assert not store.open_commands()
        await store.ask(record.id, "signal", path="go?", body=literals.boolean(True).SerializeToString())
        await store.ask(record.id, "signal", path="how many?", body=literals.integer(4).SerializeToString())
        record = await ended(store, record.id)
    assert result(record) == 16


@virtual
async def test_a_signal_that_cannot_even_be_read_is_dropped() -> None:
    store, runner = MemoryStore(clock()), FakeRunner()
    record = await create(store, made([signal_node("n0", "s")]))
    async with running(engine(store, runner)):
        await until(store, record.id, "n0", "running")
        await store.ask(record.id, "signal", path="s", body=b"\xff\xff")
        await store.ask(record.id, "signal", path="s", body=literals.integer(4).SerializeToString())
        record = await ended(store, record.id)
    assert record.phase == "succeeded"
    assert not store.open_commands()


@virtual
async def test_sleeps_and_deadlines_go_by_timers() -> None:
    time = clock()
    store, runner = MemoryStore(time), FakeRunner(scripts={"n1": hang})
    record = await create(store, made([sleep_node("s", 3600), step("n1", timeout=10)], patient=True), settings=FAST)
    async with running(engine(store, runner)):
        await until(store, record.id, "n1", "failed")
        assert 10 <= time.monotonic() <= 11
        record = await ended(store, record.id, within=4000)
    assert 3600 <= time.monotonic() <= 3601
    assert "TimeoutExpired" in record.error


@virtual
async def test_timers_survive_a_clock_that_is_set_back_or_forth() -> None:
    time = clock()
    store, runner = MemoryStore(time), FakeRunner()
    record = await create(store, made([sleep_node("s", 600)]))
    async with running(engine(store, runner, time=time)):
        await until(store, record.id, "s", "running")
        time.jump(timedelta(days=-1))
        await asyncio.sleep(300)
        assert (await phases(store, record.id))["s"] == "running"
        await ended(store, record.id, within=302)
        other = await create(store, made([sleep_node("s", 7200)]), name="other")
        await until(store, other.id, "s", "running")
        time.jump(timedelta(days=2))
        await ended(store, other.id, within=31)


@virtual
async def test_a_stopped_engine_gives_its_executions_back_and_the_next_one_goes_on() -> None:
    store = MemoryStore(clock())
    first, second = FakeRunner(scripts={"n1": hang}), FakeRunner()
    record = await create(store, made(chain(3), outputs={"o0": (INT, ref("n2", "o0"))}))
    async with running(engine(store, first)):
        await until(store, record.id, "n1", "running")
    assert (await store.execution_by_id(record.id)).owner == ""
    async with running(engine(store, second, owner="second")):
        record = await ended(store, record.id)
    assert result(record) == 8
    assert [(job.id.path, job.id.number) for job in second.started] == [("n1", 0), ("n2", 0)]


@virtual
async def test_progress_and_reasons_to_wait_are_kept_and_told() -> None:
    store = MemoryStore(clock())

    def slow(job: Job, tell: Tell) -> None:
        loop = asyncio.get_running_loop()
        tell(Waits("3 of 4 cores are taken"))
        loop.call_later(5, tell, Started())
        loop.call_later(6, tell, Progressed(0.5, "half"))
        loop.call_later(6.1, tell, Progressed(0.6))
        loop.call_later(9, tell, Succeeded(outputs(o0=1)))

    seen = Seen()
    record = await create(store, made([step("n0")]))
    async with running(engine(store, FakeRunner(default=slow), observers=[seen])):
        await asyncio.sleep(4)
        [row] = await store.progress(record.id)
        assert (row.path, row.number, row.done, row.message) == ("n0", 0, None, "3 of 4 cores are taken")
        await asyncio.sleep(4)
        [row] = await store.progress(record.id)
        assert (row.done, row.message) == (0.6, "half")
        await ended(store, record.id)
    assert seen.reports == [Waits("3 of 4 cores are taken"), Progressed(0.5, "half"), Progressed(0.6)]
    assert await store.progress(record.id) == []


@virtual
async def test_a_checkpoint_reaches_the_next_attempt() -> None:
    store = MemoryStore(clock())
    saved = says(Started(), Progressed(checkpoint="memory://saved"), BOOM)
    runner = FakeRunner(default=in_turn(saved, says(Started(), Succeeded(outputs(o0=1)))))
    record = await create(store, made([step("n0", retries=1)]))
    async with running(engine(store, runner)):
        await ended(store, record.id)
    assert [job.checkpoint for job in runner.started] == ["", "memory://saved"]


@virtual
async def test_a_wide_execution_does_not_starve_a_small_one() -> None:
    """Counted in commits: the small one needs 7, and gets every second turn at least."""
    store, runner, seen = MemoryStore(clock()), FakeRunner(), Seen()
    wide = await create(store, made([step(f"n{nth}") for nth in range(3000)]), settings=Settings(max_parallelism=0))
    small = await create(store, made(chain(6)), name="small")
    async with running(engine(store, runner, observers=[seen])):
        await ended(store, wide.id)
        await ended(store, small.id)
    order = [execution for execution, _ in seen.commits]
    last = len(order) - order[::-1].index(small.id)
    assert order[:last].count(wide.id) <= 12
    assert order.count(wide.id) > 12


@virtual
async def test_only_some_executions_are_driven_if_only_these_are_asked_for() -> None:
    store, runner = MemoryStore(clock()), FakeRunner()
    mine, other = await create(store, made(chain(2))), await create(store, made(chain(2)), name="other")
    made_engine = engine(store, runner, only=[mine.id])
    async with running(made_engine):
        await ended(store, mine.id)
        await made_engine.until_idle()
        assert (await store.execution_by_id(other.id)).phase == "queued"
        made_engine.drive(other.id)
        await ended(store, other.id)


@virtual
async def test_no_more_executions_are_taken_than_there_is_room_for() -> None:
    store, runner = MemoryStore(clock()), FakeRunner(default=after(10, Succeeded(outputs(o0=1))))
    ids = [(await create(store, made(chain(1)), name=f"ex{nth}")).id for nth in range(5)]
    made_engine = engine(store, runner, config=EngineConfig(executions=2))
    async with running(made_engine):
        await asyncio.sleep(5)
        assert len(made_engine.sessions) == 2
        assert len(runner.started) == 2
        for id in ids:
            await ended(store, id)


@virtual
async def test_the_cache_answers_for_a_task_that_ran_before() -> None:
    store, runner = MemoryStore(clock()), FakeRunner()
    closure = made([task_node("n0", "slow", x=const(3))], outputs={"o0": (INT, ref("n0", "o0"))})
    async with running(engine(store, runner)):
        for name in ("first", "second"):
            record = await ended(store, (await create(store, closure, name=name)).id)
            assert result(record) == 3
    assert len(runner.started) == 1
    row = await store.node(record.id, "n0")
    assert row is not None
    assert read_node(row).cache_source == "p:d:first n0"


@virtual
async def test_ten_tasks_with_one_reservation_run_once() -> None:
    store, runner = MemoryStore(clock()), FakeRunner(default=after(5, Succeeded(outputs(o0=9))))
    nodes = [task_node(f"n{nth}", "single", x=const(3)) for nth in range(10)]
    record = await create(store, made(nodes))
    async with running(engine(store, runner)):
        record = await ended(store, record.id)
    assert record.phase == "succeeded"
    assert len(runner.started) == 1
    assert not store.open_reservations()


@virtual
async def test_an_execution_is_recovered_from_another_one() -> None:
    store, runner = MemoryStore(clock()), FakeRunner(scripts={"n1": says(BOOM)})
    closure = made(chain(3), outputs={"o0": (INT, ref("n2", "o0"))})
    failed = await create(store, closure)
    async with running(engine(store, runner)):
        await ended(store, failed.id)
        runner.scripts.clear()
        runner.started.clear()
        record = await ended(store, (await create(store, closure, name="again", reference=failed.id)).id)
    assert (record.phase, result(record)) == ("succeeded", 8)
    assert runner.paths() == ["n1", "n2"]
    assert (await phases(store, record.id))["n0"] == "recovered"


@virtual
async def test_a_closure_that_was_never_compiled_fails_its_execution() -> None:
    store, runner = MemoryStore(clock()), FakeRunner()
    closure = made(chain(1))
    del closure.tasks[:]
    record = await create(store, closure)
    async with running(engine(store, runner)):
        record = await ended(store, record.id)
    assert record.phase == "failed"
    assert "BadWorkflow" in record.error


# --- Values ---------------------------------------------------------------------------------------------------------

SMALL = EngineConfig(inline_bytes=64)


def listed(size: int) -> Literal:
    return literals.collection([literals.integer(10**12 + nth) for nth in range(size)])


@virtual
async def test_large_outputs_lie_in_files_and_are_complete_where_they_go_in() -> None:
    store, objects = MemoryStore(clock()), Objects()
    many = Values.of({"o0": listed(100)}).data
    runner = FakeRunner(scripts={"numbers": says(Started(), Succeeded(many))})
    nodes = [task_node("n0", "numbers"), task_node("n1", "total", xs=ref("n0", "o0"))]
    record = await create(store, made(nodes, outputs={"o0": (list_of(INT), ref("n0", "o0"))}))
    async with running(engine(store, runner, config=SMALL, objects=objects)):
        record = await ended(store, record.id)
    (found,) = read_values(record.outputs).refs
    assert found.uri.startswith("memory://data/p/d/ex/n0/0/outputs-")
    assert read_values(record.outputs) == Values(b"", (Ref("o0", found.uri, "o0"),))
    assert await objects.read(found.uri) == many
    assert len(LiteralMap.FromString(runner.started[1].inputs).literals["xs"].collection.literals) == 100


@virtual
async def test_an_array_gathers_large_outputs_into_a_file() -> None:
    store, objects = MemoryStore(clock()), Objects()
    nodes = mapped(60)
    record = await create(
        store,
        made(nodes, outputs={"o0": (list_of(INT), ref(nodes[-1].id, "o0"))}),
        settings=Settings(inline_limit_bytes=100),
    )
    async with running(engine(store, FakeRunner(), config=SMALL, objects=objects)):
        record = await ended(store, record.id)
    [at] = read_values(record.outputs).refs
    found = LiteralMap.FromString(await objects.read(at.uri)).literals["o0"]
    assert len(found.collection.literals) == 60


@virtual
async def test_outputs_that_do_not_fit_fail_the_attempt() -> None:
    unfit = Values.of({"o0": literals.string("x")}).data
    extra = Values.of({"o0": literals.integer(1), "o1": literals.integer(1)}).data
    for given, code, tries in (
        (Succeeded(unfit), "OutputsUnfit", 1),
        (Succeeded(extra), "OutputsUnfit", 1),
        (Succeeded(b""), "RetriesExhausted|OutputsNotGenerated", 2),
        (Succeeded(b"\xff\xff"), "RetriesExhausted|OutputsBadFormat", 4),
    ):
        store, runner = MemoryStore(clock()), FakeRunner(default=says(Started(), given))
        record = await create(store, made([step("n0", retries=1)]), settings=FAST)
        async with running(engine(store, runner)):
            record = await ended(store, record.id)
        row = await store.node(record.id, "n0")
        assert row is not None
        failure = read_node(row).failure
        assert failure is not None
        assert (failure.code, len(runner.started)) == (code, tries)


@virtual
async def test_a_task_that_nobody_runs_fails_with_the_reasons() -> None:
    class Refusing(FakeRunner):
        def accepts(self, template: object) -> str:
            return "it needs a cluster; configure one"

    store = MemoryStore(clock())
    record = await create(store, made([step("n0", retries=3)]))
    async with running(engine(store, Refusing())):
        record = await ended(store, record.id)
    assert record.error == "NoRunner (node n0): nothing here runs task add: it needs a cluster; configure one"


@virtual
async def test_a_runner_that_raises_costs_an_attempt_and_nothing_else() -> None:
    def broken(job: Job, tell: Tell) -> None:
        raise RuntimeError("oops")

    store = MemoryStore(clock())
    record = await create(store, made([step("n0")], outputs={"o0": (INT, ref("n0", "o0"))}), settings=FAST)
    runner = FakeRunner(default=in_turn(broken, says(Started(), Succeeded(outputs(o0=5)))))
    async with running(engine(store, runner)):
        runner.live.clear()
        record = await ended(store, record.id)
    assert result(record) == 5


class Seen(Silent):
    """An observer that remembers."""

    def __init__(self) -> None:
        self.commits: list[tuple[int, Committed]] = []
        self.reports: list[Report] = []
        self.quarantine: list[Stuck] = []

    def committed(self, execution: ExecutionRecord, commit: Committed) -> None:
        self.commits.append((execution.id, commit))

    def reported(self, execution: ExecutionRecord, path: str, attempt: int, report: Progressed | Waits | Shows) -> None:
        self.reports.append(report)

    def quarantined(self, execution: ExecutionRecord, stuck: Stuck) -> None:
        self.quarantine.append(stuck)
