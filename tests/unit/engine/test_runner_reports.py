"""What runners keep, show and ask for, and what they are told of attempts that others have started."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from alula.errors import StoreUnavailable
from alula.plugin.runner import Asks, AttemptId, Failed, Job, Keeps, Shows, Started, Succeeded, Tell, Waits
from alula.store.memory import MemoryStore
from alula.store.records import Changes, Claim, PoolRecord
from tests.unit.compiler.build import ref
from tests.unit.engine.build import made, step, tuned
from tests.unit.engine.drive import FakeRunner, clock, create, ended, engine, hang, outputs, running, until, virtual
from tests.unit.engine.test_driver import BOOM, Seen
from tests.unit.idl.build import INT

ONE = made([step("n0")], outputs={"o0": (INT, ref("n0", "o0"))})
THREE = made([step("a"), step("b"), step("c")])
DONE = Succeeded(outputs(o0=1))


class Remote(FakeRunner):
    """Its jobs go on outside when their engine ends. Takes note of how it is asked to close."""

    def __init__(self, **more: object) -> None:
        super().__init__(local=False, **more)  # type: ignore[arg-type]
        self.jobs: list[Job | None] = []
        self.woken: list[AttemptId] = []

    def forget(self, id: AttemptId) -> None: ...

    def wake(self, id: AttemptId) -> None:
        self.woken.append(id)

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        self.jobs.append(job)
        super().close(id, abort=abort, reason=reason, done=done, job=job)


@virtual
async def test_what_is_kept_is_durable_before_it_is_said_to_be() -> None:
    store = MemoryStore(clock())
    seen: list[bytes] = []

    def keeping(job: Job, tell: Tell) -> None:
        async def look() -> None:
            seen.extend(one.state for one in await store.jobs(1))
            tell(Started())
            tell(DONE)

        tell(Keeps(b"intended", 2, lambda: spawned.append(asyncio.ensure_future(look()))))

    spawned: list[asyncio.Future[None]] = []
    record = await create(store, ONE)
    async with running(engine(store, FakeRunner(default=keeping))):
        await ended(store, record.id)
    assert seen == [b"intended"]


class Hiccup(MemoryStore):
    """Does not answer, though it has written, at the first commit that keeps something."""

    hiccups = 1

    async def commit(self, claim: Claim, changes: Changes) -> None:
        await super().commit(claim, changes)
        if changes.jobs and self.hiccups:
            self.hiccups -= 1
            raise StoreUnavailable("it went away")


@virtual
async def test_what_was_kept_is_said_once_though_the_store_did_not_answer() -> None:
    store, said = Hiccup(clock()), list[str]()

    def keeping(job: Job, tell: Tell) -> None:
        tell(Keeps(b"1", 1, lambda: said.append("first")))
        tell(Keeps(b"2", 1, lambda: [said.append("second"), tell(DONE)]))

    record = await create(store, ONE)
    async with running(engine(store, FakeRunner(default=keeping))):
        await ended(store, record.id)
    assert said == ["first", "second"]
    assert [one.state for one in await store.jobs(record.id)] == [b"2"]


@virtual
async def test_the_next_engine_hands_over_what_was_kept_and_says_that_the_attempt_is_not_fresh() -> None:
    store, first, second = MemoryStore(clock()), Remote(), Remote()
    first.default = lambda job, tell: tell(Keeps(b"key", 7, lambda: tell(Started())))
    record = await create(store, ONE)
    async with running(engine(store, first)):
        await until(store, record.id, "n0", "running")
    async with running(engine(store, second, owner="second")):
        record = await ended(store, record.id)
    [before], [after] = first.started, second.started
    assert (before.fresh, before.state, before.state_version) == (True, b"", 0)
    assert (after.fresh, after.state, after.state_version) == (False, b"key", 7)
    assert before.id == after.id
    assert before.id.name[1:9] == before.id.store == await store.tag()


@virtual
async def test_a_retry_is_fresh_and_has_kept_nothing() -> None:
    store, runner = MemoryStore(clock()), Remote()

    def script(job: Job, tell: Tell) -> None:
        tell(Keeps(b"key", 1, lambda: tell(BOOM if job.id.number == 0 else DONE)))

    runner.default = script
    record = await create(store, made([step("n0", retries=1)]))
    async with running(engine(store, runner)):
        await ended(store, record.id)
    assert [(job.id.number, job.fresh, job.state) for job in runner.started] == [(0, True, b""), (1, True, b"")]


@virtual
async def test_who_cleans_up_after_another_engine_is_given_the_job() -> None:
    store, first, second = MemoryStore(clock()), Remote(), Remote()
    first.default = lambda job, tell: tell(Keeps(b"key", 7, lambda: tell(Started())))
    record = await create(store, ONE)
    async with running(engine(store, first)):
        await until(store, record.id, "n0", "running")
    await store.ask(record.id, "abort", body=b"enough")
    async with running(engine(store, second, owner="second")):
        await ended(store, record.id)
    assert first.jobs == []
    job = second.jobs[0]
    assert job is not None
    assert all(one == job for one in second.jobs)  # it may be asked again at any time
    assert (job.fresh, job.state, job.state_version, job.inputs) == (False, b"key", 7, b"")
    assert job.template.id.name == first.started[0].template.id.name


@virtual
async def test_who_has_started_an_attempt_is_given_no_job_to_close() -> None:
    store, runner = MemoryStore(clock()), Remote(default=hang)
    record = await create(store, ONE)
    async with running(engine(store, runner)):
        await until(store, record.id, "n0", "running")
        await store.ask(record.id, "abort", body=b"enough")
        await ended(store, record.id)
    assert runner.jobs == [None]


@virtual
async def test_what_is_shown_twice_is_one_event_and_one_write() -> None:
    store, seen = MemoryStore(clock()), Seen()

    def showing(job: Job, tell: Tell) -> None:
        tell(Started())
        for nth, info in enumerate([b"a", b"a", b"b", b"b", b"a"]):
            asyncio.get_running_loop().call_later(0.1 * nth, tell, Shows(info))
        asyncio.get_running_loop().call_later(5, tell, Shows(b"last"))
        asyncio.get_running_loop().call_later(5, tell, DONE)

    record = await create(store, ONE)
    async with running(engine(store, FakeRunner(default=showing), observers=[seen])):
        await asyncio.sleep(3)
        assert [one.info for one in await store.jobs(record.id)] == [b"a"]
        await ended(store, record.id)
    assert seen.reports == [Shows(b"a"), Shows(b"b"), Shows(b"a"), Shows(b"last")]
    assert [one.info for one in await store.jobs(record.id)] == [b"last"]


def in_line(seconds: float = 10.0) -> Callable[[Job, Tell], None]:
    """Takes a unit, and runs as long as that."""

    def script(job: Job, tell: Tell) -> None:
        def go() -> None:
            tell(Started())
            asyncio.get_running_loop().call_later(seconds, tell, DONE)

        tell(Asks("pg", 1, go))

    return script


@virtual
async def test_attempts_wait_for_units_and_say_so() -> None:
    store, seen, runner = MemoryStore(clock()), Seen(), FakeRunner(default=in_line())
    await store.set_pool(PoolRecord("pg", 1))
    record = await create(store, THREE)
    async with running(engine(store, runner, observers=[seen])):
        await asyncio.sleep(5)
        told = {row.path: row.message for row in await store.progress(record.id) if row.message}
        assert told == {
            "b": "quota pg: 1 of 1 units in use, 0 before it",
            "c": "quota pg: 1 of 1 units in use, 1 before it",
        }
        began = asyncio.get_running_loop().time()
        await ended(store, record.id)
        assert 24 < asyncio.get_running_loop().time() - began < 27
    assert store.open_leases() == []
    assert seen.reports.count(Waits("")) == 3


@virtual
async def test_asking_again_for_what_it_has_is_answered_again() -> None:
    store, granted = MemoryStore(clock()), list[int]()
    await store.set_pool(PoolRecord("pg", 1))

    def script(job: Job, tell: Tell) -> None:
        def again() -> None:
            granted.append(1)
            tell(Asks("pg", 1, lambda: tell(DONE)))

        tell(Asks("pg", 1, again))

    record = await create(store, ONE)
    async with running(engine(store, FakeRunner(default=script))):
        await ended(store, record.id)
    assert granted == [1]
    assert store.open_leases() == []


@virtual
async def test_a_grant_reaches_the_engine_that_has_the_execution_then() -> None:
    store, first, second = MemoryStore(clock()), Remote(default=in_line(30)), Remote(default=in_line(1))
    await store.set_pool(PoolRecord("pg", 1))
    holder = await create(store, ONE, name="holder")
    async with running(engine(store, first, owner="one", only=[holder.id])):
        await until(store, holder.id, "n0", "running")
        record = await create(store, ONE, name="waits")
        async with running(engine(store, Remote(default=in_line(1)), owner="two", only=[record.id])):
            await asyncio.sleep(2)
        async with running(engine(store, second, owner="three", only=[record.id])):
            await asyncio.sleep(2)
            assert len(store.open_leases()) == 2
            record = await ended(store, record.id)
            assert record.phase == "succeeded"
        await ended(store, holder.id)
    assert store.open_leases() == []


@virtual
async def test_an_attempt_that_fails_or_is_aborted_gives_its_units_back_when_it_is_closed() -> None:
    store, runner = MemoryStore(clock()), FakeRunner(broken=2)
    await store.set_pool(PoolRecord("pg", 1))
    runner.default = lambda job, tell: tell(Asks("pg", 1, lambda: tell(Failed(BOOM.failure, closed=False))))
    record = await create(store, ONE)
    async with running(engine(store, runner)):
        await until(store, record.id, "n0", "failed")
        assert len(store.open_leases()) == 1
        await ended(store, record.id)
    assert store.open_leases() == []


@virtual
async def test_the_wait_for_a_pool_is_no_part_of_the_timeout_of_an_attempt() -> None:
    """M13."""
    store = MemoryStore(clock())
    record = await create(store, made([step("n0", timeout=2)]))
    async with running(engine(store, FakeRunner(default=in_line(1)))):
        await asyncio.sleep(10)
        await store.set_pool(PoolRecord("pg", 1))
        record = await ended(store, record.id)
    assert record.phase == "succeeded"


@virtual
async def test_somebody_outside_wakes_an_attempt() -> None:
    store, runner = MemoryStore(clock()), Remote(default=hang)
    record = await create(store, ONE)
    async with running(engine(store, runner)):
        await until(store, record.id, "n0", "running")
        await store.ask(record.id, "wake", path="n0", attempt=0)
        await store.ask(record.id, "wake", path="n9", attempt=3)
        await asyncio.sleep(1)
        assert [(id.path, id.number) for id in runner.woken] == [("n0", 0)]
        assert store.open_commands() == []
        runner.tells["n0", 0](DONE)
        await ended(store, record.id)


@virtual
async def test_an_attempt_that_cannot_be_cleaned_up_after_is_in_quarantine_until_it_can() -> None:
    store, seen, runner = MemoryStore(clock()), Seen(), FakeRunner(default=hang, broken=5)
    record = await create(store, ONE)
    async with running(engine(store, runner, observers=[seen])):
        await until(store, record.id, "n0", "running")
        await store.ask(record.id, "abort", body=b"enough")
        await asyncio.sleep(5)
        assert (await store.execution_by_id(record.id)).phase == "aborted"
        await asyncio.sleep(5)
        [stuck] = await store.stuck()
        assert (stuck.execution, stuck.path, stuck.number, stuck.error) == (record.id, "n0", 0, "the machine says no")
        assert stuck.tries >= 3
        await ended(store, record.id)
    assert await store.stuck() == []
    assert [one.tries for one in seen.quarantine] == [3]


@virtual
async def test_quarantine_outlives_its_engine() -> None:
    store, second = MemoryStore(clock()), FakeRunner(broken=1)
    record = await create(store, ONE)
    async with running(engine(store, FakeRunner(default=hang, broken=99))):
        await until(store, record.id, "n0", "running")
        await store.ask(record.id, "abort", body=b"enough")
        await asyncio.sleep(30)
    [before] = await store.stuck()
    async with running(engine(store, second, owner="second")):
        await asyncio.sleep(0.5)
        [after] = await store.stuck()
        assert (after.since, after.tries) == (before.since, before.tries + 1)
        await store.ask(record.id, "wake", path="n0")
        await asyncio.sleep(0.5)
        assert await store.stuck() == []
        await ended(store, record.id)


class Absent(FakeRunner):
    """Takes no task, until it does."""

    there = False

    def accepts(self, template: object) -> str:
        return "" if self.there else "plugin x cannot be loaded"


@virtual
async def test_what_an_absent_runner_has_started_is_not_forgotten() -> None:
    store, second = MemoryStore(clock()), Absent(local=False)
    record = await create(store, ONE)
    async with running(engine(store, Remote(default=hang))):
        await until(store, record.id, "n0", "running")
    async with running(engine(store, second, owner="second")):
        await asyncio.sleep(60)
        [stuck] = await store.stuck()
        assert "plugin x cannot be loaded" in stuck.error
        second.there = True
        await ended(store, record.id)
    assert [(id.path, abort) for id, abort in second.closed] != []


@virtual
async def test_the_wait_for_a_pool_counts_for_the_deadline_of_the_queue() -> None:
    """M14."""
    store = MemoryStore(clock())
    await store.set_pool(PoolRecord("pg", 0))
    record = await create(store, made([tuned(step("n0"), queued=5)]))
    async with running(engine(store, FakeRunner(default=in_line(1)))):
        record = await ended(store, record.id, within=6)
    assert record.phase == "failed"
    assert "QueuedTimeout" in record.error
    assert store.open_leases() == []
