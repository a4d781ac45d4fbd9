"""Our client against real connectors of flytekit: jobs in two versions, answers at once, sensors, errors (M31, M35)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alula.backends.agent.calls import AgentCalls
from alula.backends.agent.jobs import Agents
from alula.backends.agent.settings import Endpoint, Settings
from alula.errors import Rejected
from alula.plugin.failure import FailureKind
from alula.plugin.phase import LogLink, Phase
from tests.integration.agents.agents import Agent, Attempts, Journal, followed

Connectors = tuple[Agent, Journal]


def settings_of(agent: Agent, directory: Path) -> Settings:
    return Settings({"probes": Endpoint(agent.address, plaintext=True)}, register=str(directory / "register"))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Agents]:
    plugin = Agents(settings)
    await plugin.open()
    try:
        yield plugin
    finally:
        await plugin.close()


async def test_each_version_of_a_task_type_goes_to_its_own_connector(
    connectors: Connectors, attempts: Attempts, tmp_path: Path
) -> None:
    agent, journal = connectors
    async with opened(settings_of(agent, tmp_path)) as plugin:
        for version in (0, 1):
            task = attempts("probe_job", version=version, a=3, execution=f"versions{version}")
            key = await plugin.create(task)
            last = (await followed(plugin, task, key))[-1]
            assert last.outputs is not None
            assert last.outputs.literals["o0"].scalar.primitive.integer == 30 + version
            created = [one for one in journal.read("create") if one["job"].startswith(f"versions{version}-")]
            assert [one["version"] for one in created] == [version]


async def test_what_a_connector_shows_while_it_runs_arrives(
    connectors: Connectors, attempts: Attempts, tmp_path: Path
) -> None:
    async with opened(settings_of(connectors[0], tmp_path)) as plugin:
        task = attempts("probe_job", custom={"seconds": 0.5}, execution="shows")
        running, *_, last = await followed(plugin, task, await plugin.create(task))
        assert (running.phase, running.reason) == (Phase.RUNNING, "counting")
        assert running.links == (LogLink("console", "http://probe.example/shows-0"),)
        assert running.custom == {"rows": 7.0, "job": "shows-0"}
        assert last.phase is Phase.SUCCEEDED


async def test_arguments_are_filled_in_and_the_connector_learns_whose_attempt_it_is(
    connectors: Connectors, attempts: Attempts, tmp_path: Path
) -> None:
    agent, journal = connectors
    async with opened(settings_of(agent, tmp_path)) as plugin:
        task = attempts("probe_job", args=["--a", "{{.inputs.a}}", "{{.outputPrefix}}"], a=8, execution="args")
        await plugin.create(task)
        (created,) = [one for one in journal.read("create") if one["job"] == "args-0"]
        assert created["args"] == ["--a", "8", task.output_prefix]
        assert created["namespace"] == "p-development"
        assert created["labels"]["alula.dev/execution"] == "args"


@pytest.mark.parametrize(
    ("mode", "phase", "recoverable"),
    [("fail", Phase.FAILED, False), ("again", Phase.FAILED, True), ("abort", Phase.ABORTED, None)],
)
async def test_every_bad_end_keeps_its_meaning(
    connectors: Connectors, attempts: Attempts, tmp_path: Path, mode: str, phase: Phase, recoverable: bool | None
) -> None:
    agent, journal = connectors
    async with opened(settings_of(agent, tmp_path)) as plugin:
        task = attempts("probe_job", custom={"mode": mode}, execution=f"ends{mode}")
        key = await plugin.create(task)
        last = (await followed(plugin, task, key))[-1]
        assert last.phase is phase
        assert (last.failure and last.failure.recoverable) is recoverable
        await plugin.delete(key)
        assert [one["job"] for one in journal.read("delete")].count(f"ends{mode}-0") == 1


async def test_what_a_connector_raises_is_the_users_and_may_be_tried_again(
    connectors: Connectors, attempts: Attempts, tmp_path: Path
) -> None:
    async with opened(settings_of(connectors[0], tmp_path)) as plugin:
        task = attempts("probe_job", custom={"mode": "raise"})
        (last,) = await followed(plugin, task, await plugin.create(task))
        assert last.failure is not None
        assert "the warehouse of this probe does not exist" in last.failure.message
        assert (last.failure.kind, last.failure.recoverable) == (FailureKind.USER, True)


async def test_a_job_that_succeeded_is_left_alone_as_flyte_leaves_it(
    connectors: Connectors, attempts: Attempts, tmp_path: Path
) -> None:
    agent, journal = connectors
    async with opened(settings_of(agent, tmp_path)) as plugin:
        task = attempts("probe_job", execution="leftalone")
        key = await plugin.create(task)
        await followed(plugin, task, key)
        await plugin.delete(key)
        assert "leftalone-0" not in [one["job"] for one in journal.read("delete")]


async def test_logs_and_metrics_that_a_connector_does_not_have_are_empty_with_a_reason(
    connectors: Connectors, attempts: Attempts, tmp_path: Path
) -> None:
    async with opened(settings_of(connectors[0], tmp_path)) as plugin:
        task = attempts("probe_job")
        key = await plugin.create(task)
        page = await plugin.logs(task, key)
        assert (page.lines, "gives no logs" in page.reason) == ((), True)
        now = datetime.now(UTC)
        found, why = await plugin.metrics(key, ["cpu"], start=now, end=now, step=timedelta(seconds=1))
        assert (found, "gives no metrics" in why) == ({}, True)


async def test_a_sensor_waits_for_a_file(connectors: Connectors, attempts: Attempts, tmp_path: Path) -> None:
    awaited = tmp_path / "arrived.csv"
    async with opened(settings_of(connectors[0], tmp_path)) as plugin:
        custom = {"sensor_module": "flytekit.sensor.file_sensor", "sensor_name": "FileSensor"}
        task = attempts("sensor", custom=custom, text={"path": str(awaited)})
        job = await plugin.create(task)
        (told,) = await plugin.get([job])
        assert plugin.phase(task, told).phase is Phase.RUNNING  # type: ignore[arg-type]
        awaited.write_text("here")
        assert (await followed(plugin, task, job))[-1].phase is Phase.SUCCEEDED


async def test_an_answer_at_once_and_an_error_at_once(
    connectors: Connectors, attempts: Attempts, tmp_path: Path
) -> None:
    calls = AgentCalls(settings_of(connectors[0], tmp_path))
    await calls.open()
    try:
        good = await calls.do(attempts("probe_call", a=6))
        assert good.outputs is not None
        assert good.outputs.literals["o0"].scalar.primitive.integer == 7
        bad = await calls.do(attempts("probe_call", a=-1))
        assert bad.failure is not None
        assert "a probe counts from nought" in bad.failure.message
    finally:
        await calls.close()


async def test_jobs_and_calls_do_not_take_each_others_tasks(
    connectors: Connectors, attempts: Attempts, tmp_path: Path
) -> None:
    settings = settings_of(connectors[0], tmp_path)
    calls = AgentCalls(settings)
    await calls.open()
    try:
        async with opened(settings) as plugin:
            job, call = attempts("probe_job").template, attempts("probe_call").template
            assert (plugin.accepts(job), calls.accepts(call)) == ("", "")
            assert "at once" in (plugin.accepts(call) or "")
            assert "starts jobs" in (calls.accepts(job) or "")
            assert "only probe_job@0, probe_job@1" in (plugin.accepts(attempts("probe_job", version=7).template) or "")
            with pytest.raises(Rejected, match="no agent serves tasks of type nobody@0"):
                await plugin.create(attempts("nobody"))
    finally:
        await calls.close()
