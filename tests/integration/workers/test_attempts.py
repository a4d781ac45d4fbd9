"""What an attempt in a worker sees, gives and leaves."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from alula._kits.records import replace
from alula.data.layout import Attempt
from alula.idl import DynamicJobSpec
from alula.plugin.failure import FailureKind
from alula.plugin.runner import AttemptId, Failed, Progressed, Started, Succeeded
from tests.integration.workers import programs
from tests.integration.workers.bench import alive, bench, until


async def test_values_go_in_and_come_out(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        assert await here.run(programs.add, a=1).value() == 3
        assert await here.run(programs.add, a=1, b=1).value() == 2
        assert await here.run(programs.later, a=41).value() == 42


async def test_one_worker_runs_one_attempt_after_the_other_in_a_session_of_its_own(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        first, second = [await here.run(programs.whoami).values() for _ in range(2)]
        assert first == second
        assert first["o0"] == first["o1"] != os.getpid()


async def test_a_dynamic_task_gives_nodes(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        end = await here.run(programs.spread, n=2).end()
        assert isinstance(end, Succeeded)
        spec = DynamicJobSpec.FromString(end.futures)
        assert [node.id for node in spec.nodes] == ["dn0", "dn1"]
        assert not end.outputs


async def test_many_attempts_run_at_once_and_none_twice(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        watched = [here.run(programs.add, a=i, b=0) for i in range(300)]
        assert [await one.value() for one in watched] == list(range(300))
        assert all(len(one.told(Started)) == 1 for one in watched)


async def test_an_attempt_knows_its_execution_task_and_number(tmp_path: Path) -> None:
    names = ["EXECUTION_PROJECT", "EXECUTION_DOMAIN", "EXECUTION_ID", "TASK_PROJECT", "TASK_DOMAIN", "TASK_VERSION"]
    names = [f"FLYTE_INTERNAL_{name}" for name in names] + ["FLYTE_ATTEMPT_NUMBER", "FROM_TASK", "FROM_EXECUTION"]
    async with bench(tmp_path) as here:
        job = here.job(programs.variables, names=names)
        job = replace(job, id=replace(job.id, number=4), environment={"FROM_EXECUTION": "execution"})
        assert await here.start(job).value() == ["p", "d", "e1", "p", "d", "v1", "4", "task", "execution"]
        after = here.job(programs.variables, names=["FROM_EXECUTION", "FLYTE_ATTEMPT_NUMBER"])
        assert await here.start(after).value() == ["-", "0"]


async def test_an_element_of_an_array_knows_its_index(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        job = here.job(programs.variables, names=["FLYTE_K8S_ARRAY_INDEX"])
        assert await here.start(replace(job, index=7)).value() == ["7"]


async def test_a_secret_of_this_machine_is_there_as_the_task_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    async with bench(tmp_path) as here:
        assert await here.run(programs.secret).value() == ["hunter2", "hunter2"]


async def test_the_report_lies_beside_the_outputs(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        watched = here.run(programs.report)
        assert await watched.value() == "e1"
        assert "programs.report" in Path(Attempt(watched.job.prefix).deck).read_text()


async def test_a_file_goes_under_the_prefix_of_the_attempt_and_scratch_files_go(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        watched = here.run(programs.file, text="hello")
        blob = (await watched.value()).scalar.blob
        assert blob.uri.startswith(Attempt(watched.job.prefix).raw)
        assert Path(blob.uri).read_text() == "hello"
        assert await here.run(programs.add, a=1).value() == 3
        assert not list(tmp_path.glob("spool/worker-*/scratch/*"))


async def test_the_next_attempt_goes_on_from_the_checkpoint_of_the_former_one(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        first = replace(here.job(programs.resume, fail=True), attempts=3)
        watched = here.start(first)
        end = await watched.end()
        assert isinstance(end, Failed)
        assert end.failure.recoverable
        assert end.checkpoint == Attempt(first.prefix).checkpoint
        assert [one.checkpoint for one in watched.told(Progressed)] == [end.checkpoint]
        second = replace(here.job(programs.resume, fail=False), checkpoint=end.checkpoint)
        assert await here.start(second).value() == "+"


async def test_progress_arrives_throttled_and_the_last_word_too(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        go_on = tmp_path / "go on"
        watched = here.run(programs.steps, path=str(go_on))
        await until(lambda: watched.told(Progressed)[-1:] == [Progressed(0.5, "two 999")])
        assert watched.told(Progressed)[0] == Progressed(0.25, "one")
        assert len(watched.told(Progressed)) < 50
        go_on.touch()
        await watched.end()


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("value", "USER:ValueError", "a bad value"),
        ("unspeakable", "USER:Unspeakable", "Unspeakable"),
        ("sys.exit", "USER:SystemExit", "SystemExit: 3"),
        ("interrupt", "USER:KeyboardInterrupt", "KeyboardInterrupt"),
        ("type", "USER:ConversionError", "expected int"),
        ("recursion", "USER:RecursionError", "recursion"),
        ("shallow", "USER:RecursionError", "RecursionError"),
    ],
)
async def test_what_a_task_raises_is_told(tmp_path: Path, how: str, code: str, message: str) -> None:
    async with bench(tmp_path) as here:
        failure = await here.run(programs.fails, how=how).failure()
        assert (failure.code, failure.kind) == (code, FailureKind.USER)
        assert message in failure.message
        assert await here.run(programs.add, a=1).value() == 3


async def test_retries_are_those_that_the_job_may_have(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        job = here.job(programs.fails, how="value")
        assert not (await here.start(job).failure()).recoverable
        job = replace(here.job(programs.fails, how="value"), attempts=2)
        assert (await here.start(job).failure()).recoverable
        assert (await here.run(programs.fails, how="again").failure()).recoverable


async def test_outputs_too_large_for_a_database_are_refused_with_advice(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        written = here.run(programs.huge, size=20_000_000)
        assert len(await written.value()) == 20_000_000
        assert written.reports[-1] == Succeeded(written=True)
        failure = await here.run(programs.huge, size=101 * 1024 * 1024).failure()
        assert "104,857,600" in failure.message
        assert "File" in failure.message
        assert await here.run(programs.add, a=1).value() == 3


async def test_large_inputs_arrive(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        failure = await here.run(programs.fails, how="x" * 30_000_000).value()
        assert failure == 0


async def test_an_attempt_that_runs_is_taken_up_and_not_run_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        go_on = tmp_path / "go on"
        watched = here.run(programs.wait_for, path=str(go_on))
        await until((tmp_path / "go on.pid").exists)
        again = here.start(watched.job)
        assert again.told(Started) == [Started()]
        assert watched.told(Started) == [Started()]
        go_on.touch()
        assert await again.value() == str(go_on)
        assert not watched.over.is_set()


async def test_closing_what_was_never_seen_is_done_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        said: list[str] = []
        here.pool.close(AttemptId("p", "d", "e", "n", 0), abort=True, reason="", done=said.append)
        assert said == [""]


async def test_an_idle_worker_ends(tmp_path: Path) -> None:
    async with bench(tmp_path, idle=timedelta(milliseconds=20)) as here:
        first = (await here.run(programs.whoami).values())["o0"]
        await until(lambda: not alive(first))
        assert (await here.run(programs.whoami).values())["o0"] != first


@pytest.mark.parametrize("how", ["", "thread"])
async def test_what_a_task_leaves_to_the_end_of_its_process_is_done_then(tmp_path: Path, how: str) -> None:
    mark = tmp_path / "files" / "mark"
    mark.parent.mkdir()
    async with bench(tmp_path) as here:
        pid = (await here.run(programs.whoami).values())["o0"]
        await here.run(programs.ends_later, mark=str(mark), how=how).end()
        if how == "thread":  # this worker is replaced, and then the attempt is over
            assert mark.read_text() == str(pid)
        else:
            assert not mark.exists()
            assert any(mark.parent.iterdir())
    assert mark.read_text() == str(pid)
    assert list(mark.parent.iterdir()) == [mark]


async def test_an_end_that_hangs_holds_nothing_up_for_longer_than_a_stop_may_take(tmp_path: Path) -> None:
    async with bench(tmp_path, stop_grace=timedelta(seconds=0.2)) as here:
        pid = (await here.run(programs.whoami).values())["o0"]
        await here.run(programs.ends_later, mark=str(tmp_path / "mark"), how="hang").end()
    assert not alive(pid)
    assert not (tmp_path / "mark").exists()
