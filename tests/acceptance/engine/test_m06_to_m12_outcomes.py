"""M6 to M12: what an outcome is, who pays for it, and how long the next try waits."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from flyteidl.admin.agent_pb2 import Resource

from alula.engine import values as engine_values
from alula.engine.phases import attempt_phase, node_phase, task_phase
from alula.engine.state import AttemptPhase, NodePhase, NodeState, Settings
from alula.errors import ConversionError, FenceLost, RequestError
from alula.idl import ContainerError, ErrorDocument, ExecutionError, LiteralMap, NodeExecution, TaskExecution, literals
from alula.plugin.failure import FailureKind
from alula.plugin.runner import Job, Progressed, Started, Succeeded, Tell, Waits
from alula.store.records import Changes, Claim, NodeRecord
from tests.acceptance.engine.scene import DATA, LOST, failed, scene
from tests.unit.compiler.build import ref, task_node
from tests.unit.engine.build import made, step
from tests.unit.engine.drive import FakeRunner, after, hang, in_turn, outputs, result, says, virtual
from tests.unit.engine.test_driver import chain
from tests.unit.engine.test_outages import Line, line_to
from tests.unit.idl.build import INT

BOOM = failed()
DONE = Succeeded(outputs(o0=1))


@virtual
async def test_m06_what_has_ended_never_changes() -> None:
    async with scene() as s:
        record = await s.run(made(chain(3), outputs={"o0": (INT, ref("n2", "o0"))}))
        before = await s.truth.nodes(record.id), await s.truth.attempts(record.id), record
        for tell in s.runner.tells.values():
            for report in (Started(), BOOM, Succeeded(outputs(o0=99)), LOST):
                tell(report)
        with pytest.raises(RequestError, match="has succeeded"):
            await s.abort(record)
        await s.truth.ask(record.id, "abort", body=b"too late")
        await s.truth.ask(record.id, "signal", path="x", body=literals.integer(1).SerializeToString())
        await s.truth.ask(record.id, "child_ended", path="n1", attempt=0)
        await asyncio.sleep(60)
        again = await s.truth.nodes(record.id), await s.truth.attempts(record.id), await s.execution("ex")
    assert again == before


@virtual
async def test_m06_the_store_refuses_to_write_into_what_has_ended() -> None:
    async with scene() as s:
        record = await s.run(made(chain(1)))
        row = NodeRecord("n0", "running", record.created_at, None, b"")
        for fence in range(5):
            with pytest.raises(FenceLost):
                await s.truth.commit(Claim(record.id, "engine-0", fence), Changes(nodes=(row,)))
        assert (await s.node(record, "n0")).phase is NodePhase.SUCCEEDED


@virtual
async def test_m06_reports_that_come_twice_count_once() -> None:
    def twice(job: Job, tell: Tell) -> None:
        for report in (Started(), Started(), DONE, DONE, BOOM):
            tell(report)

    async with scene(FakeRunner(default=twice)) as s:
        record = await s.run(made([step("n0", retries=2), step("n1", "n0")]))
        assert record.phase == "succeeded"
        assert s.runner.paths() == ["n0", "n1"]
        assert [a.phase for a in await s.attempts(record, "n0")] == [AttemptPhase.SUCCEEDED]


@pytest.mark.parametrize("name", [name for name, _ in TaskExecution.Phase.items()])
def test_m07_every_phase_of_a_task_is_known(name: str) -> None:
    sent = Resource(phase=TaskExecution.Phase.Value(name)).SerializeToString()
    assert task_phase(Resource.FromString(sent).phase) == TaskExecution.Phase.Value(name)
    assert TaskExecution.Phase.Value("RETRYABLE_FAILED") == 8
    assert len(TaskExecution.Phase.items()) == 9


@pytest.mark.parametrize("number", [9, 99, -1])
def test_m07_an_unknown_phase_is_an_error_that_says_what_there_is(number: int) -> None:
    with pytest.raises(ConversionError, match=f"{number} is no phase of a task; there are 0 UNDEFINED"):
        task_phase(number)


@virtual
async def test_m07_attempts_and_nodes_have_phases_of_the_contract() -> None:
    runner = FakeRunner(scripts={"n0": says(Started(), BOOM), "n1": hang, "n2": says(Waits("8 cores are asked for"))})
    async with scene(runner) as s:
        record = await s.start(made([step("n0"), step("n1"), step("n2"), step("n3", "n0")], patient=True))
        await s.until(record, "n0", "failed")
        await s.until(record, "n1", "running")
        found = {path: (await s.attempts(record, path))[0] for path in ("n0", "n1", "n2")}
        assert attempt_phase(found["n0"]) == TaskExecution.RETRYABLE_FAILED
        assert attempt_phase(found["n1"]) == TaskExecution.RUNNING
        assert attempt_phase(found["n2"], "8 cores are asked for") == TaskExecution.WAITING_FOR_RESOURCES
        assert node_phase(await s.node(record, "n0")) == NodeExecution.FAILED
        assert node_phase(await s.node(record, "n2")) == NodeExecution.QUEUED
        assert node_phase(await s.node(record, "n3")) == NodeExecution.SKIPPED
        await s.abort(record)
        await s.ended(record)
        assert attempt_phase((await s.attempts(record, "n1"))[0]) == TaskExecution.ABORTED
        assert all(node_phase(NodeState("n", phase, record.created_at)) for phase in NodePhase)


PREFIX = f"{DATA}/p/d/ex/n0/0"


LEFT = says(Started(), Succeeded(written=True))
"""An attempt that leaves files, as a container does, and says that it has."""


def error(kind: int = ContainerError.NON_RECOVERABLE, origin: int = ExecutionError.USER) -> bytes:
    made = ErrorDocument()
    made.error.code, made.error.message = "USER:Boom", "it broke"
    made.error.kind, made.error.origin = kind, origin  # type: ignore[assignment]
    return made.SerializeToString()


GOOD = LiteralMap(literals={"o0": literals.integer(7)}).SerializeToString()
USER, SYSTEM = FailureKind.USER, FailureKind.SYSTEM


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, ("OutputsNotFound", USER, True)),
        ({"error.pb": error(ContainerError.RECOVERABLE)}, ("USER:Boom", USER, True)),
        ({"error.pb": error()}, ("USER:Boom", USER, False)),
        ({"error.pb": error(origin=ExecutionError.SYSTEM)}, ("USER:Boom", SYSTEM, False)),
        ({"error.pb": error(), "outputs.pb": GOOD}, ("USER:Boom", USER, False)),
        ({"error.pb": b""}, ("ErrorFileBadFormat", SYSTEM, True)),
        ({"error.pb": b"\xff\xff\xff"}, ("ErrorFileBadFormat", SYSTEM, True)),
        ({"outputs.pb": b"\xff\xff\xff"}, ("OutputsBadFormat", SYSTEM, True)),
    ],
    ids=["absent", "recoverable", "final", "of the system", "error counts first", "empty", "malformed", "bad outputs"],
)
def test_m08_files_that_an_attempt_leaves_are_judged(
    files: dict[str, bytes], expected: tuple[str, FailureKind, bool]
) -> None:
    @virtual
    async def test() -> None:
        async with scene(FakeRunner(default=LEFT)) as s:
            for name, data in files.items():
                await s.objects.write(f"{PREFIX}/{name}", data)
            record = await s.start(made([step("n0", retries=3)]), settings=Settings(system_retries=0))
            await s.until(record, "n0", "failed", "backoff", "closing", "queued", "running")
            while (first := (await s.attempts(record, "n0"))[0]).failure is None:
                await asyncio.sleep(0.1)
            assert (first.failure.code, first.failure.kind, first.failure.recoverable) == expected
            await s.ended(record)

    test()


@virtual
async def test_m08_files_that_fit_are_taken_and_no_outputs_need_no_files() -> None:
    async with scene(FakeRunner(default=LEFT)) as s:
        await s.objects.write(f"{PREFIX}/outputs.pb", GOOD)
        record = await s.run(made([step("n0")], outputs={"o0": (INT, ref("n0", "o0"))}))
        assert result(record) == 7
        nothing = await s.run(made([task_node("n0", "clean_up", a=ref("", "a"))]), "none")
        assert nothing.phase == "succeeded"


@virtual
async def test_m08_outputs_that_were_never_made_are_worth_another_try() -> None:
    async with scene(FakeRunner(default=in_turn(says(Started(), Succeeded(b"")), says(DONE)))) as s:
        record = await s.run(made([step("n0", retries=1)]))
        assert record.phase == "succeeded"
        first = (await s.attempts(record, "n0"))[0].failure
        assert first is not None
        assert (first.code, first.recoverable) == ("OutputsNotGenerated", True)


@virtual
async def test_m08_outputs_of_another_type_fail_for_good_and_say_what_was_expected() -> None:
    odd = LiteralMap(literals={"o0": literals.string("seven")}).SerializeToString()
    async with scene(FakeRunner(default=says(Started(), Succeeded(odd)))) as s:
        record = await s.run(made([step("n0", retries=3)]))
        failure = await s.failure(record)
        assert (failure.code, len(s.runner.started)) == ("OutputsUnfit", 1)
        assert "expected int" in failure.message or "int" in failure.message


@virtual
async def test_m08_outputs_beyond_all_measure_fail_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_values, "LIMIT_BYTES", 1000)
    async with scene(FakeRunner(default=LEFT)) as s:
        large = LiteralMap(literals={"o0": literals.string("x" * 1001)}).SerializeToString()
        await s.objects.write(f"{PREFIX}/outputs.pb", large)
        record = await s.run(made([task_node("n0", "text")], outputs={}))
        assert (await s.failure(record)).code == "OutputSizeExceeded"
        assert len(s.runner.started) == 1


@virtual
async def test_m08_outputs_in_hand_that_are_large_are_written_by_the_engine() -> None:
    large = literals.string("x" * 200_000)
    out = LiteralMap(literals={"o0": large}).SerializeToString()
    async with scene(FakeRunner(default=says(Started(), Succeeded(out)))) as s:
        closure = made([task_node("n0", "keep", x=ref("n1", "o0")), task_node("n1", "text")])
        record = await s.run(closure)
        assert record.phase == "succeeded"
        row = await s.node(record, "n1")
        assert row.outputs is not None
        [kept] = row.outputs.refs
        assert await s.objects.read(kept.uri) == out
        assert len(row.outputs.data) < 1000
        [job] = [job for job in s.runner.started if job.id.path == "n0"]
        assert LiteralMap.FromString(job.inputs).literals["x"] == large


@pytest.mark.parametrize(("recoverable", "attempts"), [(True, 2), (False, 1)])
def test_m09_only_what_is_recoverable_is_tried_again(recoverable: bool, attempts: int) -> None:
    @virtual
    async def test() -> None:
        async with scene(FakeRunner(default=says(Started(), failed(recoverable=recoverable)))) as s:
            record = await s.run(made([step("n0", retries=1)]))
            assert record.phase == "failed"
            assert len(await s.attempts(record, "n0")) == attempts

    test()


@virtual
async def test_m09_what_the_system_does_is_not_charged_to_the_user() -> None:
    script = in_turn(says(LOST), says(BOOM), says(LOST), says(Started(), DONE))
    async with scene(FakeRunner(default=script)) as s:
        record = await s.run(made([step("n0", retries=1)]))
        assert record.phase == "succeeded"
        row = await s.node(record, "n0")
        assert (row.attempt, row.user_failures) == (3, 1)


@virtual
async def test_m10_retries_of_the_user_and_of_the_system_are_counted_apart() -> None:
    script = in_turn(*[says(Started(), LOST)] * 3, says(Started(), failed("USER:Bug")))
    async with scene(FakeRunner(default=script)) as s:
        record = await s.run(made([step("n0", retries=2)]))
        kinds = [a.failure.kind for a in await s.attempts(record, "n0") if a.failure is not None]
        assert kinds == [SYSTEM] * 3 + [USER] * 3
        failure = await s.failure(record, "n0")
        assert (failure.code, failure.kind) == ("RetriesExhausted|USER:Bug", USER)
        assert record.error.startswith("RetriesExhausted|USER:Bug (node n0): 6 attempts failed")


@virtual
async def test_m11_failures_in_a_row_are_spaced_ever_wider_and_others_keep_what_they_have() -> None:
    runner = FakeRunner(scripts={"n0": in_turn(*[says(LOST)] * 5, says(Started(), DONE))})
    settings = Settings(system_retries=5, system_backoff=timedelta(seconds=2))
    async with scene(runner) as s:
        record = await s.run(made([step("n0"), step("n1"), step("n2", "n0", "n1")]), settings=settings)
        times = [s.since(a.since) for a in await s.attempts(record, "n0")]
        for nth, (one, next) in enumerate(pairwise(times)):
            assert 2 * 2**nth <= next - one <= 2 * 2**nth * 1.5 + 0.1
        assert (await s.attempts(record, "n1"))[0].number == 0
        assert record.phase == "succeeded"


@virtual
async def test_m11_a_success_forgives_what_was_before() -> None:
    """Each attempt gets further: the system may fail it more often than its budget."""

    def further(job: Job, tell: Tell) -> None:
        tell(Started())
        tell(Progressed(checkpoint=f"memory://c/{job.id.number}"))
        tell(DONE if job.id.number == 9 else LOST)

    async with scene(FakeRunner(default=further)) as s:
        record = await s.run(made([step("n0")]))
        assert record.phase == "succeeded"
        times = [s.since(a.since) for a in await s.attempts(record, "n0")]
        assert len(times) == 10
        assert all(next - one <= 3.1 for one, next in pairwise(times))


@virtual
async def test_m12_an_outage_of_the_store_costs_no_retry() -> None:
    runner = FakeRunner(default=after(20, DONE))
    async with scene(runner, store=line_to) as s:
        line = s.store
        assert isinstance(line, Line)
        record = await s.start(made([step(f"n{nth}") for nth in range(50)]))
        await s.until(record, "n3", "running")
        line.cut = True
        await asyncio.sleep(300)
        line.cut = False
        record = await s.ended(record)
        assert record.phase == "succeeded"
        for nth in range(50):
            [attempt] = await s.attempts(record, f"n{nth}")
            assert attempt.number == 0
            assert attempt.failure is None


@virtual
async def test_m12_a_hanging_task_and_an_outage_end_by_an_abort() -> None:
    async with scene(FakeRunner(default=hang), store=line_to) as s:
        record = await s.start(made([step("n0")]))
        await s.until(record, "n0", "running")
        s.store.cut = True
        await s.abort(record)
        await asyncio.sleep(30)
        s.store.cut = False
        assert (await s.ended(record)).phase == "aborted"
