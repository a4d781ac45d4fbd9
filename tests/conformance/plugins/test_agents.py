"""Agents, with everything that can go wrong: one that finds its jobs by key, and one that answers at once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alula.backends.agent.calls import AgentCalls
from alula.backends.agent.jobs import Agents
from alula.backends.agent.settings import Endpoint, Settings
from alula.testing.kit import Case, Grade, Harness, Nowhere, Remote, verify
from tests.integration.agents.agents import Agent, Journal, flytekit_connectors, served

pytestmark = pytest.mark.timeout(180)


class Files(Remote):
    """The jobs of an agent: files that say when they end."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for path in directory.glob("*.job"):
            path.unlink()

    def live(self) -> Sequence[str]:
        return [job["name"] for _, job in self._jobs() if job["ends"] > time.time()]

    def finish(self, name: str) -> None:
        self._end(name, "ok")

    def fail(self, name: str) -> None:
        self._end(name, "fail")

    def _end(self, name: str, mode: str) -> None:
        for path, job in self._jobs():
            if job["name"] == name:
                draft = path.with_suffix(".draft")
                draft.write_text(json.dumps({**job, "mode": mode, "ends": 0}))
                draft.rename(path)

    def _jobs(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        for path in sorted(self._directory.glob("*.job")):
            try:
                yield path, json.loads(path.read_text())
            except (OSError, ValueError):
                continue  # being written, or gone


class Written(Remote):
    """The jobs of real connectors of flytekit, which they write into a journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._before = len(journal.read("create"))

    def live(self) -> Sequence[str]:
        gone = {one["job"] for one in self._journal.read("delete")}
        started = self._journal.read("create")[self._before :]
        return [one["name"] for one in started if one["job"] not in gone and not self._end(one["name"]).exists()]

    def finish(self, name: str) -> None:
        self._end(name).write_text("ok")

    def fail(self, name: str) -> None:
        self._end(name).write_text("fail")

    def _end(self, name: str) -> Path:
        return self._journal.path.with_name(f"{name}.end")


class JobsConformance(Harness):
    pace = 25.0
    seconds = 25.0

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
        return [Case("file_job", inputs={"a": 21}, outputs={"o0": 42}, custom={"seconds": 3600})]


class CallsConformance(JobsConformance):
    def remote(self) -> Remote:
        return Nowhere()

    def plugin(self, remote: Remote) -> AgentCalls:  # type: ignore[override]
        return AgentCalls(self.settings)

    def cases(self) -> Sequence[Case]:
        return [Case("file_double", inputs={"a": 21}, outputs={"o0": 42})]


class FlytekitConformance(JobsConformance):
    def __init__(self, agent: Agent, directory: Path, journal: Journal) -> None:
        super().__init__(agent, directory)
        self._journal = journal

    def remote(self) -> Remote:
        return Written(self._journal)

    def cases(self) -> Sequence[Case]:
        return [Case("probe_job", inputs={"a": 4}, outputs={"o0": 40}, custom={"mode": "kit"})]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents")


@pytest.fixture(scope="module")
def agent(directory: Path) -> Iterator[Agent]:
    with served(directory) as made:
        yield made


@pytest.mark.parametrize("harness", [JobsConformance, CallsConformance])
def test_agents_of_ours_leave_nothing_running(harness: type[JobsConformance], agent: Agent, directory: Path) -> None:
    report = verify(harness(agent, directory), pairs=0, seconds=10.0)
    assert report.ok, report.text()
    assert report.grade is Grade.A, report.text()
    assert report.points > 0


def test_connectors_of_flytekit_are_as_safe_as_they_can_be(flytekit_python: Path, directory: Path) -> None:
    with flytekit_connectors(flytekit_python, directory) as (agent, journal):
        report = verify(FlytekitConformance(agent, directory, journal), pairs=0, seconds=10.0)
    assert report.grade is Grade.B, report.text()
    assert report.points > 0
