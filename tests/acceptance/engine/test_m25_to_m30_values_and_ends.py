"""M25 to M30: values on their way, the cache, recovery, parallelism and abort."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgpack
import pytest
from google.protobuf.struct_pb2 import Struct

from alula.engine.codec import read_node
from alula.engine.nodes.task import child_name
from alula.engine.state import CacheStatus, NodePhase, Settings
from alula.errors import DataError, StoreUnavailable
from alula.idl import Literal, LiteralMap, LiteralOffloadedMetadata, literals
from alula.plugin.runner import Job, Started, Succeeded, Tell
from tests.acceptance.engine.scene import failed, scene
from tests.unit.compiler.build import const, ref, sub_node, task_node, workflow
from tests.unit.engine.build import approve_node, array_node, made, sleep_node, step
from tests.unit.engine.drive import FakeRunner, Script, after, hang, in_turn, outputs, result, says, total, virtual
from tests.unit.engine.test_driver import chain
from tests.unit.engine.test_launch import inner as launched
from tests.unit.engine.test_launch import plan_node, registered
from tests.unit.engine.test_nodes import TWO, mapped, spec
from tests.unit.idl.build import INT

BOOM = failed()
DONE = Succeeded(outputs(o0=1))
INNER = workflow([step("n0"), step("n1", "n0")], {"o0": (INT, ref("n1", "o0"))}, name="inner")


# --- M25: promises ---

NESTED = {"deep": {"items": [5, {"n": 6}]}}
STRUCT = Struct()
STRUCT.update(NESTED)
SHELF = literals.mapping({"deep": literals.mapping({"items": literals.collection_of_integers([5, 6])})})
FORMS: dict[str, tuple[str, Literal, tuple[str | int, ...]]] = {
    "msgpack": ("loose", literals.binary(msgpack.packb(NESTED)), ("deep", "items", 1, "n")),
    "struct": ("loose", literals.generic(STRUCT), ("deep", "items", 1, "n")),
    "literals": ("shelf", SHELF, ("deep", "items", 1)),
}
"""A task that gives a value of each form, the value, and where there is a 6 in it."""


def gives(lit: Literal) -> Script:
    return says(Started(), Succeeded(LiteralMap(literals={"o1": lit}).SerializeToString()))


def away(uri: str) -> Literal:
    return Literal(offloaded_metadata=LiteralOffloadedMetadata(uri=uri))


def reading(task: str, *path: str | int) -> list:  # type: ignore[type-arg]
    return [task_node("n0", task, x=const(1)), task_node("n1", "free", x=ref("n0", "o1", *path))]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("offloaded", [False, True])
def test_m25_attributes_lead_through_every_form_wherever_it_lies(form: str, offloaded: bool) -> None:
    @virtual
    async def test() -> None:
        task, value, path = FORMS[form]
        runner = FakeRunner(scripts={"n0": gives(away("memory://data/far.pb") if offloaded else value)})
        async with scene(runner) as s:
            await s.objects.write("memory://data/far.pb", value.SerializeToString())
            record = await s.run(made(reading(task, *path)))
            assert record.phase == "succeeded"
            [job] = [job for job in runner.started if job.id.path == "n1"]
            primitive = literals.unpacked(LiteralMap.FromString(job.inputs).literals["x"]).scalar.primitive
            assert (primitive.integer or primitive.float_value) == 6

    test()


@pytest.mark.parametrize("form", FORMS)
def test_m25_a_missing_key_is_final_and_named(form: str) -> None:
    @virtual
    async def test() -> None:
        task, value, _ = FORMS[form]
        async with scene(FakeRunner(scripts={"n0": gives(value)})) as s:
            record = await s.run(made(reading(task, "deep", "itmes", 1)))
            failure = await s.failure(record)
            assert failure.code == "BindingResolutionFailure"
            assert "itmes" in failure.message
            assert not failure.recoverable
            assert s.runner.paths() == ["n0"]

    test()


@virtual
async def test_m25_an_object_store_that_is_away_for_a_while_is_asked_again() -> None:
    async with scene(FakeRunner(scripts={"n0": gives(away("memory://data/far.pb"))})) as s:
        read, asked = s.objects.read, 0

        async def flaky(uri: str) -> bytes:
            nonlocal asked
            asked += 1
            if asked < 6:
                raise DataError("the store does not answer")
            return await read(uri)

        await s.objects.write("memory://data/far.pb", FORMS["msgpack"][1].SerializeToString())
        s.objects.read = flaky  # type: ignore[assignment, method-assign]
        record = await s.run(made(reading("loose", "deep", "items", 0)))
        assert (record.phase, asked) == ("succeeded", 6)
        assert {a.number for a in await s.attempts(record, "n1")} == {0}


# --- M26, M27: the cache ---

SLOW = [task_node("n0", "slow", x=ref("", "a"))]


@virtual
async def test_m26_a_hit_runs_nothing_and_says_whose_it_is() -> None:
    async with scene() as s:
        await s.run(made(SLOW), "first")
        record = await s.run(made(SLOW), "second")
        row = await s.node(record, "n0")
        assert (row.cache, row.cache_source) == (CacheStatus.HIT, "p:d:first n0")
        assert len(s.runner.started) == 1
        assert (await s.node(await s.execution("first"), "n0")).cache is CacheStatus.POPULATED


@virtual
async def test_m26_ignored_inputs_and_hashes_of_values_make_the_key() -> None:
    closure = made([task_node("n0", "slow", x=ref("", "a"))])
    [task] = closure.tasks
    async with scene() as s:

        async def runs(name: str, lit: Literal) -> int:
            before = len(s.runner.started)
            await s.run(closure, name, inputs=LiteralMap(literals={"a": lit}).SerializeToString())
            return len(s.runner.started) - before

        one, two = literals.integer(1), literals.integer(2)
        assert [await runs("a", one), await runs("b", one), await runs("c", two)] == [1, 0, 1]
        for lit in (one, two):
            lit.hash = "the same"
        assert [await runs("d", one), await runs("e", two)] == [1, 0]
        task.template.metadata.cache_ignore_input_vars.append("x")
        assert [await runs("f", literals.integer(8)), await runs("g", literals.integer(9))] == [1, 0]


@virtual
async def test_m26_overwriting_looks_nothing_up_and_replaces_what_is_there() -> None:
    gives = iter([5, 6])
    runner = FakeRunner(default=lambda job, tell: says(Started(), Succeeded(outputs(o0=next(gives))))(job, tell))
    async with scene(runner) as s:
        out = {"o0": (INT, ref("n0", "o0"))}
        assert result(await s.run(made(SLOW, outputs=out), "first")) == 5
        record = await s.run(made(SLOW, outputs=out), "second", settings=Settings(overwrite_cache=True))
        assert result(record) == 6
        assert len(runner.started) == 2
        assert result(await s.run(made(SLOW, outputs=out), "third")) == 6
        assert len(runner.started) == 2


class Cacheless:
    """A store whose cache is broken."""

    def __init__(self, store: object) -> None:
        self.store = store

    def __getattr__(self, name: str) -> object:
        if name in ("find", "put", "reserve"):
            return self.broken
        return getattr(self.store, name)

    async def broken(self, *args: object, **kwargs: object) -> None:
        raise StoreUnavailable("the cache is on fire")


@pytest.mark.parametrize("task", ["slow", "single"])
def test_m26_a_cache_that_is_broken_is_a_miss_on_record(task: str) -> None:
    @virtual
    async def test() -> None:
        async with scene(store=Cacheless) as s:
            record = await s.run(made([task_node("n0", task, x=ref("", "a"))]))
            assert record.phase == "succeeded"
            row = await s.node(record, "n0")
            assert row.cache in (CacheStatus.PUT_FAILURE, CacheStatus.LOOKUP_FAILURE)
            assert len(s.runner.started) == 1

    test()


def singles(count: int) -> list:  # type: ignore[type-arg]
    return [task_node(f"n{nth}", "single", x=const(7)) for nth in range(count)]


@virtual
async def test_m27_of_ten_alike_one_runs_in_one_execution_or_in_ten() -> None:
    runner = FakeRunner(default=after(60, DONE))
    async with scene(runner) as s:
        record = await s.run(made(singles(10)))
        assert record.phase == "succeeded"
        assert len(runner.started) == 1
        other = [task_node("n0", "single", x=const(8))]
        records = [await s.start(made(other), f"ex{nth}") for nth in range(10)]
        for one in records:
            assert (await s.ended(one)).phase == "succeeded"
        assert len(runner.started) == 2


@virtual
async def test_m27_a_failure_gives_the_reservation_back_at_once() -> None:
    runner = FakeRunner(scripts={"single": in_turn(after(5, failed(recoverable=False)))})
    async with scene(runner) as s:
        first = await s.start(made(singles(1)), "first")
        await s.until(first, "n0", "running")
        runner.scripts["single"] = after(1, DONE)
        second = await s.start(made(singles(1)), "second")
        assert (await s.ended(first)).phase == "failed"
        before = s.now
        assert (await s.ended(second)).phase == "succeeded"
        assert s.now - before <= 3


@virtual
async def test_m27_the_reservation_of_an_engine_that_died_is_free_after_three_beats() -> None:
    async with scene(FakeRunner(default=hang)) as s:
        first = await s.start(made(singles(1)), "first")
        await s.until(first, "n0", "running")
        s.runner.default = after(1, DONE)
        s.crash()
        before = s.now
        second = await s.start(made(singles(1)), "second")
        assert (await s.ended(second)).phase == "succeeded"
        assert s.now - before <= 45
        assert (await s.ended(first)).phase == "succeeded"
        assert not s.truth.open_reservations()


# --- M28: recovery ---


@virtual
async def test_m28_exactly_what_did_not_succeed_runs_again() -> None:
    nodes = [step("n0"), step("n1", "n0"), step("n2"), step("n3", "n1", "n2"), step("n4", "n3")]
    runner = FakeRunner(scripts={"n3": says(BOOM)})
    async with scene(runner) as s:
        record = await s.run(made(nodes, outputs={"o0": (INT, ref("n4", "o0"))}))
        assert record.phase == "failed"
        runner.scripts.clear()
        runner.started.clear()
        again = await s.recover(record)
        assert runner.paths() == ["n3", "n4"]
        assert (again.phase, result(again)) == ("succeeded", 12)
        assert {p for p, phase in (await s.phases(again)).items() if phase == "recovered"} == {"n0", "n1", "n2"}


@virtual
async def test_m28_a_dynamic_task_keeps_its_ids_and_elements_are_recovered_one_by_one() -> None:
    expands = says(Started(), Succeeded(futures=spec(TWO)))
    nodes = [step("n0"), array_node("n1", "one", needed=4, x=mapped(4)[0].inputs[0].binding)]
    runner = FakeRunner(scripts={"n0": expands, "n0/d1": says(BOOM), "n1[2]": says(BOOM)})
    async with scene(runner) as s:
        record = await s.run(made(nodes, patient=True))
        runner.scripts = {"n0": expands}
        runner.started.clear()
        again = await s.recover(record)
        assert again.phase == "succeeded"
        assert set(runner.paths()) <= {"n0/d1", "n1[2]", "n1[3]"}
        assert {"n0/d1", "n1[2]"} <= set(runner.paths())
        assert {"n0/d0", "n0/d1"} <= set(await s.phases(again))


@virtual
async def test_m28_the_checkpoint_of_the_failed_attempt_goes_on() -> None:
    def saves(job: Job, tell: Tell) -> None:
        tell(Started())
        if job.checkpoint:
            tell(DONE)
        else:
            tell(type(BOOM)(BOOM.failure, checkpoint=f"{job.prefix}/checkpoint"))

    async with scene(FakeRunner(default=saves)) as s:
        record = await s.run(made([step("n0")]))
        assert record.phase == "failed"
        assert (await s.recover(record)).phase == "succeeded"
        assert [job.checkpoint for job in s.runner.started] == ["", "memory://data/p/d/ex/n0/0/checkpoint"]


@virtual
async def test_m28_a_failed_child_is_recovered_too() -> None:
    runner = FakeRunner(scripts={"n1": says(failed(recoverable=False))})
    async with scene(runner) as s:
        child = workflow([step("n0"), step("n1", "n0")], {"o0": (INT, ref("n1", "o0"))}, name="inner")
        await registered(s.truth, launched(*child.nodes[:2]))
        record = await s.run(made([plan_node("n0")], outputs={"o0": (INT, ref("n0", "o0"))}))
        assert record.phase == "failed"
        runner.scripts.clear()
        runner.started.clear()
        again = await s.recover(record)
        assert (again.phase, runner.paths()) == ("succeeded", ["n1"])
        child_again = await s.execution(child_name("again", "n0", 0))
        assert (await s.phases(child_again))["n0"] == "recovered"


@virtual
async def test_m28_named_nodes_run_again_with_all_after_them() -> None:
    nodes = [
        step("n0"),
        step("n1", "n0"),
        step("n2"),
        sub_node("n3", "inner", a=ref("n2", "o0")),
        step("n4", "n1", "n3"),
    ]
    async with scene() as s:
        record = await s.run(made(nodes, INNER))
        s.runner.started.clear()
        again = await s.rerun(record, "n3/n1")
        assert (again.phase, s.runner.paths()) == ("succeeded", ["n3/n1", "n4"])
        s.runner.started.clear()
        again = await s.rerun(record, "n0", name="third")
        assert (again.phase, s.runner.paths()) == ("succeeded", ["n0", "n1", "n4"])
        with pytest.raises(Exception, match="n9"):
            await s.rerun(record, "n9", name="fourth")


# --- M29: parallelism ---


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_m29_never_more_than_the_limit_runs_whatever_it_is_in(limit: int) -> None:
    @virtual
    async def test() -> None:
        most, expands = (
            0,
            spec([task_node(f"d{i}", "add", x=const(i), y=const(1)) for i in range(4)] + [step("e", "d0")]),
        )

        def watched(job: Job, tell: Tell) -> None:
            nonlocal most
            most = max(most, len(runner.live))
            gives = Succeeded(futures=expands) if job.id.path == "dyn" else Succeeded(outputs(o0=total(job.inputs)))
            after(3, gives)(job, tell)

        runner = FakeRunner(default=watched)
        nodes = [
            *(step(f"n{i}") for i in range(10)),
            sub_node("sub", "inner", a=ref("", "a")),
            step("dyn"),
            array_node("each", "one", x=mapped(4)[0].inputs[0].binding),
        ]
        async with scene(runner) as s:
            record = await s.run(made(nodes, INNER), settings=Settings(max_parallelism=limit))
            assert (record.phase, most) == ("succeeded", limit)

    test()


@virtual
async def test_m29_what_waits_for_a_slot_says_so() -> None:
    async with scene(FakeRunner(default=after(60, DONE))) as s:
        record = await s.start(made([step(f"n{i}") for i in range(10)]), settings=Settings(max_parallelism=2))
        await s.until(record, "n1", "running")
        [*_, last] = await s.why(record, "n9")
        assert "max parallelism" in last.text
        assert (await s.ended(record)).phase == "succeeded"


# --- M30: abort ---


@pytest.mark.parametrize("broken", [0, 3, 12])
def test_m30_an_abort_is_over_in_five_seconds_and_the_clean_up_goes_on(broken: int) -> None:
    @virtual
    async def test() -> None:
        runner = FakeRunner(default=hang, broken=broken)
        async with scene(runner) as s:
            record = await s.start(made([step("n0"), sub_node("n1", "inner", a=const(1))], INNER))
            await s.until(record, "n1/n0", "running")
            before = s.now
            await s.abort(record, "not needed")
            await s.until(record, "", "aborted")
            assert s.now - before <= 5
            assert (await s.failure(record)).message == "not needed"
            record = await s.ended(record)
            assert (record.phase, record.open) == ("aborted", False)
            assert not runner.live
            assert len([1 for id, abort in runner.closed if abort]) == 2 + broken

    test()


@virtual
async def test_m30_a_clean_up_outlives_the_engine() -> None:
    runner = FakeRunner(default=hang, broken=10_000)
    async with scene(runner) as s:
        record = await s.start(made([step("n0")]))
        await s.until(record, "n0", "running")
        await s.abort(record)
        await s.until(record, "", "aborted")
        await asyncio.sleep(600)
        live = dict(runner.live)
        s.crash()
        runner.live.update(live)
        await asyncio.sleep(600)
        [open_] = await s.truth.attempts(record.id, "n0")
        assert open_.open
        runner.broken = 0
        record = await s.ended(record)
        assert (record.phase, record.open) == ("aborted", False)
        assert not runner.live


@pytest.mark.parametrize("moment", [0.0, 0.5, 2.5, 4.5, 6.5, 8.5, 11, 14, 18, 25])
@pytest.mark.parametrize("crash", [False, True])
def test_m30_an_abort_at_any_time_ends_aborted_with_nothing_left(moment: float, crash: bool) -> None:
    @virtual
    async def test() -> None:
        retried = in_turn(after(1, BOOM), after(2, DONE))
        runner = FakeRunner(default=after(2, Succeeded(outputs(o0=1))), scripts={"n0": retried, "n5": after(2, BOOM)})
        nodes = [
            step("n0", retries=2),
            sub_node("n1", "inner", a=ref("n0", "o0")),
            task_node("n2", "single", x=const(7)),
            approve_node("n3", "ok?", "n0"),
            sleep_node("n4", 9),
            array_node("n6", "one", parallelism=2, x=mapped(4)[0].inputs[0].binding),
            step("n5", "n1"),
        ]
        handler = task_node("fn0", "clean_up", a=ref("", "a"))
        async with scene(runner) as s:
            record = await s.start(made(nodes, INNER, on_failure=handler))
            await asyncio.sleep(moment)
            if (await s.truth.execution_by_id(record.id)).phase in ("failed", "succeeded"):
                return
            before = s.now
            await s.abort(record)
            if crash:
                s.crash()
            record = await s.ended(record)
            assert record.phase == "aborted"
            assert s.now - before <= (20 if crash else 5)
            rows = [read_node(row) for row in await s.truth.nodes(record.id)]
            assert all(row.phase.terminal for row in rows)
            await asyncio.sleep(1)
            assert not s.truth.open_reservations()
            assert (await s.node(record)).phase is NodePhase.ABORTED

    test()


@virtual
async def test_m30_an_abort_wins_over_a_result_that_comes_later() -> None:
    async with scene(FakeRunner(default=after(10, DONE), broken=3)) as s:
        record = await s.start(made(chain(2)), settings=Settings(grace=timedelta(seconds=60)))
        await s.until(record, "n0", "running")
        await s.abort(record)
        await s.until(record, "n0", "stopping")
        s.runner.tells["n0", 0](DONE)
        record = await s.ended(record)
        assert (record.phase, (await s.node(record, "n0")).phase) == ("aborted", NodePhase.ABORTED)
