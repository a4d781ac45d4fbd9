"""Workers for many programs: which of them runs what, and what happens when their code is not there."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from alula.engine.plan import NodePlan
from alula.errors import ConfigError
from alula.idl import TaskTemplate
from alula.plugin.runner import AttemptId, Failed, Job, Report, Started, Succeeded, Tell
from alula.serve.code import Code, with_environment
from alula.serve.programs import Programs
from alula.store.records import ExecutionKey, ExecutionRecord


class Workers:
    """Runs nothing: a test ends the attempts."""

    local = True

    def __init__(self, code: Code | None, *, problem: Exception | None = None) -> None:
        self.code, self.problem = code, problem
        self.jobs: dict[str, tuple[Job, Tell]] = {}
        self.closed: list[str] = []
        self.opened, self.ended = asyncio.Event(), False

    async def open(self) -> None:
        await self.opened.wait()
        if self.problem is not None:
            raise self.problem

    async def aclose(self) -> None:
        self.ended = True

    def keep(self, seconds: float) -> None: ...

    def accepts(self, template: TaskTemplate) -> str:
        return ""

    def start(self, job: Job, tell: Tell) -> None:
        self.jobs[job.id.path] = job, tell

    def wake(self, id: AttemptId) -> None: ...

    def forget(self, id: AttemptId) -> None: ...

    def close(
        self, id: AttemptId, *, abort: bool, reason: str, done: Callable[[str], None], job: Job | None = None
    ) -> None:
        self.closed.append(id.path)
        done("")

    def numbers(self) -> Mapping[str, float]:
        return {"workers_started": 2, "queued": len(self.jobs)}


class Stage:
    """Programs, and all workers that were made."""

    def __init__(self, *, problem: Exception | None = None, flytekit: bool = False, ready: bool = False) -> None:
        self.made: list[Workers] = []
        self.theirs: list[Workers] = []
        self.said: list[Report] = []

        def make(code: Code | None) -> Workers:
            self.made.append(Workers(code, problem=problem))
            return self.made[-1]

        def with_flytekit() -> Workers:
            self.theirs.append(Workers(None))
            return self.theirs[-1]

        self.programs = Programs(make, lambda template: "", with_flytekit if flytekit else None, ready=ready)

    def take(self, name: str, module: str | None, **variables: str) -> None:
        facts = Code(sys.executable, "/somewhere", module).facts() if module is not None else {}
        facts |= with_environment(variables)
        key, now = ExecutionKey("p", "d", name), datetime.now(UTC)
        record = ExecutionRecord(1, key, "workflow:p:d:w:v", "", "running", open=True, created_at=now, facts=facts)

        def plan_of(path: str) -> NodePlan:
            raise KeyError(path)

        self.programs.taken(record, plan_of)

    def start(self, name: str, path: str = "n0", *args: str) -> AttemptId:
        id, template = AttemptId("p", "d", name, path, 0), TaskTemplate()
        template.container.args.extend(args)
        self.programs.start(Job(id, template, b"", "memory://x"), self.said.append)
        return id


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_each_program_has_workers_of_its_own_which_its_executions_share() -> None:
    stage = Stage()
    for name, module in (("one", "a"), ("two", "a"), ("three", "b"), ("four", None)):
        stage.take(name, module)
        stage.start(name, path=name)
    for workers in stage.made:
        workers.opened.set()
    await turn()
    assert [(w.code.module if w.code else None, list(w.jobs)) for w in stage.made] == [
        ("a", ["one", "two"]),
        ("b", ["three"]),
        (None, ["four"]),
    ]
    assert stage.programs.numbers()["queued"] == 4
    await stage.programs.aclose()
    assert all(workers.ended for workers in stage.made)
    assert stage.programs.numbers()["workers_started"] == 6


async def test_what_is_closed_before_its_workers_are_ready_never_starts() -> None:
    stage = Stage()
    stage.take("one", "a")
    id = stage.start("one")
    done: list[str] = []
    stage.programs.close(id, abort=True, reason="enough", done=done.append)
    [workers] = stage.made
    workers.opened.set()
    await turn()
    assert (done, workers.jobs, workers.closed) == ([""], {}, [])


async def test_an_attempt_is_closed_where_it_runs() -> None:
    stage = Stage()
    stage.take("one", "a")
    id = stage.start("one")
    [workers] = stage.made
    workers.opened.set()
    await turn()
    _, tell = workers.jobs["n0"]
    tell(Started())
    tell(Succeeded(b"", closed=False))
    done: list[str] = []
    stage.programs.close(id, abort=False, reason="", done=done.append)
    assert (done, workers.closed, len(stage.said)) == ([""], ["n0"], 2)
    stage.programs.close(id, abort=False, reason="", done=done.append)
    assert done == ["", ""]


async def test_code_that_has_changed_fails_the_attempt_and_says_so() -> None:
    stage = Stage()
    facts = {**Code(sys.executable, "/somewhere", "a", {"a.py": "0123"}).facts()}
    now = datetime.now(UTC)
    key = ExecutionKey("p", "d", "one")
    stage.programs.taken(
        ExecutionRecord(1, key, "w", "", "running", open=True, created_at=now, facts=facts), lambda path: None
    )
    stage.start("one")
    [failed] = stage.said
    assert isinstance(failed, Failed)
    assert failed.failure.code == "CodeUnavailable"
    assert "a.py is gone" in failed.failure.message
    assert not stage.made


async def test_workers_that_cannot_begin_fail_the_attempt() -> None:
    stage = Stage(problem=OSError("no processes left"))
    stage.take("one", "a")
    stage.start("one")
    stage.made[0].opened.set()
    await turn()
    [failed] = stage.said
    assert isinstance(failed, Failed)
    assert "no processes left" in failed.failure.message


async def test_variables_of_an_execution_are_given_to_its_jobs() -> None:
    stage = Stage()
    stage.take("one", "a", COLOR="red")
    stage.start("one")
    stage.made[0].opened.set()
    await turn()
    job, _ = stage.made[0].jobs["n0"]
    assert (job.environment, job.user_data) == ({"COLOR": "red"}, "")


async def test_what_flytekit_registered_runs_where_flytekit_is() -> None:
    stage = Stage(flytekit=True)
    stage.take("registered", None)
    stage.take("of-a-file", "a")
    stage.start("registered", "n0", "pyflyte-fast-execute", "--dest-dir", ".", "--", "pyflyte-execute")
    stage.start("registered", "n1", "alula-execute")
    stage.start("of-a-file", "n2", "pyflyte-execute")
    for workers in stage.made + stage.theirs:
        workers.opened.set()
    await turn()
    assert [list(workers.jobs) for workers in stage.theirs] == [["n0"]]
    assert [(w.code.module if w.code else None, list(w.jobs)) for w in stage.made] == [(None, ["n1"]), ("a", ["n2"])]
    await stage.programs.aclose()


async def test_without_flytekit_its_tasks_run_on_alulas_own_sdk() -> None:
    stage = Stage()
    stage.take("registered", None)
    stage.start("registered", "n0", "pyflyte-execute")
    [workers] = stage.made
    workers.opened.set()
    await turn()
    assert list(workers.jobs) == ["n0"]
    await stage.programs.aclose()


async def test_workers_that_could_not_begin_are_made_anew_for_the_next_attempt() -> None:
    stage = Stage(problem=ConfigError("there is no flytekit"))
    stage.take("one", None)
    for path in ("n0", "n1"):
        stage.start("one", path)
        stage.made[-1].opened.set()
        await turn()
    assert len(stage.made) == 2
    assert [one.failure.code for one in stage.said if isinstance(one, Failed)] == ["WorkersUnavailable"] * 2
    await stage.programs.aclose()


async def test_workers_with_flytekit_can_be_there_before_the_first_task() -> None:
    stage = Stage(flytekit=True, ready=True)
    await stage.programs.open()
    [workers] = stage.theirs
    workers.opened.set()
    stage.take("registered", None)
    stage.start("registered", "n0", "pyflyte-execute")
    await turn()
    assert list(workers.jobs) == ["n0"]
    await stage.programs.aclose()
    assert workers.ended
