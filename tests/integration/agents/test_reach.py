"""How agents are reached: TLS with a private authority, certificates of both sides, tokens, announcements (S16)."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from alula.backends.agent.jobs import Agents
from alula.backends.agent.settings import Endpoint, Settings
from alula.errors import RemoteError
from alula.plugin.phase import Phase
from tests.integration.agents.agents import Agent, Attempts, followed, served
from tests.integration.agents.certificates import Authority


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Agents]:
    plugin = Agents(settings)
    await plugin.open()
    try:
        yield plugin
    finally:
        await plugin.close()


async def outcome(endpoint: Endpoint, attempts: Attempts, directory: Path) -> Phase:
    """How a small job ends over there. Raises RemoteError if it cannot be started."""
    quick = Settings({"files": endpoint}, register=str(directory / "register"))
    async with opened(quick) as plugin:
        task = attempts("file_job")
        return (await followed(plugin, task, await plugin.create(task)))[-1].phase


def pinned(agent: Agent, **more: object) -> Endpoint:
    return Endpoint(agent.address, task_types=("file_job",), **more)  # type: ignore[arg-type]


async def test_tls_with_a_private_authority(attempts: Attempts, tmp_path: Path) -> None:
    own = Authority(tmp_path / "tls", "own")
    server = own.sign("server")
    with served(tmp_path, "--cert", server.cert, "--key", server.key) as agent:
        assert await outcome(pinned(agent, ca_file=own.path), attempts, tmp_path) is Phase.SUCCEEDED
        stranger = Authority(tmp_path / "tls", "stranger")
        for wrong in (pinned(agent, ca_file=stranger.path), pinned(agent), pinned(agent, plaintext=True)):
            with pytest.raises(RemoteError):
                await outcome(wrong, attempts, tmp_path)


async def test_both_sides_show_certificates(attempts: Attempts, tmp_path: Path) -> None:
    own, stranger = Authority(tmp_path / "tls", "own"), Authority(tmp_path / "tls", "stranger")
    server, client, other = own.sign("server"), own.sign("client"), stranger.sign("other")
    with served(tmp_path, "--cert", server.cert, "--key", server.key, "--client-ca", own.path) as agent:
        known = pinned(agent, ca_file=own.path, cert_file=client.cert, key_file=client.key)
        assert await outcome(known, attempts, tmp_path) is Phase.SUCCEEDED
        unknown = pinned(agent, ca_file=own.path, cert_file=other.cert, key_file=other.key)
        for wrong in (pinned(agent, ca_file=own.path), unknown):
            with pytest.raises(RemoteError):
                await outcome(wrong, attempts, tmp_path)


async def test_callers_carry_a_token_that_may_change(attempts: Attempts, tmp_path: Path) -> None:
    accepted, carried = tmp_path / "accepted", tmp_path / "carried"
    accepted.write_text("first-token\n")
    carried.write_text("first-token\n")
    with served(tmp_path, "--token-file", str(accepted)) as agent:
        good = pinned(agent, plaintext=True, token_file=str(carried))
        assert await outcome(good, attempts, tmp_path) is Phase.SUCCEEDED
        with pytest.raises(RemoteError, match="a valid token is missing"):
            await outcome(pinned(agent, plaintext=True), attempts, tmp_path)
        accepted.write_text("second-token\n")
        with pytest.raises(RemoteError, match="a valid token is missing"):
            await outcome(good, attempts, tmp_path)
        carried.write_text("second-token\n")
        assert await outcome(good, attempts, tmp_path) is Phase.SUCCEEDED


async def test_an_agent_that_announces_itself_is_found_and_waited_for(attempts: Attempts, tmp_path: Path) -> None:
    register = tmp_path / "register"
    settings = Settings(register=str(register), refresh=timedelta(seconds=1))
    async with opened(settings) as plugin:
        task = attempts("file_job", custom={"seconds": 1})
        assert "no agent is known" in (plugin.accepts(task.template) or "")
        with served(tmp_path, "--register", str(register), "--name", "files") as agent:
            await until(lambda: plugin.accepts(task.template) == "")
            key = await plugin.create(task)
            agent.kill()
            assert plugin.accepts(task.template) == "", "nothing is forgotten"
            (told,) = await plugin.get([key])
            assert "agent files at" in str(told)
            assert "does not answer since" in str(told)
        with served(tmp_path, "--register", str(register), "--name", "files") as moved:
            assert moved.address != agent.address
            await until(lambda: plugin._directory.peer("files").address == moved.address)
            assert (await followed(plugin, task, key))[-1].phase is Phase.SUCCEEDED


async def test_what_was_learned_survives_a_restart_of_the_engine(attempts: Attempts, tmp_path: Path) -> None:
    register = str(tmp_path / "register")
    with served(tmp_path) as agent:
        settings = Settings({"files": Endpoint(agent.address, plaintext=True)}, register=register)
        async with opened(settings):
            pass
    async with opened(settings) as plugin:  # the agent is down
        task = attempts("file_job")
        assert plugin.accepts(task.template) == ""
        with pytest.raises(RemoteError, match=f"agent files at {agent.address} does not answer since"):
            await plugin.create(task)


def test_an_agent_without_a_name_does_not_announce_itself(tmp_path: Path) -> None:
    said = alula("serve", "filejobs", "--register", str(tmp_path))
    assert said.returncode == 2
    assert "give --name" in said.stderr


def test_the_check_tells_what_an_agent_serves_and_fails_where_none_answers(tmp_path: Path) -> None:
    with served(tmp_path) as agent:
        good = alula("check", agent.address)
        assert good.returncode == 0, good.stdout
        assert "file-jobs: starts jobs: file_job@0" in good.stdout
        assert "grade: A" in good.stdout
        agent.kill(signal.SIGTERM)
        bad = alula("check", agent.address)
        assert bad.returncode == 1
        assert "FAIL answers: it cannot be reached" in bad.stdout


def alula(*words: str) -> subprocess.CompletedProcess[str]:
    home = Path(__file__).parent / "served"
    return subprocess.run(
        [sys.executable, "-m", "alula.cli.main", "agent", *words],
        cwd=home,
        env={**os.environ, "FILE_JOBS": str(home), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def until(what: object) -> None:
    assert callable(what)
    async with asyncio.timeout(30):
        while not what():
            await asyncio.sleep(0.05)
