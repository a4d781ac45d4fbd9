"""Agents, with everything that can go wrong: one that finds its jobs by key, and one that answers at once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from alula.backends.agent.calls import AgentCalls
from alula.backends.agent.jobs import Agents
from alula.backends.agent.settings import Endpoint, Settings
from alula.testing.kit import Case, Grade, Harness, Nowhere, Remote, verify
from tests.integration.agents.agents import Agent, served

_SECONDS = 0.3
"""How long a job lasts."""


class Files(Remote):
    """The jobs of an agent: files that say when they end."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def live(self) -> Sequence[str]:
        found = []
        for path in sorted(self._directory.glob("*.job")):
            try:
                job = json.loads(path.read_text())
            except (OSError, ValueError):
                continue  # being written, or gone
            if job["ends"] > time.time():
                found.append(job["name"])
        return found


class JobsConformance(Harness):
    pace = 25.0
    seconds = 25.0
    ends_by_itself = True

    def __init__(self, agent: Agent, directory: Path) -> None:
        self._agent, self._directory = agent, directory

    @property
    def settings(self) -> Settings:
        endpoint = Endpoint(self._agent.address, plaintext=True)
        register = str(self._directory / "register")
        return Settings({"files": endpoint}, register=register, refresh=timedelta(hours=1))

    def remote(self) -> Remote:
        return Files(self._directory / "jobs")

    def plugin(self, remote: Remote) -> Agents:
        return Agents(self.settings)

    def cases(self) -> Sequence[Case]:
        return [Case("file_job", inputs={"a": 21}, outputs={"o0": 42}, custom={"seconds": _SECONDS})]


class CallsConformance(JobsConformance):
    def remote(self) -> Remote:
        return Nowhere()

    def plugin(self, remote: Remote) -> AgentCalls:  # type: ignore[override]
        return AgentCalls(self.settings)

    def cases(self) -> Sequence[Case]:
        return [Case("file_double", inputs={"a": 21}, outputs={"o0": 42})]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents")


@pytest.fixture(scope="module")
def agent(directory: Path) -> Iterator[Agent]:
    with served(directory) as made:
        yield made


@pytest.mark.parametrize("harness", [JobsConformance, CallsConformance])
def test_agents_of_ours_leave_nothing_running(harness: type[JobsConformance], agent: Agent, directory: Path) -> None:
    report = verify(harness(agent, directory), pairs=0)
    assert report.ok, report.text()
    assert report.grade is Grade.A, report.text()
    assert report.points > 0
