"""M19 to M24: failure nodes, what is inside of nodes, child executions, gates and arrays."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from alula.engine.codec import read_values
from alula.engine.nodes.task import child_name
from alula.engine.state import NodePhase, Settings
from alula.errors import RequestError
from alula.idl import LiteralMap, Node, literals
from alula.plugin.failure import FailureKind
from alula.plugin.runner import Job, Started, Succeeded, Tell
from alula.store.memory import MemoryStore
from tests.acceptance.engine.scene import LOST, failed, scene
from tests.unit.compiler.build import const, ref, sub_node, task_node, workflow
from tests.unit.engine.build import approve_node, array_node, made, signal_node, sleep_node, step
from tests.unit.engine.drive import FakeRunner, Script, after, hang, in_turn, outputs, result, says, total, virtual
from tests.unit.engine.test_launch import PARENT, inner, plan_node, registered
from tests.unit.engine.test_nodes import TWO, mapped, spec
from tests.unit.engine.test_outages import line_to
from tests.unit.idl.build import INT, NONE, list_of, union_of

BOOM = failed()
DONE = Succeeded(outputs(o0=1))
HANDLER = task_node("fn0", "clean_up", a=ref("", "a"))
INNER = workflow([step("n0"), step("n1", "n0"), step("n2")], {"o0": (INT, ref("n1", "o0"))}, name="inner")


# --- M19: failure nodes ---


@virtual
async def test_m19_the_failure_node_runs_once_after_the_aborts_and_knows_what_failed() -> None:
    order = []

    def handle(job: Job, tell: Tell) -> None:
        order.append([id.path for id, abort in runner.closed if abort])
        says(Started(), Succeeded())(job, tell)

    runner = FakeRunner(scripts={"n0": after(3, BOOM), "n1": hang, "clean_up": handle})
    async with scene(runner) as s:
        record = await s.run(made([step("n0"), step("n1")], on_failure=HANDLER))
        assert record.phase == "failed"
        assert runner.paths() == ["n0", "n1", "fn0"]
        assert order == [["n1"]]
        [job] = [job for job in runner.started if job.id.path == "fn0"]
        error = LiteralMap.FromString(job.inputs).literals["err"].scalar.union.value.scalar.error
        assert (error.failed_node_id, error.message) == ("n0", "USER:Boom happened")
        failure = await s.failure(record)
        assert (failure.code, failure.secondary) == ("USER:Boom", None)


@virtual
async def test_m19_a_failure_node_that_fails_adds_its_error_and_hides_nothing() -> None:
    runner = FakeRunner(scripts={"n0": says(BOOM), "clean_up": says(failed("USER:Second"))})
    async with scene(runner) as s:
        record = await s.run(made([step("n0")], on_failure=HANDLER))
        failure = await s.failure(record)
        assert (record.phase, failure.code) == ("failed", "USER:Boom")
        assert failure.secondary is not None
        assert failure.secondary.code == "USER:Second"
        assert record.error.startswith("USER:Boom (node n0)")


@virtual
async def test_m19_a_crash_while_it_runs_does_not_run_it_anew() -> None:
    runner = FakeRunner(scripts={"n0": says(BOOM), "clean_up": hang})
    async with scene(runner) as s:
        record = await s.start(made([step("n0")], on_failure=HANDLER))
        await s.until(record, "fn0", "running")
        runner.scripts["clean_up"] = says(Started(), Succeeded())
        s.crash()
        record = await s.ended(record)
        assert (record.phase, [a.number for a in await s.attempts(record, "fn0")]) == ("failed", [0])


# --- M20, M21: workflows inside ---


def expanding(futures: bytes) -> Script:
    return says(Started(), Succeeded(futures=futures))


@virtual
async def test_m20_outputs_of_what_is_inside_come_up() -> None:
    nodes = [step("n0"), sub_node("n1", "inner", a=ref("n0", "o0")), step("n2", "n1")]
    async with scene() as s:
        record = await s.run(made(nodes, INNER, outputs={"o0": (INT, ref("n2", "o0"))}))
        assert result(record) == 16


@virtual
async def test_m20_a_failure_inside_stops_its_siblings() -> None:
    runner = FakeRunner(scripts={"n0/n1": says(BOOM), "n0/n2": hang})
    async with scene(runner) as s:
        record = await s.run(made([sub_node("n0", "inner", a=ref("", "a")), step("n1", "n0")], INNER))
        phases = await s.phases(record)
        assert phases == {"n0": "failed", "n0/n0": "succeeded", "n0/n1": "failed", "n0/n2": "aborted"}
        assert record.error.startswith("USER:Boom (node n0/n1)")


@virtual
async def test_m20_a_dynamic_workflow_that_does_not_hold_together_fails_for_good_by_the_user() -> None:
    bad = spec([task_node("d0", "add", x=const(3))])
    for futures in (bad, b"\xff\xff"):
        async with scene(FakeRunner(default=expanding(futures))) as s:
            record = await s.run(made([step("n0", retries=3)]))
            failure = await s.failure(record)
            assert (failure.code, failure.kind) == ("DynamicWorkflowBuildFailed", FailureKind.USER)
            assert len(s.runner.started) == 1


@virtual
async def test_m20_a_failure_in_a_dynamic_workflow_aborts_the_rest() -> None:
    two = [task_node("d0", "add", x=const(3), y=const(4)), task_node("d1", "add", x=const(3), y=const(4))]
    runner = FakeRunner(scripts={"n0": expanding(spec(two)), "n0/d0": after(2, BOOM), "n0/d1": hang})
    async with scene(runner) as s:
        record = await s.run(made([step("n0", retries=2)]))
        assert await s.phases(record) == {"n0": "failed", "n0/d0": "failed", "n0/d1": "aborted"}


@pytest.mark.parametrize("moment", [0.01, 1, 4.99, 5.01, 9, 14.99, 15.5])
def test_m20_a_crash_at_any_time_gives_one_set_of_children(moment: float) -> None:
    @virtual
    async def test() -> None:
        slow = after(5, Succeeded(outputs(o0=7)))
        runner = FakeRunner(default=slow, scripts={"n0": after(5, Succeeded(futures=spec(TWO)))})
        async with scene(runner) as s:
            record = await s.start(made([step("n0"), step("n1", "n0")]))
            await asyncio.sleep(moment)
            s.crash()
            record = await s.ended(record)
            assert record.phase == "succeeded"
            assert sorted(await s.phases(record)) == ["n0", "n0/d0", "n0/d1", "n1"]
            assert len(await s.truth.expansions(record.id)) == 1
            assert {a.number for path in await s.phases(record) for a in await s.attempts(record, path)} == {0}

    test()


@virtual
async def test_m21_a_dynamic_task_needs_no_outputs_of_its_own_two_levels_deep() -> None:
    outer = spec([task_node("d0", "one", x=const(1))])
    runner = FakeRunner(scripts={"n0": expanding(outer), "n0/d0": expanding(spec(TWO))})
    async with scene(runner) as s:
        record = await s.run(made([step("n0")], outputs={"o0": (INT, ref("n0", "o0"))}))
        assert result(record) == 14
        assert runner.paths() == ["n0", "n0/d0", "n0/d0/d0", "n0/d0/d1"]


# --- M22: child executions ---


@virtual
async def test_m22_a_child_has_one_name_and_its_outputs_come_back() -> None:
    async with scene() as s:
        await registered(s.truth)
        record = await s.run(PARENT)
        child = await s.execution(child_name("ex", "n0", 0))
        assert (record.phase, child.phase, result(record)) == ("succeeded", "succeeded", 22)


@virtual
async def test_m22_a_child_that_is_there_already_is_taken_up() -> None:
    async with scene(FakeRunner(default=after(30, Succeeded(outputs(o0=4))))) as s:
        await registered(s.truth)
        record = await s.start(PARENT)
        await s.until(record, "n0", "running")
        s.crash()
        record = await s.ended(record)
        names = [one.key.name for one in await s.truth.executions()]
        assert sorted(names) == sorted(["ex", child_name("ex", "n0", 0)])
        assert (record.phase, (await s.attempts(record, "n0"))[0].number) == ("succeeded", 0)


@virtual
async def test_m22_retries_of_its_node_hold_for_a_child() -> None:
    runner = FakeRunner(scripts={"add": in_turn(says(Started(), failed(recoverable=False)))})
    async with scene(runner) as s:
        await registered(s.truth)
        closure = made([plan_node("n0", retries=1)])
        record = await s.run(closure)
        assert record.phase == "failed"
        assert [a.number for a in await s.attempts(record, "n0")] == [0, 1]
        names = {one.key.name for one in await s.truth.executions()}
        assert names == {"ex", child_name("ex", "n0", 0), child_name("ex", "n0", 1)}


@virtual
async def test_m22_aborting_the_parent_ends_the_child_within_two_seconds() -> None:
    async with scene(FakeRunner(default=hang)) as s:
        await registered(s.truth)
        record = await s.start(PARENT)
        await s.until(record, "n0", "running")
        child = await s.execution(child_name("ex", "n0", 0))
        await s.until(child, "n0", "running")
        before = s.now
        await s.abort(record, "not needed any more")
        child = await s.ended(child)
        assert s.now - before <= 2
        assert (child.phase, (await s.ended(record)).phase) == ("aborted", "aborted")


@virtual
async def test_m22_a_store_that_is_away_when_a_child_is_launched_costs_nothing() -> None:
    async with scene(FakeRunner(scripts={"n0": after(4, DONE)}), store=line_to) as s:
        await registered(s.truth)
        node = plan_node("n1")
        node.upstream_node_ids.append("n0")
        record = await s.start(made([step("n0"), node]))
        await s.until(record, "n0", "running")
        s.store.cut = True
        await asyncio.sleep(60)
        s.store.cut = False
        record = await s.ended(record)
        assert record.phase == "succeeded"
        assert [a.number for a in await s.attempts(record, "n1")] == [0]


@virtual
async def test_m22_a_failure_of_the_system_in_a_child_is_the_systems() -> None:
    async with scene(FakeRunner(scripts={"add": says(LOST)})) as s:
        await registered(s.truth, inner())
        record = await s.run(made([plan_node("n0")]), settings=Settings(system_retries=0))
        failure = await s.failure(record, "n0")
        assert failure.kind is FailureKind.SYSTEM


# --- M23: gates ---


GATES: list[Node] = [step("n0"), approve_node("n1", "ok?", "n0"), step("n2", "n1")]


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("yes", [False, True])
def test_m23_an_answer_wakes_the_gate_within_a_second(crash: bool, yes: bool) -> None:
    @virtual
    async def test() -> None:
        async with scene() as s:
            record = await s.start(made(GATES, outputs={"o0": (INT, ref("n2", "o0"))}))
            await s.until(record, "n1", "running")
            await asyncio.sleep(3600)
            if crash:
                s.crash()
                await asyncio.sleep(30)
            before = s.now
            await s.signal(record, "ok?", literals.boolean(yes))
            record = await s.ended(record)
            assert s.now - before < 1
            if yes:
                assert result(record) == 4
            else:
                assert (record.phase, (await s.failure(record)).code) == ("failed", "ReceivedRejectSignal")

    test()


@virtual
async def test_m23_a_value_of_the_wrong_type_is_refused_when_it_is_given() -> None:
    async with scene() as s:
        record = await s.start(made([signal_node("n0", "size")], outputs={"o0": (INT, ref("n0", "o0"))}))
        await s.until(record, "n0", "running")
        with pytest.raises(RequestError, match="int"):
            await s.signal(record, "size", literals.string("seven"))
        with pytest.raises(Exception, match="siez"):
            await s.signal(record, "siez", literals.integer(7))
        await s.signal(record, "size", literals.integer(7))
        assert result(await s.ended(record)) == 7


@virtual
async def test_m23_an_answer_may_come_before_the_question() -> None:
    async with scene(FakeRunner(scripts={"n0": after(100, DONE)})) as s:
        gate = signal_node("n1", "size")
        gate.upstream_node_ids.append("n0")
        record = await s.start(made([step("n0"), gate], outputs={"o0": (INT, ref("n1", "o0"))}))
        await s.until(record, "n0", "running")
        await s.signal(record, "size", literals.integer(7))
        record = await s.ended(record)
        assert result(record) == 7
        assert record.ended_at is not None
        assert s.since(record.ended_at) < 101


@pytest.mark.parametrize("crash", [False, True])
def test_m23_a_sleep_is_exact_to_a_second(crash: bool) -> None:
    @virtual
    async def test() -> None:
        async with scene() as s:
            record = await s.start(made([sleep_node("n0", 6 * 3_600)]))
            await s.until(record, "n0", "running")
            await asyncio.sleep(3_600)
            if crash:
                s.crash()
            record = await s.ended(record)
            row = await s.node(record, "n0")
            assert row.ended_at is not None
            assert abs((row.ended_at - row.since).total_seconds() - 6 * 3_600) <= 1

    test()


@virtual
async def test_m23_a_gate_that_nobody_answers_times_out() -> None:
    async with scene() as s:
        record = await s.run(made([step("n0"), approve_node("n1", "ok?", "n0", timeout=60)]))
        assert (record.phase, (await s.phases(record))["n1"]) == ("failed", "timed_out")


# --- M24: arrays ---


OUT = {"o0": (list_of(INT), ref("n0", "o0"))}
HOLES = {"o0": (list_of(union_of(INT, NONE)), ref("n0", "o0"))}


def listed(data: bytes) -> list[int | None]:
    found = read_values(data).literals()["o0"].collection.literals
    plain = [literals.unpacked(one) for one in found]
    return [None if literals.kind(one) == "none_type" else one.scalar.primitive.integer for one in plain]


@pytest.mark.parametrize("parallelism", [1, 3, 7])
def test_m24_no_more_elements_at_a_time_than_asked_for(parallelism: int) -> None:
    @virtual
    async def test() -> None:
        most = 0

        def watched(job: Job, tell: Tell) -> None:
            nonlocal most
            most = max(most, len(runner.live))
            after(1, Succeeded(outputs(o0=total(job.inputs))))(job, tell)

        runner = FakeRunner(default=watched)
        async with scene(runner) as s:
            record = await s.run(made(mapped(20, parallelism=parallelism), outputs=OUT))
            assert listed(record.outputs) == list(range(20))
            assert most == parallelism

    test()


@pytest.mark.parametrize(
    ("settings", "good"),
    [({"needed": 2}, True), ({"needed": 3}, False), ({"ratio": 0.5}, True), ({"ratio": 0.51}, False), ({}, False)],
)
def test_m24_so_many_must_succeed_and_the_others_are_none(settings: dict[str, float], good: bool) -> None:
    @virtual
    async def test() -> None:
        runner = FakeRunner(scripts={"n0[1]": says(BOOM), "n0[2]": says(BOOM)})
        async with scene(runner) as s:
            closure = made(mapped(4, **settings), outputs=HOLES if "ratio" in settings else OUT)
            record = await s.run(closure)
            assert record.phase == ("succeeded" if good else "failed")
            if good:
                assert listed(record.outputs) == [0, None, None, 3]

    test()


@virtual
async def test_m24_lists_of_unequal_length_are_an_error() -> None:
    lists = {
        name: LiteralMap(literals={"o0": literals.collection_of_integers(values)}).SerializeToString()
        for name, values in (("n0", [1, 2]), ("n2", [1]))
    }
    runner = FakeRunner(scripts={name: says(Started(), Succeeded(data)) for name, data in lists.items()})
    nodes = [
        task_node("n0", "numbers"),
        task_node("n2", "numbers"),
        array_node("n1", "add", x=ref("n0", "o0"), y=ref("n2", "o0")),
    ]
    async with scene(runner) as s:
        failure = await s.failure(await s.run(made(nodes)))
        assert failure.code == "InvalidArrayLength"
        assert "x has 2, y has 1" in failure.message


@virtual
async def test_m24_bound_inputs_are_the_same_for_all_and_elements_are_tried_again_alone() -> None:
    node = array_node("n1", "add", retries=2, x=mapped(3)[0].inputs[0].binding, y=ref("", "a"))
    node.array_node.bound_inputs.append("y")
    script = in_turn(says(BOOM), says(BOOM), says(Started(), Succeeded(outputs(o0=99))))
    async with scene(FakeRunner(scripts={"n1[1]": script})) as s:
        record = await s.run(made([node], outputs={"o0": (list_of(INT), ref("n1", "o0"))}), inputs=outputs(a=10))
        assert listed(record.outputs) == [10, 99, 12]
        assert [len(await s.attempts(record, f"n1[{nth}]")) for nth in range(3)] == [1, 3, 1]


@virtual
async def test_m24_a_hopeless_array_stops_what_runs() -> None:
    runner = FakeRunner(default=hang, scripts={"n0[1]": after(2, BOOM)})
    async with scene(runner) as s:
        record = await s.run(made(mapped(5, parallelism=3)))
        assert await s.phases(record) == {"n0": "failed", "n0[0]": "aborted", "n0[1]": "failed", "n0[2]": "aborted"}
        assert sorted(id.path for id, abort in runner.closed if abort) == ["n0[0]", "n0[2]"]


@virtual
async def test_m24_an_element_may_be_a_child_execution_or_a_workflow() -> None:
    async with scene() as s:
        await registered(s.truth)
        array = array_node("n0", "one", parallelism=2, a=mapped(4)[0].inputs[0].binding)
        array.array_node.node.CopyFrom(plan_node(""))
        del array.array_node.node.inputs[:]
        record = await s.run(made([array], outputs=OUT))
        assert listed(record.outputs) == [10, 11, 12, 13]
        array.array_node.node.CopyFrom(sub_node("", "inner"))
        record = await s.run(made([array], INNER, outputs=OUT), "second")
        assert listed(record.outputs) == [0, 4, 8, 12]
        assert isinstance(s.truth, MemoryStore)


@virtual
async def test_m24_an_array_goes_on_after_a_crash() -> None:
    async with scene(FakeRunner(default=lambda job, tell: _slowly(job, tell))) as s:
        record = await s.start(made(mapped(9, parallelism=2), outputs=OUT))
        for _ in range(3):
            await asyncio.sleep(12)
            s.crash()
        record = await s.ended(record)
        assert listed(record.outputs) == list(range(9))
        assert {a.number for nth in range(9) for a in await s.attempts(record, f"n0[{nth}]")} == {0}


def _slowly(job: Job, tell: Tell) -> None:
    after(3, Succeeded(outputs(o0=total(job.inputs))))(job, tell)


@virtual
async def test_m24_aborting_ends_every_element() -> None:
    async with scene(FakeRunner(default=hang)) as s:
        record = await s.start(made(mapped(6, parallelism=4)), settings=Settings(grace=timedelta(seconds=2)))
        await s.until(record, "n0[3]", "running")
        await s.abort(record)
        record = await s.ended(record)
        assert record.phase == "aborted"
        assert (await s.node(record, "n0")).phase is NodePhase.ABORTED
