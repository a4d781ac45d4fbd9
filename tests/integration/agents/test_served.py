"""`alula agent serve`, called by a stock engine's stubs, and by our own client."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alula.backends.agent.calls import AgentCalls
from alula.backends.agent.jobs import Agents
from alula.backends.agent.settings import Endpoint, Settings
from alula.errors import RemoteError
from alula.plugin.phase import Phase
from tests.integration.agents.agents import HERE, Agent, Attempts, followed, served


def settings_of(agent: Agent, directory: Path, **more: object) -> Settings:
    endpoint = replace(Endpoint(agent.address, plaintext=True), **more)  # type: ignore[arg-type]
    return Settings({"files": endpoint}, register=str(directory / "register"))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Agents]:
    plugin = Agents(settings)
    await plugin.open()
    try:
        yield plugin
    finally:
        await plugin.close()


def jobs(directory: Path, kind: str = "job") -> list[str]:
    return sorted(path.name for path in (directory / "jobs").glob(f"*.{kind}"))


def test_a_stock_engine_can_use_it(filejobs: Agent, flytekit_python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(flytekit_python), str(HERE / "stub_client.py"), filejobs.address],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["health"] == "SERVING"
    assert found["agents"] == {"file-jobs": [False, ["file_job@0"]], "file-doubler": [True, ["file_double@0"]]}
    assert found["agent"] == "file-jobs"
    assert found["again"] is True, "a create that is repeated gives the same job"
    assert found["phases"] == ["RUNNING", "SUCCEEDED"]
    assert found["shown"] == ["counting", ["file"], {"rows": 7.0, "progress": 0.5}]
    assert found["output"] == 42
    assert found["failed"] == ["RETRYABLE_FAILED", "there is no such table", "NoTable", "RECOVERABLE"]
    assert found["logs"][1] == "job is over"
    assert found["gone"] == "NOT_FOUND"
    assert found["unknown"] == "NOT_FOUND"
    assert found["metrics"] == "UNIMPLEMENTED"
    assert found["rejected"] == ["INVALID_ARGUMENT", "the query does not parse"]
    assert found["misspelt"][0] == "INVALID_ARGUMENT"
    assert "second" in found["misspelt"][1]
    assert (found["doubled"], found["undoubled"]) == (10, "INVALID_ARGUMENT")


async def test_our_engine_can_use_it(filejobs: Agent, attempts: Attempts, tmp_path: Path) -> None:
    async with opened(settings_of(filejobs, tmp_path)) as plugin:
        task = attempts("file_job", custom={"seconds": 0.3}, a=4)
        key = await plugin.create(task)
        running, *_, last = await followed(plugin, task, key)
        assert (running.phase, running.progress) == (Phase.RUNNING, None)
        assert running.custom["progress"] == 0.5
        assert last.outputs is not None
        assert last.outputs.literals["o0"].scalar.primitive.integer == 8
        assert (await plugin.logs(task, key)).lines[1] == "job is over"
        await plugin.delete(key)
        assert jobs(tmp_path) == []
        assert len(jobs(tmp_path, "deleted")) == 1, "a plugin of ours is told to clean up after success, too"


async def test_a_create_whose_answer_was_lost_is_found_again(
    filejobs: Agent, attempts: Attempts, tmp_path: Path
) -> None:
    settings = settings_of(filejobs, tmp_path, create_timeout=timedelta(seconds=0.5))
    async with opened(settings) as plugin:
        task = attempts("file_job", custom={"mode": "slow-answer"})
        with pytest.raises(RemoteError, match="does not answer since"):
            await plugin.create(task)
        settings = settings_of(filejobs, tmp_path)
    async with opened(settings) as plugin:
        again = attempts("file_job", custom={"mode": "slow-answer"}, execution=task.id.execution, fresh=False)
        key = await plugin.find(again)
        assert key is not None
        assert len(jobs(tmp_path)) == 1
        await plugin.delete(key)
        assert await plugin.find(again) is None


async def test_nothing_is_found_of_what_was_never_started(filejobs: Agent, attempts: Attempts, tmp_path: Path) -> None:
    async with opened(settings_of(filejobs, tmp_path)) as plugin:
        assert await plugin.find(attempts("file_job", fresh=False)) is None
        assert jobs(tmp_path) == []


async def test_any_agent_of_the_same_plugin_knows_the_job(attempts: Attempts, tmp_path: Path) -> None:
    with served(tmp_path) as first:
        async with opened(settings_of(first, tmp_path)) as plugin:
            task = attempts("file_job", custom={"seconds": 0.1}, a=5)
            key = await plugin.create(task)
        first.kill()
    with served(tmp_path) as second:
        async with opened(settings_of(second, tmp_path)) as plugin:
            assert (await followed(plugin, task, key))[-1].phase is Phase.SUCCEEDED


async def test_a_secret_goes_along_where_that_is_allowed_and_is_never_said(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path / "out", secrets={"dbpass": "hunter2-canary"})
    task = attempts("file_job", custom={"secret": "dbpass", "mode": "blab"}, secret_names=["dbpass"])
    with served(tmp_path) as agent:
        async with opened(settings_of(agent, tmp_path, send_secrets=True)) as plugin:
            with pytest.raises(RemoteError) as failed:
                await plugin.create(task)
            assert "refuses the password ***" in str(failed.value)
        async with opened(settings_of(agent, tmp_path)) as plugin:
            with pytest.raises(RemoteError, match="there is no secret 'dbpass'"):
                await plugin.create(attempts("file_job", custom={"secret": "dbpass"}, secret_names=["dbpass"]))
        agent.kill(signal.SIGTERM)
        assert "hunter2-canary" not in agent.log.read_text()


async def test_an_answer_at_once_through_an_agent(filejobs: Agent, attempts: Attempts, tmp_path: Path) -> None:
    calls = AgentCalls(settings_of(filejobs, tmp_path))
    await calls.open()
    try:
        info = await calls.do(attempts("file_double", a=5))
        assert info.outputs is not None
        assert info.outputs.literals["o0"].scalar.primitive.integer == 10
    finally:
        await calls.close()


def test_it_ends_when_it_is_told_to(filejobs: Agent) -> None:
    assert filejobs.kill(signal.SIGTERM) == 0
    assert "calls under way may finish" in filejobs.log.read_text()
