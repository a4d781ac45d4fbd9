"""Which code a worker has: bundles never meet in one interpreter, and other SDKs' command lines are understood."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import alula
from alula._kits.records import replace
from alula.backends.pool import Start
from alula.data.bundle import pack
from alula.idl import TaskTemplate
from alula.plugin.failure import FailureKind
from alula.sdk import templates
from alula.sdk.compiler import Compilation
from tests.integration.workers import programs
from tests.integration.workers.bench import ROOT, SETTINGS, Bench, bench, template, until

PROGRAM = """
import os
import alula

@alula.task
def add(a: int, b: int = 2) -> int:
    open("beside.txt").read()
    return a + b + {version}
"""


def bundled(tmp_path: Path, version: int) -> TaskTemplate:
    """The template of a task of that version, its code in a bundle."""
    tree = tmp_path / f"tree-{version}"
    tree.mkdir()
    (tree / "bundled_program.py").write_text(PROGRAM.format(version=version))
    (tree / "beside.txt").write_text("data")
    bundle = pack(tree, tmp_path / "bundles")
    return fast(bundle.path, "bundled_program")


def fast(bundle: Path, module: str) -> TaskTemplate:
    made = template(programs.add)
    words = list(made.container.args)
    words[words.index("task-module") + 1] = module
    del made.container.args[:]
    made.container.args.extend(
        ["alula-fast-execute", "--additional-distribution", str(bundle), "--dest-dir", "/root", "--", *words]
    )
    return made


def job_of(here: Bench, made: TaskTemplate, **inputs: Any) -> Any:
    return replace(here.job(programs.add, **inputs), template=made)


async def test_versions_of_one_module_do_not_meet(tmp_path: Path) -> None:
    first, second = bundled(tmp_path, 10), bundled(tmp_path, 20)
    async with bench(tmp_path, cpus=1) as here:
        for made, expected in ((first, 13), (second, 23), (first, 13)):
            assert await here.start(job_of(here, made, a=1)).value() == expected
        assert len(list(tmp_path.glob("spool/code/contents/*"))) == 2


async def test_a_bundle_that_is_not_there_is_said_at_each_attempt(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        made = fast(tmp_path / "nowhere.tar.gz", "bundled_program")
        for _ in range(2):
            failure = await here.start(job_of(here, made, a=1)).failure()
            assert (failure.code, failure.kind, failure.recoverable) == ("WorkersLost", FailureKind.SYSTEM, True)
            assert "nowhere.tar.gz does not exist" in failure.message
        assert await here.run(programs.add, a=1).value() == 3


async def test_a_zygote_of_a_bundle_ends_with_its_last_worker(tmp_path: Path) -> None:
    made = bundled(tmp_path, 10)
    async with bench(tmp_path, idle=timedelta(milliseconds=20)) as here:
        assert await here.start(job_of(here, made, a=1)).value() == 13
        crew = here.pool._crew
        assert crew is not None
        await until(lambda: len(crew._zygotes) == 1)
        assert await here.start(job_of(here, made, a=1)).value() == 13


async def test_code_that_cannot_be_found_is_the_authors_fault(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        made = template(programs.add)
        made.container.args[-3] = "no.such.module"
        failure = await here.start(job_of(here, made, a=1)).failure()
        assert (failure.code, failure.kind) == ("USER:ConfigError", FailureKind.USER)
        assert "no.such.module" in failure.message


async def test_an_interpreter_that_cannot_start_is_named(tmp_path: Path) -> None:
    async with bench(tmp_path, start=Start(interpreter=str(tmp_path / "python"))) as here:
        failure = await here.run(programs.add, a=1).failure()
        assert (failure.code, failure.kind) == ("WorkersLost", FailureKind.SYSTEM)
        assert f"{tmp_path}/python cannot be started: No such file or directory" in failure.message


async def test_an_interpreter_without_alula_shows_its_last_words(tmp_path: Path) -> None:
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E -c "import alula" "$@"\n')
    wrapper.chmod(0o755)
    async with bench(tmp_path, start=Start(interpreter=str(wrapper))) as here:
        failure = await here.run(programs.add, a=1).failure()
        assert "exit code 1" in failure.message
        assert "No module named 'alula'" in failure.message


async def test_a_module_that_fails_when_it_is_preloaded_fails_in_its_own_tasks(tmp_path: Path) -> None:
    (tmp_path / "broken_module.py").write_text("raise SystemExit('not today')")
    start = Start(paths=(str(ROOT), str(tmp_path)), modules=("broken_module",))
    async with bench(tmp_path, start=start) as here:
        assert await here.run(programs.add, a=1).value() == 3
        made = template(programs.add)
        made.container.args[-3] = "broken_module"
        failure = await here.start(job_of(here, made, a=1)).failure()
        assert failure.code == "USER:SystemExit"


@pytest.mark.parametrize(
    ("body", "patience", "said"),
    [
        ("import os; os._exit(4)", 60, "exit code 4"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 60, "SIGSEGV"),
        ("import time; time.sleep(600)", 6, "imported for longer than 6 s"),
    ],
)
async def test_a_module_that_breaks_a_zygote_is_left_to_the_workers_of_the_next_one(
    tmp_path: Path, body: str, patience: float, said: str
) -> None:
    (tmp_path / "breaking_module.py").write_text(body)
    start = Start(paths=(str(ROOT), str(tmp_path)), modules=("breaking_module",), prepare_seconds=patience)
    async with bench(tmp_path, start=start) as here:
        failure = await here.run(programs.add, a=1).failure()
        assert (failure.code, failure.kind, failure.recoverable) == ("WorkersLost", FailureKind.SYSTEM, True)
        assert said in failure.message
        assert await here.run(programs.add, a=1).value() == 3


async def test_flytekits_command_line_is_understood(tmp_path: Path) -> None:
    words = ["task-module", programs.__name__, "task-name", "add"]
    resolver = "flytekit.core.python_auto_container.default_task_resolver"
    made = template(programs.add)
    places = ["--inputs", "{{.input}}", "--output-prefix", "{{.outputPrefix}}"]
    del made.container.args[:]
    made.container.args.extend(["pyflyte-execute", *places, "--resolver", resolver, "--", *words])
    async with bench(tmp_path) as here:
        assert await here.start(job_of(here, made, a=1)).value() == 3


async def test_a_task_of_a_prebuilt_kind_runs_by_its_template(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        job = replace(here.job(programs.add), template=template(programs.counted), inputs=b"")
        assert await here.start(job).value() == 3


async def test_an_element_of_a_map_runs_by_the_command_of_maps(tmp_path: Path) -> None:
    made = templates.array_task(Compilation(SETTINGS), alula.map_task(programs.add)).template
    assert made.container.args[0] == "alula-map-execute"
    async with bench(tmp_path) as here:
        job = replace(job_of(here, made, a=5, b=1), index=3)
        assert await here.start(job).value() == 6


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda t: t.container.args.__delitem__(slice(None)), "runs its entry point in the image example.org/image:1"),
        (lambda t: t.ClearField("container"), "has no container"),
        (lambda t: t.sql.__setattr__("statement", "SELECT 1"), "is a statement for a database service"),
    ],
)
async def test_what_no_worker_can_run_is_refused_with_a_way_out(tmp_path: Path, change: Any, why: str) -> None:
    async with bench(tmp_path) as here:
        made = template(programs.add)
        change(made)
        assert why in here.pool.accepts(made)
        failure = await here.start(job_of(here, made, a=1)).failure()
        assert why in failure.message
        assert here.pool.accepts(template(programs.add)) == ""
