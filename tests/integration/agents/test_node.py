"""An agent in another language: JavaScript, with the packages that its own people use for protobuf and gRPC."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alula.backends.agent.calls import AgentCalls
from alula.backends.agent.channels import Channels, Peer
from alula.backends.agent.checking import check_agent
from alula.backends.agent.jobs import Agents, Told
from alula.backends.agent.settings import Endpoint, Settings
from alula.errors import Rejected, RemoteError, RemoteNotFound
from alula.plugin.failure import FailureKind
from alula.plugin.phase import Phase
from tests.integration.agents.agents import Agent, Attempts, followed


def settings_of(agent: Agent, directory: Path, **more: object) -> Settings:
    endpoint = replace(Endpoint(agent.address, plaintext=True), **more)  # type: ignore[arg-type]
    return Settings({"node": endpoint}, register=str(directory / "register"))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Agents]:
    plugin = Agents(settings)
    await plugin.open()
    try:
        yield plugin
    finally:
        await plugin.close()


async def test_its_jobs_run_show_facts_and_give_outputs(node: Agent, attempts: Attempts, tmp_path: Path) -> None:
    async with opened(settings_of(node, tmp_path)) as plugin:
        task = attempts("node_job", custom={"millis": 200}, a=5)
        running, *_, last = await followed(plugin, task, await plugin.create(task))
        assert (running.phase, running.reason) == (Phase.RUNNING, "turning")
        assert str(running.custom["runtime"]).startswith("node ")
        assert last.outputs is not None
        assert last.outputs.literals["o0"].scalar.primitive.integer == 15


async def test_its_errors_say_whose_budget_pays(node: Agent, attempts: Attempts, tmp_path: Path) -> None:
    async with opened(settings_of(node, tmp_path)) as plugin:
        task = attempts("node_job", custom={"mode": "fail"})
        (last,) = await followed(plugin, task, await plugin.create(task))
        assert last.failure is not None
        assert (last.failure.code, last.failure.message) == ("NodeFault", "the wheel broke")
        assert (last.failure.kind, last.failure.recoverable) == (FailureKind.SYSTEM, True)


async def test_the_deprecated_state_still_counts(node: Agent, attempts: Attempts, tmp_path: Path) -> None:
    async with opened(settings_of(node, tmp_path)) as plugin:
        task = attempts("node_job", custom={"mode": "old"})
        assert (await followed(plugin, task, await plugin.create(task)))[-1].phase is Phase.SUCCEEDED


async def test_all_eleven_fields_about_an_attempt_arrive(node: Agent, attempts: Attempts, tmp_path: Path) -> None:
    async with opened(settings_of(node, tmp_path)) as plugin:
        task = attempts("node_job", custom={"mode": "about"}, number=2, execution="whole")
        (last,) = await followed(plugin, task, await plugin.create(task))
        about = json.loads(last.reason)
        id = about["task_execution_id"]
        assert id["node_execution_id"]["execution_id"]["name"] == "whole"
        assert (id["node_execution_id"]["node_id"], id["retry_attempt"]) == ("n0", 2)
        assert id["task_id"]["name"] == "t"
        assert about["namespace"] == "p-development"
        assert about["labels"]["alula.dev/attempt"] == "2"
        assert about["annotations"]["alula.dev/name"] == task.name
        assert about["k8s_service_account"] == "default"
        assert about["environment_variables"]["FLYTE_ATTEMPT_NUMBER"] == "2"
        assert about["max_attempts"] == 3
        assert about["interruptible_failure_threshold"] == -1
        assert about["identity"]["execution_identity"] == "p/development/whole"
        assert "interruptible" not in about, "false is not on the wire"
        assert "overrides" not in about, "there are none here"


async def test_it_finds_what_was_started_under_a_key(node: Agent, attempts: Attempts, tmp_path: Path) -> None:
    async with opened(settings_of(node, tmp_path, create_timeout=timedelta(seconds=0.5))) as plugin:
        task = attempts("node_job", custom={"mode": "mute", "millis": 60_000})
        with pytest.raises(RemoteError, match="does not answer since"):
            await plugin.create(task)
        key = await plugin.find(task)
        assert key is not None
        (told,) = await plugin.get([key])
        assert isinstance(told, Told)
        assert plugin.phase(task, told).phase is Phase.RUNNING
        await plugin.delete(key)
        (gone,) = await plugin.get([key])
        assert isinstance(gone, RemoteNotFound)
        await plugin.delete(key)


async def test_its_logs_and_metrics_arrive(node: Agent, attempts: Attempts, tmp_path: Path) -> None:
    async with opened(settings_of(node, tmp_path)) as plugin:
        task = attempts("node_job")
        key = await plugin.create(task)
        page = await plugin.logs(task, key)
        assert (page.lines, page.token) == (("turned once", "turned twice"), "next")
        now = datetime.now(UTC)
        assert await plugin.metrics(key, ["cpu"], start=now, end=now, step=timedelta(seconds=1)) == (
            {"cpu": {"peak": 0.75}},
            "",
        )


async def test_an_answer_in_parts_is_put_together_and_may_not_be_too_large(
    node: Agent, attempts: Attempts, tmp_path: Path
) -> None:
    calls = AgentCalls(settings_of(node, tmp_path))
    await calls.open()
    try:
        info = await calls.do(attempts("node_square", a=12))
        assert info.outputs is not None
        assert {name: one.scalar.primitive.integer for name, one in info.outputs.literals.items()} == {
            "o0": 144,
            "limit": 10 * 1024 * 1024,
        }
        with pytest.raises(Rejected, match="more than 10485760 bytes"):
            await calls.do(attempts("node_square", a=1000))
    finally:
        await calls.close()


async def test_it_passes_the_check(node: Agent) -> None:
    channels = Channels()
    try:
        checks = await check_agent(channels, Peer("node", node.address, Endpoint(node.address, plaintext=True)))
    finally:
        await channels.aclose()
    assert [one.name for one in checks if one.ok is False] == []
    assert {one.name: one.said for one in checks}["grade"].startswith("A")
    assert "finds no job that was never started" in {one.name for one in checks if one.ok}
