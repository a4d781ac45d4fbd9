"""M13 to M18: deadlines, failure policies, skips and branches."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from alula.engine.state import AttemptPhase, NodePhase, Settings
from alula.idl import BooleanExpression, Node
from alula.plugin.runner import Job, Started, Succeeded, Tell, Waits
from tests.acceptance.engine.scene import failed, scene
from tests.unit.compiler.build import branch_node, compare, ref, task_node
from tests.unit.engine.build import made, step, tuned
from tests.unit.engine.drive import FakeRunner, after, hang, in_turn, outputs, result, says, virtual
from tests.unit.engine.test_nodes import both, either
from tests.unit.idl.build import INT

BOOM = failed()
DONE = Succeeded(outputs(o0=1))


@virtual
async def test_m13_an_attempts_time_counts_from_its_start() -> None:
    """Ten seconds in a queue do not count; then it has two, and is stopped within one more."""

    def late(job: Job, tell: Tell) -> None:
        tell(Waits("a slot is not free"))
        asyncio.get_running_loop().call_later(10, lambda: tell(Started()))

    async with scene(FakeRunner(default=in_turn(late, says(Started(), DONE)))) as s:
        record = await s.run(made([step("n0", retries=1, timeout=2)]))
        first, second = await s.attempts(record, "n0")
        assert first.started_at is not None
        assert first.ended_at is not None
        assert first.failure is not None
        assert 2 <= (first.ended_at - first.started_at).total_seconds() <= 3
        assert s.since(first.started_at) >= 10
        assert first.failure.code == "TimeoutExpired"
        assert second.phase is AttemptPhase.SUCCEEDED
        assert [(id.number, abort) for id, abort in s.runner.closed] == [(0, True)]


@virtual
async def test_m13_a_call_has_a_deadline_whatever_its_retries() -> None:
    async with scene(FakeRunner(default=hang)) as s:
        record = await s.run(made([step("n0", retries=100, timeout=2, total=20)]))
        row = await s.node(record, "n0")
        assert row.phase is NodePhase.TIMED_OUT
        assert row.ended_at is not None
        assert 20 <= (row.ended_at - row.since).total_seconds() <= 21
        assert 3 <= len(s.runner.started) <= 9
        assert record.phase == "failed"


@virtual
async def test_m13_a_workflow_has_a_deadline_too() -> None:
    async with scene(FakeRunner(default=hang)) as s:
        record = await s.run(made([step("n0")]), settings=Settings(workflow_timeout=timedelta(seconds=30)))
        assert record.phase == "timed_out"
        assert record.ended_at is not None
        assert 30 <= s.since(record.ended_at) <= 35


@virtual
async def test_m13_deadlines_go_on_after_a_crash() -> None:
    async with scene(FakeRunner(default=hang)) as s:
        record = await s.start(made([step("n0", timeout=40, total=60)]))
        await s.until(record, "n0", "running")
        await asyncio.sleep(20)
        s.crash()
        record = await s.ended(record)
        row = await s.node(record, "n0")
        assert row.ended_at is not None
        assert 40 <= (row.ended_at - row.since).total_seconds() <= 61


@virtual
async def test_m14_an_attempt_that_never_starts_fails_with_a_code_of_its_own() -> None:
    async with scene(FakeRunner(default=says(Waits("8 cores are asked for, and 2 are free")))) as s:
        record = await s.start(made([step("n0", queued=30, timeout=5)]))
        await s.until(record, "n0", "queued")
        await asyncio.sleep(3)
        [*_, last] = await s.why(record, "n0")
        assert "8 cores are asked for, and 2 are free" in last.text
        record = await s.ended(record)
        assert (await s.failure(record)).code == "QueuedTimeout"
        row = await s.node(record, "n0")
        assert row.ended_at is not None
        assert 30 <= (row.ended_at - row.since).total_seconds() <= 31


@virtual
async def test_m15_the_sibling_of_a_failed_node_is_stopped_before_the_workflow_fails() -> None:
    runner = FakeRunner(default=hang, scripts={"n0": after(5, BOOM)})
    async with scene(runner) as s:
        record = await s.run(made([step("n0"), step("n1"), step("n2", "n1")]))
        assert record.phase == "failed"
        assert await s.phases(record) == {"n0": "failed", "n1": "aborted"}
        assert [id.path for id, abort in runner.closed if abort] == ["n1"]
        [stopped] = await s.attempts(record, "n1")
        assert stopped.phase is AttemptPhase.ABORTED
        assert record.ended_at is not None
        assert stopped.ended_at is not None
        assert stopped.ended_at <= record.ended_at
        assert record.error.startswith("USER:Boom (node n0)")


@virtual
async def test_m16_what_does_not_depend_on_the_failure_still_ends() -> None:
    nodes = [step("n0"), step("n1"), step("n2", "n0"), step("n3", "n1"), step("n4", "n2", "n3"), step("n5", "n4")]
    async with scene(FakeRunner(scripts={"n0": says(Started(), BOOM), "n1": after(60, DONE)})) as s:
        record = await s.run(made(nodes, patient=True))
        assert record.phase == "failed"
        assert await s.phases(record) == {
            "n0": "failed",
            "n1": "succeeded",
            "n2": "skipped",
            "n3": "succeeded",
            "n4": "skipped",
            "n5": "skipped",
        }
        assert record.error.startswith("USER:Boom (node n0)")


YES, NO = compare(".a", "EQ", 1), compare(".a", "NEQ", 1)


def branching(*cases: tuple[BooleanExpression, Node], otherwise: Node | str) -> list[Node]:
    return [branch_node("n0", {".a": ref("", "a")}, list(cases), otherwise), step("after", "n0")]


@virtual
async def test_m17_what_is_not_taken_is_skipped_and_never_starts() -> None:
    nodes = branching((NO, step("n1")), (YES, step("n2")), (YES, step("n3")), otherwise=step("n4"))
    async with scene() as s:
        record = await s.run(made(nodes, outputs={"o0": (INT, ref("after", "o0"))}))
        assert await s.phases(record) == {
            "n0": "succeeded",
            "n0/n0-n1": "skipped",
            "n0/n0-n2": "succeeded",
            "n0/n0-n3": "skipped",
            "n0/n0-n4": "skipped",
            "after": "succeeded",
        }
        assert s.runner.paths() == ["n0/n0-n2", "after"]
        assert result(record) == 4


OPERATORS = [("EQ", 5), ("NEQ", 4), ("GT", 4), ("GTE", 5), ("LT", 5.5), ("LTE", 5), ("NEQ", None)]


@pytest.mark.parametrize(("op", "than"), OPERATORS)
@pytest.mark.parametrize("holds", [True, False])
def test_m18_six_operators_on_values_primitives_and_scalars(op: str, than: float | None, holds: bool) -> None:
    @virtual
    async def test() -> None:
        opposite = {"EQ": "NEQ", "NEQ": "EQ", "GT": "LTE", "GTE": "LT", "LT": "GTE", "LTE": "GT"}
        condition = compare(".a", op if holds else opposite[op], than)
        async with scene() as s:
            record = await s.run(made(branching((condition, step("n1")), otherwise=step("n2"))), inputs=outputs(a=5))
            assert s.runner.paths()[0] == ("n0/n0-n1" if holds else "n0/n0-n2")
            assert record.phase == "succeeded"

    test()


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (both(YES, NO), False),
        (both(YES, YES), True),
        (either(NO, YES), True),
        (either(NO, NO), False),
        (both(either(NO, YES), either(YES, NO)), True),
    ],
)
def test_m18_and_and_or(condition: BooleanExpression, holds: bool) -> None:
    @virtual
    async def test() -> None:
        async with scene() as s:
            await s.run(made(branching((condition, step("n1")), otherwise=step("n2"))))
            assert s.runner.paths()[0] == ("n0/n0-n1" if holds else "n0/n0-n2")

    test()


@virtual
async def test_m18_no_match_fails_with_the_users_message() -> None:
    async with scene() as s:
        record = await s.run(made(branching((NO, step("n1")), otherwise="a must be 1")))
        failure = await s.failure(record)
        assert (record.phase, failure.code, failure.message) == ("failed", "BranchFailed", "a must be 1")
        assert not s.runner.started


@virtual
async def test_m18_an_arm_that_times_out_fails_the_workflow() -> None:
    async with scene(FakeRunner(default=hang)) as s:
        arm = tuned(step("n1"), total=3)
        record = await s.run(made(branching((YES, arm), otherwise="no")))
        assert await s.phases(record) == {"n0": "failed", "n0/n0-n1": "timed_out"}
        assert (record.phase, (await s.failure(record)).code) == ("failed", "Timeout")


@virtual
async def test_m18_a_condition_compares_what_a_task_gave() -> None:
    branch = branch_node("n1", {"n0.o0": ref("n0", "o0")}, [(compare("n0.o0", "GT", 10), step("n2"))], step("n3"))
    for gives, taken in ((11, "n1/n1-n2"), (10, "n1/n1-n3")):
        async with scene(FakeRunner(scripts={"one": says(Started(), Succeeded(outputs(o0=gives)))})) as s:
            await s.run(made([task_node("n0", "one", x=ref("", "a")), branch]))
            assert s.runner.paths()[1] == taken
