"""What is said when the Python that is to run flytekit's tasks cannot."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from alula._kits.clock import SystemClock
from alula.backends.pool.crew import Start
from alula.backends.pool.pool import Pool
from alula.config import WorkersConfig
from alula.idl import TaskTemplate
from alula.plugin.runner import AttemptId, Failed, Job, Report
from alula.serve.flytekit import Flytekit

TASK = TaskTemplate(type="python-task")
TASK.container.args.extend(["pyflyte-execute", "--inputs", "{{.input}}", "--resolver", "r", "--", "task-module", "m"])


async def failure(config: WorkersConfig, template: TaskTemplate, home: Path) -> Failed:
    """How an attempt of a task ends."""

    def pool(start: Start) -> Pool:
        return Pool(config, clock=SystemClock(), start=start, spool=home / "spool")

    runner, ended = Flytekit(config, pool, dict), asyncio.get_running_loop().create_future()

    def tell(report: Report) -> None:
        if isinstance(report, Failed):
            ended.set_result(report)

    await runner.open()
    try:
        runner.start(Job(AttemptId("p", "d", "e", "n0", 0), template, b"", str(home / "data" / "n0")), tell)
        found = await asyncio.wait_for(ended, 60)
        assert isinstance(found, Failed)
        return found
    finally:
        await runner.aclose()


async def test_what_flytekit_said_when_it_could_not_be_imported_is_told(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\n[ "$1" = -I ] && echo \'[[3, 11], "1.16.31"]\' && exit 0\necho "no _ssl" >&2\nexit 1\n'
    )
    python.chmod(0o755)
    found = await failure(WorkersConfig(python=str(python), cpus=1), TASK, tmp_path)
    assert found.failure.code == "WorkersLost"
    assert found.failure.recoverable
    assert "Its last words: no _ssl" in found.failure.message


@pytest.mark.parametrize("fresh", [False, True])
async def test_a_bundle_that_cannot_be_had_fails_its_tasks_and_no_others(
    flytekit_python: Path, tmp_path: Path, *, fresh: bool
) -> None:
    config = WorkersConfig(python=str(flytekit_python), cpus=1, fresh=fresh)
    template = TaskTemplate(type="python-task")
    bundle = str(tmp_path / "gone.tar.gz")
    template.container.args.extend(["pyflyte-fast-execute", "--additional-distribution", bundle, "--"])
    template.container.args.extend(TASK.container.args)
    found = await failure(config, template, tmp_path)
    assert found.failure.code == "WorkersLost"
    assert "the code bundle cannot be unpacked" in found.failure.message


async def test_a_command_that_is_none_of_flytekits_is_named(flytekit_python: Path, tmp_path: Path) -> None:
    odd = TaskTemplate(type="python-task")
    odd.container.args.extend(["pyflyte-fast-execute", "--", "bash", "-c", "true"])
    found = await failure(WorkersConfig(python=str(flytekit_python), cpus=1), odd, tmp_path)
    assert "is no command of flytekit's" in found.failure.message
